//! Brings the timer values of all shards together: a counting sort by series, then each series'
//! values in order when it is asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::distribution::{Distribution, ExactFigures, SumOrder, plain_sums};
use super::partial::Piece;
use crate::metric::{Sketch, TimerCount, TimerPart};

/// The timer values of one interval, by merged slot.
#[derive(Debug, Default)]
pub(super) struct MergedTimers {
    counts: Vec<TimerCount>,
    /// By slot: where its values end in `values`; they begin where those of the slot before end.
    ends: Vec<usize>,
    values: Vec<f64>,
    /// Beside `values`; empty unless timers are weighted.
    weights: Vec<f64>,
    sketches: HashMap<u32, Sketch>,
    /// Of the series asked for last, where its values are not plain: (value, weight) in order of
    /// value, and the same apart.
    sorted: Vec<(f64, f64)>,
    /// The values of the series asked for last, as integers in the same order.
    keys: Vec<u64>,
    sorted_values: Vec<f64>,
    shares: Vec<f64>,
}

/// One shard's values, their slots translated by `slots`.
pub(super) struct ShardLog<'a> {
    pub(super) timers: &'a crate::metric::Timers,
    pub(super) slots: Vec<Option<u32>>,
}

impl ShardLog<'_> {
    fn merged(&self, slot: u32) -> Option<u32> {
        self.slots.get(slot as usize).copied().flatten()
    }
}

impl MergedTimers {
    /// Replaces what it holds by the values of these shards.
    pub(super) fn fill(&mut self, slot_count: usize, logs: &[ShardLog<'_>]) {
        self.counts.clear();
        self.counts.resize(slot_count, TimerCount::default());
        self.ends.clear();
        self.ends.resize(slot_count, 0);
        self.sketches.clear();
        let mut total = 0;
        for log in logs {
            let is_counted = log.timers.folded.is_empty();
            for (slot, merged) in (0u32..).zip(&log.slots) {
                if let (Some(merged), Some(count)) = (*merged, log.timers.counts.get(slot)) {
                    self.counts[merged as usize].merge(count);
                    if is_counted {
                        // What was received is all in the log: no need to go over it twice.
                        self.ends[merged as usize] += count.received as usize;
                        total += count.received as usize;
                    }
                }
            }
            let uncounted = if is_counted { &[] } else { &*log.timers.log };
            for sample in uncounted {
                if let Some(merged) = log.merged(sample.slot) {
                    self.ends[merged as usize] += 1;
                    total += 1;
                }
            }
            for (&slot, sketch) in &log.timers.folded {
                if let Some(merged) = log.merged(slot) {
                    match self.sketches.entry(merged) {
                        Entry::Vacant(place) => drop(place.insert(sketch.clone())),
                        Entry::Occupied(mut there) => there.get_mut().merge(sketch),
                    }
                }
            }
        }
        self.scatter(total, logs);
    }

    /// The counting sort: `ends` goes from lengths to starts, and placing a value moves a start on,
    /// so that it is an end when all are placed.
    fn scatter(&mut self, total: usize, logs: &[ShardLog<'_>]) {
        let mut start = 0;
        for end in &mut self.ends {
            start += std::mem::replace(end, start);
        }
        let weighted = logs.iter().any(|log| !log.timers.weights.is_empty());
        self.values.clear();
        self.values.resize(total, 0.0);
        self.weights.clear();
        self.weights.resize(if weighted { total } else { 0 }, 1.0);
        for log in logs {
            for (index, sample) in log.timers.log.iter().enumerate() {
                let Some(merged) = log.merged(sample.slot) else {
                    continue;
                };
                let at = &mut self.ends[merged as usize];
                self.values[*at] = sample.value;
                if weighted {
                    // A shard that was late may still tell of an interval without weights.
                    let weight = log.timers.weights.get(index);
                    self.weights[*at] = weight.copied().unwrap_or(1.0);
                }
                *at += 1;
            }
        }
    }

    /// The values of one series that are in no sketch, and how many samples it got.
    pub(super) fn values(&self, slot: u32) -> (&[f64], u64) {
        let index = slot as usize;
        let (Some(count), Some(&end)) = (self.counts.get(index), self.ends.get(index)) else {
            return (&[], 0);
        };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        (&self.values[start..end], count.received)
    }

    /// What a series came to, before its distribution is asked for.
    pub(super) fn piece(&self, slot: u32) -> Piece<'_> {
        let index = slot as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let range = start..self.ends[index];
        Piece::Timer(TimerPart {
            weight: self.counts[index].weight,
            values: &self.values[range.clone()],
            weights: self.weights.get(range).unwrap_or_default(),
            sketch: self.sketches.get(&slot),
        })
    }

    /// How many series have a sketch.
    pub(super) fn sketch_count(&self) -> usize {
        self.sketches.len()
    }

    /// The distribution of one series. `weighted` says whether sums and ranks are weighed, and
    /// `order` how sums are added.
    pub(super) fn distribution(
        &mut self,
        slot: u32,
        weighted: bool,
        order: SumOrder,
    ) -> Distribution<'_> {
        let index = slot as usize;
        let count = self.counts[index];
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let range = start..self.ends[index];
        let scale = if weighted && count.received > 0 {
            count.weight / count.received as f64
        } else {
            1.0
        };
        let mut distribution = Distribution {
            values: &[],
            shares: None,
            received: count.received,
            weight: count.weight,
            scale,
            exact: None,
            arrival_sums: None,
        };
        if let Some(mut sketch) = self.sketches.remove(&slot) {
            for at in range {
                let weight = self.weights.get(at).copied().unwrap_or(1.0);
                sketch.record(self.values[at], weight, true);
            }
            self.sorted.clear();
            self.sorted.extend(sketch.bins());
            let (lower, upper) = sketch.bounds.unwrap_or_default();
            distribution.exact = Some(ExactFigures {
                sum: sketch.sum,
                sum_squares: sketch.sum_squares,
                lower,
                upper,
            });
        } else if self.weights.is_empty() {
            let values = &mut self.values[range];
            if order == SumOrder::Arrival {
                distribution.arrival_sums = Some(plain_sums(values.iter()));
            }
            sort(values, &mut self.keys);
            distribution.values = values;
            return distribution;
        } else {
            let weights = self.weights[range.clone()].iter().copied();
            self.sorted.clear();
            self.sorted
                .extend(self.values[range].iter().copied().zip(weights));
            self.sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.lend_shares(distribution)
    }

    /// Turns the sorted (value, weight) pairs into values and shares that add up to n.
    fn lend_shares<'a>(&'a mut self, mut distribution: Distribution<'a>) -> Distribution<'a> {
        let n = distribution.received as f64;
        let total: f64 = self.sorted.iter().map(|pair| pair.1).sum();
        let first = self.sorted.first().map_or(1.0, |pair| pair.1);
        let is_plain =
            distribution.exact.is_none() && self.sorted.iter().all(|pair| pair.1 == first);
        self.sorted_values.clear();
        self.sorted_values
            .extend(self.sorted.iter().map(|pair| pair.0));
        self.shares.clear();
        if !is_plain {
            let share = |pair: &(f64, f64)| pair.1 * n / total;
            self.shares.extend(self.sorted.iter().map(share));
        }
        distribution.values = &self.sorted_values;
        distribution.shares = (!is_plain).then_some(&*self.shares);
        distribution
    }
}

/// Sorts values by their total order. Integers of the same order are compared in one instruction,
/// where `f64::total_cmp` needs eight: half of the time.
fn sort(values: &mut [f64], keys: &mut Vec<u64>) {
    keys.clear();
    keys.extend(values.iter().map(|&value| key_of(value)));
    keys.sort_unstable();
    for (value, &key) in values.iter_mut().zip(&*keys) {
        *value = value_of(key);
    }
}

/// The sign bit, which is set in the key of what is not negative.
const SIGN: u64 = 1 << 63;

/// An integer that is less where the number is: the bits of negative numbers, which grow with their
/// magnitude, are turned around.
fn key_of(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn value_of(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_in_their_total_order() {
        let edges = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, f64::MAX, f64::MIN];
        let mut random = fastrand::Rng::with_seed(5);
        for count in [0, 1, 2, 30, if cfg!(miri) { 200 } else { 1_000 }] {
            let any = (0..count).map(|_| random.f64() * 1e3 - 500.0);
            let mut values: Vec<f64> = any.chain(edges).collect();
            let mut expected = values.clone();
            expected.sort_by(f64::total_cmp);
            sort(&mut values, &mut Vec::new());
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&values), bits(&expected));
        }
    }
}
