//! Counters add up.

use super::column::Aggregate;

/// A counter in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counter {
    /// The sum of the values, each multiplied by its weight.
    pub sum: f64,
    /// The sum of the weights: how many samples the clients took.
    pub count: f64,
}

impl Counter {
    /// Adds one value that stands for `weight` samples.
    #[inline(always)]
    pub fn record(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.count += weight;
    }

    /// Adds what another shard recorded.
    pub fn merge(&mut self, other: &Counter) {
        self.sum += other.sum;
        self.count += other.count;
    }
}

impl Aggregate for Counter {
    fn is_touched(&self) -> bool {
        self.count > 0.0
    }
}
