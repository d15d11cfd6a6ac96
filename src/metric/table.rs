//! One shard's table: every series it has seen, with its aggregate of the current interval.
//! Hot path: recording into a known series neither allocates nor locks.
//!
//! Names stay across intervals, aggregates do not: at a flush the interval is moved out by value
//! and an empty one moves in, whatever the number of series.

use super::column::Column;
use super::counter::Counter;
use super::gauge::Gauge;
use super::key_value::{KeyValueSample, KeyValues};
use super::name::{SPELLING_BYTES_MAX, make_safe};
use super::names::{Found, Names};
use super::refusal::Refusal;
use super::rules::{InputRules, Limits};
use super::samples::{MetricType, Number, Samples, Values};
use super::set::{Set, SetHash};
use super::timer::{TimerValue, Timers};

/// One series of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId {
    /// The type of the series.
    pub metric_type: MetricType,
    /// Its slot among the series of that type.
    pub slot: u32,
}

/// A series that came into being, and the name under which it is flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Its slot.
    pub id: SlotId,
    /// Its name, made safe, tags included.
    pub name: Box<[u8]>,
}

/// All that a table took in during one interval.
#[derive(Debug, Default)]
pub struct Interval {
    /// Which numbering its slots follow. If it is another one than in the interval before, all
    /// earlier slots are void.
    pub numbering: u32,
    /// Series that were forgotten. Their slots may have been given to newborn ones.
    pub forgotten: Vec<SlotId>,
    /// Series that are new.
    pub births: Vec<Birth>,
    /// Counters by slot.
    pub counters: Column<Counter>,
    /// Gauges by slot.
    pub gauges: Column<Gauge>,
    /// Timers by slot.
    pub timers: Timers,
    /// Sets by slot.
    pub sets: Column<Set>,
    /// Key-values in order of arrival.
    pub key_values: KeyValues,
}

impl Interval {
    /// Makes it empty again, and keeps the memory.
    pub fn reset(&mut self) {
        self.forgotten.clear();
        self.births.clear();
        self.counters.reset();
        self.gauges.reset();
        self.timers.reset();
        self.sets.reset();
        self.key_values.reset();
    }

    fn is_touched(&self, id: SlotId) -> bool {
        match id.metric_type {
            MetricType::Counter => self.counters.is_touched(id.slot),
            MetricType::Gauge => self.gauges.is_touched(id.slot),
            MetricType::Timer => self.timers.counts.is_touched(id.slot),
            MetricType::Set => self.sets.is_touched(id.slot),
            MetricType::KeyValue => self.key_values.counts.is_touched(id.slot),
        }
    }
}

/// What a table may forget, said by whoever saw all the intervals that it handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// Which numbering these slots follow.
    pub numbering: u32,
    /// Silent for so long that they shall go now.
    pub forget: Vec<SlotId>,
    /// Silent, the longest silent last: they may go when room is needed.
    pub silent: Vec<SlotId>,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounts {
    /// Spellings that are remembered: what `max_series` bounds.
    pub spellings: usize,
    /// Series by type, in the order of [`MetricType::ALL`].
    pub series: [usize; MetricType::ALL.len()],
}

/// One shard's table.
#[derive(Debug)]
pub struct Table {
    pub(super) rules: InputRules,
    limits: Limits,
    set_hash: SetHash,
    pub(super) names: [Names; MetricType::ALL.len()],
    pub(super) interval: Interval,
    silence: Silence,
    stamp: u64,
    safe_name: Vec<u8>,
}

impl Table {
    /// An empty table. All tables that are merged share the hash of sets.
    pub fn new(rules: InputRules, limits: Limits, set_hash: SetHash) -> Table {
        Table {
            rules,
            limits,
            set_hash,
            names: Default::default(),
            interval: Interval::default(),
            silence: Silence::default(),
            stamp: 0,
            safe_name: Vec::new(),
        }
    }

    /// Stamps what follows. Gauges of several shards are merged by these stamps, so they come
    /// from one clock and do not run backwards.
    pub fn start_batch(&mut self, stamp: u64) {
        self.stamp = stamp;
    }

    /// Records the samples of one link.
    ///
    /// # Errors
    /// Why none of them was taken.
    #[inline]
    pub fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
        let metric_type = samples.metric_type();
        if metric_type == MetricType::KeyValue
            && self.interval.key_values.log.len() + samples.count() > self.limits.max_timer_values
        {
            return Err(Refusal::ValueLimit);
        }
        let tags = if self.rules.keep_tags {
            samples.tags
        } else {
            b""
        };
        // Before the lookup: a chain could have a name of many kilobytes hashed thousands of times.
        if samples.name.len() + tags.len() > SPELLING_BYTES_MAX {
            return Err(Refusal::NameTooLong);
        }
        let found = self.names[metric_type as usize].find(samples.name, tags);
        let slot = match found.slot {
            Some(slot) => slot,
            None => self.intern(metric_type, &found, samples.name, tags)?,
        };
        self.add(slot, samples);
        Ok(())
    }

    #[inline]
    fn add(&mut self, slot: u32, samples: &Samples<'_>) {
        let interval = &mut self.interval;
        match samples.values {
            Values::Counter(values) => {
                let counter = interval.counters.open(slot);
                let weight = samples.rate.weight();
                for number in values {
                    counter.record(number.value, weight);
                }
            }
            Values::Timer(values) => {
                let weight = samples.rate.weight();
                for number in values {
                    self.record_timer(slot, number.value, weight);
                }
            }
            Values::Gauge(values) => {
                for &number in values {
                    self.record_gauge(slot, number);
                }
            }
            Values::Set(member) => {
                let set = interval.sets.open(slot);
                set.record(member, &self.set_hash, &self.limits);
            }
            Values::KeyValue {
                values,
                time_unix_s,
            } => {
                for number in values {
                    interval.key_values.record(KeyValueSample {
                        slot,
                        value: number.value,
                        time_unix_s,
                    });
                }
            }
        }
    }

    #[inline]
    pub(super) fn record_timer(&mut self, slot: u32, value: f64, weight: f64) {
        self.interval.timers.record(
            TimerValue { slot, value },
            weight,
            self.rules.weighted_timers,
            self.limits.max_timer_values,
            self.limits.timer_error,
        );
    }

    #[inline]
    pub(super) fn record_gauge(&mut self, slot: u32, number: Number) {
        let gauge = self.interval.gauges.open(slot);
        if number.signed && self.rules.sign_moves_gauge {
            gauge.move_by(number.value);
        } else {
            gauge.set(number.value, self.stamp);
        }
    }

    /// Makes a slot for a spelling that is new.
    #[cold]
    #[inline(never)]
    pub(super) fn intern(
        &mut self,
        metric_type: MetricType,
        found: &Found,
        name: &[u8],
        tags: &[u8],
    ) -> Result<u32, Refusal> {
        self.safe_name.clear();
        make_safe(&self.rules, name, tags, &mut self.safe_name)?;
        if !self.make_room(metric_type) {
            return Err(Refusal::SeriesLimit);
        }
        let (slot, is_new) =
            self.names[metric_type as usize].insert(found, name, tags, &self.safe_name);
        if is_new {
            self.interval.births.push(Birth {
                id: SlotId { metric_type, slot },
                name: self.safe_name.as_slice().into(),
            });
        }
        Ok(slot)
    }

    /// Forgets the longest silent series until a spelling fits. False if all are live.
    fn make_room(&mut self, metric_type: MetricType) -> bool {
        while self.spelling_count() >= self.limits.max_series {
            let Some(id) = self.silence.silent.pop() else {
                return false;
            };
            self.forget(id);
        }
        self.names[metric_type as usize].has_room()
    }

    fn spelling_count(&self) -> usize {
        self.names.iter().map(Names::len).sum()
    }

    /// Forgets at most so many of the series that shall go. Returns how many are left.
    pub fn forget_some(&mut self, count_max: usize) -> usize {
        let rest = self.silence.forget.len().saturating_sub(count_max);
        while self.silence.forget.len() > rest
            && let Some(id) = self.silence.forget.pop()
        {
            self.forget(id);
        }
        rest
    }

    /// Forgets a series unless it got samples in this interval.
    fn forget(&mut self, id: SlotId) {
        if !self.interval.is_touched(id) && self.names[id.metric_type as usize].forget(id.slot) {
            self.interval.forgotten.push(id);
        }
    }

    /// Replaces what may be forgotten by what is so as of the last interval handed over.
    pub fn set_silence(&mut self, silence: Silence) {
        // Of slots that were void before this came nothing is left to be forgotten.
        if silence.numbering == self.interval.numbering {
            self.silence = silence;
        }
    }

    /// Moves the interval out and an empty one in.
    pub fn hand_over(&mut self, empty: Interval) -> Interval {
        let ended = std::mem::replace(&mut self.interval, empty);
        self.interval.numbering = ended.numbering;
        // Until newer lists come these hold, but for those that spoke in the ended interval.
        let Silence { forget, silent, .. } = &mut self.silence;
        forget.retain(|&id| !ended.is_touched(id));
        silent.retain(|&id| !ended.is_touched(id));
        ended
    }

    /// Goes on by other rules and limits. To be called right after [`Table::hand_over`], so that no
    /// interval is of two kinds. If names come about differently all series are forgotten, and slots
    /// numbered anew; otherwise they stay. Those beyond a limit that was lowered go when they fall
    /// silent.
    pub fn change(&mut self, rules: InputRules, limits: Limits) {
        let makes_other_names = !self.rules.makes_names_of(&rules);
        (self.rules, self.limits) = (rules, limits);
        if makes_other_names {
            self.names = Default::default();
            self.silence = Silence::default();
            self.interval.numbering = self.interval.numbering.wrapping_add(1);
        }
    }

    /// How full it is.
    pub fn counts(&self) -> TableCounts {
        TableCounts {
            spellings: self.spelling_count(),
            series: MetricType::ALL.map(|kind| self.names[kind as usize].series_count()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{SafeNames, SampleRate};

    fn table(max_series: usize) -> Table {
        let rules = InputRules {
            safe_names: SafeNames::Graphite,
            keep_tags: true,
            sign_moves_gauge: true,
            weighted_timers: false,
        };
        let limits = Limits {
            max_series,
            max_timer_values: 4,
            max_set_values: 4,
            ..Limits::default()
        };
        Table::new(rules, limits, SetHash::new())
    }

    fn count(table: &mut Table, name: &str) -> Result<(), Refusal> {
        let one = [Number {
            value: 1.0,
            signed: false,
        }];
        table.record(&Samples {
            name: name.as_bytes(),
            tags: b"",
            rate: SampleRate::ALL,
            values: Values::Counter(&one),
        })
    }

    fn counter(slot: u32) -> SlotId {
        SlotId {
            metric_type: MetricType::Counter,
            slot,
        }
    }

    #[test]
    fn a_full_table_refuses_new_names_only_while_all_are_live() {
        let mut table = table(2);
        assert_eq!(count(&mut table, "a"), Ok(()));
        assert_eq!(count(&mut table, "b"), Ok(()));
        assert_eq!(count(&mut table, "c"), Err(Refusal::SeriesLimit));
        table.hand_over(Interval::default());
        assert_eq!(count(&mut table, "b"), Ok(()));
        // b has spoken since the list was made, so a goes although b is named first.
        table.set_silence(Silence {
            forget: Vec::new(),
            silent: vec![counter(0), counter(1)],
            ..Silence::default()
        });
        assert_eq!(count(&mut table, "c"), Ok(()));
        assert_eq!(count(&mut table, "d"), Err(Refusal::SeriesLimit));
        assert_eq!(count(&mut table, "b"), Ok(()));
        let interval = table.hand_over(Interval::default());
        assert_eq!(interval.forgotten, [counter(0)]);
        assert_eq!(&*interval.births[0].name, b"c");
        assert_eq!(interval.births[0].id, counter(0), "the slot is used again");
    }

    #[test]
    fn the_list_of_silent_series_outlives_a_flush_but_not_for_those_that_spoke() {
        let mut table = table(2);
        assert_eq!(count(&mut table, "a"), Ok(()));
        assert_eq!(count(&mut table, "b"), Ok(()));
        table.hand_over(Interval::default());
        table.set_silence(Silence {
            forget: Vec::new(),
            silent: vec![counter(0), counter(1)],
            ..Silence::default()
        });
        assert_eq!(count(&mut table, "b"), Ok(()));
        table.hand_over(Interval::default());
        assert_eq!(count(&mut table, "c"), Ok(()), "a makes room");
        assert_eq!(count(&mut table, "d"), Err(Refusal::SeriesLimit));
    }

    #[test]
    fn every_spelling_counts_against_the_limit() {
        let mut table = table(2);
        assert_eq!(count(&mut table, "a b"), Ok(()));
        assert_eq!(count(&mut table, "a_b"), Ok(()));
        assert_eq!(count(&mut table, "a  b"), Err(Refusal::SeriesLimit));
        let counts = table.counts();
        assert_eq!((counts.spellings, counts.series[0]), (2, 1));
    }

    #[test]
    fn a_series_that_speaks_is_not_forgotten() {
        let mut table = table(3);
        let both = || Silence {
            forget: vec![counter(0), counter(1), counter(77)],
            silent: Vec::new(),
            ..Silence::default()
        };
        assert_eq!(count(&mut table, "a"), Ok(()));
        assert_eq!(count(&mut table, "b"), Ok(()));
        table.hand_over(Interval::default());
        assert_eq!(count(&mut table, "a"), Ok(()));
        table.set_silence(both());
        assert_eq!(table.forget_some(1), 2);
        assert_eq!(table.forget_some(9), 0);
        let interval = table.hand_over(Interval::default());
        assert_eq!(interval.forgotten, [counter(1)]);
        table.set_silence(both());
        assert_eq!(table.forget_some(9), 0);
        assert_eq!(table.counts().spellings, 0);
    }

    // One datagram with such a chain took a hundred times as long as any other of its size.
    #[test]
    fn a_name_that_is_too_long_is_not_even_looked_up() {
        let mut table = table(9);
        let long = "x".repeat(50_000);
        let mut time_of = |name: &str| {
            let start = std::time::Instant::now();
            for _ in 0..100_000 {
                assert_eq!(count(&mut table, name), Err(Refusal::NameTooLong));
            }
            start.elapsed()
        };
        let barely = time_of(&long[..SPELLING_BYTES_MAX + 1]);
        let much = time_of(&long);
        // Where something else takes the processor for a while, that is no matter.
        let bound = 5 * barely + std::time::Duration::from_millis(50);
        assert!(much < bound, "{much:?} after {barely:?}");
    }

    #[test]
    fn key_values_beyond_the_limit_are_refused_whole() {
        let mut table = table(9);
        let numbers = [Number {
            value: 1.0,
            signed: false,
        }; 3];
        let samples = Samples {
            name: b"k",
            tags: b"",
            rate: SampleRate::ALL,
            values: Values::KeyValue {
                values: &numbers,
                time_unix_s: None,
            },
        };
        assert_eq!(table.record(&samples), Ok(()));
        assert_eq!(table.record(&samples), Err(Refusal::ValueLimit));
        assert_eq!(table.hand_over(Interval::default()).key_values.log.len(), 3);
    }
}
