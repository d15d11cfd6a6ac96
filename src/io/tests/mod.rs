//! The io thread against real peers on the loopback that refuse, stall, cut and come back; each
//! scenario runs on both back ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Backend, IoHandle, Settings, SinkHandle, run};
use crate::sink::command;
use crate::sink::dial::Resolve;
use crate::sink::graphite::Patience;
use crate::sink::{Counters, DropReason, Part, SinkAddress};

mod by_flush;
mod changes;
mod commands;
mod endings;
mod faults;
mod parts;
mod peer;
mod spooling;

use peer::Peer;

/// Longer than anything here takes; reaching it is a failure.
const DEADLINE: Duration = Duration::from_secs(20);

const FLUSH_INTERVAL: Duration = Duration::from_millis(60);

fn on_both_back_ends(scenario: impl Fn(Backend)) {
    for backend in [Backend::Tokio, Backend::Uring] {
        if let Err(error) = super::Runtime::new(Some(backend), "tests", 1) {
            eprintln!("skipped on {backend:?}: {error}");
            continue;
        }
        scenario(backend);
    }
}

fn settings(backend: Backend, peers: &[&Peer]) -> Settings {
    let sinks = peers.iter().map(|peer| peer.address()).collect();
    let mut settings = Settings::new(sinks, 256 << 20, FLUSH_INTERVAL);
    settings.backend = Some(backend);
    settings.patience = Patience {
        connect: Duration::from_secs(5),
        write: DEADLINE,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(20),
        // Most tests hold their connections to the end.
        close: Duration::from_millis(20),
    };
    settings.command_patience = command::Patience {
        run: DEADLINE,
        last_run: Duration::from_millis(300),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(20),
        flush_interval: FLUSH_INTERVAL,
    };
    settings
}

fn start(settings: Settings) -> IoHandle {
    run(&settings, None).expect("the io thread starts")
}

/// A slot of `line_count` lines of some 40 bytes each, in two chunks.
fn slot(number: u64, line_count: u64) -> Part {
    let text = lines_of(number, line_count);
    let middle = text[..text.len() / 2].rfind('\n').map_or(0, |at| at + 1);
    let bytes = bytes::Bytes::from(text);
    Part {
        end_unix_s: number,
        index: 0,
        lines: line_count,
        chunks: vec![bytes.slice(..middle), bytes.slice(middle..)],
    }
}

/// A part of a slot, with lines of its own.
fn part(number: u64, index: u32, line_count: u64) -> Part {
    Part {
        end_unix_s: number,
        index,
        ..slot(1_000 * number + u64::from(index), line_count)
    }
}

fn lines_of_part(number: u64, index: u32, line_count: u64) -> String {
    lines_of(1_000 * number + u64::from(index), line_count)
}

fn lines_of(number: u64, line_count: u64) -> String {
    (0..line_count)
        .map(|line| format!("stats.slot_{number:06}.line_{line:08} 1 {number:08}\n"))
        .collect()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn assert_balanced(counters: Counters) {
    assert_eq!(
        counters.lines_pushed,
        counters.lines_sent
            + counters.lines_queued
            + counters.lines_spooled
            + counters.lines_dropped
            + counters.lines_superseded,
        "{counters:?}"
    );
}

fn reasons(sink: &SinkHandle) -> Vec<(DropReason, u64)> {
    sink.counters().lines_dropped_by.iter().collect()
}

/// All that is not dropped was sent: this many lines.
fn assert_all_sent(sink: &SinkHandle, lines: u64) {
    wait_until("all is sent", || sink.counters().lines_sent == lines);
    let counters = sink.counters();
    assert_balanced(counters);
    assert_eq!((counters.lines_queued, counters.bytes_queued), (0, 0));
}
