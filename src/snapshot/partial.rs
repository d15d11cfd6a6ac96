//! The part of a slot that an earlier process took in, as it can be merged with the rest.

use crate::metric::{
    Aggregate, Birth, Column, Counter, Interval, KeyValueSample, MetricType, Set, SlotId, TimerPart,
};

/// What one series came to in a part of a slot.
#[derive(Clone, Debug)]
pub enum Piece<'a> {
    /// The sum of a counter, and its samples; 1 for them where they are not counted.
    Counter(Counter),
    /// The values of a timer.
    Timer(TimerPart<'a>),
    /// The level at the end of the part. What follows moves it from there or sets it anew, so that
    /// nobody needs to know how it came about.
    Gauge(f64),
    /// The members of a set.
    Set(&'a Set),
    /// One sample of a key-value series.
    KeyValue {
        /// Its value.
        value: f64,
        /// Its own time stamp, in seconds since 1970.
        time_unix_s: Option<u64>,
    },
}

/// All series of the part, as if one more shard handed them over.
#[derive(Debug, Default)]
pub struct Partial {
    pub(super) interval: Interval,
    /// By type: how many slots are in use.
    used: [u32; MetricType::ALL.len()],
    left_out: u64,
}

impl Partial {
    /// Adds what a series came to, if there is room. A series may come more than once.
    pub fn add(&mut self, name: &[u8], piece: Piece<'_>) {
        let interval = &mut self.interval;
        let metric_type = piece.metric_type();
        let used = &mut self.used[metric_type as usize];
        let slot = *used;
        let has_room = match piece {
            Piece::Counter(counter) => put(&mut interval.counters, slot, counter),
            Piece::Timer(part) => interval.timers.restore(slot, part),
            // It came before any set of this process, whose stamps are later.
            Piece::Gauge(level) => {
                let gauge = interval.gauges.open(slot);
                gauge.map(|gauge| gauge.set(level, 0)).is_some()
            }
            Piece::Set(set) => {
                let (precision, hashes) = set.hashes();
                let set = Set::of_hashes(precision, hashes.into_iter());
                put(&mut interval.sets, slot, set)
            }
            Piece::KeyValue { value, time_unix_s } => {
                interval.key_values.record(KeyValueSample {
                    slot,
                    value,
                    time_unix_s,
                });
                true
            }
        };
        if !has_room {
            self.left_out += 1;
            return;
        }
        *used += 1;
        interval.births.push(Birth {
            id: SlotId { metric_type, slot },
            name: name.into(),
        });
    }

    /// How many series had no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Leaves out all gauges: they have other levels by now.
    pub fn drop_gauges(&mut self) {
        self.interval.gauges = Default::default();
        let births = &mut self.interval.births;
        births.retain(|birth| birth.id.metric_type != MetricType::Gauge);
    }

    /// Leaves out all sets: their members were hashed in a way that is not known here.
    pub fn drop_sets(&mut self) {
        self.interval.sets = Default::default();
    }
}

fn put<A: Aggregate>(column: &mut Column<A>, slot: u32, aggregate: A) -> bool {
    let there = column.open(slot);
    there.map(|there| *there = aggregate).is_some()
}

impl Piece<'_> {
    /// The type of the series.
    pub fn metric_type(&self) -> MetricType {
        match self {
            Piece::Counter(_) => MetricType::Counter,
            Piece::Timer(_) => MetricType::Timer,
            Piece::Gauge(_) => MetricType::Gauge,
            Piece::Set(_) => MetricType::Set,
            Piece::KeyValue { .. } => MetricType::KeyValue,
        }
    }
}
