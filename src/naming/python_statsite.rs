//! The statsite in Python: `statsite.counts.K`, `statsite.timers.K.mean`, numbers with twelve
//! digits.
//!
//! The statistics of timers are those of its metrics.py, v0.5.1, but a mean is never cut to an
//! integer, and the upper end of the window of a percentile stays among the values.

use super::{NamingSettings, Points, Series, Value, head};
use crate::snapshot::{Distribution, Summary};

/// The paths of the statsite in Python.
#[derive(Clone, Debug)]
pub struct PythonStatsite {
    percents: Vec<Percent>,
    counters: String,
    timers: String,
    gauges: String,
    sets: String,
    key_values: String,
}

/// A percentile, and what its statistics are called.
#[derive(Clone, Debug)]
struct Percent {
    percent: f64,
    sum: String,
    mean: String,
    lower: String,
    upper: String,
    count: String,
    stdev: String,
}

impl Percent {
    fn new(percent: f64) -> Percent {
        let word = percent.trunc();
        Percent {
            percent,
            sum: format!(".sum_{word}"),
            mean: format!(".mean_{word}"),
            lower: format!(".lower_{word}"),
            upper: format!(".upper_{word}"),
            count: format!(".count_{word}"),
            stdev: format!(".stdev_{word}"),
        }
    }
}

impl PythonStatsite {
    pub(super) fn new(settings: &NamingSettings) -> PythonStatsite {
        let NamingSettings { heads, prefix, .. } = settings;
        PythonStatsite {
            percents: settings
                .percents
                .iter()
                .copied()
                .map(Percent::new)
                .collect(),
            counters: head(heads.counter.as_deref(), "statsite.counts.", prefix),
            timers: head(heads.timer.as_deref(), "statsite.timers.", prefix),
            gauges: head(heads.gauge.as_deref(), "statsite.gauges.", prefix),
            sets: head(heads.set.as_deref(), "statsite.sets.", prefix),
            key_values: head(heads.key_value.as_deref(), "statsite.kv.", prefix),
        }
    }

    #[inline]
    pub(super) fn points(&self, series: &Series<'_>, summary: &Summary<'_>, out: &mut impl Points) {
        let mut send = |head: &str, stat: &str, value: Value| {
            out.point(&series.point(head, stat, value));
        };
        match summary {
            Summary::Counter { sum, .. } => send(&self.counters, "", Value::Twelve(*sum)),
            Summary::Gauge(level) => send(&self.gauges, "", Value::Twelve(*level)),
            Summary::Timer(values) => {
                self.statistics(values, &mut |stat, value| send(&self.timers, stat, value));
            }
            Summary::Set(count) => send(&self.sets, "", Value::Whole(*count as f64)),
            Summary::KeyValue { value, time_unix_s } => {
                let value = Value::Twelve(*value);
                out.point(&series.key_value(&self.key_values, "", value, *time_unix_s));
            }
        }
    }

    fn statistics(&self, values: &Distribution<'_>, send: &mut impl FnMut(&str, Value)) {
        let totals = values.totals();
        send(".sum", Value::Twelve(totals.sum));
        send(".mean", Value::Twelve(totals.mean));
        send(".lower", Value::Twelve(values.lower()));
        send(".upper", Value::Twelve(values.upper()));
        send(".count", Value::Whole(values.weight));
        let deviation = values.sample_deviation(&totals);
        send(".stdev", Value::Twelve(deviation));
        for names in &self.percents {
            let n = values.received;
            let inner = inner_count(names.percent, n);
            let below = (n - inner) / 2;
            // The peer counts none of one value, and takes it all the same.
            let window = values.middle(below, if n == 1 { 1 } else { inner });
            send(&names.sum, Value::Twelve(window.sum));
            send(&names.mean, Value::Twelve(window.mean));
            send(&names.lower, Value::Twelve(values.nth(below + 1)));
            // One past the window, as there, but never past the last value.
            let upper = values.nth((below + inner + 1).min(n));
            send(&names.upper, Value::Twelve(upper));
            send(&names.count, Value::Whole(inner as f64 * values.scale));
            send(&names.stdev, Value::Twelve(window.sample_deviation));
        }
    }
}

/// How many of n values the window of a percentile holds.
fn inner_count(percent: f64, n: u64) -> u64 {
    ((n as f64 * (percent / 100.0)) as u64).min(n)
}
