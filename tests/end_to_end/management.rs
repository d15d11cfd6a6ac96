//! The management console of etsy's statsd.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::DEADLINE;
use crate::support::daemon::{Daemon, command, run};
use crate::support::graphite::Graphite;

const ARGUMENTS: &str = "-b 127.0.0.1:0 --management 127.0.0.1:0 -f 1";

/// Connects to the console of a daemon.
fn connect(daemon: &Daemon) -> TcpStream {
    let line = daemon.log.wait_for_text("management console at tcp://");
    let (_, address) = line.split_once("tcp://").expect("it was waited for");
    let address: SocketAddr = address.parse().expect("the log names an address");
    let connection = TcpStream::connect(address).expect("the daemon listens");
    connection
        .set_read_timeout(Some(DEADLINE))
        .expect("a timeout that is not zero");
    connection
}

/// The answer to a command, which ends like this.
#[track_caller]
fn ask(mut connection: &TcpStream, command: &str, end: &str) -> String {
    connection
        .write_all(command.as_bytes())
        .expect("the daemon reads");
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let mut byte = [0];
        let bytes = connection.read(&mut byte).expect("an answer");
        assert_eq!(bytes, 1, "closed behind {:?}", answer.escape_ascii());
        answer.push(byte[0]);
    }
    String::from_utf8(answer).expect("text")
}

const END: &str = "END\n\n";

/// Goal: what was received can be looked at and deleted. Method: one of each type is flushed, and
/// each command is given; a counter that is not deleted shows that flushes go on.
#[test]
fn series_are_listed_and_deleted() {
    let graphite = Graphite::start();
    let mut daemon = Daemon::start(&format!("{ARGUMENTS} -s 127.0.0.1:{}", graphite.port));
    let packet = "hits:4|c\nweb.a:1|c\nweb.b:1|c\nlevel:3|g\ntook:12|ms\nnonsense";
    daemon.sender().send(packet);
    let flushes = "stats.counters.hits.count";
    graphite.wait_for("a flush", |points| !points.values(flushes).is_empty());
    let console = connect(&daemon);

    let stats = ask(&console, "stats\n", END);
    let names: Vec<&str> = stats
        .lines()
        .filter_map(|it| it.split(": ").next())
        .collect();
    let expected = [
        "uptime",
        "messages.last_msg_seen",
        "messages.bad_lines_seen",
        "graphite.last_flush",
        "graphite.last_exception",
        "graphite.flush_time",
        "graphite.flush_length",
        "END",
        "",
    ];
    assert_eq!(names, expected);
    assert!(stats.contains("messages.bad_lines_seen: 1\n"), "{stats}");

    let counters = ask(&console, "counters\n", END);
    for name in ["hits", "web.a", "web.b"] {
        assert!(counters.contains(&format!("  '{name}': ")), "{counters}");
    }
    let timers = ask(&console, "timers\r\n", END);
    assert!(timers.starts_with("{\n  'took': ["), "{timers}");
    let gauges = ask(&console, "gauges\n", END);
    assert_eq!(gauges, "{\n  'level': 3,\n}\nEND\n\n");

    let deleted = ask(&console, "delgauges level nothing\n", END);
    assert_eq!(deleted, "deleted: level\nmetric nothing not found\nEND\n\n");
    let deleted = ask(&console, "delcounters web.*\n", END);
    assert!(deleted.contains("deleted: web.a\n"), "{deleted}");
    assert!(deleted.contains("deleted: web.b\n"), "{deleted}");
    let deleted = ask(&console, "deltimers took\n", END);
    assert_eq!(deleted, "deleted: took\nEND\n\n");
    assert_eq!(ask(&console, "gauges\n", END), "{\n}\nEND\n\n");

    let points = graphite.wait_for("the state of now", |_| true);
    let before = points.values(flushes).len();
    let points = graphite.wait_for("three flushes more", |points| {
        points.values(flushes).len() >= before + 3
    });
    for gone in [
        "stats.gauges.level",
        "stats.counters.web.a.count",
        "stats.timers.took.count",
    ] {
        // The flush before the deletion may not have been read when it was counted.
        assert!(points.values(gone).len() <= before + 1, "{gone} goes on");
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_process_tells_of_itself() {
    let daemon = Daemon::start(ARGUMENTS);
    let console = connect(&daemon);
    let help = ask(&console, "help\n", "\n\n");
    assert!(help.starts_with("Commands: stats, counters, "), "{help}");
    assert_eq!(ask(&console, "health\n", "\n"), "health: up\n");
    assert_eq!(ask(&console, "health down\n", "\n"), "health: down\n");
    let other = connect(&daemon);
    assert_eq!(ask(&other, "health\n", "\n"), "health: down\n");
    assert_eq!(ask(&other, "health up\n", "\n"), "health: up\n");
    let config = ask(&console, "config\nhealth\n", "health: up\n");
    assert!(config.contains("\nflush: 1s\n"), "{config}");
    assert!(
        config.contains("\nbind > 0: udp://127.0.0.1:0\n"),
        "{config}"
    );
    assert_eq!(ask(&console, "nonsense\n", "\n"), "ERROR\n");
    // Two lines at once, and one without an end.
    assert_eq!(
        ask(&console, "health\nhealth\n", "up\nhealth: up\n").len(),
        22
    );
    assert_eq!(ask(&console, "health", "\n"), "health: up\n");
    (&console).write_all(b"quit\n").expect("the daemon reads");
    assert_eq!((&console).read(&mut [0]).expect("an end"), 0);
}

/// Goal: no client takes the memory or the descriptors of the daemon. Method: a line without end,
/// and more connections than there may be.
#[test]
fn a_client_has_limits() {
    let daemon = Daemon::start(ARGUMENTS);
    let console = connect(&daemon);
    let answer = ask(&console, &"x".repeat(9000), "\n");
    assert_eq!(answer, "ERROR\n");
    let ended = (&console).read(&mut [0]);
    assert!(matches!(ended, Ok(0) | Err(_)), "it is closed");
    let open: Vec<TcpStream> = (0..17).map(|_| connect(&daemon)).collect();
    let mut answers: Vec<String> = open[..16]
        .iter()
        .map(|connection| ask(connection, "health\n", "\n"))
        .collect();
    answers.dedup();
    assert_eq!(answers, ["health: up\n"]);
    let refused = ask(&open[16], "", "\n");
    assert_eq!(refused, "ERROR: too many connections\n");
}

#[test]
fn a_port_that_is_taken_is_named_with_the_setting_that_does_without() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = holder.local_addr().expect("it is bound");
    let ended = run(command(&format!("-b 127.0.0.1:0 --management {address}")));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.log.contains(&address.to_string()), "{ended:?}");
    assert!(ended.log.contains("management = \"none\""), "{ended:?}");
}
