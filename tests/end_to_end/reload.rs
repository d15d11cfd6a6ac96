//! SIGHUP: the configuration is read again while traffic goes on.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::daemon::{Daemon, command};
use crate::support::engines::has_io_uring;
use crate::support::graphite::Graphite;
use crate::support::points::{OWN, Points};
use crate::support::poll;
use crate::support::udp::{ReceiveQueue, Sender};

/// More than any test needs: the sender ends even if nobody tells it to.
const SENT_COUNT_MAX: u64 = 3_000_000;

/// A daemon with a file of settings that a test writes.
struct Rig {
    folder: TempDir,
    daemon: Daemon,
}

impl Rig {
    fn start(arguments: &str, settings: &str) -> Rig {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::write(folder.path().join("settings.toml"), settings).expect("a file");
        let mut command = command(&format!("-b 127.0.0.1:0 --own-prefix {OWN} {arguments}"));
        command.current_dir(folder.path());
        command.args(["--config", "settings.toml"]);
        let daemon = Daemon::spawn(command);
        Rig { folder, daemon }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("settings.toml")
    }

    /// Writes the file anew and waits until it is in use as the configuration of this number.
    fn reload(&self, settings: &str, generation: usize) {
        fs::write(self.file(), settings).expect("a file");
        self.daemon.signal(Signal::HUP);
        let in_use = format!("configuration {generation} in use");
        self.daemon.log.wait_for_text(&in_use);
    }

    fn log(&self) -> String {
        self.daemon.log.now().join("\n")
    }
}

/// What came out of a counter, under whatever naming.
fn sum_of_all(points: &Points, counter: &str) -> f64 {
    let paths = [
        format!("stats.counters.{counter}.count"),
        format!("stats.counters.pre.{counter}.count"),
        format!("stats_counts.{counter}"),
        format!("stats_counts.pre.{counter}"),
    ];
    paths.iter().map(|path| points.sum(path)).sum()
}

/// Goal: no sample is lost or counted twice, whatever changes. Method: senders that never pause;
/// between them the naming, its rules for names, the prefix, percentiles, the interval, limits and
/// the wait for a batch change.
fn assert_nothing_is_lost(arguments: &str) {
    let rig = Rig::start(arguments, "flush = 0.2");
    let queue = ReceiveQueue::of(&rig.daemon);
    let senders: Vec<Sender> = (0..8).map(|_| rig.daemon.sender()).collect();
    let (sent, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..SENT_COUNT_MAX {
                let is_over = number % 64 == 0 && !queue.wait_for_room();
                if is_over || enough.load(Ordering::SeqCst) {
                    return;
                }
                senders[number as usize % senders.len()].send("load:1|c\na b:2|c\nt:3|ms");
                sent.store(number + 1, Ordering::SeqCst);
            }
        });
        for (generation, settings) in (2..).zip([
            "flush = 0.1\nprefix = \"pre\"",
            "flush = 0.3\nnaming = \"etsy-legacy\"\npercent = [50, 99]\nmax_wait = 0",
            "flush = 0.1\nnaming = \"gstatsd\"",
            "flush = 0.1\nnaming = \"etsy\"\nweighted_timers = true\nmax_timer_values = 7",
            "flush = 0.1\nmax_series = 3\nmax_wait = 0.05\nalign = false",
        ]) {
            let before = sent.load(Ordering::SeqCst);
            rig.reload(settings, generation);
            poll("traffic by these settings", || {
                (sent.load(Ordering::SeqCst) > before + 500).then_some(())
            });
        }
        enough.store(true, Ordering::SeqCst);
    });
    let points = rig.daemon.stop_and_read();
    let sent = sent.load(Ordering::SeqCst) as f64;
    assert_eq!(points.own_sum("kernel_drops"), 0.0, "the sender held back");
    assert_eq!(sum_of_all(&points, "load"), sent);
    let spellings = sum_of_all(&points, "a_b") + sum_of_all(&points, "ab");
    assert_eq!(spellings, 2.0 * sent);
    assert_eq!(points.own_sum("samples"), 3.0 * sent);
    points.assert_input_balances();
}

#[test]
fn a_reload_under_load_loses_nothing_with_io_uring() {
    if !has_io_uring() {
        return;
    }
    assert_nothing_is_lost("--engine io_uring --shards 2");
}

#[test]
fn a_reload_under_load_loses_nothing_with_recvmmsg() {
    assert_nothing_is_lost("--engine recvmmsg --shards 2");
}

#[test]
fn gauges_keep_their_levels_and_are_moved_from_there() {
    let rig = Rig::start("-f 0.1", "");
    let sender = rig.daemon.sender();
    sender.send("g:40|g");
    rig.daemon
        .wait_for("the level", |points| points.sum("stats.gauges.g") > 0.0);
    rig.reload("prefix = \"pre\"\ntags = false", 2);
    sender.send("g:+2|g");
    rig.daemon.wait_for("the level after a move", |points| {
        points.values("stats.gauges.pre.g").contains(&42.0)
    });
}

/// Goal: a wrong file changes nothing and is told with its place, and what only a start can change
/// is told too. Method: the same file with both, and then a good one.
#[test]
fn a_wrong_file_changes_nothing() {
    let rig = Rig::start("-f 0.1", "prefix = \"one\"");
    fs::write(rig.file(), "prefix = \"two\"\npercent = 900\n").expect("a file");
    rig.daemon.signal(Signal::HUP);
    rig.daemon.log.wait_for_text("configuration 1 stays in use");
    let place = format!("{}:2:", rig.file().display());
    assert!(rig.log().contains(&place), "{}", rig.log());
    rig.daemon.sender().send("a:1|c");
    rig.daemon.wait_for_sum("stats.counters.one.a.count", 1.0);
    rig.reload("prefix = \"three\"\nshards = 3\nreceive_buffer = 100000", 2);
    let log = rig.log();
    for kept in ["receive_buffer from", "shards from"] {
        let told = log.lines().find(|line| line.contains(kept));
        let told = told.unwrap_or_else(|| panic!("{kept}: {log}"));
        assert!(
            told.contains("WARN") && told.contains("needs a new start"),
            "{told}"
        );
    }
    assert!(log.contains("prefix from \"one\" to \"three\""), "{log}");
    rig.daemon.sender().send("a:1|c");
    rig.daemon.wait_for_sum("stats.counters.three.a.count", 1.0);
}

/// Goal: signals in any number do no harm, and the last file wins. Method: many of them, with files
/// that differ.
#[test]
fn many_signals_in_a_row_end_at_the_last_file() {
    let rig = Rig::start("-f 0.05", "prefix = \"first\"");
    let sender = rig.daemon.sender();
    for number in 0..40 {
        fs::write(rig.file(), format!("prefix = \"p{number}\"")).expect("a file");
        rig.daemon.signal(Signal::HUP);
        sender.send("a:1|c");
    }
    fs::write(rig.file(), "prefix = \"last\"").expect("a file");
    rig.daemon.signal(Signal::HUP);
    rig.daemon.log.wait_for_text("to \"last\"");
    // That it is read is not yet that it is in use.
    rig.daemon.wait_for("the last prefix", |points| {
        sender.send("b:1|c");
        points.sum("stats.counters.last.b.count") > 0.0
    });
    let points = rig.daemon.stop_and_read();
    // A file that is read between the two steps of being written is empty.
    let mut sum = points.sum("stats.counters.a.count");
    sum += points.sum("stats.counters.first.a.count");
    sum += points.sum("stats.counters.last.a.count");
    for number in 0..40 {
        sum += points.sum(&format!("stats.counters.p{number}.a.count"));
    }
    assert_eq!(sum, 40.0);
}

/// Goal: sinks come and go, and each gets every slot of its time whole. Method: one that stays, one
/// that goes with what it holds, one that comes.
#[test]
fn sinks_come_and_go() {
    let [stays, goes, comes] = [(); 3].map(|()| Graphite::start());
    let sinks = |ports: [u16; 2]| format!("sink = [\":{}\", \":{}\"]", ports[0], ports[1]);
    let rig = Rig::start("-f 1", &sinks([stays.port, goes.port]));
    let sender = rig.daemon.sender();
    sender.send("a:1|c");
    rig.reload(&sinks([comes.port, stays.port]), 2);
    stays.wait_for_sum("stats.counters.a.count", 1.0);
    goes.wait_for_sum("stats.counters.a.count", 1.0);
    sender.send("b:1|c");
    stays.wait_for_sum("stats.counters.b.count", 1.0);
    comes.wait_for_sum("stats.counters.b.count", 1.0);
    assert_eq!(comes.points().sum("stats.counters.a.count"), 0.0);
    assert_eq!(goes.points_to_end().sum("stats.counters.b.count"), 0.0);
    let reconnects = format!("sink.graphite_localhost_{}.reconnects", stays.port);
    assert_eq!(stays.points().own_sum(&reconnects), 0.0);
}

/// Goal: a log that was moved away is written anew. Method: as logrotate does it, with a name that is
/// meant from where the daemon was started.
#[test]
fn a_log_that_was_moved_away_is_opened_anew() {
    let rig = Rig::start("-f 1000", "");
    fs::write(rig.file(), "log = \"log\"").expect("a file");
    rig.daemon.signal(Signal::HUP);
    let log = rig.folder.path().join("log");
    let text = || fs::read_to_string(&log).unwrap_or_default();
    poll("a log", || text().contains("SIGHUP").then_some(()));
    fs::rename(&log, rig.folder.path().join("log.1")).expect("it is there");
    rig.daemon.signal(Signal::HUP);
    poll("a new log", || text().contains("read again").then_some(()));
}

// SIGHUP tried whether the state file can be written, in the very place where the flusher may be
// writing it: the file was lost, or half of it was put in place. Here a trial would fail.
#[test]
fn a_state_file_that_is_in_use_is_left_alone() {
    let rig = Rig::start("-s console: -f 0.2", "state_file = \"gauges\"");
    let beside = rig.folder.path().join("gauges.new");
    // Now and then a file is there for a moment.
    poll("a folder", || fs::create_dir(&beside).ok());
    rig.reload("state_file = \"gauges\"\nmax_series = 99", 2);
    rig.reload("state_file = \"others\"\nmax_series = 99", 3);
    assert!(rig.log().contains("state_file from"));
}
