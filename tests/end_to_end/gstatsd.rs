//! Under the name gstatsd the daemon takes gstatsd's options and sends what gstatsd sends.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::daemon::{Daemon, run};
use crate::support::graphite::Graphite;

/// A link named gstatsd in a directory that lives as long as this.
fn gstatsd(arguments: &str) -> (TempDir, Command) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let link = directory.path().join("gstatsd");
    symlink(env!("CARGO_BIN_EXE_ringstat"), &link).expect("a link");
    let mut command = Command::new(link);
    command
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped());
    (directory, command)
}

/// Goal: as with gstatsd, no start without a sink. Method: the exit code and the option's name.
#[test]
fn gstatsd_needs_a_sink() {
    let (_directory, command) = gstatsd("-b 127.0.0.1:0");
    let ended = run(command);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.log.contains("-s 2003"), "{ended:?}");
}

/// Goal: gstatsd has none of ringstat's options. Method: one of them.
#[test]
fn gstatsd_refuses_the_options_of_ringstat() {
    let (_directory, command) = gstatsd("-s 2003 --engine recvmmsg");
    let ended = run(command);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.log.contains("--engine"), "{ended:?}");
}

/// Goal: several sinks get the same lines, in gstatsd's format, and beside them nothing but
/// statsd.numStats. Method: two receivers, one named by its port alone.
#[test]
fn gstatsd_sends_its_own_lines_to_each_sink() {
    let sinks = [Graphite::start(), Graphite::start()];
    let (_directory, command) = gstatsd(&format!(
        "-b 127.0.0.1:0 -s {} -s 127.0.0.1:{} -f 1 -x site",
        sinks[0].port, sinks[1].port
    ));
    let mut daemon = Daemon::spawn(command);
    daemon.sender().send("a:4|c|@0.5\nlevel:3|g");
    // In gstatsd's naming what is silent is not mentioned any more.
    for sink in &sinks {
        sink.wait_for("an empty flush after a full one", |points| {
            points.values("statsd.numStats").ends_with(&[2.0, 0.0])
        });
    }
    assert_eq!(daemon.stop(), Some(0));
    for sink in &sinks {
        let points = sink.points_to_end();
        assert_eq!(points.values("stats_counts.site.a"), [8.0]);
        assert_eq!(points.values("stats.site.a"), [8.0]);
        assert_eq!(points.values("stats_counts.site.level"), [3.0]);
        assert_eq!(points.values("stats.site.level"), [3.0]);
        let others = points
            .0
            .iter()
            .filter(|point| point.path != "statsd.numStats" && !point.path.contains(".site."));
        assert_eq!(others.count(), 0, "{points:?}");
        let lines = sink.lines.now();
        let counter = lines
            .iter()
            .find(|line| line.contains("stats_counts.site.a "));
        let counter = counter.expect("it was there");
        assert!(counter.starts_with("stats_counts.site.a 8.000000 "));
    }
}
