//! One record for each slot of what came in and what became of it, each of which must balance. Kept in
//! memory for the last hours.

#![forbid(unsafe_code)]

mod record;

use std::collections::VecDeque;
use std::sync::Arc;

pub use crate::sink::{Counters, DropReason};
pub use record::{Imbalance, Input, Output, Record};

/// Records that are kept at most. One takes 0.4 kB, and 0.15 kB more for each sink: 6 MB with one sink.
/// Fewer under Miri, where each takes milliseconds.
pub const RECORDS_MAX: usize = if cfg!(miri) { 100 } else { 10_000 };

/// No record is kept whose slot ended so much earlier than the last one, in seconds.
pub const AGE_MAX_S: u64 = 24 * 60 * 60;

/// The records of the last slots, oldest first. The last one is open: what became of its points shows
/// until the next slot ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    records: VecDeque<Arc<Record>>,
    /// The counters of the sinks before they got anything of the open record's points, in the order
    /// of its outputs; None if none is open.
    before: Option<Vec<Counters>>,
    unbalanced_count: u64,
}

impl Ledger {
    /// Begins the record of a slot whose points were handed over. `before` are the counters of the
    /// sinks before that, in the order of its outputs.
    ///
    /// # Panics
    /// If there are not as many, or the last record is still open.
    pub fn open(&mut self, record: Record, before: Vec<Counters>) {
        assert!(self.before.is_none(), "one record is open at a time");
        assert_eq!(record.outputs.len(), before.len(), "each sink has both");
        let oldest_s = record.end_unix_s.saturating_sub(AGE_MAX_S);
        let is_old = |first: &Arc<Record>| first.end_unix_s < oldest_s;
        while self.records.len() >= RECORDS_MAX || self.records.front().is_some_and(is_old) {
            self.records.pop_front();
        }
        self.records.push_back(Arc::new(record));
        self.before = Some(before);
    }

    /// Brings the open record up to date. `now` are the counters of its sinks.
    pub fn refresh(&mut self, now: &[Counters]) {
        let (Some(before), Some(record)) = (&self.before, self.records.back_mut()) else {
            return;
        };
        let outputs = &mut Arc::make_mut(record).outputs;
        for ((output, before), now) in outputs.iter_mut().zip(before).zip(now) {
            output.update(before, now);
        }
    }

    /// Ends the open record, if there is one, and returns what does not balance in it.
    pub fn close(&mut self, now: &[Counters]) -> Vec<Imbalance> {
        self.refresh(now);
        let is_open = self.before.take().is_some();
        let ended = self.records.back().filter(|_| is_open);
        let imbalances = ended.map_or(Vec::new(), |record| record.imbalances());
        self.unbalanced_count += u64::from(!imbalances.is_empty());
        imbalances
    }

    /// The records, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Arc<Record>> + ExactSizeIterator {
        self.records.iter()
    }

    /// How many slots have ended since the start that do not balance.
    pub fn unbalanced_count(&self) -> u64 {
        self.unbalanced_count
    }
}

#[cfg(test)]
mod tests;
