//! The daemon's own lines: what it took in, what became of it, and what was lost and why; in our own
//! words or in those of etsy's statsd.

mod etsy;
mod ringstat;
mod slot_counts;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::kernel::ReceiveCounters;
use crate::naming::{Dialect, FlushTime, Naming, Points};
use crate::repeat::Repeated;
use crate::shard::ShardCounts;
use crate::sink::Counters;
use crate::snapshot::{BrakeCounts, MergerCounts};
use etsy::Etsy;
use ringstat::Ringstat;
pub use slot_counts::SlotCounts;

/// In whose words the daemon's own metrics are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnWords {
    /// Ours, which account for all that was taken in.
    #[default]
    Ringstat,
    /// Those of etsy's statsd, for dashboards that know them.
    Etsy,
}

impl OwnWords {
    /// All of them.
    pub const ALL: [OwnWords; 2] = [OwnWords::Ringstat, OwnWords::Etsy];

    /// The word for it in settings.
    pub fn word(self) -> &'static str {
        match self {
            OwnWords::Ringstat => "ringstat",
            OwnWords::Etsy => "etsy",
        }
    }
}

impl fmt::Display for OwnWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for OwnWords {
    type Err = String;

    fn from_str(text: &str) -> Result<OwnWords, String> {
        let mut all = OwnWords::ALL.into_iter();
        all.find(|words| words.word() == text).ok_or_else(|| {
            let known = OwnWords::ALL.map(OwnWords::word).join(" or ");
            format!("own metrics are in the words of {known}, not of {text:?}")
        })
    }
}

/// How own metrics are written.
#[derive(Clone, Debug)]
pub struct OwnLines {
    /// In whose words.
    pub words: OwnWords,
    /// The dialect of the output; etsy's words go with both of etsy's namespaces only.
    pub dialect: Dialect,
    /// What their names begin with, behind the namespace; not empty, no dot at its ends.
    pub prefix: String,
    /// What stands before the prefix in etsy's words, where the dialect leaves the choice; made like
    /// `prefix`, but it may be empty.
    pub namespace: String,
    /// What their names end with in etsy's words, made like `namespace`.
    pub suffix: String,
}

/// What one flush has to tell, apart from the sinks.
#[derive(Clone, Debug, Default)]
pub struct FlushCounts {
    /// What the shards counted, added up.
    pub shards: ShardCounts,
    /// What merging counted.
    pub merger: MergerCounts,
    /// What the emergency brake did.
    pub brakes: BrakeCounts,
    /// Datagrams that the kernel dropped because a receive queue was full.
    pub kernel_drops: u64,
    /// Bytes that wait in the receive queues.
    pub receive_queue_bytes: u64,
    /// What the engines counted.
    pub receive: ReceiveCounters,
    /// What was repeated to other daemons.
    pub repeated: Repeated,
    /// The share of its time that the busiest shard computed, 0 to 1.
    pub busiest_shard: f64,
    /// Points that no finite number could be given for.
    pub points_not_finite: u64,
    /// Whether the slot before did not balance.
    pub ledger_unbalanced: bool,
    /// How long it took to collect and to merge the intervals.
    pub collecting: Duration,
    /// How long the flush took up to here.
    pub duration: Duration,
    /// How long after the end of its slot the flush began.
    pub late: Duration,
    /// Slots before this one that never had a flush.
    pub slots_skipped: u64,
    /// 1 if a slot with this end, or a later one, was flushed before.
    pub slots_repeated: u64,
    /// 1 if of a slot that a restart cut in two the first part was given up.
    pub slots_halved: u64,
}

/// Writes own metrics.
#[derive(Clone, Debug)]
pub enum Telemetry {
    /// In our own words.
    Ringstat(Ringstat),
    /// In etsy's.
    Etsy(Etsy),
}

impl Telemetry {
    /// Own metrics for sinks of these names, of whose counters so much was told already.
    pub fn new(own: &OwnLines, sinks: impl Iterator<Item = (String, Counters)>) -> Telemetry {
        match own.words {
            OwnWords::Ringstat => Telemetry::Ringstat(Ringstat::new(&own.prefix, sinks)),
            OwnWords::Etsy => Telemetry::Etsy(Etsy::new(own)),
        }
    }

    /// Writes the metrics of one flush. `sinks` are the sinks' counters before its points are
    /// handed over, in the order of their names. `slot` are the counts of the slot up to here; those of
    /// the flush are added.
    pub fn write(
        &mut self,
        flush: &FlushCounts,
        sinks: &[Counters],
        naming: &Naming,
        time: FlushTime,
        slot: &mut SlotCounts,
        out: &mut impl Points,
    ) {
        match self {
            Telemetry::Ringstat(ringstat) => {
                ringstat.write(flush, sinks, time.end_unix_s, slot, out);
            }
            Telemetry::Etsy(etsy) => etsy.write(flush, sinks, naming, time, slot, out),
        }
    }

    /// Goes on from what was written under other settings.
    pub fn follow(&mut self, before: &Telemetry) {
        match (self, before) {
            (Telemetry::Etsy(etsy), Telemetry::Etsy(before)) => etsy.follow(before),
            // What it needs it was told when it was made.
            (Telemetry::Ringstat(_), _) | (Telemetry::Etsy(_), Telemetry::Ringstat(_)) => {}
        }
    }

    /// So many points, own metrics included, were handed to each sink in this flush.
    pub fn handed_over(&mut self, points: u64) {
        match self {
            Telemetry::Ringstat(ringstat) => ringstat.handed_over(points),
            Telemetry::Etsy(_) => {}
        }
    }
}
