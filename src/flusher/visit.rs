//! Questions that others ask in the flusher's thread, where the answers are.

use super::Flusher;
use crate::shard::ShardCounts;
use crate::sink::Counters;
use crate::snapshot::Merger;

/// Asks the merger as the last flush left it, or has it forget something. The flusher receives
/// visits one by one while it waits for the end of a slot.
pub type Visit = Box<dyn FnOnce(&mut Merger, &Status) + Send>;

/// What the flusher knows of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The flush before which lines came last, in seconds since 1970; None if none came yet.
    pub lines_unix_s: Option<u64>,
    /// Lines and values that were refused since the start.
    pub refused_count: u64,
    /// The counters of the sinks, as they are now.
    pub sinks: Vec<Counters>,
}

impl Status {
    /// Adds what the shards counted up to a flush at this time.
    pub(super) fn add(&mut self, counts: &ShardCounts, now_unix_s: u64) {
        if counts.lines.lines > 0 {
            self.lines_unix_s = Some(now_unix_s);
        }
        self.refused_count += counts.refusals.total();
    }
}

impl Flusher {
    pub(super) fn receive(&mut self, visit: Visit) {
        let outlets = self.outputs.outlets().iter();
        self.status.sinks = outlets.map(|outlet| outlet.sink.counters()).collect();
        visit(&mut self.merger, &self.status);
    }
}
