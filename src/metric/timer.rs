//! Timers keep every value of an interval in one log for all series; when the log is full the
//! newest part of it is folded into sketches, so that memory stays bounded and reception goes on.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::column::{Aggregate, Column};
use super::sketch::Sketch;

/// One value of a timer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimerValue {
    /// The slot of its series.
    pub slot: u32,
    /// The value.
    pub value: f64,
}

/// What is counted for each timer, whether its values are kept or folded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimerCount {
    /// How many values were received.
    pub received: u64,
    /// The sum of their weights: how many samples the clients took.
    pub weight: f64,
}

/// What one timer came to in a part of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimerPart<'a> {
    /// The sum of the weights of all its samples.
    pub weight: f64,
    /// The values that are kept one by one.
    pub values: &'a [f64],
    /// The weight of each of them, or empty.
    pub weights: &'a [f64],
    /// The other values.
    pub sketch: Option<&'a Sketch>,
}

impl TimerCount {
    /// Adds what another shard counted.
    pub fn merge(&mut self, other: &TimerCount) {
        self.received += other.received;
        self.weight += other.weight;
    }
}

impl Aggregate for TimerCount {
    fn is_touched(&self) -> bool {
        self.received > 0
    }
}

/// What timers may take in an interval.
#[derive(Clone, Copy, Debug)]
pub struct TimerLimits {
    /// Values that are kept one by one.
    pub values: usize,
    /// Bins of sketches; each sketch has one beside these.
    pub bins: usize,
    /// The relative error of sketches.
    pub error: f64,
}

/// How many values are folded at a time: some milliseconds of work, and no more.
const FOLD_VALUES: usize = 65_536;

/// The timers of one interval.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    /// The counts by slot.
    pub counts: Column<TimerCount>,
    /// The values, in order of arrival.
    pub log: Vec<TimerValue>,
    /// The weight of each value of the log; empty unless timers are weighted.
    pub weights: Vec<f64>,
    /// What was folded, by slot.
    pub folded: HashMap<u32, Sketch, RandomState>,
    bin_count: usize,
    /// Values that went to the nearest bin, because as many bins as allowed were in use.
    pub coarse_count: u64,
}

impl Timers {
    /// Adds one value that stands for `weight` samples, unless its slot marks a refused name. Keeps
    /// as many values as the limits say; the others are folded.
    #[inline(always)]
    pub fn record(
        &mut self,
        sample: TimerValue,
        weight: f64,
        weighted: bool,
        limits: &TimerLimits,
    ) -> bool {
        let Some(count) = self.counts.open(sample.slot) else {
            return false;
        };
        count.received += 1;
        count.weight += weight;
        if self.log.len() >= limits.values {
            self.fold(limits);
        }
        self.log.push(sample);
        if weighted {
            self.weights.push(weight);
        }
        true
    }

    /// Folds the newest values into sketches. A series with values in both places is a sketch
    /// when the interval ends.
    #[cold]
    fn fold(&mut self, limits: &TimerLimits) {
        let start = self.log.len() - self.log.len().min(FOLD_VALUES);
        for (index, sample) in self.log[start..].iter().enumerate() {
            let weight = self.weights.get(start + index).copied().unwrap_or(1.0);
            let may_grow = self.bin_count < limits.bins;
            let sketch = self.folded.entry(sample.slot);
            let sketch = sketch.or_insert_with(|| Sketch::new(limits.error));
            if sketch.record(sample.value, weight, may_grow) {
                self.bin_count += 1;
            } else if !may_grow {
                self.coarse_count += 1;
            }
        }
        self.log.truncate(start);
        self.weights.truncate(start);
    }

    /// Takes over what another process kept of a timer that has nothing here. False if there is no
    /// such slot.
    pub fn restore(&mut self, slot: u32, part: TimerPart<'_>) -> bool {
        let TimerPart {
            weight,
            values,
            weights,
            sketch,
        } = part;
        let folded_count = sketch.map_or(0, |sketch| sketch.count);
        let Some(count) = self.counts.open(slot) else {
            return false;
        };
        *count = TimerCount {
            received: values.len() as u64 + folded_count,
            weight,
        };
        if !weights.is_empty() || !self.weights.is_empty() {
            // Those of timers without weights stand for one sample each.
            self.weights.resize(self.log.len(), 1.0);
            self.weights.extend_from_slice(weights);
            self.weights.resize(self.log.len() + values.len(), 1.0);
        }
        let samples = values.iter().map(|&value| TimerValue { slot, value });
        self.log.extend(samples);
        if let Some(sketch) = sketch {
            self.folded.insert(slot, sketch.clone());
        }
        true
    }

    /// Forgets the values, and keeps the memory.
    pub fn reset(&mut self) {
        self.counts.reset();
        self.log.clear();
        self.weights.clear();
        self.folded.clear();
        self.bin_count = 0;
        self.coarse_count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(count: usize) -> TimerLimits {
        TimerLimits {
            values: count,
            bins: count,
            error: 0.01,
        }
    }

    #[test]
    fn past_the_limit_values_are_folded_and_none_is_lost() {
        let mut timers = Timers::default();
        for step in 0..100u32 {
            let sample = TimerValue {
                slot: step % 3,
                value: f64::from(step),
            };
            timers.record(sample, 1.0, false, &limits(16));
            assert!(timers.log.len() <= 16);
        }
        let folded: u64 = timers.folded.values().map(|sketch| sketch.count).sum();
        assert_eq!(folded + timers.log.len() as u64, 100);
        assert_eq!(timers.counts.get(0).map(|count| count.received), Some(34));
    }

    #[test]
    fn the_bins_of_all_sketches_are_bounded() {
        let mut timers = Timers::default();
        for step in 0..if cfg!(miri) { 1_000 } else { 10_000u32 } {
            let value = 1.1f64.powi((step % 1000) as i32);
            let sample = TimerValue {
                slot: step % 7,
                value,
            };
            timers.record(sample, 1.0, false, &limits(100));
        }
        let bins: usize = timers.folded.values().map(Sketch::bin_count).sum();
        assert!(bins <= 100 + 7, "{bins} bins");
        assert!(timers.coarse_count > 0);
    }
}
