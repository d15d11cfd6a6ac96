//! The built daemon in a process of its own, with a Graphite receiver that is a socket of the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::model::Point;
use crate::pipeline::read::line;

/// How long anything may take that the test waits for.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running daemon; it is killed when this goes.
pub struct Daemon {
    process: Child,
    /// Where it listens; 0 for the standard input.
    port: u16,
    /// What it sends, point by point, from however many connections.
    points: Receiver<Point>,
}

impl Daemon {
    /// Starts a daemon that listens here, on loopback, and flushes to this test; waits until it
    /// does.
    pub fn start(bind: &str, arguments: &[&str]) -> Daemon {
        let receiver = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
        let address = receiver.local_addr().expect("it is bound");
        let mut process = Command::new(env!("CARGO_BIN_EXE_ringstat"))
            .args(["--bind", bind, "--log-level", "info"])
            .args(["--sink", &format!("graphite://{address}")])
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the daemon was built with the test");
        let stderr = process.stderr.take().expect("it is piped");
        let mut daemon = Daemon {
            process,
            port: 0,
            points: points(receiver),
        };
        daemon.port = listening_port(&log_lines(stderr));
        daemon
    }

    /// Sends datagrams from a socket of their own.
    pub fn send(&self, datagrams: &[Vec<u8>]) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of the loopback");
        for datagram in datagrams {
            socket
                .send_to(datagram, ("127.0.0.1", self.port))
                .expect("the daemon's socket takes it");
        }
    }

    /// Sends bytes over a connection of their own.
    pub fn send_stream(&self, bytes: &[u8]) {
        let connection = TcpStream::connect(("127.0.0.1", self.port));
        let mut connection = connection.expect("the daemon listens");
        connection.write_all(bytes).expect("the daemon reads");
    }

    /// Writes to the daemon's standard input.
    pub fn write(&self, bytes: &[u8]) {
        let mut input = self.process.stdin.as_ref().expect("it is piped");
        input.write_all(bytes).expect("the daemon reads");
    }

    /// The points that it sends up to the first that fulfils a condition, which is included.
    pub fn points_until(&self, mut is_last: impl FnMut(&Point) -> bool) -> Vec<Point> {
        let deadline = Instant::now() + DEADLINE;
        let mut points: Vec<Point> = Vec::new();
        while !points.last().is_some_and(&mut is_last) {
            let left = deadline.saturating_duration_since(Instant::now());
            let point = self.points.recv_timeout(left);
            points.push(point.expect("the daemon flushes in time"));
        }
        points
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself; then the test has failed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of a log, which is read to its end so that its writer never waits.
fn log_lines(log: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (lines, received) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            // The test may have heard enough.
            let _ = lines.send(line);
        }
    });
    received
}

fn listening_port(log: &Receiver<String>) -> u16 {
    let deadline = Instant::now() + DEADLINE;
    let mut seen = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(line) = log.recv_timeout(left) else {
            panic!("the daemon does not listen: {seen:?}");
        };
        if line.contains("listening on stdin:") {
            return 0;
        }
        if let Some((_, rest)) = line
            .split_once("listening on ")
            .and_then(|(_, address)| address.split_once("://127.0.0.1:"))
        {
            let digits = rest.split(',').next().unwrap_or_default();
            return digits.parse().expect("a port is a number");
        }
        seen.push(line);
    }
}

/// Takes connections one after the other, and reads points until its reader is gone.
fn points(receiver: TcpListener) -> Receiver<Point> {
    let (points, received) = mpsc::channel();
    thread::spawn(move || {
        for connection in receiver.incoming().map_while(Result::ok) {
            for text in BufReader::new(connection).lines().map_while(Result::ok) {
                if points.send(line(&text)).is_err() {
                    return;
                }
            }
        }
    });
    received
}
