//! One shard's table: every series it has seen, with its aggregate of the current interval.
//! Hot path: recording into a known series neither allocates nor locks.
//!
//! Names stay across intervals, aggregates do not: at a flush the interval is moved out by value
//! and an empty one moves in, whatever the number of series.

mod admission;

use std::sync::Arc;

use super::brakes::{Brakes, Braking, Grants};
use super::column::{Column, REFUSED_SLOTS};
use super::counter::Counter;
use super::gauge::Gauge;
use super::growth::Growth;
use super::key_value::{KeyValueSample, KeyValues};
use super::memory::Budget;
use super::name::{SPELLING_BYTES_MAX, make_safe};
use super::names::{Found, Names};
use super::refusal::Refusal;
use super::rules::{InputRules, Limits};
use super::samples::{MetricType, Number, Samples, Values};
use super::set::{Set, SetHash};
use super::timer::{TimerLimits, TimerValue, Timers};

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
    /// By which brakes it was recorded.
    pub brakes: Arc<Brakes>,
    /// Links that each rule of these refused; empty if none did.
    pub refused_by_rule: Vec<u64>,
    /// By quota: series that were added since the brakes are in force.
    pub admitted: Vec<u64>,
    /// Where names were refused.
    pub growth: Growth,
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
        self.refused_by_rule.clear();
        self.growth.clear();
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
    /// What may be added under quotas, if that is another number than before.
    pub grants: Option<Grants>,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounts {
    /// Spellings that are remembered: what `max_series` bounds.
    pub spellings: usize,
    /// Whether a quarter or less is left of what `max_memory` leaves for series.
    pub is_tight: bool,
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
    braking: Braking,
    budget: Budget,
    timer_limits: TimerLimits,
    /// What sets of this interval may still take.
    sets_room_bytes: usize,
}

impl Table {
    /// An empty table. All tables that are merged share the hash of sets.
    pub fn new(rules: InputRules, limits: Limits, set_hash: SetHash) -> Table {
        let budget = Budget::new(limits.max_memory_bytes, limits.max_timer_values);
        Table {
            braking: Braking::default(),
            budget,
            timer_limits: timer_limits(&limits, budget),
            sets_room_bytes: budget.sets_bytes,
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

    /// Goes by these brakes from its beginning on.
    #[must_use]
    pub fn with_brakes(mut self, brakes: Arc<Brakes>) -> Table {
        self.interval.brakes = Arc::clone(&brakes);
        self.braking = Braking::at_start(brakes);
        self
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
            && self.interval.key_values.log.len() + samples.count() > self.budget.values
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
            Some(slot) if slot >= REFUSED_SLOTS => return Err(self.refuse_again(metric_type, slot)),
            Some(slot) => slot,
            None => self.intern(metric_type, &found, samples.name, tags)?,
        };
        self.add(slot, samples)
    }

    #[inline]
    fn add(&mut self, slot: u32, samples: &Samples<'_>) -> Result<(), Refusal> {
        let interval = &mut self.interval;
        match samples.values {
            Values::Counter(values) => {
                let weight = samples.rate.weight();
                for number in values {
                    self.record_counter(slot, number.value, weight);
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
                let room_bytes = &mut self.sets_room_bytes;
                let set = interval.sets.open(slot);
                if !set
                    .is_some_and(|it| it.record(member, &self.set_hash, &self.limits, room_bytes))
                {
                    return Err(Refusal::MemoryLimit);
                }
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
        Ok(())
    }

    /// Records a value of a counter. False if the slot only marks a refused name, as with the
    /// other types.
    #[inline(always)]
    pub(super) fn record_counter(&mut self, slot: u32, value: f64, weight: f64) -> bool {
        let Some(counter) = self.interval.counters.open(slot) else {
            return false;
        };
        counter.record(value, weight);
        true
    }

    #[inline(always)]
    pub(super) fn record_timer(&mut self, slot: u32, value: f64, weight: f64) -> bool {
        self.interval.timers.record(
            TimerValue { slot, value },
            weight,
            self.rules.weighted_timers,
            &self.timer_limits,
        )
    }

    #[inline(always)]
    pub(super) fn record_gauge(&mut self, slot: u32, number: Number) -> bool {
        let Some(gauge) = self.interval.gauges.open(slot) else {
            return false;
        };
        if number.signed && self.rules.sign_moves_gauge {
            gauge.move_by(number.value);
        } else {
            gauge.set(number.value, self.stamp);
        }
        true
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
        if !self.braking.brakes.are_off() {
            self.brake(metric_type, found, name, tags)?;
        }
        if let Err(reason) = self.make_room(metric_type) {
            self.interval.growth.note_refused(&self.safe_name);
            return Err(reason);
        }
        let (slot, is_new) =
            self.names[metric_type as usize].insert(found, name, tags, &self.safe_name);
        if is_new {
            self.braking.admit(metric_type, &self.safe_name);
            self.interval.births.push(Birth {
                id: SlotId { metric_type, slot },
                name: self.safe_name.as_slice().into(),
            });
        }
        Ok(slot)
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
    pub fn set_silence(&mut self, mut silence: Silence) {
        if let Some(grants) = silence.grants.take() {
            self.grant(grants);
        }
        // Of slots that were void before this came nothing is left to be forgotten.
        if silence.numbering == self.interval.numbering {
            self.silence = silence;
        }
    }

    /// Moves the interval out and an empty one in.
    pub fn hand_over(&mut self, empty: Interval) -> Interval {
        self.settle_refused();
        let mut ended = std::mem::replace(&mut self.interval, empty);
        self.interval.numbering = ended.numbering;
        self.interval.brakes = Arc::clone(&ended.brakes);
        ended.admitted.clone_from(&self.braking.admitted);
        self.sets_room_bytes = self.budget.sets_bytes;
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
        self.budget = Budget::new(limits.max_memory_bytes, limits.max_timer_values);
        self.timer_limits = timer_limits(&limits, self.budget);
        self.sets_room_bytes = self.budget.sets_bytes;
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
            is_tight: self.charged_bytes() >= self.budget.series_bytes / 4 * 3,
            series: MetricType::ALL.map(|kind| self.names[kind as usize].series_count()),
        }
    }
}

fn timer_limits(limits: &Limits, budget: Budget) -> TimerLimits {
    TimerLimits {
        values: budget.values,
        bins: budget.bins,
        error: limits.timer_error,
    }
}

#[cfg(test)]
mod tests;
