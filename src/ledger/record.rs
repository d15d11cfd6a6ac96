//! What one slot took in, what it sent, and whether both sides of each account come to the same.

use std::fmt;
use std::sync::Arc;

use crate::metric::Refusals;
use crate::sink::{Counters, Dropped};
use crate::telemetry::FlushCounts;

/// The record of a slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The end of the slot, which its points are stamped with, in seconds since 1970.
    pub end_unix_s: u64,
    /// Its length in seconds.
    pub length_s: f64,
    /// What came in.
    pub input: Input,
    /// Points left out because they had no finite number.
    pub points_not_finite: u64,
    /// What became of its points, by sink.
    pub outputs: Vec<Output>,
}

/// What came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Datagrams that the kernel delivered, as whoever took them off its sockets counts.
    pub datagrams_delivered: u64,
    /// Datagrams that the kernel dropped because a receive buffer was full.
    pub datagrams_dropped: u64,
    /// Datagrams that shards read, those without a byte included.
    pub datagrams_read: u64,
    /// Datagrams without a byte.
    pub datagrams_empty: u64,
    /// Datagrams that were longer than `max_datagram`: their last line was lost.
    pub datagrams_truncated: u64,
    /// Lines that are not empty, of datagrams and streams.
    pub lines: u64,
    /// Samples of a line beyond its first, taken or not.
    pub chained: u64,
    /// Lines of a kind that holds no samples.
    pub skipped: u64,
    /// Lines and samples refused, by reason.
    pub refusals: Refusals,
    /// Samples recorded.
    pub samples: u64,
}

/// What became of the points for one sink, in lines. A slot begins with what waits of those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The name of the sink in own metrics.
    pub sink: Arc<str>,
    /// Lines written for it in this slot.
    pub points: u64,
    /// Lines that waited before, in memory or in the spool.
    pub waited: u64,
    /// Lines that its queue took over.
    pub pushed: u64,
    /// Lines sent.
    pub sent: u64,
    /// Lines dropped.
    pub dropped: u64,
    /// The same by reason.
    pub dropped_by: Dropped,
    /// Of the lines sent up to now, those that were given up in this slot, as their connection had ended
    /// too early.
    pub doubtful: u64,
    /// Lines that waited when their slot came again whole, which was taken in their place.
    pub superseded: u64,
    /// Lines that wait in memory now.
    pub queued: u64,
    /// Lines that wait in the spool now.
    pub spooled: u64,
}

/// An account whose sides differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imbalance {
    /// Which one.
    pub account: String,
    /// What there is to account for.
    pub debit: u64,
    /// What is accounted for.
    pub credit: u64,
}

impl fmt::Display for Imbalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Imbalance {
            account,
            debit,
            credit,
        } = self;
        let (difference, word) = match credit < debit {
            true => (debit - credit, "missing"),
            false => (credit - debit, "too many"),
        };
        write!(
            f,
            "{account}: {debit} to account for, {credit} accounted for: {difference} {word}"
        )
    }
}

impl Input {
    /// What a flush counted.
    pub fn of(counts: &FlushCounts) -> Input {
        let shards = &counts.shards;
        Input {
            datagrams_delivered: counts.receive.datagrams,
            datagrams_dropped: counts.kernel_drops,
            datagrams_read: shards.datagrams,
            datagrams_empty: shards.datagrams_skipped,
            datagrams_truncated: shards.datagrams_truncated,
            lines: shards.lines.lines,
            chained: shards.lines.chained,
            skipped: shards.lines.skipped,
            refusals: shards.refusals,
            samples: shards.samples,
        }
    }
}

impl Output {
    /// Lines written for a sink of this name.
    pub fn new(sink: &str, points: u64) -> Output {
        Output {
            sink: Arc::from(sink),
            points,
            ..Output::default()
        }
    }

    /// Notes what happened between two looks at the sink's counters.
    pub(super) fn update(&mut self, before: &Counters, now: &Counters) {
        self.waited = before.lines_queued + before.lines_spooled;
        self.pushed = now.lines_pushed - before.lines_pushed;
        self.sent = now.lines_sent - before.lines_sent;
        self.dropped = now.lines_dropped - before.lines_dropped;
        self.dropped_by = now.lines_dropped_by.since(&before.lines_dropped_by);
        self.doubtful = now.lines_doubtful - before.lines_doubtful;
        self.superseded = now.lines_superseded - before.lines_superseded;
        self.queued = now.lines_queued;
        self.spooled = now.lines_spooled;
    }
}

impl Record {
    /// The accounts that do not balance.
    pub fn imbalances(&self) -> Vec<Imbalance> {
        let input = &self.input;
        let mut imbalances = Vec::new();
        let mut check = |account: &dyn Fn() -> String, debit: u64, credit: u64| {
            if debit != credit {
                imbalances.push(Imbalance {
                    account: account(),
                    debit,
                    credit,
                });
            }
        };
        check(
            &|| "datagrams delivered by the kernel".to_owned(),
            input.datagrams_delivered,
            input.datagrams_read,
        );
        check(
            &|| "lines and chained samples".to_owned(),
            input.lines + input.chained,
            input.samples + input.refusals.total() + input.skipped,
        );
        for output in &self.outputs {
            let sink = &output.sink;
            check(
                &|| format!("points for sink {sink}"),
                output.points,
                output.pushed,
            );
            check(
                &|| format!("lines of sink {sink}"),
                output.waited + output.pushed,
                output.sent + output.queued + output.spooled + output.dropped + output.superseded,
            );
        }
        imbalances
    }
}
