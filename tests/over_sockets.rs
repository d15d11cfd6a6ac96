//! The recorded vectors over real sockets: the built daemon under each naming, with one shard and
//! with four, on each engine; over connections and the standard input; and as binary frames.

#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other readers"
)]

#[path = "model/compare.rs"]
mod compare;
#[path = "pipeline/daemon.rs"]
mod daemon;
#[path = "support/engines.rs"]
mod engines;
mod model;
mod pipeline;
#[path = "model/vectors.rs"]
mod vectors;
#[path = "model/wire.rs"]
mod wire;

use std::thread;
use std::time::{Duration, SystemTime};

use compare::differences;
use daemon::Daemon;
use model::{Naming, Point};
use vectors::Vector;

/// What the vectors were recorded with.
const FLUSH_S: u64 = 2;

/// A busy machine may need more than a slot for sending; more often than this it does not.
const ATTEMPTS_MAX: usize = 10;

/// Of a flush that is later than this, rates are by a longer time, in milliseconds.
const LATE_MAX_MS: f64 = 200.0;

/// Goes before the daemon's own metrics, and before no vector's.
const OWN_PREFIX: &str = "own_metrics";

/// How the vectors come to a daemon.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A datagram each.
    Udp {
        shard_count: usize,
    },
    /// A connection for each vector, which is closed behind it.
    Tcp,
    /// One after the other.
    Stdin,
    /// As binary frames, those that these can say.
    UdpFrames,
    TcpFrames,
}

impl Way {
    const ALL: [Way; 6] = [
        Way::Udp { shard_count: 1 },
        Way::Udp { shard_count: 4 },
        Way::Tcp,
        Way::Stdin,
        Way::UdpFrames,
        Way::TcpFrames,
    ];

    fn bind(self) -> &'static str {
        match self {
            Way::Udp { .. } | Way::UdpFrames => "127.0.0.1:0",
            Way::Tcp | Way::TcpFrames => "tcp://127.0.0.1:0",
            Way::Stdin => "stdin:",
        }
    }

    fn shard_count(self) -> usize {
        match self {
            Way::Udp { shard_count } => shard_count,
            Way::Tcp | Way::Stdin | Way::UdpFrames | Way::TcpFrames => 1,
        }
    }

    /// The datagrams of a vector, or what takes their place; None for what frames cannot say.
    fn pieces(self, vector: &Vector) -> Option<Vec<Vec<u8>>> {
        match self {
            Way::Udp { .. } | Way::Tcp | Way::Stdin => Some(vector.datagrams.clone()),
            Way::UdpFrames | Way::TcpFrames => {
                let datagrams = vector.datagrams.iter();
                let frames: Option<Vec<_>> =
                    datagrams.map(|datagram| wire::frames(datagram)).collect();
                frames.map(|frames| frames.concat())
            }
        }
    }

    /// Sends all pieces. Returns how many bytes that were.
    fn send(self, daemon: &Daemon, pieces: &[Vec<u8>]) -> usize {
        // A datagram ends its last line by itself.
        let bytes = match self {
            Way::Udp { .. } | Way::UdpFrames => {
                daemon.send(pieces);
                return pieces.iter().map(Vec::len).sum();
            }
            Way::Tcp => pieces.join(&b'\n'),
            Way::TcpFrames => pieces.concat(),
            Way::Stdin => [pieces.join(&b'\n'), b"\n".to_vec()].concat(),
        };
        match self {
            Way::Stdin => daemon.write(&bytes),
            _ => daemon.send_stream(&bytes),
        }
        bytes.len()
    }
}

/// Goal: bytes on the wire become the recorded lines, whatever receives them and however many
/// shards share the work. Method: all runs at the same time, each vector from a socket of its own.
#[test]
fn the_daemon_gives_what_was_recorded() {
    let runs: Vec<_> = Naming::ALL
        .into_iter()
        .flat_map(|naming| Way::ALL.map(|way| (naming, way)))
        .flat_map(|(naming, way)| {
            engines::engines()
                .iter()
                .map(move |engine| (naming, way, *engine))
        })
        .map(|(naming, way, engine)| {
            let run = thread::spawn(move || wrong_lines(naming, way, engine));
            (format!("{naming:?}, {way:?}, {engine}"), run)
        })
        .collect();
    let mut wrong = Vec::new();
    for (of, run) in runs {
        match run.join() {
            Ok(lines) => wrong.extend(lines.iter().map(|line| format!("{of}: {line}"))),
            Err(_) => wrong.push(format!("{of}: panicked")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the lines that one daemon makes of all vectors.
fn wrong_lines(naming: Naming, way: Way, engine: &str) -> Vec<String> {
    let vectors = vectors::all();
    let vectors: Vec<_> = vectors
        .iter()
        .inspect(|vector| assert_eq!(vector.flush_s, FLUSH_S as f64))
        .filter_map(|vector| Some((vector, way.pieces(vector)?)))
        .collect();
    assert!(vectors.len() > 50, "{way:?} says too little to show much");
    let expected: Vec<_> = vectors
        .iter()
        .flat_map(|(vector, _)| vector.expected(naming).to_vec())
        .collect();
    let pieces: Vec<_> = vectors.into_iter().map(|(_, pieces)| pieces).collect();
    for _ in 0..ATTEMPTS_MAX {
        if let Some((points, end_unix_s)) = one_slot(naming, way, engine, &pieces) {
            return differences(&expected, &points, end_unix_s);
        }
    }
    panic!("each time a slot is too short, too long, or has not all of the bytes");
}

/// Sends all vectors within one full slot. Returns its points and its end, or nothing if sending
/// took too long, or the slot did, or a shard was late with its part of it.
fn one_slot(
    naming: Naming,
    way: Way,
    engine: &str,
    vectors: &[Vec<Vec<u8>>],
) -> Option<(Vec<Point>, u64)> {
    let arguments = [
        "--flush",
        &FLUSH_S.to_string(),
        "--align=true",
        "--naming",
        naming.name(),
        "--shards",
        &way.shard_count().to_string(),
        "--engine",
        engine,
        "--own-prefix",
        OWN_PREFIX,
    ];
    let daemon = Daemon::start(way.bind(), &arguments);
    // There are own metrics in each flush. When the first one comes, all shards have
    // handed over the shortened slot at the start, and what is sent now falls into a full one.
    let first = daemon.points_until(|_| true);
    let end_unix_s = first[0].time_unix_s + FLUSH_S;
    let sent_bytes = vectors.iter().map(|pieces| way.send(&daemon, pieces));
    let sent_bytes: usize = sent_bytes.sum();
    // A shard hands over what it finds at the end of a slot; a datagram sent long before is there.
    let end = Duration::from_millis(end_unix_s * 1000 - 300);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    if now.expect("the clock is past 1970") > end {
        return None;
    }
    let mut points = daemon.points_until(|point| point.time_unix_s == end_unix_s + FLUSH_S);
    // Of the flush before the slot, and of the one at its end.
    let [late_ms, bytes] = ["flush.late_ms", "bytes"].map(|name| {
        let path = format!("{OWN_PREFIX}.{name}");
        let of_path = points.iter().filter(|point| point.path == path);
        of_path.map(|point| point.value).collect::<Vec<f64>>()
    });
    // Fewer or more where the machine stood still for a slot.
    if late_ms.len() != 2 {
        return None;
    }
    if late_ms.iter().any(|ms| *ms > LATE_MAX_MS) || bytes.last() != Some(&(sent_bytes as f64)) {
        return None;
    }
    points.retain(|point| {
        let other_slots = [end_unix_s - FLUSH_S, end_unix_s + FLUSH_S];
        !other_slots.contains(&point.time_unix_s) && !point.path.starts_with(OWN_PREFIX)
    });
    Some((points, end_unix_s))
}
