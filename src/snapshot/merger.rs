//! From the intervals of all shards to one summary a series.
//!
//! Shards number their series themselves. For each slot of a shard the merger remembers which
//! merged series it belongs to, so that merging walks over arrays and hashes only names that are
//! new to the shard.

mod brakes;
mod change;
mod forget;
mod restart;

pub use forget::TimerValues;
pub use restart::Lasting;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::directory::{Directory, Entry, grow_by_an_eighth};
use super::distribution::{Distribution, SumOrder};
use super::idle::IdleRules;
use super::quotas::Quotas;
use super::texts::SeriesName;
use super::timers::{MergedTimers, ShardLog};
use crate::metric::{
    Aggregate, Gauge, Growth, InputRules, Interval, Limits, MetricType, Set, Silence, SlotId,
};

/// What one series came to in an interval. A series that was silent, and is still reported, has a
/// count of zero.
#[derive(Clone, Copy, Debug)]
pub enum Summary<'a> {
    /// A counter.
    Counter {
        /// The sum of its values, weighed by their rates.
        sum: f64,
        /// How many samples the clients took; 0 unless the merger was told to count them.
        samples: f64,
    },
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
    /// The merged slot that it belongs to; [`VACANT`] for a slot that the shard does not use.
    merged: u32,
    /// The flush at which it last got samples.
    spoke_at: u32,
}

/// There are fewer series than this.
const VACANT: u32 = u32::MAX;

impl Seat {
    const NONE: Seat = Seat {
        merged: VACANT,
        spoke_at: 0,
    };

    fn merged(self) -> Option<u32> {
        (self.merged != VACANT).then_some(self.merged)
    }
}

type Seats = Vec<Seat>;

/// Merges intervals, and keeps what outlives them.
#[derive(Debug)]
pub struct Merger {
    rules: IdleRules,
    limits: MergerLimits,
    weighted_timers: bool,
    sum_order: SumOrder,
    counter_samples: bool,
    /// Flushes so far, modulo 2^32; the first is 1.
    now: u32,
    directories: [Directory; MetricType::ALL.len()],
    /// By shard: which numbering its slots follow.
    numberings: Vec<u32>,
    /// By shard and type.
    seats: Vec<[Seats; MetricType::ALL.len()]>,
    /// The sums of counters by merged slot.
    sums: Vec<f64>,
    /// The samples of counters by merged slot; empty unless they are counted.
    samples: Vec<f64>,
    gauges: Vec<Gauge>,
    /// The gauges of the shard that is being added: its intervals follow each other, and only
    /// what they come to is merged with other shards.
    shard_gauges: Vec<Gauge>,
    timers: MergedTimers,
    sets: Vec<Set>,
    key_values: Vec<(u32, f64, Option<u64>)>,
    counts: MergerCounts,
    /// Series that were removed by name since the last merge.
    removed: u64,
    /// The rules of names, once they have changed.
    input: Option<InputRules>,
    /// There may be series that only earlier rules of names could give, or that are denied.
    may_have_outdated: bool,
    quotas: Quotas,
    brake_counts: BrakeCounts,
    growth: Growth,
}

/// What the rules of [`crate::metric::Brakes`] came to, by their words; of two with the same word, both together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrakeCounts {
    /// Links refused in an interval, by rules that deny.
    pub denied: BTreeMap<String, u64>,
    /// Links refused in an interval, by quotas.
    pub over_quota: BTreeMap<String, u64>,
    /// Series under each quota.
    pub quota_series: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug)]
struct MergerLimits {
    series: usize,
    of_shard: Limits,
    /// By type in the order of [`MetricType::ALL`]: after how many silent flushes a shard forgets a
    /// name.
    seat_flushes: [u32; MetricType::ALL.len()],
}

/// How a merger is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MergerSettings {
    /// What outlives an interval.
    pub idle: IdleRules,
    /// The limits of each shard's table.
    pub limits: Limits,
    /// Whether timers are weighed.
    pub weighted_timers: bool,
    /// In what order the values of a timer are added.
    pub sum_order: SumOrder,
    /// Whether the samples of counters are counted, which takes eight bytes a counter.
    pub counter_samples: bool,
}

/// The most series that a shard is told of as silent. It looks at each of them at a flush, so this
/// bounds a pause of reception.
const SILENT_MAX: usize = 262_144;

/// The most series that a shard is told to forget at a time; the others have to wait for the next
/// flush, for the same reason.
const FORGET_MAX: usize = 65_536;

/// How long a shard remembers a silent name where its series is reported for ever or not at all.
const SEAT_TIME_S: u64 = 300;

impl MergerLimits {
    fn new(settings: MergerSettings, shards: usize) -> MergerLimits {
        let MergerSettings { idle, limits, .. } = settings;
        let default = super::Idle::After(std::time::Duration::from_secs(SEAT_TIME_S));
        let seat_flushes = |metric_type| {
            let idle_flushes = idle.idle.of(metric_type).flushes(idle.interval);
            idle_flushes
                .filter(|&flushes| flushes > 0)
                .or(default.flushes(idle.interval))
                .unwrap_or_default()
                .max(1)
        };
        MergerLimits {
            series: limits.max_series.saturating_mul(shards),
            of_shard: limits,
            seat_flushes: MetricType::ALL.map(seat_flushes),
        }
    }
}

impl Merger {
    /// A merger for so many shards.
    pub fn new(settings: MergerSettings, shards: usize) -> Merger {
        Merger {
            rules: settings.idle,
            limits: MergerLimits::new(settings, shards),
            weighted_timers: settings.weighted_timers,
            sum_order: settings.sum_order,
            counter_samples: settings.counter_samples,
            now: 0,
            directories: Default::default(),
            numberings: vec![0; shards],
            seats: std::iter::repeat_with(Default::default)
                .take(shards)
                .collect(),
            sums: Vec::new(),
            samples: Vec::new(),
            gauges: Vec::new(),
            shard_gauges: Vec::new(),
            timers: MergedTimers::default(),
            sets: Vec::new(),
            key_values: Vec::new(),
            counts: MergerCounts::default(),
            removed: 0,
            input: None,
            may_have_outdated: false,
            quotas: Quotas::new(Arc::default(), shards),
            brake_counts: BrakeCounts::default(),
            growth: Growth::default(),
        }
    }

    /// Merges the intervals of one flush, each with the number of its shard; several of one shard
    /// in their order, one behind the other.
    pub fn merge(&mut self, intervals: &[(usize, Interval)]) {
        // An interval of a millisecond makes it wrap around within weeks; differences stay right.
        self.now = self.now.wrapping_add(1);
        self.counts = MergerCounts {
            expired: std::mem::take(&mut self.removed),
            ..MergerCounts::default()
        };
        self.key_values.clear();
        self.sums.clear();
        self.samples.clear();
        self.gauges.clear();
        self.sets.clear();
        self.begin_brakes();
        let mut logs = Vec::new();
        for (index, (shard, interval)) in intervals.iter().enumerate() {
            if interval.numbering != self.numberings[*shard] {
                self.numberings[*shard] = interval.numbering;
                self.unseat_all(*shard);
                self.may_have_outdated = true;
            }
            self.unseat(*shard, &interval.forgotten);
            self.note_brakes(*shard, interval);
            self.seat(*shard, interval);
            self.make_aggregates();
            self.add(*shard, interval);
            let seats = &self.seats[*shard][MetricType::Timer as usize];
            logs.push(ShardLog {
                timers: &interval.timers,
                slots: seats.iter().map(|seat| seat.merged()).collect(),
            });
            let next = intervals.get(index + 1);
            if next.is_none_or(|(next, _)| next != shard) {
                self.merge_gauges();
            }
        }
        if self.may_have_outdated {
            self.may_have_outdated = self.remove_outdated();
        }
        self.end_brakes();
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
        let counters = slot_count(MetricType::Counter);
        if self.sums.capacity() < counters {
            // Doubling would leave a long vector half empty.
            self.sums
                .reserve_exact(counters + counters / 8 - self.sums.len());
        }
        self.sums.resize(counters, 0.0);
        if self.counter_samples {
            self.samples.resize(counters, 0.0);
        }
        for gauges in [&mut self.gauges, &mut self.shard_gauges] {
            gauges.resize_with(slot_count(MetricType::Gauge), Gauge::default);
        }
        self.sets
            .resize_with(slot_count(MetricType::Set), Set::default);
    }

    fn unseat(&mut self, shard: usize, forgotten: &[SlotId]) {
        for id in forgotten {
            let kind = id.metric_type as usize;
            if let Some(seat) = self.seats[shard][kind].get_mut(id.slot as usize)
                && let Some(merged) = std::mem::replace(seat, Seat::NONE).merged()
            {
                self.directories[kind].release(merged);
            }
        }
    }

    fn seat(&mut self, shard: usize, interval: &Interval) {
        for birth in &interval.births {
            let kind = birth.id.metric_type as usize;
            let (merged, is_new) = self.directories[kind].refer(&birth.name, self.now);
            if is_new {
                self.counts.new += 1;
                self.growth.note_new(&birth.name);
                self.quotas.add(birth.id.metric_type, &birth.name);
            }
            let seats = &mut self.seats[shard][kind];
            let index = birth.id.slot as usize;
            while seats.len() <= index {
                grow_by_an_eighth(seats);
                seats.push(Seat::NONE);
            }
            seats[index] = Seat {
                merged,
                spoke_at: self.now,
            };
        }
    }

    /// Adds one shard's interval, all but the values of its timers.
    fn add(&mut self, shard: usize, interval: &Interval) {
        let now = self.now;
        let seats = &mut self.seats[shard];
        let counters = MetricType::Counter as usize;
        let gauges = MetricType::Gauge as usize;
        let sets = MetricType::Set as usize;
        let timers = MetricType::Timer as usize;
        let key_values = MetricType::KeyValue as usize;
        let (sums, directory) = (&mut self.sums, &mut self.directories[counters]);
        if self.counter_samples {
            let samples = &mut self.samples;
            walk(&mut seats[counters], directory, now, |slot, merged| {
                touched(interval.counters.get(slot))
                    .map(|counter| {
                        sums[merged] += counter.sum;
                        samples[merged] += counter.count;
                    })
                    .is_some()
            });
        } else {
            walk(&mut seats[counters], directory, now, |slot, merged| {
                touched(interval.counters.get(slot))
                    .map(|counter| sums[merged] += counter.sum)
                    .is_some()
            });
        }
        let (levels, directory) = (&mut self.shard_gauges, &mut self.directories[gauges]);
        walk(&mut seats[gauges], directory, now, |slot, merged| {
            touched(interval.gauges.get(slot))
                .map(|gauge| levels[merged].follow(gauge))
                .is_some()
        });
        let (all, directory) = (&mut self.sets, &mut self.directories[sets]);
        walk(&mut seats[sets], directory, now, |slot, merged| {
            touched(interval.sets.get(slot))
                .map(|set| all[merged].merge(set, &self.limits.of_shard))
                .is_some()
        });
        let directory = &mut self.directories[timers];
        walk(&mut seats[timers], directory, now, |slot, _| {
            interval.timers.counts.is_touched(slot)
        });
        let directory = &mut self.directories[key_values];
        walk(&mut seats[key_values], directory, now, |slot, _| {
            interval.key_values.counts.is_touched(slot)
        });
        let seats = &seats[key_values];
        self.key_values
            .extend(interval.key_values.log.iter().filter_map(|sample| {
                let merged = seats.get(sample.slot as usize)?.merged()?;
                Some((merged, sample.value, sample.time_unix_s))
            }));
        self.counts.timer_values_coarse += interval.timers.coarse_count;
    }

    /// Hands over the summary of every series that spoke or is still reported, type by type, and
    /// forgets those whose time has come.
    pub fn summaries(&mut self, mut each: impl FnMut(MetricType, SeriesName<'_>, Summary<'_>)) {
        for (index, metric_type) in MetricType::ALL.into_iter().enumerate() {
            let patience = self.patience_flushes(metric_type);
            let mut expired = Vec::new();
            let directory = &mut self.directories[metric_type as usize];
            for slot in 0..directory.slot_count() as u32 {
                let at = slot as usize;
                let Some(entry) = directory.entry(slot) else {
                    continue;
                };
                let silent_flushes = self.now.wrapping_sub(entry.spoke_at);
                // A gauge whose first sum overflowed has no level to repeat.
                let is_blank = silent_flushes > 0
                    && (directory.is_hushed(slot)
                        || metric_type == MetricType::Gauge && directory.level(slot).is_none());
                if silent_flushes == 0 {
                    directory.unhush(slot);
                }
                if silent_flushes > patience || is_blank {
                    if !self.rules.keeps_quiet_level(metric_type) {
                        directory.drop_level(slot);
                        if !entry.is_referred_to() {
                            expired.push(slot);
                        }
                    }
                    continue;
                }
                self.counts.reported[index] += 1;
                self.counts.spoke += u64::from(silent_flushes == 0);
                let summary = match metric_type {
                    MetricType::Counter => Summary::Counter {
                        sum: self.sums[at],
                        samples: self.samples.get(at).copied().unwrap_or_default(),
                    },
                    MetricType::Gauge => {
                        if silent_flushes == 0 {
                            let lives = self.rules.gauge_level_lives;
                            Summary::Gauge(update_level(directory, slot, &self.gauges[at], lives))
                        } else {
                            Summary::Gauge(directory.level(slot).unwrap_or_default())
                        }
                    }
                    MetricType::Timer => Summary::Timer(self.timers.distribution(
                        slot,
                        self.weighted_timers,
                        self.sum_order,
                    )),
                    MetricType::Set => Summary::Set(self.sets[at].count()),
                    MetricType::KeyValue => continue,
                };
                each(metric_type, directory.name(entry), summary);
            }
            self.counts.expired += expired.len() as u64;
            for slot in expired {
                self.remove(metric_type, slot);
            }
        }
        self.key_value_summaries(&mut each);
        self.evict();
    }

    /// For how many silent flushes a series of this type is still reported.
    fn patience_flushes(&self, metric_type: MetricType) -> u32 {
        let idle = self.rules.idle.of(metric_type);
        idle.flushes(self.rules.interval).unwrap_or(u32::MAX)
    }

    fn key_value_summaries(
        &mut self,
        each: &mut impl FnMut(MetricType, SeriesName<'_>, Summary<'_>),
    ) {
        let directory = &self.directories[MetricType::KeyValue as usize];
        for &(slot, value, time_unix_s) in &self.key_values {
            if let Some(entry) = directory.entry(slot) {
                let summary = Summary::KeyValue { value, time_unix_s };
                each(MetricType::KeyValue, directory.name(entry), summary);
            }
        }
    }

    /// Keeps the number of series within its limit: of those that no shard remembers the longest
    /// silent ones go.
    fn evict(&mut self) {
        let excess = self.series_count().saturating_sub(self.limits.series);
        if excess == 0 {
            return;
        }
        let mut candidates: Vec<(u32, MetricType, u32)> = Vec::new();
        for metric_type in MetricType::ALL {
            let idle = self.directories[metric_type as usize]
                .iter()
                .filter(|(_, entry)| !entry.is_referred_to());
            let silent_flushes = |entry: Entry| self.now.wrapping_sub(entry.spoke_at);
            candidates.extend(idle.map(|(slot, entry)| (silent_flushes(entry), metric_type, slot)));
        }
        candidates.sort_unstable_by_key(|&(silent_flushes, ..)| Reverse(silent_flushes));
        candidates.truncate(excess);
        self.counts.expired += candidates.len() as u64;
        for (_, metric_type, slot) in candidates {
            self.remove(metric_type, slot);
        }
    }

    /// Forgets a series.
    fn remove(&mut self, metric_type: MetricType, slot: u32) {
        let directory = &mut self.directories[metric_type as usize];
        if self.quotas.are_any()
            && let Some(entry) = directory.entry(slot)
        {
            let name = directory.name(entry);
            self.quotas
                .remove(metric_type, &[name.path, name.tags].concat());
        }
        directory.remove(slot);
    }

    fn series_count(&self) -> usize {
        self.directories.iter().map(Directory::len).sum()
    }

    /// What a shard may forget. `is_full` asks for the whole list of silent series.
    pub fn silence(&mut self, shard: usize, is_full: bool) -> Silence {
        let mut silence = Silence {
            numbering: self.numberings[shard],
            grants: self.quotas.take_grants(shard),
            ..Silence::default()
        };
        let mut silent = Vec::new();
        for (metric_type, seat_flushes) in MetricType::ALL.into_iter().zip(self.limits.seat_flushes)
        {
            let seats = &self.seats[shard][metric_type as usize];
            for (slot, seat) in (0u32..).zip(seats) {
                if seat.merged().is_none() {
                    continue;
                }
                let flushes = self.now.wrapping_sub(seat.spoke_at);
                let id = SlotId { metric_type, slot };
                if flushes > seat_flushes && silence.forget.len() < FORGET_MAX {
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

    /// What the last merge did.
    pub fn counts(&self) -> MergerCounts {
        self.counts
    }
}

fn touched<A: Aggregate>(aggregate: Option<&A>) -> Option<&A> {
    aggregate.filter(|aggregate| aggregate.is_touched())
}

/// Offers the slots of a shard that are in use, each with its merged slot, to `merge`, which says
/// whether there were samples.
fn walk(
    seats: &mut [Seat],
    directory: &mut Directory,
    now: u32,
    mut merge: impl FnMut(u32, usize) -> bool,
) {
    for (slot, seat) in (0u32..).zip(seats) {
        if seat.merged != VACANT && merge(slot, seat.merged as usize) {
            seat.spoke_at = now;
            directory.spoke(seat.merged, now);
        }
    }
}

/// Applies the updates of a gauge to its level, and returns what to report. A level that overflows
/// is reported once, but not kept: it would stay so for ever.
fn update_level(directory: &mut Directory, slot: u32, gauge: &Gauge, lives: bool) -> f64 {
    let previous = directory.level(slot).filter(|_| lives);
    let level = gauge.level(previous.unwrap_or_default());
    if level.is_finite() {
        directory.set_level(slot, level);
    }
    level
}

#[cfg(test)]
mod tests;
