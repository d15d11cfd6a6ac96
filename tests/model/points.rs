//! What the model says at the end of an interval: the paths and formulas of the namings, and what
//! lives on into the next interval.

use std::collections::{BTreeMap, BTreeSet};

use super::line::Kind;
use super::timer::{Entry, Timer, covered};
use super::{Idle, Naming, Output, Point, Sample, Series, Settings};

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
                Kind::Gauge => settings.idle_gauges,
                _ => settings.idle,
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
                if level.is_finite() {
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
            if settings.naming.remembers() && sample.value.is_signed() {
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
                for sample in samples {
                    sum += sample.value.number * (1.0 / sample.rate);
                }
                self.counter(name, sum);
            }
            Kind::Gauge => self.gauge(name, level),
            Kind::Set => {
                let members: BTreeSet<&[u8]> = samples
                    .iter()
                    .map(|sample| sample.value.text.as_slice())
                    .collect();
                self.stat("sets", name, "count", members.len() as f64);
            }
            Kind::KeyValue => {
                for sample in samples {
                    let path = self.path("stats.kv.", name, "");
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
            Kind::Counter => self.counter(name, 0.0),
            Kind::Gauge => self.gauge(name, level),
            Kind::Set => self.stat("sets", name, "count", 0.0),
            Kind::KeyValue => {}
            Kind::Timer => {
                self.stat("timers", name, "count_ps", 0.0);
                self.stat("timers", name, "count", 0.0);
            }
        }
    }

    fn counter(&mut self, name: &str, sum: f64) {
        let (rate_path, count_path) = match self.settings.naming {
            Naming::Etsy => (
                self.path("stats.counters.", name, ".rate"),
                self.path("stats.counters.", name, ".count"),
            ),
            Naming::EtsyLegacy | Naming::Gstatsd => (
                self.path("stats.", name, ""),
                self.path("stats_counts.", name, ""),
            ),
        };
        let divisor_s = match self.settings.naming {
            Naming::Etsy | Naming::EtsyLegacy => self.end.length_s,
            Naming::Gstatsd => self.settings.flush_s,
        };
        self.push(rate_path, sum / divisor_s);
        self.push(count_path, sum);
    }

    fn gauge(&mut self, name: &str, level: Option<f64>) {
        let level = level.unwrap_or(f64::NAN);
        match self.settings.naming {
            Naming::Etsy | Naming::EtsyLegacy => {
                self.push(self.path("stats.gauges.", name, ""), level);
            }
            Naming::Gstatsd => {
                self.push(self.path("stats.", name, ""), level);
                self.push(self.path("stats_counts.", name, ""), level);
            }
        }
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
                self.stat("timers", name, &format!("upper_{p}"), timer.kth(num));
                timer.lowest(num)
            } else {
                let lower = timer.kth(n - num + 1);
                self.stat("timers", name, &format!("lower_{p}"), lower);
                timer.highest(num)
            };
            self.stat("timers", name, &format!("count_{p}"), window.count);
            let mean = window.sum / window.count;
            self.stat("timers", name, &format!("mean_{p}"), mean);
            self.stat("timers", name, &format!("sum_{p}"), window.sum);
            let path = format!("sum_squares_{p}");
            self.stat("timers", name, &path, window.sum_squares);
        }
        let all = timer.all();
        self.stat("timers", name, "std", timer.std());
        self.stat("timers", name, "upper", timer.upper());
        self.stat("timers", name, "lower", timer.lower());
        self.stat("timers", name, "count", count);
        self.stat("timers", name, "count_ps", count / self.end.length_s);
        self.stat("timers", name, "sum", all.sum);
        self.stat("timers", name, "sum_squares", all.sum_squares);
        self.stat("timers", name, "mean", all.sum / all.count);
        self.stat("timers", name, "median", timer.median());
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
            self.stat("timers", name, &format!("upper_{cut}"), upper);
        }
        let mean = mean_of_first.expect("there is at least one percentage");
        self.stat("timers", name, "mean", mean);
        self.stat("timers", name, "upper", timer.upper());
        self.stat("timers", name, "lower", timer.lower());
        self.stat("timers", name, "count", count.round());
    }

    /// One statistic of a type with a folder of its own.
    fn stat(&mut self, folder: &str, name: &str, stat: &str, value: f64) {
        let path = self.path(&format!("stats.{folder}."), name, &format!(".{stat}"));
        self.push(path, value);
    }

    /// A whole path: the prefix goes before the name, what is behind goes before its tags.
    fn path(&self, front: &str, name: &str, behind: &str) -> String {
        let prefix = match self.settings.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}."),
        };
        match name.split_once(';') {
            Some((name, tags)) => format!("{front}{prefix}{name}{behind};{tags}"),
            None => format!("{front}{prefix}{name}{behind}"),
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
