//! The rings of the shards, seen by somebody who may write to their memory: requests are queued past the
//! daemon, which submits them with its own.

use std::fs;

use crate::support::daemon::Daemon;
use crate::support::memory::{Mapping, Memory, mappings};
use crate::support::poll;

/// The ring of a shard.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Where the heads and tails of its queues are, and behind them the completions.
    queues: u64,
    /// Where its requests are.
    requests: u64,
}

/// What of a request somebody else can choose; all else is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// `IORING_OP_*`.
    pub(crate) operation: u8,
    /// `IOSQE_*`.
    pub(crate) flags: u8,
}

/// Offsets of io_uring_setup(2), `IORING_OFF_SQ_RING` and `IORING_OFF_SQES`.
const QUEUES_OFFSET: u64 = 0;
const REQUESTS_OFFSET: u64 = 0x1000_0000;

const REQUEST_BYTES: usize = 64;
const COMPLETION_BYTES: usize = 16;
/// Where the completions begin: `cq_off.cqes` of all kernels that let their rings be read in this way.
const COMPLETIONS_AT: u64 = 64;

/// The mark of a cancellation in `src/kernel/ring.rs`: its answer tells a shard that no cancellation is
/// under way, and there is none.
const MARK: u64 = u64::MAX - 1;

/// `IORING_OP_RECV`, which a shard has in flight for as long as it receives.
const RECEIVE: &str = "op=27,";

/// The rings with a receive in flight, which are those of the shards.
pub(crate) fn rings_of_shards(daemon: &Daemon) -> Vec<Ring> {
    let descriptors = fs::read_dir(daemon.proc_path("fdinfo")).expect("the daemon lives");
    let told = descriptors.filter_map(|it| fs::read_to_string(it.ok()?.path()).ok());
    let rings = told.filter(|told| told.contains(RECEIVE)).map(|told| {
        let inode = told.lines().find_map(|line| line.strip_prefix("ino:"));
        let inode: u64 = inode.expect("since 5.14").trim().parse().expect("a number");
        let mappings = mappings(daemon);
        let address = |offset| {
            let is_it = |it: &&Mapping| it.inode == inode && it.offset_bytes == offset;
            let mapping = mappings.iter().find(is_it);
            mapping.expect("both are mapped").addresses.start
        };
        Ring {
            queues: address(QUEUES_OFFSET),
            requests: address(REQUESTS_OFFSET),
        }
    });
    rings.collect()
}

impl Ring {
    /// Whether the kernel lets a ring be read like other memory (since 6.10).
    pub(crate) fn is_shown(&self, memory: &Memory) -> bool {
        memory.read(self.queues, &mut [0; 4]).is_ok()
    }

    /// Queues a request and returns its result, an errno below zero if it failed.
    pub(crate) fn ask(&self, daemon: &Daemon, memory: &Memory, request: Request) -> i32 {
        // The signal ends its wait, so that it submits this when it goes on.
        poll("shards that wait", || {
            daemon.pause();
            let is_between = is_between_requests(daemon);
            if !is_between {
                daemon.resume();
            }
            is_between.then_some(())
        });
        let [head, tail, _, answered, mask, _] = memory.words(self.queues);
        assert_eq!(head, tail, "all that the shard had queued is submitted");
        let mut bytes = [0; REQUEST_BYTES];
        (bytes[0], bytes[1]) = (request.operation, request.flags);
        bytes[32..40].copy_from_slice(&MARK.to_ne_bytes());
        let place = u64::from(tail & mask);
        memory.write(self.requests + place * bytes.len() as u64, &bytes);
        memory.write(self.queues + 4, &tail.wrapping_add(1).to_ne_bytes());
        daemon.resume();
        poll(&format!("the answer to {request:?}"), || {
            let [_, _, _, tail, _, mask] = memory.words(self.queues);
            let new = (0..tail.wrapping_sub(answered)).map(|nth| answered.wrapping_add(nth));
            let mut results = new.filter_map(|number| self.result(memory, number & mask));
            results.next()
        })
    }

    /// What a completion says, if it is of a request of ours.
    fn result(&self, memory: &Memory, place: u32) -> Option<i32> {
        let mut bytes = [0; COMPLETION_BYTES];
        let offset_bytes = u64::from(place) * bytes.len() as u64;
        let address = self.queues + COMPLETIONS_AT + offset_bytes;
        memory.read(address, &mut bytes).expect("it is mapped");
        let (mark, rest) = bytes.split_first_chunk().expect("there are 16");
        let (result, _) = rest.split_first_chunk().expect("there are 8");
        (u64::from_ne_bytes(*mark) == MARK).then_some(i32::from_ne_bytes(*result))
    }
}

/// The number of io_uring_enter(2), the same on all architectures.
const ENTER: &str = "426 ";

/// Whether all shards were stopped in an enter, where they queue nothing.
fn is_between_requests(daemon: &Daemon) -> bool {
    let threads = fs::read_dir(daemon.proc_path("task")).expect("the daemon lives");
    let mut threads = threads.map(|thread| thread.expect("the daemon lives").path());
    threads.all(|thread| {
        let read = |file| fs::read_to_string(thread.join(file)).unwrap_or_default();
        !read("comm").starts_with("shard-") || read("syscall").starts_with(ENTER)
    })
}
