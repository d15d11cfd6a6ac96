//! Connections, local datagrams and the standard input.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::support::daemon::{Daemon, command, run};
use crate::support::engines::engines;
use crate::support::points::OWN;
use crate::support::{DEADLINE, poll};

/// With each event loop that there is.
fn with_each_engine(scenario: impl Fn(&str)) {
    for engine in engines() {
        scenario(&format!("--engine {engine}"));
    }
}

/// A daemon that listens on TCP, too.
fn start(arguments: &str) -> (Daemon, SocketAddr) {
    let daemon = Daemon::start(&format!("-b 127.0.0.1:0 -b tcp://127.0.0.1:0 {arguments}"));
    let line = daemon.log.wait_for_text("listening on tcp://");
    let (_, address) = line.split_once("tcp://").expect("it was waited for");
    let address = address.parse().expect("the log names an address");
    (daemon, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).expect("the daemon listens");
    connection
        .set_read_timeout(Some(DEADLINE))
        .expect("a timeout that is not zero");
    connection
}

fn send(mut to: impl Write, bytes: impl AsRef<[u8]>) {
    to.write_all(bytes.as_ref()).expect("the daemon reads");
}

/// Waits until the peer closes; a reset will do.
fn assert_closed(mut connection: impl Read) {
    match connection.read(&mut [0]) {
        Ok(bytes) => assert_eq!(bytes, 0, "nothing is ever sent"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

/// Goal: 500 connections at once, and each line of each counts once. Method: every connection is
/// open before the first line; several threads send to theirs in turn, and cut lines anywhere.
#[test]
fn each_line_of_500_connections_is_counted() {
    const THREAD_COUNT: usize = 10;
    const CONNECTIONS_EACH: usize = 50;
    const LINE_COUNT: usize = 200;
    with_each_engine(|engine| {
        let (daemon, address) = start(&format!("-f 1000 {engine}"));
        thread::scope(|scope| {
            let mut senders = Vec::new();
            for thread in 0..THREAD_COUNT {
                let mut connections: Vec<TcpStream> =
                    (0..CONNECTIONS_EACH).map(|_| connect(address)).collect();
                let text = format!("all:1|c\nsome.{thread}:1|c\n").repeat(LINE_COUNT);
                senders.push(scope.spawn(move || {
                    for (turn, piece) in text.as_bytes().chunks(97 + thread).enumerate() {
                        let count = connections.len();
                        for number in 0..count {
                            send(&mut connections[(turn + number) % count], piece);
                        }
                    }
                }));
            }
            for sender in senders {
                sender.join().expect("all is sent");
            }
        });
        // A stop reads on for a second at most, which a busy machine may need for itself.
        poll("all to be read", || {
            has_read_all(address.port()).then_some(())
        });
        let points = daemon.stop_and_read();
        let of_each = (CONNECTIONS_EACH * LINE_COUNT) as f64;
        let sum = |name: &str| points.sum(&format!("stats.counters.{name}.count"));
        for thread in 0..THREAD_COUNT {
            assert_eq!(sum(&format!("some.{thread}")), of_each);
        }
        assert_eq!(sum("all"), of_each * THREAD_COUNT as f64);
        assert_eq!(points.own_sum("connections.accepted"), 500.0);
        points.assert_input_balances();
    });
}

/// Whether nothing waits in a connection to this port: `sl local_address rem_address st tx:rx ...`.
fn has_read_all(port: u16) -> bool {
    let of_port = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").expect("it can be read");
    let rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&of_port)))
        .all(|row| row[4].ends_with(":00000000"))
}

/// Goal: whoever sends nothing, or half a line, holds up nobody. Method: the others' lines come out
/// while fifty connections wait in the middle of a line, and those lines come out in the end.
#[test]
fn slow_connections_hold_up_no_other_one() {
    with_each_engine(|engine| {
        let (daemon, address) = start(&format!("-f 0.1 {engine}"));
        let slow: Vec<TcpStream> = (0..50).map(|_| connect(address)).collect();
        for connection in &slow {
            send(connection, "slow:1");
        }
        let _silent: Vec<TcpStream> = (0..50).map(|_| connect(address)).collect();
        send(connect(address), "quick:1|c\n".repeat(10_000));
        let points = daemon.wait_for_sum("stats.counters.quick.count", 10_000.0);
        assert_eq!(points.sum("stats.counters.slow.count"), 0.0);
        for connection in &slow {
            send(connection, "|c");
            connection.shutdown(Shutdown::Write).expect("it is open");
        }
        let points = daemon.wait_for_sum("stats.counters.slow.count", 50.0);
        assert_eq!(points.own_sum_of_all("refused."), 0.0);
    });
}

#[test]
fn a_line_without_an_end_is_refused_and_costs_only_itself() {
    with_each_engine(|engine| {
        let (daemon, address) = start(&format!("-f 1000 {engine}"));
        let connection = connect(address);
        send(&connection, "before:1|c\n");
        for _ in 0..160 {
            send(&connection, [b'x'; 65_536]);
        }
        send(&connection, "|c\nafter:1|c\n");
        let before_kib = resident_kib(&daemon);
        let points = daemon.stop_and_read();
        assert_eq!(points.sum("stats.counters.before.count"), 1.0);
        assert_eq!(points.sum("stats.counters.after.count"), 1.0);
        assert_eq!(points.own_sum("refused.too_long"), 1.0);
        assert_eq!(points.own_sum("lines"), 3.0);
        assert!(before_kib < 300_000, "{before_kib} KiB are in memory");
    });
}

fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(daemon.proc_path("status")).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident
        .expect("the kernel tells it")
        .trim_end_matches("kB");
    resident.trim().parse().expect("a number")
}

#[test]
fn a_broken_frame_closes_its_connection_and_no_other() {
    with_each_engine(|engine| {
        let (daemon, address) = start(&format!("-f 1000 {engine}"));
        let (good, bad) = (connect(address), connect(address));
        let frame = b"\xaa\x02\x02\0\0\0\0\0\0\0\xf0\x3fa\0";
        send(&good, frame);
        send(&bad, frame);
        send(&bad, b"\xaa\x99");
        assert_closed(&bad);
        send(&good, frame);
        send(&good, "a:1|c\n");
        let points = daemon.stop_and_read();
        assert_eq!(points.sum("stats.counters.a.count"), 4.0);
        assert_eq!(points.own_sum("refused.bad_frame"), 1.0);
    });
}

#[test]
fn connections_over_the_limit_are_closed_and_counted() {
    with_each_engine(|engine| {
        let (daemon, address) = start(&format!("-f 0.1 --max-connections 2 {engine}"));
        let wait_for_open = |count: f64| {
            daemon.wait_for("connections to be counted", |points| {
                points.own_values("connections.open").last() == Some(&count)
            })
        };
        let (first, _second) = (connect(address), connect(address));
        wait_for_open(2.0);
        assert_closed(connect(address));
        drop(first);
        wait_for_open(1.0);
        send(connect(address), "a:1|c\n");
        let points = daemon.wait_for_sum("stats.counters.a.count", 1.0);
        assert_eq!(points.own_sum("connections.accepted"), 3.0);
        assert_eq!(points.own_sum("connections.refused"), 1.0);
        daemon
            .log
            .wait_for_text("2 connections are open, and no more are taken");
    });
}

/// Goal: what was sent before a stop is counted, over whatever. Method: samples right before the
/// signal, connections stay open, and the last lines lack their end.
#[test]
fn what_was_sent_before_a_stop_is_counted() {
    with_each_engine(|engine| {
        let folder = tempfile::tempdir().expect("a folder");
        let (unix, datagrams) = (folder.path().join("a"), folder.path().join("b"));
        let mut command = command(&format!(
            "-b 127.0.0.1:0 -b tcp://127.0.0.1:0 -b unix:{} -b unixgram:{} -b stdin: -f 1000 \
             --own-prefix {OWN} {engine}",
            unix.display(),
            datagrams.display()
        ));
        let (input, mut writer) = io::pipe().expect("a pipe");
        command.stdin(input);
        let mut daemon = Daemon::spawn_with_input(command);
        let line = daemon.log.wait_for_text("listening on tcp://");
        let (_, address) = line.split_once("tcp://").expect("it was waited for");
        let connection = connect(address.parse().expect("an address"));
        let local = UnixStream::connect(&unix).expect("the daemon listens");
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.connect(&datagrams).expect("the daemon listens");
        for _ in 0..1_000 {
            send(&connection, "tcp:1|c\n");
            send(&local, "unix:1|c\n");
            sender.send(b"datagram:1|c").expect("the daemon reads");
            send(&mut writer, "stdin:1|c\n");
        }
        for to in [&mut &connection as &mut dyn Write, &mut &local, &mut writer] {
            to.write_all(b"last:1|c").expect("the daemon reads");
        }
        daemon.signal(Signal::TERM);
        let points = daemon.wait_and_read();
        for name in ["tcp", "unix", "datagram", "stdin"] {
            let path = format!("stats.counters.{name}.count");
            assert_eq!(points.sum(&path), 1_000.0, "{name} {engine}");
        }
        assert_eq!(points.sum("stats.counters.last.count"), 3.0);
        assert!(!unix.exists() && !datagrams.exists());
        points.assert_input_balances();
    });
}

#[test]
fn the_end_of_the_standard_input_does_not_end_the_daemon() {
    with_each_engine(|engine| {
        let arguments = format!("-b 127.0.0.1:0 -b stdin: -f 0.1 --own-prefix {OWN} {engine}");
        let mut command = command(&arguments);
        let (input, mut writer) = io::pipe().expect("a pipe");
        command.stdin(input);
        let daemon = Daemon::spawn_with_input(command);
        send(&mut writer, "a:1|c\na:2|c");
        drop(writer);
        daemon.wait_for_sum("stats.counters.a.count", 3.0);
        daemon.log.wait_for_text("the standard input has ended");
        daemon.sender().send("b:1|c");
        daemon.wait_for_sum("stats.counters.b.count", 1.0);
    });
}

#[test]
fn a_file_as_standard_input_is_read_to_its_end() {
    with_each_engine(|engine| {
        let mut file = tempfile::tempfile().expect("a file");
        let text = "a:1|c\n".repeat(50_000);
        send(&mut file, &text);
        io::Seek::rewind(&mut file).expect("a file");
        let arguments = format!("-b 127.0.0.1:0 -b stdin: -f 0.1 --own-prefix {OWN} {engine}");
        let mut command = command(&arguments);
        command.stdin(Stdio::from(file));
        let daemon = Daemon::spawn_with_input(command);
        let points = daemon.wait_for_sum("stats.counters.a.count", 50_000.0);
        assert_eq!(points.own_sum("bytes"), text.len() as f64);
    });
}

#[test]
fn a_socket_file_has_its_mode_and_one_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let bind = format!("-b unix:{}?mode=0640 -s console:", path.display());
    let mut daemon = Daemon::start(&format!("-b 127.0.0.1:0 {bind}"));
    let mode = path.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let second = run(command(&bind));
    assert_eq!(second.code, Some(1));
    assert!(
        second.log.contains("in use by another program"),
        "{second:?}"
    );
    // The second one has not taken the file with it.
    UnixStream::connect(&path).expect("the daemon listens");
    assert_eq!(daemon.stop(), Some(0));
    assert!(!path.exists());
}

#[test]
fn the_port_of_liveness_says_yes_and_closes() {
    with_each_engine(|engine| {
        let daemon = Daemon::start(&format!(
            "-b 127.0.0.1:0 -f 1000 --liveness 127.0.0.1:0 {engine}"
        ));
        let line = daemon.log.wait_for_text("says YES on tcp://");
        let (_, address) = line.split_once("tcp://").expect("it was waited for");
        for question in ["", "hello?"] {
            let mut connection = connect(address.parse().expect("an address"));
            send(&connection, question);
            let mut answer = String::new();
            connection.read_to_string(&mut answer).expect("an answer");
            assert_eq!(answer, "YES");
        }
    });
}
