//! From the intervals of all shards to one summary a series.
//!
//! Shards number their series themselves. For each slot of a shard the merger remembers which
//! merged series it belongs to, so that merging walks over arrays and hashes only names that are
//! new to the shard.

use std::cmp::Reverse;

use super::directory::{Directory, Entry};
use super::distribution::Distribution;
use super::idle::IdleRules;
use super::timers::{MergedTimers, ShardLog};
use crate::metric::{Aggregate, Counter, Gauge, Interval, MetricType, Set, Silence, SlotId};

/// What one series came to in an interval. A series that was silent, and is still reported, has a
/// count of zero.
#[derive(Clone, Copy, Debug)]
pub enum Summary<'a> {
    /// The sum of a counter, and how many samples the clients took.
    Counter(Counter),
    /// The level of a gauge.
    Gauge(f64),
    /// The values of a timer.
    Timer(Distribution<'a>),
    /// How many distinct values a set saw.
    Set(u64),
    /// One sample of a key-value series, and its own time stamp in seconds since 1970.
    KeyValue {
        /// The value.
        value: f64,
        /// The time stamp that the sample brought.
        time_unix_s: Option<u64>,
    },
}

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergerCounts {
    /// Series that got samples, or are still reported, by type in the order of
    /// [`MetricType::ALL`].
    pub reported: [u64; MetricType::ALL.len()],
    /// Series that got samples in the interval.
    pub spoke: u64,
    /// Series that are new.
    pub new: u64,
    /// Series that are forgotten.
    pub expired: u64,
    /// Timers that are sketches, because there were more values than are kept.
    pub timers_folded: u64,
    /// Timer values that a sketch could not place within its stated error.
    pub timer_values_coarse: u64,
    /// Sets that are estimates, because they had more values than are kept.
    pub sets_estimated: u64,
}

/// A slot of a shard, seen from here.
#[derive(Clone, Copy, Debug)]
struct Seat {
    merged: u32,
    /// The flush at which it last got samples.
    spoke_at: u32,
}

type Seats = Vec<Option<Seat>>;

/// Merges intervals, and keeps what outlives them.
#[derive(Debug)]
pub struct Merger {
    rules: IdleRules,
    limits: MergerLimits,
    weighted_timers: bool,
    /// Flushes so far, modulo 2^32; the first is 1.
    now: u32,
    directories: [Directory; MetricType::ALL.len()],
    /// By shard and type.
    seats: Vec<[Seats; MetricType::ALL.len()]>,
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    /// The gauges of the shard that is being added: its intervals follow each other, and only
    /// what they come to is merged with other shards.
    shard_gauges: Vec<Gauge>,
    timers: MergedTimers,
    sets: Vec<Set>,
    key_values: Vec<(u32, f64, Option<u64>)>,
    counts: MergerCounts,
}

#[derive(Clone, Copy, Debug)]
struct MergerLimits {
    series: usize,
    set_values: usize,
    /// After how many silent flushes a shard forgets a name.
    seat_flushes: u32,
}

/// The most series that a shard is told of as silent. It looks at each of them at a flush, so this
/// bounds a pause of reception.
const SILENT_MAX: usize = 262_144;

/// The most series that a shard is told to forget at a time; the others have to wait for the next
/// flush, for the same reason.
const FORGET_MAX: usize = 65_536;

/// How long a shard remembers a silent name where its series is reported for ever or not at all.
const SEAT_TIME_S: u64 = 300;

impl Merger {
    /// A merger for so many shards, each of which remembers `max_series` spellings at most.
    pub fn new(
        rules: IdleRules,
        shards: usize,
        limits: crate::metric::Limits,
        weighted_timers: bool,
    ) -> Merger {
        let default = super::Idle::After(std::time::Duration::from_secs(SEAT_TIME_S));
        let seat_flushes = rules
            .idle
            .flushes(rules.interval)
            .filter(|&flushes| flushes > 0);
        Merger {
            rules,
            limits: MergerLimits {
                series: limits.max_series.saturating_mul(shards),
                set_values: limits.max_set_values,
                seat_flushes: seat_flushes
                    .or(default.flushes(rules.interval))
                    .unwrap_or_default()
                    .max(1),
            },
            weighted_timers,
            now: 0,
            directories: Default::default(),
            seats: std::iter::repeat_with(Default::default)
                .take(shards)
                .collect(),
            counters: Vec::new(),
            gauges: Vec::new(),
            shard_gauges: Vec::new(),
            timers: MergedTimers::default(),
            sets: Vec::new(),
            key_values: Vec::new(),
            counts: MergerCounts::default(),
        }
    }

    /// Merges the intervals of one flush, each with the number of its shard; several of one shard
    /// in their order, one behind the other.
    pub fn merge(&mut self, intervals: &[(usize, Interval)]) {
        // An interval of a millisecond makes it wrap around within weeks; differences stay right.
        self.now = self.now.wrapping_add(1);
        self.counts = MergerCounts::default();
        self.key_values.clear();
        self.counters.clear();
        self.gauges.clear();
        self.sets.clear();
        let mut logs = Vec::new();
        for (index, (shard, interval)) in intervals.iter().enumerate() {
            self.unseat(*shard, &interval.forgotten);
            self.seat(*shard, interval);
            self.make_aggregates();
            self.add(*shard, interval);
            let seats = &self.seats[*shard][MetricType::Timer as usize];
            logs.push(ShardLog {
                timers: &interval.timers,
                slots: seats
                    .iter()
                    .map(|seat| Some(seat.as_ref()?.merged))
                    .collect(),
            });
            let next = intervals.get(index + 1);
            if next.is_none_or(|(next, _)| next != shard) {
                self.merge_gauges();
            }
        }
        self.make_aggregates();
        let timers = &self.directories[MetricType::Timer as usize];
        self.timers.fill(timers.slot_count(), &logs);
        self.counts.timers_folded = self.timers.sketch_count() as u64;
        let estimated = self.sets.iter().filter(|set| set.is_estimated());
        self.counts.sets_estimated = estimated.count() as u64;
    }

    /// Ends the turn of a shard: merges what its gauges came to.
    fn merge_gauges(&mut self) {
        for (gauge, of_shard) in self.gauges.iter_mut().zip(&mut self.shard_gauges) {
            if of_shard.is_touched() {
                gauge.merge(&std::mem::take(of_shard));
            }
        }
    }

    /// Gives every merged series an aggregate.
    fn make_aggregates(&mut self) {
        let slot_count = |metric_type| self.directories[metric_type as usize].slot_count();
        self.counters
            .resize_with(slot_count(MetricType::Counter), Counter::default);
        for gauges in [&mut self.gauges, &mut self.shard_gauges] {
            gauges.resize_with(slot_count(MetricType::Gauge), Gauge::default);
        }
        self.sets
            .resize_with(slot_count(MetricType::Set), Set::default);
    }

    fn unseat(&mut self, shard: usize, forgotten: &[SlotId]) {
        for id in forgotten {
            let kind = id.metric_type as usize;
            let seat = self.seats[shard][kind].get_mut(id.slot as usize);
            if let Some(seat) = seat.and_then(Option::take)
                && let Some(entry) = self.directories[kind].get_mut(seat.merged)
            {
                entry.references -= 1;
            }
        }
    }

    fn seat(&mut self, shard: usize, interval: &Interval) {
        for birth in &interval.births {
            let kind = birth.id.metric_type as usize;
            let (merged, is_new) = self.directories[kind].refer(birth.name.clone(), self.now);
            self.counts.new += u64::from(is_new);
            let seats = &mut self.seats[shard][kind];
            let index = birth.id.slot as usize;
            if seats.len() <= index {
                seats.resize(index + 1, None);
            }
            seats[index] = Some(Seat {
                merged,
                spoke_at: self.now,
            });
        }
    }

    /// Adds one shard's interval, all but the values of its timers.
    fn add(&mut self, shard: usize, interval: &Interval) {
        let now = self.now;
        let seats = &mut self.seats[shard];
        let directories = &mut self.directories;
        let mut walk = |metric_type: MetricType, merge: &mut dyn FnMut(u32, usize) -> bool| {
            let directory = &mut directories[metric_type as usize];
            for (slot, seat) in (0u32..).zip(&mut seats[metric_type as usize]) {
                if let Some(seat) = seat
                    && merge(slot, seat.merged as usize)
                {
                    seat.spoke_at = now;
                    if let Some(entry) = directory.get_mut(seat.merged) {
                        entry.spoke_at = now;
                    }
                }
            }
        };
        walk(MetricType::Counter, &mut |slot, merged| {
            touched(interval.counters.get(slot))
                .map(|counter| self.counters[merged].merge(counter))
                .is_some()
        });
        walk(MetricType::Gauge, &mut |slot, merged| {
            touched(interval.gauges.get(slot))
                .map(|gauge| self.shard_gauges[merged].follow(gauge))
                .is_some()
        });
        walk(MetricType::Set, &mut |slot, merged| {
            touched(interval.sets.get(slot))
                .map(|set| self.sets[merged].merge(set, self.limits.set_values))
                .is_some()
        });
        walk(MetricType::Timer, &mut |slot, _| {
            interval.timers.counts.is_touched(slot)
        });
        walk(MetricType::KeyValue, &mut |slot, _| {
            interval.key_values.counts.is_touched(slot)
        });
        let seats = &seats[MetricType::KeyValue as usize];
        self.key_values
            .extend(interval.key_values.log.iter().filter_map(|sample| {
                let seat = seats.get(sample.slot as usize).copied().flatten()?;
                Some((seat.merged, sample.value, sample.time_unix_s))
            }));
        self.counts.timer_values_coarse += interval.timers.coarse_count;
    }

    /// Hands over the summary of every series that spoke or is still reported, type by type, and
    /// forgets those whose time has come.
    pub fn summaries(&mut self, mut each: impl FnMut(MetricType, &[u8], Summary<'_>)) {
        for (index, metric_type) in MetricType::ALL.into_iter().enumerate() {
            let patience = self.patience_flushes(metric_type);
            let mut expired = Vec::new();
            for (slot, entry) in self.directories[metric_type as usize].iter_mut() {
                let at = slot as usize;
                let silent_flushes = self.now.wrapping_sub(entry.spoke_at);
                // A gauge whose first sum overflowed has no level to repeat.
                let is_blank = metric_type == MetricType::Gauge && entry.level.is_nan();
                if silent_flushes > patience || (silent_flushes > 0 && is_blank) {
                    if !self.rules.keeps_quiet_level(metric_type) {
                        entry.drop_level();
                        if entry.references == 0 {
                            expired.push(slot);
                        }
                    }
                    continue;
                }
                self.counts.reported[index] += 1;
                self.counts.spoke += u64::from(silent_flushes == 0);
                let summary = match metric_type {
                    MetricType::Counter => Summary::Counter(self.counters[at]),
                    MetricType::Gauge => Summary::Gauge(match silent_flushes {
                        0 => entry.update_level(&self.gauges[at], self.rules.gauge_level_lives),
                        _ => entry.level,
                    }),
                    MetricType::Timer => {
                        Summary::Timer(self.timers.distribution(slot, self.weighted_timers))
                    }
                    MetricType::Set => Summary::Set(self.sets[at].count()),
                    MetricType::KeyValue => continue,
                };
                each(metric_type, &entry.name, summary);
            }
            self.counts.expired += expired.len() as u64;
            for slot in expired {
                self.directories[metric_type as usize].remove(slot);
            }
        }
        self.key_value_summaries(&mut each);
        self.evict();
    }

    /// For how many silent flushes a series of this type is still reported.
    fn patience_flushes(&self, metric_type: MetricType) -> u32 {
        let idle = match metric_type {
            MetricType::Counter | MetricType::Timer | MetricType::Set => self.rules.idle,
            MetricType::Gauge => self.rules.idle_gauges,
            MetricType::KeyValue => super::Idle::Quiet,
        };
        idle.flushes(self.rules.interval).unwrap_or(u32::MAX)
    }

    fn key_value_summaries(&mut self, each: &mut impl FnMut(MetricType, &[u8], Summary<'_>)) {
        let directory = &self.directories[MetricType::KeyValue as usize];
        for &(slot, value, time_unix_s) in &self.key_values {
            if let Some(entry) = directory.get(slot) {
                let summary = Summary::KeyValue { value, time_unix_s };
                each(MetricType::KeyValue, &entry.name, summary);
            }
        }
    }

    /// Keeps the number of series within its limit: of those that no shard remembers the longest
    /// silent ones go.
    fn evict(&mut self) {
        let total: usize = self.directories.iter().map(Directory::len).sum();
        let excess = total.saturating_sub(self.limits.series);
        if excess == 0 {
            return;
        }
        let mut candidates: Vec<(u32, usize, u32)> = Vec::new();
        for (kind, directory) in self.directories.iter().enumerate() {
            let idle = directory.iter().filter(|(_, entry)| entry.references == 0);
            let silent_flushes = |entry: &Entry| self.now.wrapping_sub(entry.spoke_at);
            candidates.extend(idle.map(|(slot, entry)| (silent_flushes(entry), kind, slot)));
        }
        candidates.sort_unstable_by_key(|&(silent_flushes, ..)| Reverse(silent_flushes));
        candidates.truncate(excess);
        self.counts.expired += candidates.len() as u64;
        for (_, kind, slot) in candidates {
            self.directories[kind].remove(slot);
        }
    }

    /// What a shard may forget. `is_full` asks for the whole list of silent series.
    pub fn silence(&self, shard: usize, is_full: bool) -> Silence {
        let mut silence = Silence::default();
        let mut silent = Vec::new();
        for metric_type in MetricType::ALL {
            let seats = &self.seats[shard][metric_type as usize];
            for (slot, seat) in (0u32..).zip(seats) {
                let Some(seat) = seat else { continue };
                let flushes = self.now.wrapping_sub(seat.spoke_at);
                let id = SlotId { metric_type, slot };
                if flushes > self.limits.seat_flushes && silence.forget.len() < FORGET_MAX {
                    silence.forget.push(id);
                } else if flushes > 0 && is_full {
                    silent.push((flushes, id));
                }
            }
        }
        silent.sort_unstable_by_key(|&(flushes, _)| flushes);
        let start = silent.len().saturating_sub(SILENT_MAX);
        silence.silent = silent[start..].iter().map(|&(_, id)| id).collect();
        silence
    }

    /// The gauges and their levels, to be kept over a restart.
    pub fn levels(&self) -> impl Iterator<Item = (&[u8], f64)> {
        self.directories[MetricType::Gauge as usize]
            .iter()
            .filter(|(_, entry)| !entry.level.is_nan())
            .map(|(_, entry)| (&*entry.name, entry.level))
    }

    /// Gives a gauge the level that it had before a restart.
    pub fn restore_level(&mut self, name: &[u8], level: f64) {
        self.directories[MetricType::Gauge as usize].restore(name.into(), level, self.now);
    }

    /// What the last merge did.
    pub fn counts(&self) -> MergerCounts {
        self.counts
    }
}

fn touched<A: Aggregate>(aggregate: Option<&A>) -> Option<&A> {
    aggregate.filter(|aggregate| aggregate.is_touched())
}

#[cfg(test)]
mod tests;
