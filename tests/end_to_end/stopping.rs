//! Nothing is lost when a signal stops the daemon under load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::support::daemon::Daemon;
use crate::support::engines::has_io_uring;
use crate::support::graphite::Graphite;
use crate::support::poll;
use crate::support::udp::{ReceiveQueue, Sender};

/// Datagrams before the pause.
const BEFORE_COUNT: u64 = 20_000;

/// More than any test needs: the sender ends even if nobody tells it to.
const SENT_COUNT_MAX: u64 = 3_000_000;

#[test]
fn sigterm_under_load_loses_nothing_with_io_uring_and_one_shard() {
    if !has_io_uring() {
        return;
    }
    assert_nothing_is_lost("--engine io_uring --shards 1", Signal::TERM);
}

#[test]
fn sigterm_under_load_loses_nothing_with_io_uring_and_two_shards() {
    if !has_io_uring() {
        return;
    }
    assert_nothing_is_lost("--engine io_uring --shards 2", Signal::TERM);
}

#[test]
fn sigterm_under_load_loses_nothing_with_recvmmsg_and_one_shard() {
    assert_nothing_is_lost("--engine recvmmsg --shards 1", Signal::TERM);
}

#[test]
fn sigterm_under_load_loses_nothing_with_recvmmsg_and_two_shards() {
    assert_nothing_is_lost("--engine recvmmsg --shards 2", Signal::TERM);
}

#[test]
fn sigint_under_load_loses_nothing() {
    assert_nothing_is_lost("", Signal::INT);
}

/// Goal: what the kernel accepted before the signal is in the output. Method: a sender counts what
/// it has sent; a pause lets much of it pile up in the kernel; the test reads the count, then gives
/// the signal, then stops the sender.
fn assert_nothing_is_lost(arguments: &str, signal: Signal) {
    let mut daemon = Daemon::start(&format!("-b 127.0.0.1:0 -f 0.2 {arguments}"));
    let queue = ReceiveQueue::of(&daemon);
    let senders: Vec<Sender> = (0..8).map(|_| daemon.sender()).collect();
    let (sent, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sent_before, points) = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..SENT_COUNT_MAX {
                let is_over = number % 64 == 0 && !queue.wait_for_room();
                if is_over || enough.load(Ordering::SeqCst) {
                    return;
                }
                senders[number as usize % senders.len()].send("load:1|c");
                sent.store(number + 1, Ordering::SeqCst);
            }
        });
        poll("datagrams to be sent", || {
            (sent.load(Ordering::SeqCst) >= BEFORE_COUNT).then_some(())
        });
        daemon.pause();
        queue.wait_for_backlog();
        let sent_before = sent.load(Ordering::SeqCst);
        daemon.signal(signal);
        daemon.resume();
        let points = daemon.wait_and_read();
        enough.store(true, Ordering::SeqCst);
        (sent_before, points)
    });
    let counted = points.sum("stats.counters.load.count") as u64;
    let sent = sent.load(Ordering::SeqCst);
    assert_eq!(points.own_sum("kernel_drops"), 0.0, "the sender held back");
    assert!(
        (sent_before..=sent).contains(&counted),
        "{counted} were counted; {sent_before} were sent before the signal, {sent} in all"
    );
    points.assert_input_balances();
}

/// Goal: the last flush is delivered, not only made. Method: a Graphite sink, and samples right
/// before the signal.
#[test]
fn the_last_flush_reaches_graphite() {
    let graphite = Graphite::start();
    let sink = format!("graphite://127.0.0.1:{}", graphite.port);
    // An interval that does not end by itself during the test.
    let mut daemon = Daemon::start(&format!("-b 127.0.0.1:0 -f 1000 -s {sink}"));
    let sender = daemon.sender();
    for _ in 0..100 {
        sender.send("last:1|c");
    }
    assert_eq!(daemon.stop(), Some(0));
    graphite.wait_for_sum("stats.counters.last.count", 100.0);
}
