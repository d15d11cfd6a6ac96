//! Somebody who means harm: names that were chosen against a hash that got known.

mod index;

use crate::support::daemon::Daemon;
use crate::support::memory::Memory;
use crate::support::udp::{ReceiveQueue, Sender};
use index::{Index, bucket_count};

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
    const CHOSEN: usize = 512;
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
    // one some 140 are passed by, and 440 were the most in thousands of tries.
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
