//! A mergeable sketch of a distribution with a bounded relative error, for timers that got more
//! values than are kept.
//!
//! The mapping is that of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable
//! quantile sketch with relative-error guarantees", VLDB 2019): bin i holds the values in
//! (g^(i-1), g^i] with g = (1+e)/(1-e). The bins are kept sparse and can be walked in order,
//! which the crates at hand do not offer: the dialects need sums over a window of the sorted
//! values, not only quantiles, and a sketch must not cost more than the values it replaces.

use std::collections::BTreeMap;

/// How far a value read from a sketch may be from the true one, relative to it, unless a setting
/// says otherwise.
pub const RELATIVE_ERROR: f64 = 0.005;

/// Distance of the bins of positive and negative values from the bin of zero; larger than the
/// index of any finite number, which is ln(f64::MAX) / ln(g) = 3,548,914 with an error of 0.0001.
const SIGN_OFFSET: i32 = 1 << 23;

/// What lies around ln g for each error that can be set, 0.0001 to 0.5.
const GROWTH_MIN: f64 = 0.000_19;
const GROWTH_MAX: f64 = 1.1;

/// More values than any interval has; up to here a double counts in ones.
const COUNT_MAX: u64 = 1 << 53;

/// Counts of values by bin, and the exact figures that need no bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    growth: Growth,
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

/// A sketch as plain numbers, to be kept over a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct SketchNumbers {
    /// ln g, by which its bins are cut.
    pub growth: f64,
    /// As in [`Sketch`].
    pub count: u64,
    /// As in [`Sketch`].
    pub sum: f64,
    /// As in [`Sketch`].
    pub sum_squares: f64,
    /// As in [`Sketch`].
    pub bounds: (f64, f64),
    /// The bins in order of value, each with its weight.
    pub bins: Vec<(i32, f64)>,
}

impl Sketch {
    /// The numbers that it is made of.
    pub fn numbers(&self) -> SketchNumbers {
        SketchNumbers {
            growth: self.growth.0,
            count: self.count,
            sum: self.sum,
            sum_squares: self.sum_squares,
            bounds: self.bounds.unwrap_or_default(),
            bins: self
                .bins
                .iter()
                .map(|(&bin, &weight)| (bin, weight))
                .collect(),
        }
    }

    /// The sketch that is made of these numbers; None if none could be.
    pub fn of_numbers(numbers: &SketchNumbers) -> Option<Sketch> {
        let (low, high) = numbers.bounds;
        let is_bin = |&(bin, weight): &(i32, f64)| {
            let is_index = (-2 * SIGN_OFFSET..=2 * SIGN_OFFSET).contains(&bin);
            is_index && weight.is_finite() && weight > 0.0
        };
        let is_one = (GROWTH_MIN..=GROWTH_MAX).contains(&numbers.growth)
            && (1..=COUNT_MAX).contains(&numbers.count)
            && low.is_finite()
            && high.is_finite()
            && low <= high
            && !numbers.bins.is_empty()
            && numbers.bins.iter().all(is_bin);
        is_one.then(|| Sketch {
            growth: Growth(numbers.growth),
            bins: numbers.bins.iter().copied().collect(),
            count: numbers.count,
            sum: numbers.sum,
            sum_squares: numbers.sum_squares,
            bounds: Some((low, high)),
        })
    }

    /// Without values; those that are read from it will be within this relative error, 0.0001 to 0.5.
    pub fn new(error: f64) -> Sketch {
        Sketch {
            growth: Growth::new(error),
            bins: BTreeMap::new(),
            count: 0,
            sum: 0.0,
            sum_squares: 0.0,
            bounds: None,
        }
    }

    /// Adds one value of a weight. Where `may_grow` is false a value of a new bin goes to the
    /// nearest bin there is. Returns whether a bin was added.
    pub fn record(&mut self, value: f64, weight: f64, may_grow: bool) -> bool {
        self.count += 1;
        self.sum += weight * value;
        self.sum_squares += weight * value * value;
        self.bounds = Some(self.bounds.map_or((value, value), |(low, high)| {
            (low.min(value), high.max(value))
        }));
        self.add(self.growth.bin_of(value), weight, may_grow)
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

    /// Adds what another sketch holds. If its error is another one, because a setting has just
    /// changed, the errors add up.
    pub fn merge(&mut self, other: &Sketch) {
        for (&bin, &weight) in &other.bins {
            let bin = match other.growth == self.growth {
                true => bin,
                false => self.growth.bin_of(other.growth.value_of(bin)),
            };
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

    /// The bins in order of value: a value within the error of all that the bin took, and their
    /// weight.
    pub fn bins(&self) -> impl Iterator<Item = (f64, f64)> {
        let (low, high) = self.bounds.unwrap_or_default();
        self.bins
            .iter()
            .map(move |(&bin, &weight)| (self.growth.value_of(bin).clamp(low, high), weight))
    }
}

/// How much wider each bin is than the one before: ln g. Worked out once for a sketch, because a
/// logarithm for each value costs as much as its own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Growth(f64);

impl Growth {
    /// ln((1+e)/(1-e)).
    fn new(error: f64) -> Growth {
        Growth((2.0 * error / (1.0 - error)).ln_1p())
    }

    fn bin_of(self, value: f64) -> i32 {
        if value == 0.0 {
            return 0;
        }
        let index = (value.abs().ln() / self.0).ceil() as i32;
        if value > 0.0 {
            SIGN_OFFSET + index
        } else {
            -SIGN_OFFSET - index
        }
    }

    fn value_of(self, bin: i32) -> f64 {
        if bin == 0 {
            return 0.0;
        }
        let index = f64::from(bin.abs() - SIGN_OFFSET);
        // The point with the same relative distance to both ends of (g^(i-1), g^i]; the factor first,
        // so that the largest numbers do not overflow.
        let magnitude = (index * self.0 + (2.0 / (1.0 + self.0.exp())).ln()).exp();
        magnitude.min(f64::MAX).copysign(f64::from(bin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the smallest error that can be set to the largest.
    const ERRORS: [f64; 4] = [0.0001, RELATIVE_ERROR, 0.1, 0.5];

    #[test]
    fn every_value_comes_back_within_the_stated_error() {
        let step = if cfg!(miri) { 7.3 } else { 1.000_7 };
        for error_max in ERRORS {
            let growth = Growth::new(error_max);
            let mut value = f64::MIN_POSITIVE;
            while value < f64::MAX / 1.7 {
                for signed in [value, -value] {
                    let back = growth.value_of(growth.bin_of(signed));
                    let error = ((back - signed) / signed).abs();
                    assert!(
                        error <= error_max * 1.000_001,
                        "{signed} came back as {back}"
                    );
                }
                value *= step;
            }
            assert_eq!(growth.value_of(growth.bin_of(0.0)), 0.0);
        }
    }

    #[test]
    fn bins_stand_in_the_order_of_their_values() {
        let values = [-1e300, -5.0, -1.0, -1e-300, 0.0, 1e-300, 1.0, 5.0, 1e300];
        for growth in ERRORS.map(Growth::new) {
            let bins = values.map(|value| growth.bin_of(value));
            assert!(bins.is_sorted_by(|low, high| low < high), "{growth:?}");
        }
    }

    /// A setting may change between the intervals of two shards.
    #[test]
    fn sketches_of_different_errors_merge_within_both() {
        let (mut fine, mut coarse) = (Sketch::new(0.001), Sketch::new(0.02));
        coarse.record(123.0, 2.0, true);
        fine.record(7.0, 1.0, true);
        fine.merge(&coarse);
        let bins: Vec<(f64, f64)> = fine.bins().collect();
        assert_eq!((fine.count, fine.sum), (2, 253.0));
        assert!((bins[1].0 / 123.0 - 1.0).abs() < 0.0211, "{bins:?}");
        assert_eq!(bins[1].1, 2.0);
    }

    #[test]
    fn a_sketch_that_may_not_grow_still_counts() {
        let mut sketch = Sketch::new(RELATIVE_ERROR);
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
        let [mut whole, mut one, mut two] = [(); 3].map(|()| Sketch::new(RELATIVE_ERROR));
        for step in 0..1000 {
            let value = f64::from(step) - 500.0;
            whole.record(value, 1.0, true);
            let part = if step % 3 == 0 { &mut one } else { &mut two };
            part.record(value, 1.0, true);
        }
        one.merge(&two);
        assert_eq!(one, whole);
        one.merge(&Sketch::new(RELATIVE_ERROR));
        assert_eq!(one, whole);
    }
}
