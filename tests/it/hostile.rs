//! Somebody who means harm: names that were chosen against a hash that got known, and requests in a ring
//! that somebody else may write to.

mod index;
mod queue;

use rustix::io::Errno;

use crate::support::daemon::Daemon;
use crate::support::engines::has_io_uring;
use crate::support::memory::Memory;
use crate::support::udp::{ReceiveQueue, Sender};
use crate::support::{poll, skip};
use index::{Index, bucket_count};
use queue::{Request, rings_of_shards};

/// Sends one of each of these counters, many in a datagram.
fn send_names(sender: &Sender, queue: &ReceiveQueue, names: &[String]) {
    let datagrams = names.chunks(50).map(|names| {
        let lines = names.iter().map(|name| format!("{name}:1|c\n"));
        lines.collect::<String>()
    });
    sender.send_all(queue, datagrams);
}

/// Goal: who knows the hashes of one process cannot slow another one, as each draws a seed of its own.
/// Method: the hashes of many names are read in the memory of a daemon; those that fall into one bucket go
/// to another daemon. There they stand as any names do, as its memory shows without a clock, and each is
/// counted.
#[test]
fn names_chosen_against_one_daemon_do_not_crowd_in_another() {
    // Some 780 of them fall into the bucket.
    const CANDIDATES: usize = 100_000;
    const CHOSEN: usize = 256;
    const ROUNDS: usize = 20;
    let start = || Daemon::start("-b 127.0.0.1:0 -f 1 --shards 1 --idle none");
    let known = start();
    let Some(memory) = Memory::of(&known) else {
        return;
    };
    let names: Vec<String> = (0..CANDIDATES).map(|n| format!("evil.{n}")).collect();
    send_names(&known.sender(), &ReceiveQueue::of(&known), &names);
    known.wait_for_ledger("all names", |it| it.samples() == CANDIDATES as u64);
    let hashes = Index::read(&known, &memory, CANDIDATES).hashes;
    // Series are printed by their slots, so this is the order in which the index has them.
    let printed = known.stop_and_read();
    let is_theirs = |path: &&str| path.starts_with("stats.counters.") && path.ends_with(".count");
    let printed = printed.0.iter().map(|point| &*point.path);
    let printed = printed.filter(is_theirs);
    assert!(
        printed.eq(names.iter().map(|name| path_of(name))),
        "each series once, in the order in which they came"
    );
    let buckets = bucket_count(CHOSEN);
    let chosen = names.into_iter().zip(hashes);
    let chosen = chosen.filter(|(_, hash)| (*hash as usize).is_multiple_of(buckets));
    let chosen: Vec<String> = chosen.map(|(name, _)| name).take(CHOSEN).collect();
    assert_eq!(chosen.len(), CHOSEN);

    let other = start();
    let memory = Memory::of(&other).expect("as before");
    let (sender, queue) = (other.sender(), ReceiveQueue::of(&other));
    for _ in 0..ROUNDS {
        send_names(&sender, &queue, &chosen);
    }
    let samples = (CHOSEN * ROUNDS) as u64;
    other.wait_for_ledger("all samples", |it| it.samples() == samples);
    let passed = Index::read(&other, &memory, CHOSEN).passed;
    // By a seed that is known each is looked for in all buckets that those before it fill; by another
    // one hardly any is looked for in a second one.
    let crowded = (0..CHOSEN as u32).map(|name| name / 5).sum::<u32>();
    assert!(passed < crowded / 10, "{passed}, and {crowded} at worst");
    let points = other.stop_and_read();
    points.assert_input_balances();
    assert_eq!(points.own_sum("kernel_drops"), 0.0);
    for name in &chosen {
        assert_eq!(points.sum(&path_of(name)), ROUNDS as f64, "{name}");
    }
}

fn path_of(name: &str) -> String {
    format!("stats.counters.{name}.count")
}

/// Operations and a flag that no shard asks for, with their numbers in the kernel.
const REFUSED: [(&str, Request); 5] = [
    ("IORING_OP_NOP", plain(0)),
    ("IORING_OP_CONNECT", plain(16)),
    ("IORING_OP_OPENAT", plain(18)),
    ("IORING_OP_SEND", plain(26)),
    (
        "IORING_OP_ASYNC_CANCEL with IOSQE_ASYNC",
        Request {
            operation: CANCEL,
            flags: 1 << 4,
        },
    ),
];

/// `IORING_OP_ASYNC_CANCEL`
const CANCEL: u8 = 14;

const fn plain(operation: u8) -> Request {
    Request {
        operation,
        flags: 0,
    }
}

/// Goal: who can write to a shard's ring can have it neither open a file nor connect, and stops nothing.
/// Method: requests in the memory of each ring, which the daemon submits with its own, and one of a kind
/// that it makes itself. Then traffic.
#[test]
fn a_shards_ring_refuses_what_somebody_else_queues() {
    const SHARDS: usize = 2;
    if !has_io_uring() {
        return;
    }
    let daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1 --shards {SHARDS} --engine io_uring"
    ));
    let Some(memory) = Memory::of(&daemon) else {
        return;
    };
    let rings = || Some(rings_of_shards(&daemon)).filter(|rings| rings.len() == SHARDS);
    for ring in poll("a receive in each ring", rings) {
        if !ring.is_shown(&memory) {
            return skip("/proc/PID/mem shows no rings before kernel 6.10");
        }
        let result = |request| {
            let result = ring.ask(&daemon, &memory, request);
            (result < 0).then(|| Errno::from_raw_os_error(-result))
        };
        // Not refused: it is the receive that it cancels, which the shard arms again.
        assert_eq!(result(plain(CANCEL)), None);
        for (name, request) in REFUSED {
            assert_eq!(result(request), Some(Errno::ACCESS), "{name}");
        }
    }
    let queue = ReceiveQueue::of(&daemon);
    for sender in (0..8).map(|_| daemon.sender()) {
        sender.send_all(&queue, (0..500).map(|_| "sent:1|c"));
    }
    daemon.wait_for_ledger("all samples", |it| it.samples() == 4_000);
    poll("a receive in each ring", rings);
    let points = daemon.stop_and_read();
    points.assert_input_balances();
    assert_eq!(points.own_sum("kernel_drops"), 0.0);
    assert_eq!(points.sum("stats.counters.sent.count"), 4_000.0);
}
