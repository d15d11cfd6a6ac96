//! What the model says at the end of an interval: the paths and formulas of the namings, and what
//! lives on into the next interval.

use std::collections::{BTreeMap, BTreeSet};

use super::line::Kind;
use super::timer::{Entry, Timer, covered};
use super::{Extended, Histogram, Idle, Naming, Output, Point, Sample, Series, Settings};

/// The end of an interval.
#[derive(Clone, Copy)]
pub struct End {
    pub length_s: f64,
    pub unix_s: u64,
}

/// Turns the interval's samples into points, empties the lists and forgets what is over.
pub fn flush(
    settings: &Settings,
    shard_count: usize,
    all: &mut BTreeMap<(Kind, String), Series>,
    end: End,
    output: &mut Output,
) {
    let heard = all
        .values()
        .filter(|series| !series.samples.is_empty())
        .count();
    let mut points = Points {
        settings,
        end,
        output,
    };
    all.retain(|(kind, name), series| {
        if series.samples.is_empty() {
            series.silent_flushes += 1.0;
            let idle = match kind {
                Kind::Counter => settings.idle_counters,
                Kind::Timer => settings.idle_timers,
                Kind::Set => settings.idle_sets,
                Kind::Gauge => settings.idle_gauges,
                Kind::KeyValue => Idle::Silent,
            };
            let speaks = settings.naming.remembers()
                && match idle {
                    Idle::Never => true,
                    Idle::After { silent_s } => {
                        series.silent_flushes * settings.flush_s <= silent_s
                    }
                    Idle::Silent => false,
                };
            if speaks {
                points.idle(*kind, name, series.level);
            }
            let quiet_level =
                *kind == Kind::Gauge && settings.naming.remembers() && idle == Idle::Silent;
            speaks || quiet_level
        } else {
            series.silent_flushes = 0.0;
            let mut heard_level = None;
            if *kind == Kind::Gauge {
                let level = level(&series.samples, shard_count, series.level, settings);
                heard_level = Some(level);
                // What is no finite number is counted once, and not gone on from.
                if level.is_finite() && settings.naming.remembers() {
                    series.level = heard_level;
                }
            }
            points.heard(*kind, name, &series.samples, heard_level);
            series.samples.clear();
            true
        }
    });
    if settings.naming == Naming::Gstatsd {
        points.push("statsd.numStats".into(), heard as f64);
    }
}

/// A gauge after its updates. A shard knows its last set and the moves after it, or, without any
/// set, its moves. Over the shards the newest set counts with the moves after it, and so do the
/// moves of the shards without a set.
fn level(
    samples: &[Sample],
    shard_count: usize,
    previous: Option<f64>,
    settings: &Settings,
) -> f64 {
    let mut newest: Option<(usize, f64, f64)> = None;
    let mut loose = 0.0;
    for shard in 0..shard_count {
        let mut set: Option<(usize, f64)> = None;
        let mut moved = 0.0;
        for sample in samples.iter().filter(|sample| sample.shard == shard) {
            if settings.naming.moves_gauges() && sample.value.is_signed() {
                moved += sample.value.number;
            } else {
                set = Some((sample.datagram, sample.value.number));
                moved = 0.0;
            }
        }
        match set {
            None => loose += moved,
            Some((datagram, value)) => {
                if newest.is_none_or(|newest| newest.0 < datagram) {
                    newest = Some((datagram, value, moved));
                }
            }
        }
    }
    let (base, after) = match newest {
        Some((_, set, after)) => (set, after),
        None => (previous.unwrap_or(0.0), 0.0),
    };
    base + after + loose
}

struct Points<'a> {
    settings: &'a Settings,
    end: End,
    output: &'a mut Output,
}

impl Points<'_> {
    /// A series that got samples.
    fn heard(&mut self, kind: Kind, name: &str, samples: &[Sample], level: Option<f64>) {
        match kind {
            Kind::Counter => {
                let mut sum = 0.0;
                let mut taken = 0.0;
                for sample in samples {
                    sum += sample.value.number * (1.0 / sample.rate);
                    taken += 1.0 / sample.rate;
                }
                self.counter(name, sum, taken);
            }
            Kind::Gauge => self.gauge(name, level),
            Kind::Set => {
                let members: BTreeSet<&[u8]> = samples
                    .iter()
                    .map(|sample| sample.value.text.as_slice())
                    .collect();
                self.set(name, members.len() as f64);
            }
            Kind::KeyValue => {
                for sample in samples {
                    let path = self.path(&self.front(Kind::KeyValue), name, "");
                    let time_unix_s = sample.time_unix_s.unwrap_or(self.end.unix_s);
                    self.push_at(path, sample.value.number, time_unix_s);
                }
            }
            Kind::Timer => self.timer(name, samples),
        }
    }

    /// A series that got nothing and is still spoken of.
    fn idle(&mut self, kind: Kind, name: &str, level: Option<f64>) {
        match kind {
            Kind::Counter => self.counter(name, 0.0, 0.0),
            Kind::Gauge => self.gauge(name, level),
            Kind::Set => self.set(name, 0.0),
            Kind::KeyValue => {}
            Kind::Timer => {
                self.stat(name, "count_ps", 0.0);
                self.stat(name, "count", 0.0);
            }
        }
    }

    fn counter(&mut self, name: &str, sum: f64, taken: f64) {
        let front = self.front(Kind::Counter);
        let per_slot_s = sum / self.end.length_s;
        let per_flush_s = sum / self.settings.flush_s;
        match self.settings.naming {
            Naming::Etsy => {
                self.push(self.path(&front, name, ".rate"), per_slot_s);
                if self.settings.counter_counts {
                    self.push(self.path(&front, name, ".count"), sum);
                }
            }
            Naming::EtsyLegacy => {
                self.push(self.path("stats.", name, ""), per_slot_s);
                if self.settings.counter_counts {
                    self.push(self.path("stats_counts.", name, ""), sum);
                }
            }
            Naming::Gstatsd => {
                self.push(self.path("stats.", name, ""), per_flush_s);
                self.push(self.path("stats_counts.", name, ""), sum);
            }
            Naming::Statsite => {
                let count = match self.settings.extended_counters {
                    Extended::None => {
                        self.push(self.path(&front, name, ""), sum);
                        return;
                    }
                    Extended::Sum => sum,
                    Extended::Samples => taken.round(),
                };
                self.push(self.path(&front, name, ".count"), count);
                self.push(self.path(&front, name, ".rate"), per_flush_s);
            }
            Naming::PythonStatsite => self.push(self.path(&front, name, ""), sum),
        }
    }

    fn gauge(&mut self, name: &str, level: Option<f64>) {
        let level = level.unwrap_or(f64::NAN);
        if self.settings.naming == Naming::Gstatsd {
            self.push(self.path("stats.", name, ""), level);
            self.push(self.path("stats_counts.", name, ""), level);
        } else {
            self.push(self.path(&self.front(Kind::Gauge), name, ""), level);
        }
    }

    fn set(&mut self, name: &str, count: f64) {
        let behind = match self.settings.naming {
            Naming::Etsy | Naming::EtsyLegacy | Naming::Gstatsd => ".count",
            Naming::Statsite | Naming::PythonStatsite => "",
        };
        self.push(self.path(&self.front(Kind::Set), name, behind), count);
    }

    fn timer(&mut self, name: &str, samples: &[Sample]) {
        let entries = samples
            .iter()
            .map(|sample| Entry {
                value: sample.value.number,
                weight: if self.settings.weighted_timers {
                    1.0 / sample.rate
                } else {
                    1.0
                },
            })
            .collect();
        let timer = Timer::new(entries);
        let mut count = 0.0;
        for sample in samples {
            count += 1.0 / sample.rate;
        }
        match self.settings.naming {
            Naming::Etsy | Naming::EtsyLegacy => self.etsy_timer(name, &timer, count),
            Naming::Gstatsd => self.gstatsd_timer(name, &timer, count),
            Naming::Statsite => self.statsite_timer(name, &timer, count),
            Naming::PythonStatsite => self.python_timer(name, &timer, count),
        }
    }

    fn etsy_timer(&mut self, name: &str, timer: &Timer, count: f64) {
        let n = timer.n();
        for percent in self.settings.percent.clone() {
            let num = if n == 1 { 1 } else { covered(percent, n) };
            if num == 0 {
                continue;
            }
            let p = percent
                .to_string()
                .replacen('.', "_", 1)
                .replacen('-', "top", 1);
            let window = if percent > 0.0 {
                self.stat(name, &format!("upper_{p}"), timer.kth(num));
                timer.lowest(num)
            } else {
                let lower = timer.kth(n - num + 1);
                self.stat(name, &format!("lower_{p}"), lower);
                timer.highest(num)
            };
            self.stat(name, &format!("count_{p}"), window.count);
            let mean = window.sum / window.count;
            self.stat(name, &format!("mean_{p}"), mean);
            self.stat(name, &format!("sum_{p}"), window.sum);
            let path = format!("sum_squares_{p}");
            self.stat(name, &path, window.sum_squares);
        }
        let all = timer.all();
        self.stat(name, "std", timer.std());
        self.stat(name, "upper", timer.upper());
        self.stat(name, "lower", timer.lower());
        self.stat(name, "count", count);
        self.stat(name, "count_ps", count / self.end.length_s);
        self.stat(name, "sum", all.sum);
        self.stat(name, "sum_squares", all.sum_squares);
        self.stat(name, "mean", all.sum / all.count);
        self.stat(name, "median", timer.median());
        let fitting = self.settings.histograms.iter().find(|bins| match bins {
            Histogram::Edges { text, .. } => name.contains(text.as_str()),
            Histogram::Even { .. } => false,
        });
        if let Some(Histogram::Edges { edges, .. }) = fitting.cloned() {
            let mut before = 0.0;
            for edge in edges {
                let below = timer.below(edge);
                let bin = format!("bin_{edge}").replacen('.', "_", 1);
                self.stat(name, &format!("histogram.{bin}"), below - before);
                before = below;
            }
        }
    }

    fn statsite_timer(&mut self, name: &str, timer: &Timer, count: f64) {
        let n = timer.n();
        let all = timer.all_as_it_came();
        let count = count.round();
        self.stat(name, "sum", all.sum);
        self.stat(name, "sum_sq", all.sum_squares);
        self.stat(name, "mean", all.sum / all.count);
        self.stat(name, "lower", timer.lower());
        self.stat(name, "upper", timer.upper());
        self.stat(name, "count", count);
        self.stat(name, "stdev", timer.sample_std());
        for percent in self.settings.percent.clone() {
            // In thousandths of a percent, which are whole.
            let exact = (percent * 1000.0).round() as usize * n;
            let value = timer.kth(exact.div_ceil(100_000).max(1));
            if percent == 50.0 {
                self.stat(name, "median", value);
            }
            let word = percent.to_string().replace('.', "_");
            self.stat(name, &format!("p{word}"), value);
        }
        self.stat(name, "rate", all.sum / self.settings.flush_s);
        self.stat(name, "sample_rate", count / self.settings.flush_s);
        let mut best: Option<(usize, [f64; 3])> = None;
        for bins in &self.settings.histograms {
            if let Histogram::Even {
                prefix,
                min,
                max,
                width,
            } = bins
                && name.starts_with(prefix.as_str())
                && best.is_none_or(|(length, _)| length <= prefix.len())
            {
                best = Some((prefix.len(), [*min, *max, *width]));
            }
        }
        if let Some((_, [min, max, width])) = best {
            let mut edge = min;
            let below = timer.below(min);
            self.stat(name, &format!("histogram.bin_<{min:.2}"), below);
            while edge + width <= max {
                let inside = timer.below(edge + width) - timer.below(edge);
                self.stat(name, &format!("histogram.bin_{edge:.2}"), inside);
                edge += width;
            }
            let above = all.count - timer.below(edge);
            self.stat(name, &format!("histogram.bin_>{max:.2}"), above);
        }
    }

    fn python_timer(&mut self, name: &str, timer: &Timer, count: f64) {
        let n = timer.n();
        let all = timer.all();
        self.stat(name, "sum", all.sum);
        self.stat(name, "mean", all.sum / all.count);
        self.stat(name, "lower", timer.lower());
        self.stat(name, "upper", timer.upper());
        self.stat(name, "count", count.round());
        self.stat(name, "stdev", timer.sample_std());
        for percent in self.settings.percent.clone() {
            let inner = (percent / 100.0 * n as f64).floor() as usize;
            let low = (n - inner) / 2;
            let (sum, mean, deviation) = timer.middle(low, if n == 1 { 1 } else { inner });
            let p = percent.floor();
            self.stat(name, &format!("sum_{p}"), sum);
            self.stat(name, &format!("mean_{p}"), mean);
            self.stat(name, &format!("lower_{p}"), timer.kth(low + 1));
            let upper = usize::min(low + inner + 1, n);
            self.stat(name, &format!("upper_{p}"), timer.kth(upper));
            let inside = inner as f64 * (all.count / n as f64);
            self.stat(name, &format!("count_{p}"), inside.round());
            self.stat(name, &format!("stdev_{p}"), deviation);
        }
    }

    fn gstatsd_timer(&mut self, name: &str, timer: &Timer, count: f64) {
        let n = timer.n();
        let mut mean_of_first = None;
        for percent in self.settings.percent.clone() {
            let num = if n == 1 { 1 } else { covered(percent, n) };
            let (mean, upper) = if num == 0 {
                (timer.lower(), timer.upper())
            } else {
                let window = timer.lowest(num);
                (window.sum / window.count, timer.kth(num))
            };
            mean_of_first = mean_of_first.or(Some(mean));
            let cut = percent.trunc();
            self.stat(name, &format!("upper_{cut}"), upper);
        }
        let mean = mean_of_first.expect("there is at least one percentage");
        self.stat(name, "mean", mean);
        self.stat(name, "upper", timer.upper());
        self.stat(name, "lower", timer.lower());
        self.stat(name, "count", count.round());
    }

    /// One statistic of a timer, if it is wanted.
    fn stat(&mut self, name: &str, stat: &str, value: f64) {
        if self.wants(stat) {
            let path = self.path(&self.front(Kind::Timer), name, &format!(".{stat}"));
            self.push(path, value);
        }
    }

    fn wants(&self, stat: &str) -> bool {
        let wanted = &self.settings.timer_statistics;
        let has = |word: &str| wanted.iter().any(|wanted| wanted == word);
        if wanted.is_empty() {
            return true;
        }
        match self.settings.naming {
            Naming::Etsy | Naming::EtsyLegacy => {
                if stat.starts_with("histogram.") {
                    return has("histogram");
                }
                match stat.rsplit_once('_') {
                    Some((front, last))
                        if last.trim_start_matches("top").parse::<u32>().is_ok() =>
                    {
                        has(&format!("{front}_percent"))
                    }
                    _ => has(stat),
                }
            }
            // Quantiles and bins are always there. The cases use whole words.
            Naming::Statsite => {
                let is_quantile =
                    stat.starts_with('p') && stat[1..].starts_with(|l: char| l.is_ascii_digit());
                is_quantile || stat.starts_with("histogram.") || has(stat)
            }
            Naming::Gstatsd | Naming::PythonStatsite => true,
        }
    }

    /// What stands before the names of a type, without the prefix.
    fn front(&self, kind: Kind) -> String {
        if let Some(front) = self.settings.fronts.get(&kind) {
            return front.clone();
        }
        let (of_all, of_counters) = match self.settings.naming {
            Naming::Etsy | Naming::EtsyLegacy | Naming::Gstatsd => ("stats.", "counters."),
            Naming::Statsite => ("", "counts."),
            Naming::PythonStatsite => ("statsite.", "counts."),
        };
        let of_kind = match kind {
            Kind::Counter => of_counters,
            Kind::Timer => "timers.",
            Kind::Gauge => "gauges.",
            Kind::Set => "sets.",
            Kind::KeyValue => "kv.",
        };
        format!("{of_all}{of_kind}")
    }

    /// A whole path: the prefix goes before the name, what is behind goes before its tags.
    fn path(&self, front: &str, name: &str, behind: &str) -> String {
        let prefix = match self.settings.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}."),
        };
        let suffix = match self.settings.suffix.as_str() {
            "" => String::new(),
            suffix => format!(".{suffix}"),
        };
        match name.split_once(';') {
            Some((name, tags)) => format!("{front}{prefix}{name}{behind}{suffix};{tags}"),
            None => format!("{front}{prefix}{name}{behind}{suffix}"),
        }
    }

    fn push(&mut self, path: String, value: f64) {
        self.push_at(path, value, self.end.unix_s);
    }

    fn push_at(&mut self, path: String, value: f64, time_unix_s: u64) {
        if value.is_finite() {
            self.output.points.push(Point {
                path,
                value,
                time_unix_s,
            });
        } else {
            self.output.points_not_finite += 1;
        }
    }
}
