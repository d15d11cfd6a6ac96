//! Restarts in mid-slot, kills, and state files in all states.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ringstat::flusher::state::seal;
use rustix::process::Signal;

use crate::support::carbon::Carbon;
use crate::support::daemon::{Daemon, command, run};
use crate::support::graphite::Graphite;
use crate::support::points::{OWN, Points};
use crate::support::{poll, skip};

/// A slot that no test outlasts, and that a restart does not end.
const LONG_SLOT: &str = "-b 127.0.0.1:0 -f 1000 --align false";

/// What three processes get in one slot, a sample of each type.
const PARTS: [&str; 3] = [
    "sent:3|c\ntook:1:2|ms\nlevel:5|g\nwho:ann|s\nraw:1|kv|@1700000000",
    "sent:4|c\ntook:9|ms\nlevel:+1|g\nwho:ann|s\nwho:bob|s",
    "sent:5|c\ntook:4|ms\nlevel:+1|g\nwho:bob|s\nwho:cy|s\nraw:2|kv|@1700000000",
];

/// Goal: Graphite, which keeps the last point of a path and time, has the whole slot in the end; a sink
/// that adds up is given no sample twice. Method: two restarts in one slot; what each of three processes
/// sent to either, and whether the ledger of each comes out even, though its sinks get unlike numbers of
/// points.
#[test]
fn a_slot_that_restarts_cut_is_sent_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let graphite = Graphite::start();
    let mut added = 0.0;
    for part in PARTS {
        let daemon = Daemon::start(&format!(
            "{LONG_SLOT} -s {} -s console: --state-file {}",
            graphite.sink(),
            path.display()
        ));
        daemon.sender().send(part);
        let on_output = daemon.stop_and_read();
        added += on_output.sum("stats.counters.sent.count");
        let samples = part.matches('\n').count() as f64 + 1.0;
        let packed = if part.contains("1:2") { 1.0 } else { 0.0 };
        assert_eq!(on_output.own_sum("samples"), samples + packed);
    }
    assert_eq!(added, 12.0, "each sample once");
    let count = "stats.counters.sent.count";
    graphite.wait_for_kept("the whole slot", |kept| {
        kept.sum(count) == 12.0 && kept.sum("own.samples") == 17.0
    });
    let points = graphite.points();
    assert_eq!(points.values(count), [3.0, 7.0, 12.0]);
    let times = points.times(count);
    assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
    for (path, values) in [
        ("stats.counters.sent.rate", [0.003, 0.007, 0.012]),
        ("stats.timers.took.count", [2.0, 3.0, 4.0]),
        ("stats.timers.took.sum", [3.0, 12.0, 16.0]),
        ("stats.timers.took.upper", [2.0, 9.0, 9.0]),
        ("stats.gauges.level", [5.0, 6.0, 7.0]),
        ("stats.sets.who.count", [1.0, 2.0, 3.0]),
        ("own.samples", [6.0, 11.0, 17.0]),
        ("own.datagrams", [1.0, 2.0, 3.0]),
    ] {
        assert_eq!(points.values(path), values, "{path}");
    }
    assert_eq!(points.values("stats.kv.raw"), [1.0, 1.0, 1.0, 2.0]);
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Goal: what can be drawn in the end is right. Method: a restart in mid-slot in front of the real
/// database; the value is read from its file.
#[test]
fn a_slot_that_a_restart_cuts_is_whole_in_a_whisper_file() {
    let Some(carbon) = Carbon::start() else {
        return skip("carbon-cache of the package graphite-carbon is missing");
    };
    let folder = tempfile::tempdir().expect("a folder");
    for part in &PARTS[..2] {
        let mut daemon = Daemon::start(&format!(
            "{LONG_SLOT} -s graphite://127.0.0.1:{} --state-file {}",
            carbon.text_port,
            folder.path().join("state").display()
        ));
        daemon.sender().send(part);
        assert_eq!(daemon.stop(), Some(0));
    }
    let counted = carbon.wait_for("stats/counters/sent/count", 7.0);
    assert_eq!(counted.len(), 1, "{counted:?}");
}

/// A daemon with short slots and its state in this file.
fn start(path: &Path) -> Daemon {
    start_with(path, "")
}

/// As [`start`], with more arguments.
fn start_with(path: &Path, arguments: &str) -> Daemon {
    Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 0.2 --state-file {} {arguments}",
        path.display()
    ))
}

fn levels(daemon: &Daemon) -> Vec<f64> {
    let points = daemon.wait_for("two slots", |points| {
        points.times(&format!("{OWN}.datagrams")).len() > 1
    });
    points.values("stats.gauges.level")
}

/// Goal: a kill costs no more than what came since the last flush. Method: SIGKILL when a level is in
/// the file; the next process tells it without being told.
#[test]
fn a_level_that_was_flushed_outlives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let mut daemon = start(&path);
    daemon.sender().send("level:5|g");
    poll("the level in the file", || {
        let text = fs::read_to_string(&path).ok()?;
        text.contains(" 5.0 level\n").then_some(())
    });
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.wait(), None);
    assert_eq!(levels(&start(&path)).first(), Some(&5.0));
}

/// Goal: a file that cannot be trusted is not used, and not lost either. Method: one byte of a level is
/// another; the end is missing; a version that nobody knows yet.
#[test]
fn a_damaged_state_file_is_set_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let mut daemon = start(&path);
    daemon.sender().send("level:5|g");
    assert_eq!(daemon.stop(), Some(0));
    let whole = fs::read_to_string(&path).expect("a state");
    let damaged = [
        whole.replace(" 5.0 level\n", " 7.0 level\n"),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("state 2\n", "state 3\n"),
    ];
    for text in damaged {
        assert_ne!(text, whole);
        fs::write(&path, &text).expect("a file");
        let mut daemon = start(&path);
        daemon.log.wait_for_text("state.damaged");
        assert_eq!(levels(&daemon), [0.0; 0]);
        assert_eq!(daemon.stop(), Some(0));
        let aside = fs::read_to_string(folder.path().join("state.damaged"));
        assert_eq!(aside.expect("it is kept"), text);
    }
    fs::write(&path, &whole).expect("a file");
    assert_eq!(levels(&start(&path)).first(), Some(&5.0));
}

/// A state as it would be if it had been written so many seconds before, or after.
fn state_of_before(state: &str, age_s: i64) -> Vec<u8> {
    let (body, _) = state.rsplit_once("crc32 ").expect("a checksum");
    let of = body.lines().nth(1).expect("what it is of");
    let numbers = of.split(' ').skip(1);
    let numbers: Vec<i64> = numbers
        .map(|number| number.parse().expect("a number"))
        .collect();
    let [written_ms, end_ns, interval_ns] = numbers[..] else {
        panic!("{of}");
    };
    let before = format!(
        "of {} {} {interval_ns}",
        written_ms - age_s * 1_000,
        end_ns - age_s * 1_000_000_000
    );
    seal(body.replace(of, &before))
}

/// Goal: what is too old is not told as if it were of today, and the log says so; what is not too old is used, and
/// the time that has gone is silence. Method: a state that a killed daemon left, with other times in it; starts
/// with the age that is allowed unless told otherwise, and with any.
#[test]
fn a_state_that_is_too_old_is_not_used() {
    const HOUR_S: i64 = 3_600;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let mut daemon = start(&path);
    daemon.sender().send("level:5|g\nquiet:1|c");
    let state = poll("both series in the file", || {
        let text = fs::read_to_string(&path).ok()?;
        let has_both = text.contains(" 5.0 level\n") && text.contains(" quiet\n");
        has_both.then_some(text)
    });
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.wait(), None);
    for (age_s, arguments, is_used) in [
        (2 * HOUR_S, "", false),
        (HOUR_S / 2, "", true),
        // As doubtful as one that is long gone.
        (-2 * HOUR_S, "", false),
        (2 * HOUR_S, "--state-age 0", true),
    ] {
        fs::write(&path, state_of_before(&state, age_s)).expect("it is ours");
        let mut daemon = start_with(&path, arguments);
        let levels = levels(&daemon);
        let points = daemon.stop_in_place();
        assert_eq!(levels.first() == Some(&5.0), is_used, "{age_s}: {levels:?}");
        assert_eq!(levels.is_empty(), !is_used, "{age_s}: {levels:?}");
        assert_eq!(points.values("stats.counters.quiet.count"), [0.0; 0]);
        let log = daemon.log.now();
        let tells = |words: &str| log.iter().any(|line| line.contains(words));
        let path = path.display();
        let used = format!(" INFO ] read {path}, written ");
        let not_used = format!(" WARN ] {path} is not read, as it was written ");
        assert_eq!(tells(&used), is_used, "{age_s}: {log:#?}");
        assert_eq!(tells(&not_used), !is_used, "{age_s}: {log:#?}");
        assert_eq!(tells("and state_age is 3600 s"), !is_used, "{log:#?}");
    }
    assert!(!folder.path().join("state.damaged").exists());
}

/// What is told of a series while it is silent, and for how many slots.
const SILENT: [(&str, u64); 4] = [
    ("stats.counters.quiet.count", 9),
    ("stats.timers.quiet.count", 12),
    ("stats.sets.quiet.count", 10),
    ("stats.gauges.quiet", 11),
];

/// A path is told of in the first slot in which there was something, in so many behind it, and in no other.
fn assert_told_while_silent(processes: [&Points; 2], (path, slots_max): (&str, u64)) {
    let spoke = processes[0].times(path)[0];
    // Silence is counted in flushes, of which a slot that was skipped has none.
    let mut skipped = 0;
    for points in processes {
        let mut expected = Vec::new();
        for slot in points.of(&format!("{OWN}.flush.skipped_slots")) {
            let Some(since) = slot.time_unix_s.checked_sub(spoke) else {
                continue;
            };
            skipped += if since > 0 { slot.value as u64 } else { 0 };
            if since - skipped <= slots_max {
                expected.push(slot.time_unix_s);
            }
        }
        assert_eq!(
            points.times(path),
            expected,
            "{path}, which spoke at {spoke}"
        );
    }
}

/// Goal: the clock of a silent series goes on over a restart, which costs it no slot and gives it none. Method: a
/// series of each type, each with another time to be told of, a stop when some of that has gone, and a successor
/// that runs until two slots are without any of them.
#[test]
fn silent_series_are_told_of_for_the_rest_of_their_time_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = format!(
        "-b 127.0.0.1:0 -f 1 --idle-counters 9s --idle-timers 12s --idle-sets 10s \
         --idle-gauges 11s --state-file {}",
        folder.path().join("state").display()
    );
    let (longest, longest_slots) = SILENT[1];
    let before = Daemon::start(&arguments);
    before
        .sender()
        .send("quiet:1|c\nquiet:1|ms\nquiet:1|s\nquiet:1|g");
    before.wait_for("three slots of silence", |points| {
        points.times(longest).len() > 3
    });
    let before = before.stop_and_read();
    let spoke = before.times(longest)[0];
    let skipped = |points: &Points| points.own_sum("flush.skipped_slots") as u64;
    let after = Daemon::start(&arguments);
    after.wait_for("two slots behind all of them", |points| {
        let ends = points.times(&format!("{OWN}.datagrams"));
        let last = ends.last().copied().unwrap_or_default();
        last >= spoke + longest_slots + 2 + skipped(&before) + skipped(points)
    });
    let after = after.stop_and_read();
    for series in SILENT {
        assert_told_while_silent([&before, &after], series);
    }
    assert!(
        !after.times(longest).is_empty(),
        "the restart took its time"
    );
}

/// Goal: who asks for a state file that can never be hears of it at the start. Method: a folder in which
/// not even root can make a file, one that is not there, and a file in the place of a folder.
#[test]
fn a_state_file_that_cannot_be_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), "").expect("it is ours");
    let below = |name: &str| folder.path().join(name).join("state");
    for path in [Path::new("/proc/state"), &below("missing"), &below("file")] {
        let path = path.display();
        let ended = run(command(&format!(
            "-b 127.0.0.1:0 -s console: --state-file {path}"
        )));
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.log.contains(&format!("{path}.new")), "{ended:?}");
        let ended = run(command(&format!(
            "-b 127.0.0.1:0 -s 127.0.0.1:1 --daemonize --state-file {path}"
        )));
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.log.contains(&format!("{path}.new")), "{ended:?}");
    }
}

/// Goal: a disk that was made read-only, as the kernel does at an error, keeps no daemon from starting:
/// metrics go out, and the state is kept again when it can be. Method: a file system that only the daemon
/// sees is read-only from the start, with a state in it, and then is not any more.
#[test]
fn behind_a_read_only_disk_the_daemon_runs_without_a_state_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let mut before = start(&state);
    before.sender().send("level:5|g");
    assert_eq!(before.stop(), Some(0));
    let place = folder.path().display();
    let script = format!("mount --bind {place} {place} && mount -o remount,bind,ro {place}");
    let may_mount = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .status();
    if !may_mount.is_ok_and(|status| status.success()) {
        return skip("no file system can be mounted here");
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{script} && exec \"$@\""), "sh"]);
    command.arg(env!("CARGO_BIN_EXE_ringstat"));
    command.args(["-b", "127.0.0.1:0", "-f", "0.2", "--own-prefix", OWN]);
    command.arg("--state-file").arg(&state);
    let mut daemon = Daemon::spawn_with_control(command);
    assert_eq!(levels(&daemon).first(), Some(&5.0), "it can be read");
    daemon.log.wait_for_text("until that is over");
    daemon.sender().send("sent:1|c\nlevel:7|g");
    daemon.wait_for_sum("stats.counters.sent.count", 1.0);
    let remounted = Command::new("nsenter")
        .args(["-m", "-t", &daemon.id().to_string()])
        .args(["mount", "-o", "remount,bind,rw"])
        .arg(folder.path())
        .status();
    assert!(remounted.expect("it is there").success());
    daemon.log.wait_for_text("is written again");
    assert_eq!(daemon.stop(), Some(0));
    let told = daemon.log.now();
    let told = told.iter().filter(|line| line.contains("cannot write"));
    assert_eq!(told.count(), 1, "once in a row");
    assert_eq!(levels(&start(&state)).first(), Some(&7.0));
}

/// Goal: flushes go on when the file cannot be written any more. Method: its folder goes away.
#[test]
fn a_folder_that_goes_away_stops_no_flush() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("below");
    fs::create_dir(&below).expect("a folder");
    let mut daemon = start(&below.join("state"));
    let away = folder.path().join("away");
    fs::rename(&below, &away).expect("it is there");
    daemon.log.wait_for_text("cannot write");
    daemon.sender().send("sent:1|c");
    daemon.wait_for_sum("stats.counters.sent.count", 1.0);
    fs::rename(&away, &below).expect("it is there");
    daemon.log.wait_for_text("is written again");
    assert_eq!(daemon.stop(), Some(0));
}
