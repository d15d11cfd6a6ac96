//! Questions that others ask in the flusher's thread, where the answers are.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::{Flusher, Message};
use crate::ledger::Ledger;
use crate::shard::ShardCounts;
use crate::sink::Counters;
use crate::snapshot::Merger;

/// Asks the merger as the last flush left it, or has it forget something. The flusher receives
/// visits one by one while it waits for the end of a slot.
pub type Visit = Box<dyn FnOnce(&mut Merger, &Status) + Send>;

/// Where visits go in.
#[derive(Clone, Debug)]
pub struct Door(mpsc::Sender<Message>);

impl Door {
    /// That of a flusher with this inbox.
    pub fn new(messages: mpsc::Sender<Message>) -> Door {
        Door(messages)
    }

    /// Asks in the flusher's thread; None if that has ended.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Merger, &Status) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let visit: Visit = Box::new(move |merger, status| {
            // If nobody waits the connection is gone.
            let _ = answer.send(question(merger, status));
        });
        // If the flusher has ended, the answer does not come.
        let _ = self.0.send(Message::Visit(visit));
        answered.await.ok()
    }
}

/// What the flusher knows of the daemon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The flush before which lines came last, in seconds since 1970; None if none came yet.
    pub lines_unix_s: Option<u64>,
    /// Lines and values that were refused since the start.
    pub refused_count: u64,
    /// The counters of the sinks, as they are now.
    pub sinks: Vec<Counters>,
    /// The records of the last slots.
    pub ledger: Ledger,
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
        let outlets = self.outputs.outlets();
        let Status { sinks, ledger, .. } = &mut self.status;
        *sinks = outlets
            .iter()
            .map(|outlet| outlet.sink.counters())
            .collect();
        self.books.refresh(ledger, outlets, sinks);
        visit(&mut self.merger, &self.status);
    }
}
