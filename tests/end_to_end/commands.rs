//! Commands as sinks: started for each flush, beside other sinks and at the end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::daemon::{Daemon, command};
use crate::support::points::{OWN, Points};
use crate::support::poll;

/// A daemon with this option and a command.
fn daemon_with(arguments: &str, script: &str) -> Daemon {
    let mut command = command(arguments);
    command.args(["--own-prefix", OWN, "--sink"]);
    command.arg(format!("command:{script}"));
    Daemon::spawn(command)
}

/// The points in a file to which a command appends.
fn points(path: &Path) -> Points {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| line.replace('|', " "));
    Points::parse(&lines.collect::<Vec<_>>())
}

/// What a sink got, but for the digits of values.
fn paths_and_times(points: &Points) -> Vec<(&str, u64)> {
    let each = points.0.iter();
    each.map(|point| (point.path.as_str(), point.time_unix_s))
        .collect()
}

fn file(folder: &tempfile::TempDir) -> (PathBuf, String) {
    let path = folder.path().join("points");
    let script = format!("cat >> {}", path.display());
    (path, script)
}

/// Goal: a command gets what another sink gets. Method: the standard output beside it; what is told of
/// the command is in own metrics.
#[test]
fn a_command_gets_the_points_of_every_flush() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, script) = file(&folder);
    let daemon = daemon_with("-b 127.0.0.1:0 -f 0.2 -s console:", &script);
    daemon.sender().send("first:1|c\nsecond:2|g");
    daemon.wait_for_sum("stats.counters.first.count", 1.0);
    daemon.sender().send("first:4|c");
    daemon.wait_for_sum("stats.counters.first.count", 5.0);
    let on_output = daemon.stop_and_read();
    let by_command = points(&path);
    assert_eq!(by_command.sum("stats.counters.first.count"), 5.0);
    assert_eq!(paths_and_times(&by_command), paths_and_times(&on_output));
    by_command.assert_sink_balances("command");
}

/// Goal: the last flush is delivered, not only made. Method: samples right before the signal.
#[test]
fn the_last_flush_reaches_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, script) = file(&folder);
    let mut daemon = daemon_with("-b 127.0.0.1:0 -f 1000", &script);
    daemon.sender().send("last:1|c");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(points(&path).sum("stats.counters.last.count"), 1.0);
}

/// Goal: a command does its work as if it had been started by hand, although the flusher steps back.
/// Method: it tells its niceness, writes to both of its outputs, and fails.
#[test]
fn a_command_has_the_daemon_s_niceness_and_its_words_are_logged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nice");
    let script = format!(
        "nice > {}; echo to you; echo to the log >&2; exit 3",
        path.display()
    );
    let mut daemon = daemon_with("-b 127.0.0.1:0 -f 0.2", &script);
    // Without the command, which may hold a password.
    daemon.log.wait_for_text("sink command: to the log");
    daemon
        .log
        .wait_for_text("the command ended with exit status: 3");
    daemon
        .log
        .wait_for_text("lines that the command did not take");
    daemon.out.wait_for("a line of the command", |lines| {
        lines.iter().any(|line| line == "to you").then_some(())
    });
    let own = rustix::process::nice(0).expect("it can be asked");
    poll("the niceness", || {
        let text = fs::read_to_string(&path).ok()?;
        (text.trim() == own.to_string()).then_some(())
    });
    assert_eq!(daemon.stop(), Some(0));
    let log = daemon.log.to_end().join("\n");
    assert!(!log.contains("exit 3"), "{log}");
}

/// Goal: a command that falls behind is told of before its queue is full. Method: each run takes longer
/// than the flush interval.
#[test]
fn a_command_that_is_slower_than_the_flushes_is_told_of() {
    let daemon = daemon_with("-b 127.0.0.1:0 -f 0.1 --command-timeout 10", "sleep 0.3");
    let slow = "sink command: the command takes longer than the flush interval; ";
    let line = daemon.log.wait_for_text(slow);
    assert!(line.ends_with(" intervals wait"), "{line}");
}

/// Goal: a command that hangs holds up neither the flushes nor the stop. Method: it sleeps for longer
/// than a test may last; the standard output beside it.
#[test]
fn a_command_that_hangs_is_killed_in_time() {
    let arguments = "-b 127.0.0.1:0 -f 0.1 -s console: --command-timeout 0.2";
    let daemon = daemon_with(arguments, "sleep 1000");
    daemon.sender().send("first:1|c");
    daemon.wait_for_sum("stats.counters.first.count", 1.0);
    daemon
        .log
        .wait_for_text("did not end in time and was killed");
    let dropped = format!("{OWN}.sink.command.dropped_lines");
    daemon.wait_for("lines that are lost", |points| points.sum(&dropped) > 0.0);
    let points = daemon.stop_and_read();
    assert_eq!(points.sum("stats.counters.first.count"), 1.0);
    points.assert_sink_balances("command");
}
