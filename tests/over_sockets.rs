//! The recorded vectors over real sockets: the built daemon under each naming, with one shard and
//! with four, on each engine.

#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other readers"
)]

#[path = "model/compare.rs"]
mod compare;
#[path = "pipeline/daemon.rs"]
mod daemon;
mod model;
mod pipeline;
#[path = "model/vectors.rs"]
mod vectors;

use std::thread;
use std::time::{Duration, SystemTime};

use compare::differences;
use daemon::Daemon;
use model::{Naming, Point};

/// What the vectors were recorded with.
const FLUSH_S: u64 = 2;

/// A busy machine may need more than a slot for sending; more often than this it does not.
const ATTEMPTS_MAX: usize = 10;

/// Goes before the daemon's own metrics, and before no vector's.
const OWN_PREFIX: &str = "own_metrics";

const ENGINES: [&str; 2] = ["io_uring", "recvmmsg"];

/// Goal: bytes on the wire become the recorded lines, whatever receives them and however many
/// shards share the work. Method: all runs at the same time, each vector from a socket of its own.
#[test]
fn the_daemon_gives_what_was_recorded() {
    let runs: Vec<_> = Naming::ALL
        .into_iter()
        .flat_map(|naming| [1, 4].map(|shard_count| (naming, shard_count)))
        .flat_map(|(naming, shard_count)| ENGINES.map(|engine| (naming, shard_count, engine)))
        .map(|(naming, shard_count, engine)| {
            let run = thread::spawn(move || wrong_lines(naming, shard_count, engine));
            (format!("{naming:?}, {shard_count} shards, {engine}"), run)
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
fn wrong_lines(naming: Naming, shard_count: usize, engine: &str) -> Vec<String> {
    let expected: Vec<_> = vectors::all()
        .iter()
        .flat_map(|vector| vector.expected(naming).to_vec())
        .collect();
    for _ in 0..ATTEMPTS_MAX {
        if let Some((points, end_unix_s)) = one_slot(naming, shard_count, engine) {
            return differences(&expected, &points, end_unix_s);
        }
    }
    panic!("sending takes more than a slot each time");
}

/// Sends all vectors within one full slot. Returns its points and its end, or nothing if sending
/// took too long.
fn one_slot(naming: Naming, shard_count: usize, engine: &str) -> Option<(Vec<Point>, u64)> {
    let daemon = Daemon::start(&[
        "--flush",
        &FLUSH_S.to_string(),
        "--align=true",
        "--naming",
        naming.name(),
        "--shards",
        &shard_count.to_string(),
        "--engine",
        engine,
        "--own-prefix",
        OWN_PREFIX,
    ]);
    // There are own metrics in each flush. When the first one comes, all shards have
    // handed over the shortened slot at the start, and what is sent now falls into a full one.
    let first = daemon.points_until(|_| true);
    let end_unix_s = first[0].time_unix_s + FLUSH_S;
    for vector in vectors::all() {
        assert_eq!(vector.flush_s, FLUSH_S as f64);
        daemon.send(&vector.datagrams);
    }
    // A shard hands over what it finds at the end of a slot; a datagram sent long before is there.
    let end = Duration::from_millis(end_unix_s * 1000 - 300);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    if now.expect("the clock is past 1970") > end {
        return None;
    }
    let mut points = daemon.points_until(|point| point.time_unix_s == end_unix_s + FLUSH_S);
    points.retain(|point| {
        let other_slots = [end_unix_s - FLUSH_S, end_unix_s + FLUSH_S];
        !other_slots.contains(&point.time_unix_s) && !point.path.starts_with(OWN_PREFIX)
    });
    Some((points, end_unix_s))
}
