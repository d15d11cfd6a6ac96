//! The model's arithmetic of a timer: every value of the interval in a list, sorted.

/// One value and what it stands for: 1, or 1/rate where timers are weighted.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub value: f64,
    pub weight: f64,
}

/// All values of one timer in one interval.
pub struct Timer {
    /// As they came.
    arrived: Vec<Entry>,
    /// In order of value.
    entries: Vec<Entry>,
    /// What each entry counts as, so that all of them together count as `n`.
    shares: Vec<f64>,
    /// From a share back to a weight.
    scale: f64,
}

/// The sums over a window of a timer.
pub struct Window {
    pub count: f64,
    pub sum: f64,
    pub sum_squares: f64,
}

impl Timer {
    /// Takes the values of an interval as they came; there is at least one.
    pub fn new(arrived: Vec<Entry>) -> Timer {
        assert!(!arrived.is_empty());
        let mut entries = arrived.clone();
        entries.sort_by(|a, b| a.value.total_cmp(&b.value));
        let n = entries.len() as f64;
        let weight: f64 = entries.iter().map(|entry| entry.weight).sum();
        let equal = entries
            .iter()
            .all(|entry| entry.weight == entries[0].weight);
        let shares = entries
            .iter()
            .map(|entry| {
                if equal {
                    1.0
                } else {
                    entry.weight * n / weight
                }
            })
            .collect();
        Timer {
            arrived,
            entries,
            shares,
            scale: weight / n,
        }
    }

    /// How many values there are.
    pub fn n(&self) -> usize {
        self.entries.len()
    }

    /// How far the rounding of shares may reach.
    fn slack(&self) -> f64 {
        1e-9 * self.n() as f64
    }

    /// The k-th smallest value, counted from 1.
    pub fn kth(&self, k: usize) -> f64 {
        let mut reached = 0.0;
        for (entry, share) in self.entries.iter().zip(&self.shares) {
            reached += share;
            if reached >= k as f64 - self.slack() {
                return entry.value;
            }
        }
        self.upper()
    }

    pub fn lower(&self) -> f64 {
        self.entries[0].value
    }

    pub fn upper(&self) -> f64 {
        self.entries[self.n() - 1].value
    }

    /// The sums over the lowest `num` values.
    pub fn lowest(&self, num: usize) -> Window {
        self.window(num, self.entries.iter().zip(&self.shares))
    }

    /// The sums over the highest `num` values.
    pub fn highest(&self, num: usize) -> Window {
        self.window(num, self.entries.iter().zip(&self.shares).rev())
    }

    fn window<'a>(
        &self,
        num: usize,
        entries: impl Iterator<Item = (&'a Entry, &'a f64)>,
    ) -> Window {
        let mut left = num as f64;
        let (mut sum, mut sum_squares) = (0.0, 0.0);
        for (entry, &share) in entries {
            // The window ends where the k-th value is, not at what rounding left over.
            if left > self.slack() {
                let inside = share.min(left);
                sum += inside * entry.value;
                sum_squares += inside * entry.value * entry.value;
                left -= inside;
            }
        }
        Window {
            count: num as f64 * self.scale,
            sum: sum * self.scale,
            sum_squares: sum_squares * self.scale,
        }
    }

    /// The sums over everything, added in order of value.
    pub fn all(&self) -> Window {
        Timer::sums(&self.entries)
    }

    /// The sums over everything, added as it came.
    pub fn all_as_it_came(&self) -> Window {
        Timer::sums(&self.arrived)
    }

    fn sums(entries: &[Entry]) -> Window {
        let mut all = Window {
            count: 0.0,
            sum: 0.0,
            sum_squares: 0.0,
        };
        for entry in entries {
            all.count += entry.weight;
            all.sum += entry.weight * entry.value;
            all.sum_squares += entry.weight * entry.value * entry.value;
        }
        all
    }

    /// The population's standard deviation.
    pub fn std(&self) -> f64 {
        let all = self.all();
        let mean = all.sum / all.count;
        let mut squares = 0.0;
        for entry in &self.entries {
            squares += entry.weight * (entry.value - mean) * (entry.value - mean);
        }
        (squares / all.count).sqrt()
    }

    /// The standard deviation of a sample of everything; none for less than two.
    pub fn sample_std(&self) -> f64 {
        let count = self.all().count;
        if count <= 1.0 {
            return 0.0;
        }
        (self.std().powi(2) * count / (count - 1.0)).sqrt()
    }

    /// How much lies below a number.
    pub fn below(&self, number: f64) -> f64 {
        let mut count = 0.0;
        for (entry, share) in self.entries.iter().zip(&self.shares) {
            if entry.value < number {
                count += share * self.scale;
            }
        }
        count
    }

    /// Sum, mean and sample deviation of `num` values behind the lowest `skip` ones.
    pub fn middle(&self, skip: usize, num: usize) -> (f64, f64, f64) {
        let mut inside = Vec::new();
        let mut reached = 0.0;
        for (entry, share) in self.entries.iter().zip(&self.shares) {
            let from = f64::max(reached, skip as f64);
            reached += share;
            let to = f64::min(reached, (skip + num) as f64);
            // What rounding has left over at an end is nothing.
            if to - from > self.slack() {
                inside.push((entry.value, to - from));
            }
        }
        if inside.is_empty() {
            return (0.0, 0.0, 0.0);
        }
        let sum: f64 = inside.iter().map(|(value, part)| value * part).sum();
        let mean = sum / num as f64;
        let squares = inside.iter().map(|(v, part)| part * (v - mean).powi(2));
        let squares: f64 = squares.sum::<f64>() * self.scale;
        let count = num as f64 * self.scale;
        let deviation = if count > 1.0 {
            (squares / (count - 1.0)).sqrt()
        } else {
            0.0
        };
        (sum * self.scale, mean, deviation)
    }

    /// The value in the middle, or the mean of the two in the middle.
    pub fn median(&self) -> f64 {
        let n = self.n();
        if n % 2 == 1 {
            self.kth(n.div_ceil(2))
        } else {
            (self.kth(n / 2) + self.kth(n / 2 + 1)) / 2.0
        }
    }
}

/// How many of `n` values a percentage covers, as etsy's statsd and gstatsd round it.
pub fn covered(percent: f64, n: usize) -> usize {
    (percent.abs() / 100.0 * n as f64).round() as usize
}
