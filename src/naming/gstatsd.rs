//! gstatsd: `stats.K` and `stats_counts.K` for counters and gauges alike, numbers with six
//! decimals.
//!
//! The arithmetic of timers is that of gstatsd's sink.py, v0.6: its `mean` is of the lowest
//! percentage of the values, the first one if several are set.

use super::{FlushTime, NamingSettings, Point, Points, Series, Statistic, Value, dotted};
use crate::metric::MetricType;
use crate::snapshot::{Distribution, Summary};

/// gstatsd's paths.
#[derive(Clone, Debug)]
pub struct Gstatsd {
    percents: Vec<Percent>,
    stats: String,
    counts: String,
    timers: String,
    sets: String,
    key_values: String,
}

/// A percentile, and what its statistic is called.
#[derive(Clone, Debug)]
struct Percent {
    percent: f64,
    upper: String,
}

impl Gstatsd {
    pub(super) fn new(settings: &NamingSettings) -> Gstatsd {
        let prefix = dotted(&settings.prefix);
        let percents = settings.percents.iter().map(|&percent| Percent {
            percent,
            upper: format!(".upper_{}", percent.trunc()),
        });
        Gstatsd {
            percents: percents.collect(),
            stats: format!("stats.{prefix}"),
            counts: format!("stats_counts.{prefix}"),
            timers: format!("stats.timers.{prefix}"),
            sets: format!("stats.sets.{prefix}"),
            key_values: format!("stats.kv.{prefix}"),
        }
    }

    #[inline]
    pub(super) fn points(&self, series: &Series<'_>, summary: &Summary<'_>, out: &mut impl Points) {
        let mut send = |head: &str, stat: &str, value: Value| {
            out.point(&series.point(head, stat, value));
        };
        match summary {
            Summary::Counter { sum, .. } => {
                let rate = sum / series.time.interval_s;
                send(&self.stats, "", Value::Fixed(rate));
                send(&self.counts, "", Value::Fixed(*sum));
            }
            Summary::Gauge(level) => {
                send(&self.stats, "", Value::Fixed(*level));
                send(&self.counts, "", Value::Fixed(*level));
            }
            Summary::Timer(values) => {
                self.statistics(values, &mut |stat, value| send(&self.timers, stat, value));
            }
            Summary::Set(count) => send(&self.sets, ".count", Value::Whole(*count as f64)),
            Summary::KeyValue { value, time_unix_s } => {
                let value = Value::Fixed(*value);
                out.point(&series.key_value(&self.key_values, "", value, *time_unix_s));
            }
        }
    }

    fn statistics(&self, values: &Distribution<'_>, send: &mut impl FnMut(&str, Value)) {
        let mut mean = None;
        for names in &self.percents {
            let (window_mean, upper) = match rank(names.percent, values.received) {
                0 => (values.lower(), values.upper()),
                k => {
                    let window = values.lowest(k);
                    (window.mean(), window.bound)
                }
            };
            mean.get_or_insert(window_mean);
            send(&names.upper, Value::Fixed(upper));
        }
        let mean = mean.unwrap_or_else(|| values.totals().mean);
        send(".mean", Value::Fixed(mean));
        send(".upper", Value::Fixed(values.upper()));
        send(".lower", Value::Fixed(values.lower()));
        send(".count", Value::Whole(values.weight));
    }

    /// gstatsd counts its statistics in every flush, empty ones too.
    pub(super) fn closing_points(&self, series_count: u64, time: FlushTime, out: &mut impl Points) {
        out.point(&Point {
            head: "statsd.numStats",
            name: b"",
            stat: "",
            tags: b"",
            value: Value::Whole(series_count as f64),
            time_unix_s: time.end_unix_s,
            metric_type: MetricType::Gauge,
            statistic: Statistic::Other,
        });
    }
}

/// How many of n values a percentile is about: rounded half away from zero as Python 2 does, and
/// the one there is if it is the only one.
fn rank(percent: f64, n: u64) -> u64 {
    if n == 1 {
        return 1;
    }
    let rank = (percent / 100.0 * n as f64).round();
    (rank.max(0.0) as u64).min(n)
}
