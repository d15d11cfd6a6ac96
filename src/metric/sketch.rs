//! A mergeable sketch of a distribution with a bounded relative error, for timers that got more
//! values than are kept.
//!
//! The mapping is that of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable
//! quantile sketch with relative-error guarantees", VLDB 2019): bin i holds the values in
//! (g^(i-1), g^i] with g = (1+e)/(1-e). The bins are kept sparse and can be walked in order,
//! which the crates at hand do not offer: the dialects need sums over a window of the sorted
//! values, not only quantiles, and a sketch must not cost more than the values it replaces.

use std::collections::BTreeMap;

/// How far a value read from a sketch may be from the true one, relative to it.
pub const RELATIVE_ERROR: f64 = 0.005;

/// Distance of the bins of positive and negative values from the bin of zero; larger than the
/// index of any finite number (ln(f64::MAX) / ln(g) = 70,978).
const SIGN_OFFSET: i32 = 1 << 20;

/// Counts of values by bin, and the exact figures that need no bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// The weight in each bin; the keys are in order of the values.
    bins: BTreeMap<i32, f64>,
    /// How many values were received.
    pub count: u64,
    /// The sum of w v.
    pub sum: f64,
    /// The sum of w v².
    pub sum_squares: f64,
    /// The smallest and the largest value.
    pub bounds: Option<(f64, f64)>,
}

impl Sketch {
    /// Adds one value of a weight. Where `may_grow` is false a value of a new bin goes to the
    /// nearest bin there is. Returns whether a bin was added.
    pub fn record(&mut self, value: f64, weight: f64, may_grow: bool) -> bool {
        self.count += 1;
        self.sum += weight * value;
        self.sum_squares += weight * value * value;
        self.bounds = Some(self.bounds.map_or((value, value), |(low, high)| {
            (low.min(value), high.max(value))
        }));
        self.add(bin_of(value), weight, may_grow)
    }

    fn add(&mut self, bin: i32, weight: f64, may_grow: bool) -> bool {
        if let Some(there) = self.bins.get_mut(&bin) {
            *there += weight;
            return false;
        }
        if !may_grow && let Some(nearest) = self.nearest(bin) {
            *self.bins.get_mut(&nearest).expect("it was just found") += weight;
            return false;
        }
        self.bins.insert(bin, weight);
        true
    }

    fn nearest(&self, bin: i32) -> Option<i32> {
        let below = self.bins.range(..bin).next_back().map(|(&key, _)| key);
        let above = self.bins.range(bin..).next().map(|(&key, _)| key);
        match (below, above) {
            (Some(low), Some(high)) => Some(if bin - low <= high - bin { low } else { high }),
            (low, high) => low.or(high),
        }
    }

    /// Adds what another sketch holds.
    pub fn merge(&mut self, other: &Sketch) {
        for (&bin, &weight) in &other.bins {
            self.add(bin, weight, true);
        }
        self.count += other.count;
        self.sum += other.sum;
        self.sum_squares += other.sum_squares;
        self.bounds = match (self.bounds, other.bounds) {
            (Some(mine), Some(theirs)) => Some((mine.0.min(theirs.0), mine.1.max(theirs.1))),
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// How many bins are in use.
    pub fn bin_count(&self) -> usize {
        self.bins.len()
    }

    /// The bins in order of value: a value within [`RELATIVE_ERROR`] of all that the bin took,
    /// and their weight.
    pub fn bins(&self) -> impl Iterator<Item = (f64, f64)> {
        let (low, high) = self.bounds.unwrap_or_default();
        self.bins
            .iter()
            .map(move |(&bin, &weight)| (value_of(bin).clamp(low, high), weight))
    }
}

/// ln g = ln((1+e)/(1-e)), written out because a logarithm for each value costs as much as its own.
const LOG_GROWTH: f64 = 0.010000083334583356;

fn bin_of(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let index = (value.abs().ln() / LOG_GROWTH).ceil() as i32;
    if value > 0.0 {
        SIGN_OFFSET + index
    } else {
        -SIGN_OFFSET - index
    }
}

fn value_of(bin: i32) -> f64 {
    if bin == 0 {
        return 0.0;
    }
    let index = f64::from(bin.abs() - SIGN_OFFSET);
    // The point with the same relative distance to both ends of (g^(i-1), g^i]; the factor first,
    // so that the largest numbers do not overflow.
    let magnitude = (index * LOG_GROWTH + (2.0 / (1.0 + LOG_GROWTH.exp())).ln()).exp();
    magnitude.min(f64::MAX).copysign(f64::from(bin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_growth_of_bins_follows_from_the_error() {
        let expected = (2.0 * RELATIVE_ERROR / (1.0 - RELATIVE_ERROR)).ln_1p();
        assert!((LOG_GROWTH / expected - 1.0).abs() < 1e-15);
    }

    #[test]
    fn every_value_comes_back_within_the_stated_error() {
        let mut value = f64::MIN_POSITIVE;
        while value < f64::MAX / 1.7 {
            for signed in [value, -value] {
                let back = value_of(bin_of(signed));
                let error = ((back - signed) / signed).abs();
                assert!(
                    error <= RELATIVE_ERROR * 1.000_001,
                    "{signed} came back as {back}"
                );
            }
            value *= 1.000_7;
        }
        assert_eq!(value_of(bin_of(0.0)), 0.0);
    }

    #[test]
    fn bins_stand_in_the_order_of_their_values() {
        let values = [-1e300, -5.0, -1.0, -1e-300, 0.0, 1e-300, 1.0, 5.0, 1e300];
        assert!(
            values
                .windows(2)
                .all(|pair| bin_of(pair[0]) < bin_of(pair[1]))
        );
    }

    #[test]
    fn a_sketch_that_may_not_grow_still_counts() {
        let mut sketch = Sketch::default();
        assert!(
            sketch.record(1.0, 1.0, false),
            "the first value needs a bin"
        );
        assert!(!sketch.record(100.0, 2.0, false));
        assert_eq!(sketch.bin_count(), 1);
        assert_eq!((sketch.count, sketch.sum), (2, 201.0));
        assert_eq!(sketch.bins().map(|(_, weight)| weight).sum::<f64>(), 3.0);
    }

    #[test]
    fn merging_parts_gives_the_whole() {
        let (mut whole, mut one, mut two) = <(Sketch, Sketch, Sketch)>::default();
        for step in 0..1000 {
            let value = f64::from(step) - 500.0;
            whole.record(value, 1.0, true);
            let part = if step % 3 == 0 { &mut one } else { &mut two };
            part.record(value, 1.0, true);
        }
        one.merge(&two);
        assert_eq!(one, whole);
        one.merge(&Sketch::default());
        assert_eq!(one, whole);
    }
}
