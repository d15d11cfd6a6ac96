//! The sorted values of one timer, and the statistics that the dialects take from them.
//!
//! Each value has a share u of the n values received; the shares add up to n. Kept one by one
//! and unweighted, every share is 1; a bin of a sketch has as many as it holds; with weighted
//! timers u = w n / sum(w). So the k-th value is the first at which the cumulated shares reach k,
//! and a window of the lowest k takes its last value in part.

/// How far below k the cumulated shares may stay by rounding, relative to n.
const SHARE_TOLERANCE: f64 = 1e-9;

/// One timer in one interval.
#[derive(Clone, Copy, Debug)]
pub struct Distribution<'a> {
    /// In ascending order.
    pub(super) values: &'a [f64],
    /// The share of each value; None where each is 1.
    pub(super) shares: Option<&'a [f64]>,
    /// n: how many values were received.
    pub received: u64,
    /// The sum of the weights 1/rate: how many samples the clients took.
    pub weight: f64,
    /// What a share of 1 stands for in sums and counts: sum(w)/n with weighted timers, else 1.
    pub scale: f64,
    /// Sum, sum of squares, smallest and largest value where `values` are not exact.
    pub(super) exact: Option<ExactFigures>,
    /// The sums of the values and of their squares, added as they came; None where they are added
    /// in order of value.
    pub(super) arrival_sums: Option<Sums>,
}

/// A sum of values, and the sum of their squares.
pub(super) type Sums = (f64, f64);

/// In what order values are added: it decides the last digit of a sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SumOrder {
    /// From the smallest to the largest.
    Value,
    /// As they came, shard by shard; in order of value where weights or a sketch leave no other.
    Arrival,
}

/// Figures that a sketch keeps exactly beside its bins.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExactFigures {
    pub(super) sum: f64,
    pub(super) sum_squares: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// The lowest or the highest values of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The value at the inner end of the window.
    pub bound: f64,
    /// How many samples lie in it.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
}

/// What all values of a distribution come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Totals {
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
    /// Their mean.
    pub mean: f64,
    /// The standard deviation of the population.
    pub deviation: f64,
}

/// Values from the middle of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Middle {
    /// Their sum.
    pub sum: f64,
    /// Their mean; 0 for none.
    pub mean: f64,
    /// Their standard deviation as a sample, about that mean; 0 for less than two.
    pub sample_deviation: f64,
}

impl Window {
    /// The mean of the window.
    pub fn mean(&self) -> f64 {
        self.sum / self.count
    }
}

impl Distribution<'_> {
    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// The smallest value; 0 if there is none.
    pub fn lower(&self) -> f64 {
        let first = self.values.first().copied().unwrap_or_default();
        self.exact.map_or(first, |exact| exact.lower)
    }

    /// The largest value; 0 if there is none.
    pub fn upper(&self) -> f64 {
        let last = self.values.last().copied().unwrap_or_default();
        self.exact.map_or(last, |exact| exact.upper)
    }

    /// n, weighted.
    pub fn count(&self) -> f64 {
        self.received as f64 * self.scale
    }

    /// What all values come to. Takes two passes over them, so ask once.
    pub fn totals(&self) -> Totals {
        let (sum, sum_squares) = match (self.exact, self.arrival_sums) {
            (Some(exact), _) => (exact.sum, exact.sum_squares),
            (None, Some(sums)) => sums,
            (None, None) => {
                let all = self.lowest(self.received);
                (all.sum, all.sum_squares)
            }
        };
        let mean = sum / self.count();
        let variance = if self.exact.is_some() {
            (sum_squares / self.count() - mean * mean).max(0.0)
        } else {
            let squares: f64 = match self.shares {
                None => self.values.iter().map(|v| (v - mean) * (v - mean)).sum(),
                Some(shares) => {
                    let values = self.values.iter().zip(shares);
                    values.map(|(v, u)| u * (v - mean) * (v - mean)).sum()
                }
            };
            squares / self.received as f64
        };
        Totals {
            sum,
            sum_squares,
            mean,
            deviation: variance.sqrt(),
        }
    }

    /// The standard deviation of all values as a sample; 0 for less than two.
    pub fn sample_deviation(&self, totals: &Totals) -> f64 {
        let count = self.count();
        if count > 1.0 {
            totals.deviation * (count / (count - 1.0)).sqrt()
        } else {
            0.0
        }
    }

    /// How many values are below a number, weighted.
    pub fn count_below(&self, number: f64) -> f64 {
        let values = self.values.partition_point(|&value| value < number);
        let shares = match self.shares {
            None => values as f64,
            Some(shares) => shares[..values].iter().sum(),
        };
        shares * self.scale
    }

    /// The k-th smallest value, k from 1 to n.
    pub fn nth(&self, k: u64) -> f64 {
        let Some(shares) = self.shares else {
            return self.values[(k - 1) as usize];
        };
        let enough = k as f64 - SHARE_TOLERANCE * self.received as f64;
        let mut reached = 0.0;
        for (&value, &share) in self.values.iter().zip(shares) {
            reached += share;
            if reached >= enough {
                return value;
            }
        }
        self.upper()
    }

    /// The mean of the two values in the middle, or the value there.
    pub fn median(&self) -> f64 {
        let n = self.received;
        if n % 2 == 1 {
            self.nth(n / 2 + 1)
        } else {
            (self.nth(n / 2) + self.nth(n / 2 + 1)) / 2.0
        }
    }

    /// The lowest k values, k from 1 to n.
    pub fn lowest(&self, k: u64) -> Window {
        let sums = match self.shares {
            None => plain_sums(self.values[..k as usize].iter()),
            Some(shares) => self.shared_sums(k, self.values.iter().zip(shares)),
        };
        self.window(k, self.nth(k), sums)
    }

    /// The highest k values, k from 1 to n.
    pub fn highest(&self, k: u64) -> Window {
        let bound = self.nth(self.received - k + 1);
        let sums = match self.shares {
            None => {
                let start = self.values.len() - k as usize;
                plain_sums(self.values[start..].iter().rev())
            }
            Some(shares) => self.shared_sums(k, self.values.iter().zip(shares).rev()),
        };
        self.window(k, bound, sums)
    }

    /// The k values behind the lowest `skipped` ones; all of these are there.
    pub fn middle(&self, skipped: u64, k: u64) -> Middle {
        let count = k as f64 * self.scale;
        let mut sum = 0.0;
        self.each_between(skipped, k, |value, share| sum += share * value);
        let mean = if k == 0 { 0.0 } else { sum / k as f64 };
        let mut squares = 0.0;
        self.each_between(skipped, k, |value, share| {
            squares += share * (value - mean) * (value - mean);
        });
        let variance = match count > 1.0 {
            true => squares * self.scale / (count - 1.0),
            false => 0.0,
        };
        Middle {
            sum: sum * self.scale,
            mean,
            sample_deviation: variance.sqrt(),
        }
    }

    /// Names the k values behind the lowest `skipped` ones, each with its share of the k.
    fn each_between(&self, skipped: u64, k: u64, mut each: impl FnMut(f64, f64)) {
        let Some(shares) = self.shares else {
            let values = &self.values[skipped as usize..(skipped + k) as usize];
            values.iter().for_each(|&value| each(value, 1.0));
            return;
        };
        let (start, end) = (skipped as f64, (skipped + k) as f64);
        let mut reached = 0.0;
        for (&value, &share) in self.values.iter().zip(shares) {
            let part = f64::min(reached + share, end) - f64::max(reached, start);
            reached += share;
            // As in `nth`: what rounding left over at the ends is no share of these values.
            let is_left_over = part < share && part <= SHARE_TOLERANCE * self.received as f64;
            if part > 0.0 && !is_left_over {
                each(value, part);
            }
        }
    }

    fn window(&self, k: u64, bound: f64, (sum, sum_squares): Sums) -> Window {
        Window {
            bound,
            count: k as f64 * self.scale,
            sum: sum * self.scale,
            sum_squares: sum_squares * self.scale,
        }
    }

    /// The sums of values and of their squares, up to k shares; the last one perhaps in part.
    fn shared_sums<'a>(&self, k: u64, values: impl Iterator<Item = (&'a f64, &'a f64)>) -> Sums {
        let mut missing = k as f64;
        let (mut sum, mut sum_squares) = (0.0, 0.0);
        for (&value, &share) in values {
            let part = share.min(missing);
            sum += part * value;
            sum_squares += part * value * value;
            missing -= part;
            // As in `nth`: what rounding left over is no share of the next value.
            if missing <= SHARE_TOLERANCE * self.received as f64 {
                break;
            }
        }
        (sum, sum_squares)
    }
}

/// The sums of values and of their squares. Without shares there is nothing to wait for but the
/// additions: a third of the time per value.
pub(super) fn plain_sums<'a>(values: impl Iterator<Item = &'a f64>) -> Sums {
    values.fold((0.0, 0.0), |(sum, sum_squares), value| {
        (sum + value, sum_squares + value * value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &[f64]) -> Distribution<'_> {
        Distribution {
            values,
            shares: None,
            received: values.len() as u64,
            weight: values.len() as f64,
            scale: 1.0,
            exact: None,
            arrival_sums: None,
        }
    }

    #[test]
    fn windows_of_plain_values() {
        let distribution = plain(&[1.0, 2.0, 3.0, 10.0]);
        let low = distribution.lowest(3);
        assert_eq!((low.bound, low.sum, low.sum_squares), (3.0, 6.0, 14.0));
        let high = distribution.highest(2);
        assert_eq!((high.bound, high.sum, high.mean()), (3.0, 13.0, 6.5));
        assert_eq!(distribution.median(), 2.5);
        let totals = distribution.totals();
        assert_eq!((totals.sum, totals.sum_squares), (16.0, 114.0));
        assert_eq!(totals.mean, 4.0);
        assert_eq!(plain(&[2.0, 4.0]).totals().deviation, 1.0);
    }

    #[test]
    fn a_window_takes_its_last_value_in_part() {
        // 1 and 5 were received, the 5 stands for three samples of four.
        let shares = [0.5, 1.5];
        let distribution = Distribution {
            shares: Some(&shares),
            weight: 4.0,
            scale: 2.0,
            ..plain(&[1.0, 5.0])
        };
        let totals = distribution.totals();
        assert_eq!((distribution.count(), totals.sum), (4.0, 16.0));
        assert_eq!(totals.mean, 4.0);
        let low = distribution.lowest(1);
        assert_eq!((low.bound, low.count, low.sum), (5.0, 2.0, 6.0));
        assert_eq!(totals.deviation, 3f64.sqrt());
    }
}
