//! The statsite in C: `counts.K`, `timers.K.mean`, numbers with six decimals.
//!
//! The statistics of timers are those of its src/conn_handler.c, v0.8.0. A quantile is the exact
//! nearest rank, and its name keeps the decimals: `p99_9`.

use super::{
    EvenBins, ExtendedCounters, Histogram, NamingSettings, Point, Points, Series, Statistic, Value,
    head,
};
use crate::snapshot::{Distribution, Summary};

/// statsite's paths.
#[derive(Clone, Debug)]
pub struct Statsite {
    quantiles: Vec<Quantile>,
    counters: String,
    timers: String,
    gauges: String,
    sets: String,
    key_values: String,
    extended_counters: ExtendedCounters,
    included: Included,
    bins: Vec<Bins>,
}

/// A quantile, and what it is called.
#[derive(Clone, Debug)]
struct Quantile {
    percent: f64,
    stat: String,
    statistic: Statistic,
}

/// The statistics that are sent. Quantiles always are; a word that is no statistic adds none.
#[derive(Clone, Copy, Debug)]
struct Included {
    sum: bool,
    sum_sq: bool,
    mean: bool,
    lower: bool,
    upper: bool,
    count: bool,
    stdev: bool,
    median: bool,
    rate: bool,
    sample_rate: bool,
}

/// The statistics of timers in the order in which statsite looks for a word, which may be the
/// beginning of several: the first one is meant.
pub const STATSITE_STATISTICS: [&str; 10] = [
    "count",
    "mean",
    "stdev",
    "sum",
    "sum_sq",
    "lower",
    "upper",
    "rate",
    "median",
    "sample_rate",
];

/// The word for none of them, in place of a list.
pub const NO_STATISTICS: &str = "none";

/// A shorter word ends statsite's list.
const WORD_BYTES_MIN: usize = 3;

/// The histogram of names that begin with a prefix.
#[derive(Clone, Debug)]
struct Bins {
    prefix: String,
    last_start: f64,
    first: Bin,
    inner: Vec<Bin>,
    last: Bin,
}

/// A bin, and what it is called.
#[derive(Clone, Debug)]
struct Bin {
    /// Where it begins; for the first bin, where it ends.
    edge: f64,
    stat: String,
    statistic: Statistic,
}

impl Statsite {
    pub(super) fn new(settings: &NamingSettings) -> Statsite {
        let NamingSettings { heads, prefix, .. } = settings;
        let mut bins: Vec<Bins> = settings.histograms.iter().filter_map(Bins::new).collect();
        // The longest prefix wins; of equal ones the last, as the later section replaces the first.
        bins.reverse();
        bins.sort_by_key(|bins| std::cmp::Reverse(bins.prefix.len()));
        Statsite {
            quantiles: settings
                .percents
                .iter()
                .copied()
                .map(Quantile::new)
                .collect(),
            counters: head(heads.counter.as_deref(), "counts.", prefix),
            timers: head(heads.timer.as_deref(), "timers.", prefix),
            gauges: head(heads.gauge.as_deref(), "gauges.", prefix),
            sets: head(heads.set.as_deref(), "sets.", prefix),
            key_values: head(heads.key_value.as_deref(), "kv.", prefix),
            extended_counters: settings.extended_counters,
            included: Included::new(&settings.timer_statistics),
            bins,
        }
    }

    pub(super) fn needs_counter_samples(&self) -> bool {
        self.extended_counters == ExtendedCounters::Samples
    }

    #[inline]
    pub(super) fn points(&self, series: &Series<'_>, summary: &Summary<'_>, out: &mut impl Points) {
        let mut send = |head: &str, stat: &str, value: Value, statistic: Statistic| {
            out.point(&Point {
                statistic,
                ..series.point(head, stat, value)
            });
        };
        match summary {
            Summary::Counter { sum, samples } => {
                let count = match self.extended_counters {
                    ExtendedCounters::None => {
                        send(&self.counters, "", Value::Fixed(*sum), Statistic::Other);
                        return;
                    }
                    ExtendedCounters::Sum => Value::Fixed(*sum),
                    ExtendedCounters::Samples => Value::Whole(*samples),
                };
                let rate = Value::Fixed(sum / series.time.interval_s);
                send(&self.counters, ".count", count, Statistic::Count);
                send(&self.counters, ".rate", rate, Statistic::Rate);
            }
            Summary::Gauge(level) => {
                send(&self.gauges, "", Value::Fixed(*level), Statistic::Other);
            }
            Summary::Timer(values) => {
                let mut send = |stat: &str, value: Value, statistic: Statistic| {
                    send(&self.timers, stat, value, statistic);
                };
                self.statistics(values, series.time.interval_s, &mut send);
                let name = series.name.path;
                let fits = |bins: &&Bins| name.starts_with(bins.prefix.as_bytes());
                if let Some(bins) = self.bins.iter().find(fits) {
                    bins.count(values, &mut send);
                }
            }
            Summary::Set(count) => {
                let count = Value::Whole(*count as f64);
                send(&self.sets, "", count, Statistic::Sum);
            }
            Summary::KeyValue { value, time_unix_s } => {
                let value = Value::Fixed(*value);
                out.point(&series.key_value(&self.key_values, "", value, *time_unix_s));
            }
        }
    }

    fn statistics(
        &self,
        values: &Distribution<'_>,
        interval_s: f64,
        send: &mut impl FnMut(&str, Value, Statistic),
    ) {
        let mut fixed = |is_included: bool, stat: &str, number: f64, statistic: Statistic| {
            if is_included {
                send(stat, Value::Fixed(number), statistic);
            }
        };
        let included = self.included;
        let totals = values.totals();
        // What derives from the count derives from the one that is sent.
        let count = values.weight.round();
        fixed(included.sum, ".sum", totals.sum, Statistic::Sum);
        fixed(
            included.sum_sq,
            ".sum_sq",
            totals.sum_squares,
            Statistic::SumSquares,
        );
        fixed(included.mean, ".mean", totals.mean, Statistic::Mean);
        fixed(included.lower, ".lower", values.lower(), Statistic::Lower);
        fixed(included.upper, ".upper", values.upper(), Statistic::Upper);
        let deviation = values.sample_deviation(&totals);
        fixed(included.stdev, ".stdev", deviation, Statistic::Deviation);
        for quantile in &self.quantiles {
            let value = values.nth(rank(quantile.percent, values.received));
            if quantile.percent == 50.0 {
                fixed(included.median, ".median", value, Statistic::Median);
            }
            fixed(true, &quantile.stat, value, quantile.statistic);
        }
        let rate = totals.sum / interval_s;
        fixed(included.rate, ".rate", rate, Statistic::Rate);
        let sample_rate = count / interval_s;
        fixed(
            included.sample_rate,
            ".sample_rate",
            sample_rate,
            Statistic::SampleRate,
        );
        if included.count {
            send(".count", Value::Whole(count), Statistic::Count);
        }
    }
}

impl Quantile {
    fn new(percent: f64) -> Quantile {
        let word = percent.to_string().replacen('.', "_", 1);
        Quantile {
            percent,
            stat: format!(".p{word}"),
            // The peer cuts a product of doubles, in which 0.29 times 100 is a little less than 29.
            statistic: Statistic::Quantile((percent / 100.0 * 100.0) as u8),
        }
    }
}

impl Included {
    fn new(words: &[String]) -> Included {
        let meant: Vec<&str> = words
            .iter()
            .filter_map(|word| statsite_statistic(word))
            .collect();
        let has = |word: &str| words.is_empty() || meant.contains(&word);
        Included {
            sum: has("sum"),
            sum_sq: has("sum_sq"),
            mean: has("mean"),
            lower: has("lower"),
            upper: has("upper"),
            count: has("count"),
            stdev: has("stdev"),
            median: has("median"),
            rate: has("rate"),
            sample_rate: has("sample_rate"),
        }
    }
}

/// The statistic of statsite's timers whose name begins with a word, in whatever case.
pub fn statsite_statistic(word: &str) -> Option<&'static str> {
    let begins = |name: &&str| {
        let beginning = name.get(..word.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
    };
    STATSITE_STATISTICS
        .into_iter()
        .filter(|_| word.len() >= WORD_BYTES_MIN)
        .find(begins)
}

impl Bins {
    fn new(histogram: &Histogram) -> Option<Bins> {
        let Histogram::Even { prefix, bins } = histogram else {
            return None;
        };
        let bin = |sign: &str, edge: f64, statistic: Statistic| Bin {
            edge,
            stat: format!(".histogram.bin_{sign}{edge:.2}"),
            statistic,
        };
        let starts = EvenBins::starts(*bins);
        Some(Bins {
            prefix: prefix.clone(),
            first: bin("<", bins.min(), Statistic::BinBelow(bins.min())),
            inner: starts
                .map(|edge| bin("", edge, Statistic::Bin(edge)))
                .collect(),
            last: bin(">", bins.max(), Statistic::BinAbove(bins.max())),
            last_start: bins.last_start(),
        })
    }

    fn count(&self, values: &Distribution<'_>, send: &mut impl FnMut(&str, Value, Statistic)) {
        let mut send = |bin: &Bin, count: f64| send(&bin.stat, Value::Whole(count), bin.statistic);
        let mut below = values.count_below(self.first.edge);
        send(&self.first, below);
        let ends = self.inner.iter().skip(1).map(|next| next.edge);
        for (bin, end) in self.inner.iter().zip(ends.chain([self.last_start])) {
            let below_end = values.count_below(end);
            send(bin, (below_end - below).max(0.0));
            below = below_end;
        }
        send(&self.last, (values.count() - below).max(0.0));
    }
}

/// The nearest rank: the smallest k of n values such that k/n is no less than the percentage.
fn rank(percent: f64, n: u64) -> u64 {
    // 7 % of 100 are 7.000000000000001 in doubles, but not the eighth value.
    let exact = percent / 100.0 * n as f64 * (1.0 - 1e-12);
    (exact.ceil() as u64).clamp(1, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_of_a_quantile_is_the_nearest() {
        for (percent, n, k) in [
            (50.0, 1, 1),
            (50.0, 2, 1),
            (50.0, 3, 2),
            (95.0, 100, 95),
            (99.0, 100, 99),
            (7.0, 100, 7),
            (99.9, 1000, 999),
            (99.9, 1001, 1000),
            (0.1, 5, 1),
            (100.0, 5, 5),
        ] {
            assert_eq!(rank(percent, n), k, "{percent} % of {n}");
        }
        for n in (1..5_000_000).step_by(if cfg!(miri) { 49_999 } else { 997 }) {
            assert_eq!(rank(99.0, 100 * n), 99 * n);
        }
    }

    #[test]
    fn quantiles_keep_their_decimals_in_their_names() {
        for (percent, stat) in [(50.0, ".p50"), (99.9, ".p99_9"), (100.0, ".p100")] {
            assert_eq!(Quantile::new(percent).stat, stat);
        }
    }

    #[test]
    fn the_number_of_a_quantile_in_the_binary_stream_is_the_peers() {
        for (percent, number) in [
            (7.0, 7),
            (29.0, 28),
            (57.0, 56),
            (58.0, 57),
            (59.0, 59),
            (99.9, 99),
            (100.0, 100),
        ] {
            let statistic = Quantile::new(percent).statistic;
            assert_eq!(statistic, Statistic::Quantile(number), "{percent}");
        }
    }

    #[test]
    fn a_word_stands_for_the_first_statistic_that_begins_so() {
        for (word, meant) in [
            ("count", Some("count")),
            ("COU", Some("count")),
            ("co", None),
            ("sum", Some("sum")),
            ("sum_", Some("sum_sq")),
            ("med", Some("median")),
            ("mea", Some("mean")),
            ("sample", Some("sample_rate")),
            ("counts", None),
            ("p50", None),
        ] {
            assert_eq!(statsite_statistic(word), meant, "{word}");
        }
    }
}
