//! etsy's statsd: `stats.counters.K.count`, or `stats_counts.K` in its legacy namespace.
//!
//! The arithmetic of timers is that of etsy's lib/process_metrics.js, v0.10.2, except that a
//! window of the highest values may hold all of them.

use super::{Histogram, NamingSettings, Points, Series, Value, dotted, head};
use crate::metric::MetricType;
use crate::naming::Dialect;
use crate::snapshot::{Distribution, Summary};

/// etsy's paths.
#[derive(Clone, Debug)]
pub struct Etsy {
    counter_rate: Path,
    counter_count: Option<Path>,
    timers: String,
    statistics: Statistics,
    gauges: Path,
    sets: Path,
    key_values: Path,
    bins: Vec<Bins>,
}

/// The statistics of timers; `_percent` stands for each percentile.
pub const ETSY_STATISTICS: [&str; 16] = [
    "count",
    "count_ps",
    "mean",
    "median",
    "std",
    "sum",
    "sum_squares",
    "upper",
    "lower",
    "histogram",
    "count_percent",
    "mean_percent",
    "upper_percent",
    "lower_percent",
    "sum_percent",
    "sum_squares_percent",
];

/// Whether this is one of [`ETSY_STATISTICS`], or one as `upper_99_percent`, which stands for the
/// percentiles 99.1 to 99.9.
pub fn is_etsy_statistic(word: &str) -> bool {
    let of_decimals = || {
        let (statistic, whole) = word.strip_suffix("_percent")?.rsplit_once('_')?;
        let digits = whole.strip_prefix("top").unwrap_or(whole);
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| format!("{statistic}_percent"))
    };
    ETSY_STATISTICS.contains(&word)
        || of_decimals().is_some_and(|general| ETSY_STATISTICS.contains(&general.as_str()))
}

/// What stands before and behind the name of a series.
#[derive(Clone, Debug)]
struct Path {
    head: String,
    stat: String,
}

/// What stands behind the name of a timer; None for what is not sent.
#[derive(Clone, Debug)]
struct Statistics {
    percents: Vec<Percent>,
    count_ps: Option<String>,
    count: Option<String>,
    std: Option<String>,
    upper: Option<String>,
    lower: Option<String>,
    sum: Option<String>,
    sum_squares: Option<String>,
    mean: Option<String>,
    median: Option<String>,
}

/// A percentile, and what its statistics are called.
#[derive(Clone, Debug)]
struct Percent {
    percent: f64,
    count: Option<String>,
    mean: Option<String>,
    bound: Option<String>,
    sum: Option<String>,
    sum_squares: Option<String>,
}

/// The histogram of names that contain a text.
#[derive(Clone, Debug)]
struct Bins {
    text: String,
    /// Where each bin ends, and what it is called.
    ends: Vec<(f64, String)>,
}

/// Says what stands behind a name for a statistic, if it is sent.
struct Words<'a> {
    wanted: &'a [String],
    suffix: String,
}

impl Words<'_> {
    fn stat(&self, statistic: &str) -> Option<String> {
        self.sends(statistic)
            .then(|| format!(".{statistic}{}", self.suffix))
    }

    /// As etsy's filter has it, a number at the end of a name stands for every percentile, but
    /// decimals hide what is before them: `upper_99_9` is a `upper_99_percent`.
    fn sends(&self, statistic: &str) -> bool {
        let digits = statistic.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let beginning = digits.strip_suffix("top").unwrap_or(digits);
        let general = match beginning.strip_suffix('_') {
            Some(beginning) if digits.len() < statistic.len() => format!("{beginning}_percent"),
            _ => statistic.to_owned(),
        };
        self.wanted.is_empty() || self.wanted.contains(&general)
    }
}

impl Percent {
    fn new(percent: f64, words: &Words<'_>) -> Percent {
        let word = percent
            .to_string()
            .replacen('.', "_", 1)
            .replacen('-', "top", 1);
        let bound = if percent < 0.0 { "lower" } else { "upper" };
        Percent {
            percent,
            count: words.stat(&format!("count_{word}")),
            mean: words.stat(&format!("mean_{word}")),
            bound: words.stat(&format!("{bound}_{word}")),
            sum: words.stat(&format!("sum_{word}")),
            sum_squares: words.stat(&format!("sum_squares_{word}")),
        }
    }
}

impl Statistics {
    fn new(percents: &[f64], words: &Words<'_>) -> Statistics {
        let percent = |&percent: &f64| Percent::new(percent, words);
        Statistics {
            percents: percents.iter().map(percent).collect(),
            count_ps: words.stat("count_ps"),
            count: words.stat("count"),
            std: words.stat("std"),
            upper: words.stat("upper"),
            lower: words.stat("lower"),
            sum: words.stat("sum"),
            sum_squares: words.stat("sum_squares"),
            mean: words.stat("mean"),
            median: words.stat("median"),
        }
    }
}

impl Etsy {
    pub(super) fn new(settings: &NamingSettings) -> Etsy {
        let NamingSettings { heads, prefix, .. } = settings;
        let suffix = match &*settings.suffix {
            "" => String::new(),
            suffix => format!(".{suffix}"),
        };
        let path = |head: String, stat: &str| Path {
            head,
            stat: format!("{stat}{suffix}"),
        };
        let (counter_rate, counter_count) = if settings.dialect == Dialect::EtsyLegacy {
            let prefix = dotted(prefix);
            (
                path(format!("stats.{prefix}"), ""),
                path(format!("stats_counts.{prefix}"), ""),
            )
        } else {
            let head = head(heads.counter.as_deref(), "stats.counters.", prefix);
            (path(head.clone(), ".rate"), path(head, ".count"))
        };
        let words = Words {
            wanted: &settings.timer_statistics,
            suffix: suffix.clone(),
        };
        let bins = match words.sends("histogram") {
            true => settings.histograms.iter(),
            false => [].iter(),
        };
        Etsy {
            counter_rate,
            counter_count: settings.counter_counts.then_some(counter_count),
            timers: head(heads.timer.as_deref(), "stats.timers.", prefix),
            statistics: Statistics::new(&settings.percents, &words),
            gauges: path(head(heads.gauge.as_deref(), "stats.gauges.", prefix), ""),
            sets: path(head(heads.set.as_deref(), "stats.sets.", prefix), ".count"),
            key_values: path(head(heads.key_value.as_deref(), "stats.kv.", prefix), ""),
            bins: bins.filter_map(|bins| Bins::new(bins, &suffix)).collect(),
        }
    }

    #[inline]
    pub(super) fn points(&self, series: &Series<'_>, summary: &Summary<'_>, out: &mut impl Points) {
        let mut send = |path: &Path, number: f64| {
            out.point(&series.point(&path.head, &path.stat, Value::Shortest(number)));
        };
        match summary {
            Summary::Counter { sum, .. } => {
                send(&self.counter_rate, sum / series.time.length_s);
                if let Some(counter_count) = &self.counter_count {
                    send(counter_count, *sum);
                }
            }
            Summary::Gauge(level) => send(&self.gauges, *level),
            Summary::Timer(values) => {
                let mut send = |stat: &Option<String>, number: f64| {
                    if let Some(stat) = stat {
                        out.point(&series.point(&self.timers, stat, Value::Shortest(number)));
                    }
                };
                let per_second = values.weight / series.time.length_s;
                send(&self.statistics.count_ps, per_second);
                send(&self.statistics.count, values.weight);
                if !values.is_empty() {
                    self.statistics.send(values, &mut send);
                    self.bins(series, values, out);
                }
            }
            Summary::Set(count) => send(&self.sets, *count as f64),
            Summary::KeyValue { value, time_unix_s } => {
                let (Path { head, stat }, value) = (&self.key_values, Value::Shortest(*value));
                out.point(&series.key_value(head, stat, value, *time_unix_s));
            }
        }
    }

    /// The first histogram that is for the name: the series' own, tags included, as etsy knows it.
    fn bins(&self, series: &Series<'_>, values: &Distribution<'_>, out: &mut impl Points) {
        let fits = |bins: &&Bins| contains(series, bins.text.as_bytes());
        if let Some(bins) = self.bins.iter().find(fits) {
            bins.count(values, |stat, count| {
                out.point(&series.point(&self.timers, stat, Value::Shortest(count)));
            });
        }
    }
}

/// Whether the name of a series, its tags included, contains a text.
fn contains(series: &Series<'_>, text: &[u8]) -> bool {
    debug_assert!(series.metric_type == MetricType::Timer);
    let name = [series.name.path, series.name.tags].concat();
    memchr::memmem::find(&name, text).is_some()
}

impl Statistics {
    fn send(&self, values: &Distribution<'_>, send: &mut impl FnMut(&Option<String>, f64)) {
        for names in &self.percents {
            let k = rank(names.percent, values.received);
            if k == 0 {
                continue;
            }
            let window = if names.percent < 0.0 {
                values.highest(k)
            } else {
                values.lowest(k)
            };
            send(&names.count, window.count);
            send(&names.mean, window.mean());
            send(&names.bound, window.bound);
            send(&names.sum, window.sum);
            send(&names.sum_squares, window.sum_squares);
        }
        let totals = values.totals();
        send(&self.std, totals.deviation);
        send(&self.upper, values.upper());
        send(&self.lower, values.lower());
        send(&self.sum, totals.sum);
        send(&self.sum_squares, totals.sum_squares);
        send(&self.mean, totals.mean);
        send(&self.median, values.median());
    }
}

impl Bins {
    fn new(histogram: &Histogram, suffix: &str) -> Option<Bins> {
        let Histogram::Edges { text, edges } = histogram else {
            return None;
        };
        let end = |&edge: &f64| {
            let word = edge.to_string().replacen('.', "_", 1);
            (edge, format!(".histogram.bin_{word}{suffix}"))
        };
        Some(Bins {
            text: text.clone(),
            ends: edges.iter().map(end).collect(),
        })
    }

    fn count(&self, values: &Distribution<'_>, mut send: impl FnMut(&str, f64)) {
        let mut counted = 0.0;
        for (end, stat) in &self.ends {
            let below = f64::max(counted, values.count_below(*end));
            send(stat, below - counted);
            counted = below;
        }
    }
}

/// How many of n values a percentile is about: rounded half up as JavaScript does, and the one
/// there is if it is the only one.
fn rank(percent: f64, n: u64) -> u64 {
    if n == 1 {
        return 1;
    }
    let rank = (percent.abs() / 100.0 * n as f64 + 0.5).floor() as u64;
    rank.min(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_called_as_in_etsys_statsd() {
        for (percent, bound) in [
            (90.0, ".upper_90"),
            (99.9, ".upper_99_9"),
            (-10.0, ".lower_top10"),
            (-0.5, ".lower_top0_5"),
        ] {
            let names = Percent::new(percent, &words(&[]));
            assert_eq!(names.bound.as_deref(), Some(bound));
        }
    }

    fn words(wanted: &[String]) -> Words<'_> {
        Words {
            wanted,
            suffix: String::new(),
        }
    }

    #[test]
    fn a_word_for_percentiles_stands_for_those_without_decimals() {
        for (wanted, statistic, is_sent) in [
            ("upper_percent", "upper_90", true),
            ("lower_percent", "lower_top10", true),
            ("upper_percent", "upper_99_9", false),
            ("upper_99_percent", "upper_99_9", true),
            ("upper_90", "upper_90", false),
            ("upper_percent", "upper", false),
            ("count", "count", true),
            ("count", "count_ps", false),
            ("sum", "sum_squares", false),
        ] {
            let wanted = [wanted.to_owned()];
            assert_eq!(words(&wanted).sends(statistic), is_sent, "{statistic}");
        }
    }

    #[test]
    fn ranks_are_rounded_half_up() {
        assert_eq!(rank(50.0, 1), 1);
        assert_eq!(rank(0.1, 1), 1);
        assert_eq!(rank(50.0, 5), 3);
        assert_eq!(rank(50.0, 3), 2);
        assert_eq!(rank(-50.0, 4), 2);
        assert_eq!(rank(10.0, 4), 0);
        assert_eq!(rank(100.0, 7), 7);
    }
}
