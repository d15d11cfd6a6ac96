//! A disk that hangs at a start and at SIGHUP: nobody waits for it longer than a moment, and nothing that
//! lies there is lost. Files that hang until somebody answers are pipes, which block whoever opens them.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{CWD, Mode, mknodat};
use rustix::process::Signal;

use crate::activation::{WithSettings, overfill, ringstat};
use crate::support::daemon::Daemon;
use crate::support::poll;
use crate::support::udp::{ReceiveQueue, Sender};

const SENT: &str = "stats.counters.sent.count";
const SILENCE: &str = "the disk does not answer";

/// Puts a pipe in the place of a file.
fn make_pipe(path: &Path) {
    let made = mknodat(CWD, path, rustix::fs::FileType::Fifo, Mode::RWXU, 0);
    made.expect("the folder is ours");
}

fn is_pipe(path: &Path) -> bool {
    let found = fs::symlink_metadata(path);
    found.is_ok_and(|found| found.file_type().is_fifo())
}

/// When a line was logged, in seconds of the day.
fn logged_at_s(line: &str) -> u64 {
    let (_, time) = line.split_once('T').expect("a time stamp");
    let numbers = time[..8].split(':').map(|number| number.parse::<u64>());
    numbers.fold(0, |sum, number| sum * 60 + number.expect("a number"))
}

/// From the one time of the day to the other, in seconds.
fn span_s(first_s: u64, last_s: u64) -> u64 {
    (last_s + 86_400 - first_s) % 86_400
}

/// Goal: a daemon starts, receives, flushes and ends, whatever lies on a disk that hangs, and waits for all
/// of it together. Method: state file, note and the spools of two commands on a file system that nobody
/// serves; a slot, and a stop.
#[test]
fn a_disk_that_hangs_holds_up_no_start() {
    let rig = WithSettings::new();
    let Some(program) = rig.program_behind_a_hanging_disk("hangs") else {
        return;
    };
    let hangs = rig.path("hangs");
    rig.set(&format!(
        "state_file = \"{0}/state\"\nspool = \"{0}/spool\"\n\
         sink = [\"console:\", \"command:cat >&2\", \"command:cat > /dev/null\"]\n",
        hangs.display()
    ));
    let mut daemon = rig.start(&program);
    daemon.sender().send("sent:1|c");
    daemon.wait_for_sum(SENT, 1.0);
    let log = daemon.log.now();
    let told = |what: &str| {
        let lines = log.iter().filter(|line| line.contains(what));
        lines.map(|line| logged_at_s(line)).collect::<Vec<_>>()
    };
    let hangs = hangs.display();
    let all = told(SILENCE);
    for (what, count) in [
        (format!("cannot open {hangs}/state:"), 1),
        (format!("cannot read {hangs}/state.drops:"), 1),
        (format!("its spool in {hangs}/spool/"), 2),
    ] {
        assert_eq!(told(&what).len(), count, "{what}: {log:#?}");
    }
    // A second wait of five seconds would lie between them.
    let (first, last) = (all[0], all[all.len() - 1]);
    assert!(span_s(first, last) < 5, "{log:#?}");
    assert_eq!(daemon.stop(), Some(0));
    let log = daemon.log.now();
    let told = |text: &str| log.iter().position(|line| line.contains(text));
    for kept in [
        format!("cannot write {hangs}/state: {SILENCE}"),
        format!("has dropped so far: cannot write {hangs}/state.drops: {SILENCE}"),
    ] {
        let at = told(&kept);
        assert!(at.is_some() && at < told("stopped"), "{kept}: {log:#?}");
    }
    // Commands take what they get at once; a second wait of five seconds would be the tenth.
    let at_s = |text: &str| logged_at_s(&log[told(text).expect("it is told")]);
    let took_s = span_s(at_s("flushing a last time"), at_s("stopped"));
    assert!(took_s < 10, "{log:#?}");
}

/// Goal: a spool that turns out to be of no use when its disk answers is told of, though nobody waits for it
/// any more. Method: a file in it is a pipe, which can be opened late, is no file then, and cannot be
/// renamed.
#[test]
fn a_spool_that_fails_too_late_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("graphite-127.0.0.1-1");
    fs::create_dir_all(spool.join("7.zst.damaged/full")).expect("the folder is ours");
    make_pipe(&spool.join("7.zst"));
    let daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1000 -s 127.0.0.1:1 --spool {}",
        folder.path().display()
    ));
    daemon.log.wait_for_text(SILENCE);
    // Nothing is written: who opened it may be gone before.
    let pipe = File::options().write(true).open(spool.join("7.zst"));
    drop(pipe.expect("somebody opens it"));
    daemon.log.wait_for_text("cannot use it");
}

/// Hours, in seconds, that do not end while a test runs.
fn endless_slot_s() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_s = now.expect("the clock is past 1970").as_secs();
    let mut lengths = (70_000..).step_by(1_000);
    let length = lengths.find(|length| length - now_s % length > 600);
    length.expect("few lengths end soon")
}

/// A daemon with its state in this file, whose slots end at whole multiples of its interval.
fn start(path: &Path, interval_s: u64) -> Daemon {
    Daemon::start(&format!(
        "-b 127.0.0.1:0 -f {interval_s} -s console: --state-file {}",
        path.display()
    ))
}

/// Goal: a state that is read too late is not written over, and what it costs is counted. Method: a process
/// is stopped in mid-slot; the next one finds a pipe, begins anew, and is given the state then.
#[test]
fn a_state_that_comes_too_late_is_set_aside_and_its_slot_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let mut daemon = start(&path, endless_slot_s());
    daemon.sender().send("sent:3|c\nlevel:5|g");
    assert_eq!(daemon.stop(), Some(0));
    let state = fs::read(&path).expect("a state");
    fs::remove_file(&path).expect("it is ours");
    make_pipe(&path);
    let mut daemon = start(&path, 1);
    daemon.log.wait_for_text(SILENCE);
    daemon.sender().send("sent:4|c\nlevel:+1|g");
    daemon.wait_for_sum(SENT, 4.0);
    assert!(is_pipe(&path), "nothing is written before it was read");
    assert!(!path.with_extension("unread").exists());
    fs::write(&path, &state).expect("somebody reads it");
    daemon
        .log
        .wait_for_text("Graphite keeps only what this process got");
    daemon.log.wait_for_text("is written again");
    let points = daemon.wait_for("the slot to be counted", |points| {
        points.own_sum("flush.halved_slots") > 0.0
    });
    assert!(points.values("stats.gauges.level").contains(&1.0));
    assert_eq!(daemon.stop(), Some(0));
    // Each flush has written a state of its own since.
    assert!(path.is_file() && is_pipe(&folder.path().join("state.unread")));
    let daemon = start(&path, 1);
    daemon.log.wait_for_text("state.unread lies there");
    let points = daemon.wait_for("a level", |points| {
        !points.values("stats.gauges.level").is_empty()
    });
    assert_eq!(points.values("stats.gauges.level")[0], 1.0);
}

/// Goal: the slot of a state that is read too late is counted, though SIGHUP has taken the file out of use
/// meanwhile. Method: as above, with another state file in between.
#[test]
fn a_state_that_comes_when_its_file_is_out_of_use_is_counted() {
    let rig = WithSettings::new();
    let set = |file: &str, flush_s: u64| {
        let path = rig.path(file);
        rig.set(&format!("state_file = {path:?}\nflush = {flush_s}\n"));
    };
    let path = rig.path("state");
    set("state", endless_slot_s());
    let mut daemon = start_as_set(&rig);
    daemon.sender().send("sent:3|c");
    assert_eq!(daemon.stop(), Some(0));
    let state = fs::read(&path).expect("a state");
    fs::remove_file(&path).expect("it is ours");
    make_pipe(&path);
    set("state", 1);
    let mut daemon = start_as_set(&rig);
    daemon.log.wait_for_text(SILENCE);
    set("other", 1);
    daemon.signal(Signal::HUP);
    daemon.log.wait_for_text("configuration 2 in use");
    fs::write(&path, &state).expect("somebody reads it");
    daemon
        .log
        .wait_for_text("Graphite keeps only what this process got");
    daemon.wait_for("the slot to be counted", |points| {
        points.own_sum("flush.halved_slots") > 0.0
    });
    assert_eq!(daemon.stop(), Some(0));
}

/// A daemon with nothing but its settings.
fn start_as_set(rig: &WithSettings) -> Daemon {
    let settings = rig.path("settings.toml");
    Daemon::start(&format!(
        "-b 127.0.0.1:0 -s console: --config {}",
        settings.display()
    ))
}

/// Goal: a note that is not read in time costs nothing but itself, and does not stay. Method: it is a pipe,
/// which is read in the end, and says that of the drops before the start none was counted.
#[test]
fn a_note_that_comes_too_late_is_not_used() {
    let rig = WithSettings::new();
    rig.set(&format!("state_file = {:?}\n", rig.path("state")));
    let note = rig.path("state.drops");
    make_pipe(&note);
    overfill(&Sender::to(rig.address));
    let mut daemon = rig.start(ringstat());
    daemon.log.wait_for_text(SILENCE);
    daemon.log.wait_for_text("nobody tells how many");
    // What comes before there is room would be dropped, and counted.
    ReceiveQueue::of(&daemon).wait_until_empty();
    daemon.sender().send("sent:1|c");
    daemon.wait_for_sum(SENT, 1.0);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a name");
    fs::write(&note, format!("{boot}{} 0\n", rig.cookie)).expect("somebody reads it");
    poll("the note to go", || (!note.exists()).then_some(()));
    assert_eq!(daemon.stop_in_place().own_sum("kernel_drops"), 0.0);
    assert!(note.is_file(), "that of this process");
}

/// Goal: a disk that hangs at SIGHUP holds up neither flushes nor the change. Method: a state file on it
/// becomes the one in use; slots before and behind, and a stop.
#[test]
fn a_disk_that_hangs_holds_up_no_change() {
    let rig = WithSettings::new();
    let Some(program) = rig.program_behind_a_hanging_disk("hangs") else {
        return;
    };
    rig.set("");
    let mut daemon = rig.start(&program);
    let hangs = rig.path("hangs/state");
    rig.set(&format!("state_file = {hangs:?}\n"));
    daemon.signal(Signal::HUP);
    daemon.sender().send("sent:1|c");
    daemon.wait_for_sum(SENT, 1.0);
    let log = daemon.log.now();
    assert!(!log.iter().any(|line| line.contains(SILENCE)), "{log:#?}");
    let silence = format!("cannot open {}: {SILENCE}", hangs.display());
    daemon.log.wait_for_text(&silence);
    daemon.log.wait_for_text("configuration 2 in use");
    daemon.sender().send("sent:1|c");
    daemon.wait_for_sum(SENT, 2.0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Goal: a pid file that cannot be made in time keeps no daemon from running. Method: it lies on a
/// file system that nobody serves.
#[test]
fn a_pid_file_on_a_disk_that_hangs_holds_up_no_start() {
    let rig = WithSettings::new();
    let Some(program) = rig.program_behind_a_hanging_disk("hangs") else {
        return;
    };
    rig.set(&format!("pid_file = {:?}\n", rig.path("hangs/pid")));
    let mut daemon = rig.start(&program);
    daemon.log.wait_for_text("cannot write the pid file");
    daemon.sender().send("sent:1|c");
    daemon.wait_for_sum(SENT, 1.0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Goal: settings that cannot be read in time leave those in use, and can be read again. Method: their file
/// is a pipe at SIGHUP, and a file again at the next one, when the pipe has been read.
#[test]
fn settings_on_a_disk_that_hangs_change_nothing() {
    let rig = WithSettings::new();
    rig.set("prefix = \"before\"\n");
    let mut daemon = rig.start(ringstat());
    let settings = rig.path("settings.toml");
    let pipe = rig.path("pipe");
    make_pipe(&pipe);
    fs::rename(&pipe, &settings).expect("the folder is ours");
    daemon.signal(Signal::HUP);
    daemon.log.wait_for_text("cannot read the settings");
    daemon.log.wait_for_text("configuration 1 stays in use");
    daemon.sender().send("sent:1|c");
    let path_of = |prefix: &str| SENT.replace("sent", &format!("{prefix}.sent"));
    daemon.wait_for_sum(&path_of("before"), 1.0);
    fs::rename(&settings, &pipe).expect("the folder is ours");
    fs::write(&pipe, "prefix = \"late\"\n").expect("somebody reads it");
    rig.set("prefix = \"after\"\n");
    daemon.signal(Signal::HUP);
    daemon.log.wait_for_text("configuration 2 in use");
    daemon.sender().send("sent:1|c");
    daemon.wait_for_sum(&path_of("after"), 1.0);
    assert_eq!(daemon.stop(), Some(0));
}
