//! etsy's statsd: `stats.counters.K.count`, or `stats_counts.K` in its legacy namespace.
//!
//! The arithmetic of timers is that of etsy's lib/process_metrics.js, v0.10.2, except that a
//! window of the highest values may hold all of them.

use super::{Point, Points, Series, Value};
use crate::snapshot::{Distribution, Summary};

/// etsy's paths.
#[derive(Clone, Debug)]
pub struct Etsy {
    percents: Vec<Percent>,
    counter_rate: Path,
    counter_count: Path,
    timers: String,
    gauges: String,
    sets: String,
    key_values: String,
}

/// What stands before and behind the name of a series.
#[derive(Clone, Debug)]
struct Path {
    head: String,
    stat: &'static str,
}

/// A percentile, and what its statistics are called.
#[derive(Clone, Debug)]
struct Percent {
    percent: f64,
    count: String,
    mean: String,
    bound: String,
    sum: String,
    sum_squares: String,
}

impl Percent {
    fn new(percent: f64) -> Percent {
        let word = percent
            .to_string()
            .replacen('.', "_", 1)
            .replacen('-', "top", 1);
        let bound = if percent < 0.0 { "lower" } else { "upper" };
        Percent {
            percent,
            count: format!(".count_{word}"),
            mean: format!(".mean_{word}"),
            bound: format!(".{bound}_{word}"),
            sum: format!(".sum_{word}"),
            sum_squares: format!(".sum_squares_{word}"),
        }
    }
}

impl Etsy {
    pub(super) fn new(is_legacy: bool, percents: &[f64], prefix: &str) -> Etsy {
        let path = |head: String, stat| Path { head, stat };
        let (counter_rate, counter_count) = if is_legacy {
            (
                path(format!("stats.{prefix}"), ""),
                path(format!("stats_counts.{prefix}"), ""),
            )
        } else {
            let head = format!("stats.counters.{prefix}");
            (path(head.clone(), ".rate"), path(head, ".count"))
        };
        Etsy {
            percents: percents.iter().copied().map(Percent::new).collect(),
            counter_rate,
            counter_count,
            timers: format!("stats.timers.{prefix}"),
            gauges: format!("stats.gauges.{prefix}"),
            sets: format!("stats.sets.{prefix}"),
            key_values: format!("stats.kv.{prefix}"),
        }
    }

    #[inline]
    pub(super) fn points(&self, series: &Series<'_>, summary: &Summary<'_>, out: &mut impl Points) {
        let mut send = |head: &str, stat: &str, number: f64| {
            out.point(&series.point(head, stat, Value::Shortest(number)));
        };
        match summary {
            Summary::Counter(sum) => {
                let rate = sum / series.time.length_s;
                send(&self.counter_rate.head, self.counter_rate.stat, rate);
                send(&self.counter_count.head, self.counter_count.stat, *sum);
            }
            Summary::Gauge(level) => send(&self.gauges, "", *level),
            Summary::Timer(values) => {
                let per_second = values.weight / series.time.length_s;
                send(&self.timers, ".count_ps", per_second);
                send(&self.timers, ".count", values.weight);
                if !values.is_empty() {
                    self.statistics(values, &mut |stat, number| send(&self.timers, stat, number));
                }
            }
            Summary::Set(count) => send(&self.sets, ".count", *count as f64),
            Summary::KeyValue { value, time_unix_s } => {
                let point = series.point(&self.key_values, "", Value::Shortest(*value));
                out.point(&Point {
                    time_unix_s: time_unix_s.unwrap_or(point.time_unix_s),
                    ..point
                });
            }
        }
    }

    fn statistics(&self, values: &Distribution<'_>, send: &mut impl FnMut(&str, f64)) {
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
        send(".std", totals.deviation);
        send(".upper", values.upper());
        send(".lower", values.lower());
        send(".sum", totals.sum);
        send(".sum_squares", totals.sum_squares);
        send(".mean", totals.mean);
        send(".median", values.median());
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
            assert_eq!(Percent::new(percent).bound, bound);
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
