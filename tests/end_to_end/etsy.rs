//! `ringstat --etsy config.js` takes the place of etsy's statsd.

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::daemon::{Daemon, Guarded, command, run};
use crate::support::graphite::Graphite;
use crate::support::lines::Lines;
use crate::support::poll;

/// A configuration file of etsy's statsd, in a directory that lives as long as this.
fn config_js(text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.js");
    fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("a path in ASCII").to_owned();
    (directory, path)
}

/// A daemon with such a file on a port of its own, with its log where the tests look for it.
fn start(text: &str) -> (TempDir, Daemon) {
    let (directory, path) = config_js(text);
    let mut command = command("-b 127.0.0.1:0 --management 127.0.0.1:0 --log /dev/stderr --etsy");
    command.arg(path);
    (directory, Daemon::spawn(command))
}

/// Goal: dashboards find all that they know. Method: the legacy namespace as it comes; one of each
/// type, a line that is none, and a second flush in which all of them are silent.
#[test]
fn the_legacy_namespace_is_as_it_was() {
    let graphite = Graphite::start();
    let text = format!(
        "{{ // as it comes\n graphiteHost: '127.0.0.1', graphitePort: {}, flushInterval: 1000, }}",
        graphite.port
    );
    let (_directory, mut daemon) = start(&text);
    let packet = "hits:4|c|@0.5\nlevel:3|g\ntook:12|ms\nwho:a|s\nnonsense";
    daemon.sender().send(packet);
    let points = graphite.wait_for("two flushes more", |points| {
        points.values("stats_counts.hits").len() >= 3
    });
    assert_eq!(points.values("stats.hits")[..2], [8.0, 0.0]);
    assert_eq!(points.values("stats_counts.hits")[..2], [8.0, 0.0]);
    assert_eq!(points.values("stats.gauges.level")[..2], [3.0, 3.0]);
    assert_eq!(points.values("stats.timers.took.mean_90"), [12.0]);
    assert_eq!(points.values("stats.timers.took.count")[..2], [1.0, 0.0]);
    assert_eq!(points.values("stats.sets.who.count")[..2], [1.0, 0.0]);
    for (path, sum) in [
        ("stats_counts.statsd.bad_lines_seen", 1.0),
        ("stats_counts.statsd.packets_received", 1.0),
        ("stats_counts.statsd.metrics_received", 5.0),
    ] {
        assert_eq!(points.sum(path), sum, "{path}");
    }
    // Four series, three counters of its own, and from the second flush on the lag.
    assert!(points.values("statsd.numStats").contains(&8.0));
    let lengths = points.values("stats.statsd.graphiteStats.flush_length");
    assert!(lengths[1] > 0.0, "{lengths:?}");
    assert_eq!(points.values("stats.gauges.statsd.timestamp_lag")[0], 0.0);
    let ours = points
        .0
        .iter()
        .filter(|point| point.path.contains("ringstat"));
    assert_eq!(ours.count(), 0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Goal: everything that a file can choose in paths is chosen. Method: a file that chooses all.
#[test]
fn paths_are_as_chosen() {
    let graphite = Graphite::start();
    let text = format!(
        "{{ graphiteHost: 'localhost', graphitePort: {}, flushInterval: 1000,
            prefixStats: 'self', percentThreshold: [50, -10], flush_counts: false,
            calculatedTimerMetrics: ['upper_percent', 'lower_percent', 'histogram'],
            histogram: [ {{ metric: 'took', bins: [10, 'inf'] }} ],
            deleteIdleStats: true,
            graphite: {{ legacyNamespace: false, globalPrefix: 'gp', prefixCounter: 'c',
                         prefixTimer: 't', prefixGauge: 'g', prefixSet: 's',
                         globalSuffix: 'web1' }} }}",
        graphite.port
    );
    let (_directory, mut daemon) = start(&text);
    let packet = "hits:4|c\nlevel:3|g\ntook:2|ms\ntook:20|ms\nwho:a|s";
    daemon.sender().send(packet);
    let points = graphite.wait_for("two flushes more", |points| {
        let flushes = points.values("gp.self.numStats.web1");
        points.values("gp.c.hits.rate.web1").len() == 1 && flushes.ends_with(&[4.0])
    });
    assert_eq!(points.values("gp.c.hits.rate.web1"), [4.0]);
    assert!(points.values("gp.c.hits.count.web1").is_empty());
    assert_eq!(points.values("gp.g.level.web1"), [3.0]);
    assert_eq!(points.values("gp.s.who.count.web1"), [1.0]);
    let timer = points
        .0
        .iter()
        .filter(|point| point.path.starts_with("gp.t.took."));
    let timer: Vec<(&str, f64)> = timer
        .map(|point| (&point.path[10..], point.value))
        .collect();
    let mut expected = [
        ("upper_50.web1", 2.0),
        ("histogram.bin_10.web1", 1.0),
        ("histogram.bin_inf.web1", 1.0),
    ];
    let mut sorted = timer.clone();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    expected.sort_by(|a, b| a.0.cmp(b.0));
    assert_eq!(sorted, expected);
    assert_eq!(points.sum("gp.c.self.metrics_received.rate.web1"), 5.0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Goal: scripts that wait for etsy's statsd to be up see that here. Method: its words, on the
/// standard output.
#[test]
fn the_log_goes_to_the_standard_output_and_says_that_the_server_is_up() {
    let graphite = Graphite::start();
    let text = format!(
        "{{ graphiteHost: 'localhost', graphitePort: {} }}",
        graphite.port
    );
    let (_directory, path) = config_js(&text);
    let mut command = command("-b 127.0.0.1:0 --management none --etsy");
    let command = command
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = Guarded(command.spawn().expect("it starts"));
    let log = Lines::of(child.0.stdout.take().expect("a pipe"));
    log.wait_for_text("server is up");
    kill_process(Pid::from_child(&child.0), Signal::TERM).expect("a child of ours");
    assert_eq!(child.wait(), Some(0));
    assert!(log.to_end().iter().any(|line| line.contains("stopped")));
}

/// Goal: what cannot be done is said at once, with its line. Method: a backend in JavaScript.
#[test]
fn a_file_that_needs_javascript_does_not_start() {
    let (_directory, path) = config_js("{\n  backends: ['statsd-datadog-backend']\n}\n");
    let mut command = command("--etsy");
    command.arg(&path).stdout(Stdio::piped());
    let ended = run(command);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.log.contains(&format!("{path}:2:14: ")), "{ended:?}");
    assert!(ended.log.contains("command:PROGRAM"), "{ended:?}");
}

/// Goal: a file of ringstat's own does the same. Method: import a file, check what was printed, and
/// compare with what the file itself comes to.
#[test]
fn an_imported_file_comes_to_the_same_as_the_file() {
    let text =
        "{ graphiteHost: 'g', deleteGauges: true, colour: 1,\n  percentThreshold: [90, 99.9] }";
    let (directory, path) = config_js(text);
    let output = |arguments: &str, path: &str| {
        let mut command = command(arguments);
        command.arg(path).stdout(Stdio::piped());
        let ended = run(command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    };
    let imported = output("import", &path);
    assert!(imported.log.contains("`colour`"), "{imported:?}");
    let toml = directory.path().join("ringstat.toml");
    fs::write(&toml, &imported.out).expect("a file");
    let of_toml = output("--check --config", toml.to_str().expect("ASCII"));
    let of_file = output("--check --etsy", &path);
    assert_eq!(of_toml.out, of_file.out);
    assert!(of_file.out.contains("99.9"), "{of_file:?}");
}

/// Goal: whoever searches a client that misbehaves finds it as before. Method: a file with dumpMessages
/// and keyFlush; what stands in the log, in the file of names and in the list of processes.
#[test]
fn lines_are_dumped_and_names_are_counted() {
    let graphite = Graphite::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let names = folder.path().join("names.log");
    let text = format!(
        "{{ graphiteHost: '127.0.0.1', graphitePort: {}, flushInterval: 500, dumpMessages: true,
            title: 'metrics', keyFlush: {{ interval: 500, percent: 50, log: '{}' }} }}",
        graphite.port,
        names.display()
    );
    let (_directory, mut daemon) = start(&text);
    let title = fs::read_to_string(daemon.proc_path("comm")).expect("it runs");
    assert_eq!(title, "metrics\n");
    daemon
        .sender()
        .send("page/views:1|c\npage-views:x\nonce:1|c\nnoise\ntwice:1|ms\ntwice:2|ms:3|ms");
    daemon.log.wait_for_text("line: noise");
    daemon.log.wait_for_text("line: page/views:1|c");
    let written = poll("two names", || {
        let written = fs::read_to_string(&names).unwrap_or_default();
        (written.lines().count() >= 2).then_some(written)
    });
    let busiest: Vec<String> = written
        .lines()
        .map(|line| line.split_once(' ').expect("a time").1.to_owned())
        .collect();
    assert_eq!(busiest, ["count=2 key=page-views", "count=2 key=twice"]);
    assert_eq!(daemon.stop(), Some(0));
}
