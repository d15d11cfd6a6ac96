//! The real thing without sockets and clocks: datagrams go into shards, what these hand over is
//! merged, named and formatted as the flusher does it, and the bytes are read back into points.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary and each fuzz target includes this and uses a part of it"
)]

pub mod parse;
pub mod read;
pub mod restart;

use std::time::{Duration, Instant};

use ringstat::format::{Encoding, Formatted, Lines, Pickles, StreamLines};
use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{Interval, Limits, Refusal, SetHash};
use ringstat::naming::{
    Dialect, FlushTime, Heads, Inputs, Naming, NamingSettings, Point as NamedPoint, Points,
};
use ringstat::shard::{Shard, ShardCounts, ShardSettings};
use ringstat::simd::Level;
use ringstat::snapshot::{Idle, IdleTimes, Merger, MergerSettings};
use ringstat::tap::TapRules;

use crate::model::{self, Counts, Kind, Output, Pipeline, Settings};
use read::{lines, pickles, stream_lines};

/// What a pipeline is made of.
#[derive(Clone)]
struct Plan {
    settings: Settings,
    shard_count: usize,
    encoding: Encoding,
    limits: Limits,
    set_hash: SetHash,
}

/// Shards and a merger behind them.
pub struct Shards {
    plan: Plan,
    shards: Vec<Shard>,
    /// Emptied intervals, by shard, for the shards to use again.
    spare: Vec<Interval>,
    merger: Merger,
    naming: Naming,
    out: Out,
    interval_s: f64,
    input_counter: Option<String>,
    /// Whether silent counters are spoken of.
    zero_counters: bool,
    /// Spellings that each shard remembered when it handed over.
    pub spellings: Vec<usize>,
    /// Series that the merger knows: those that came less those that went.
    pub merged_series: u64,
}

/// The points in one of the formats; those that are no finite number are counted instead.
struct Out {
    format: Format,
    not_finite: u64,
}

enum Format {
    Text(Lines),
    Pickle(Pickles),
    Stream(StreamLines),
}

impl Shards {
    /// A pipeline with the limits that the model's settings imply.
    pub fn new(settings: &Settings, shard_count: usize, encoding: Encoding) -> Shards {
        let limits = Limits {
            max_set_values: settings.set_values_max,
            ..Limits::default()
        };
        Shards::with_limits(settings, shard_count, encoding, limits)
    }

    /// A pipeline with limits of its own for each shard.
    pub fn with_limits(
        settings: &Settings,
        shard_count: usize,
        encoding: Encoding,
        limits: Limits,
    ) -> Shards {
        Shards::planned(Plan {
            settings: settings.clone(),
            shard_count,
            encoding,
            limits,
            set_hash: SetHash::new(),
        })
    }

    fn planned(plan: Plan) -> Shards {
        let Plan {
            ref settings,
            shard_count,
            encoding,
            limits,
            ref set_hash,
        } = plan;
        let dialect: Dialect = settings.naming.name().parse().expect("a dialect's name");
        let keep_tags = settings.tags.unwrap_or(dialect.keeps_tags());
        let epoch = Instant::now();
        // The first one as in the daemon, the others with each set of instructions in turn.
        let levels: Vec<Level> = Level::all().collect();
        let mut levels = levels.into_iter().rev().cycle();
        let shards = (0..shard_count).map(|shard| {
            let shard = Shard::new(ShardSettings {
                shard,
                rules: dialect.input_rules(keep_tags, settings.weighted_timers),
                limits,
                set_hash: set_hash.clone(),
                refused_lines_max: 3,
                brakes: Default::default(),
                epoch,
                tap: TapRules::default(),
            });
            shard.at_level(levels.next().expect("a level comes again and again"))
        });
        let idle_rules = dialect.idle_rules(
            Duration::from_secs_f64(settings.flush_s),
            IdleTimes {
                counters: idle(settings.idle_counters),
                timers: idle(settings.idle_timers),
                sets: idle(settings.idle_sets),
                gauges: idle(settings.idle_gauges),
            },
        );
        let naming = Naming::new(&naming_settings(dialect, settings));
        let format = match encoding {
            Encoding::Text => Format::Text(Lines::default()),
            Encoding::Pickle => Format::Pickle(Pickles::default()),
            Encoding::Stream => Format::Stream(StreamLines::default()),
            Encoding::Screen | Encoding::Binary | Encoding::PrefixedBinary => {
                panic!("only what names each point is read back")
            }
        };
        Shards {
            shards: shards.collect(),
            spare: Vec::new(),
            merger: Merger::new(
                MergerSettings {
                    idle: idle_rules,
                    limits,
                    weighted_timers: settings.weighted_timers,
                    sum_order: naming.sum_order(),
                    counter_samples: naming.needs_counter_samples(),
                },
                shard_count,
            ),
            naming,
            out: Out {
                format,
                not_finite: 0,
            },
            interval_s: settings.flush_s,
            input_counter: settings.input_counter.clone(),
            zero_counters: idle_rules.idle.counters != Idle::Quiet,
            spellings: Vec::new(),
            merged_series: 0,
            plan,
        }
    }

    /// What the shards hand over behind these datagrams.
    fn take(&mut self, datagrams: &[(usize, Vec<u8>)]) -> (ShardCounts, Vec<(usize, Interval)>) {
        for (source, bytes) in datagrams {
            let shard_count = self.shards.len();
            let shard = &mut self.shards[source % shard_count];
            shard.batch();
            shard.datagram(Datagram {
                bytes,
                cut_bytes: 0,
            });
        }
        let mut counts = ShardCounts::default();
        let mut intervals = Vec::new();
        self.spellings.clear();
        for (number, shard) in self.shards.iter_mut().enumerate() {
            let hand_over = shard.hand_over(self.spare.pop().unwrap_or_default(), &[]);
            assert_eq!(hand_over.shard, number);
            counts.merge(&hand_over.counts);
            self.spellings.push(hand_over.table.spellings);
            intervals.push((number, hand_over.interval));
        }
        assert_eq!(counts.datagrams, datagrams.len() as u64);
        (counts, intervals)
    }

    /// What a slot comes to when all of it is merged.
    fn output(
        &mut self,
        counts: &ShardCounts,
        intervals: Vec<(usize, Interval)>,
        length_s: f64,
        end_unix_s: u64,
    ) -> Output {
        let time = FlushTime {
            end_unix_s,
            length_s,
            interval_s: self.interval_s,
        };
        let (naming, out) = (&self.naming, &mut self.out);
        let counter = self.input_counter.as_deref();
        let mut inputs = counter.map(|name| Inputs::new(name, counts.inputs()));
        self.merger.summaries(|metric_type, name, summary| {
            if let Some(inputs) = &mut inputs
                && inputs.take(metric_type, name, &summary)
            {
                return;
            }
            naming.points(metric_type, name, &summary, time, out);
        });
        let merged = self.merger.counts();
        if let Some(inputs) = inputs {
            inputs.points(naming, self.zero_counters, time, out);
        }
        naming.closing_points(merged.spoke, time, out);
        self.merged_series = self.merged_series + merged.new - merged.expired;

        for (number, mut interval) in intervals {
            // The whole list of silent series each time: room is made for new ones early.
            self.shards[number].forget(self.merger.silence(number, true));
            interval.reset();
            self.spare.push(interval);
        }
        let points_not_finite = std::mem::take(&mut self.out.not_finite);
        Output {
            points: self.out.read_back(),
            points_not_finite,
            counts: counts_in_words(counts),
        }
    }
}

impl Pipeline for Shards {
    fn interval(
        &mut self,
        datagrams: &[(usize, Vec<u8>)],
        length_s: f64,
        end_unix_s: u64,
    ) -> Output {
        let (counts, intervals) = self.take(datagrams);
        self.merger.merge(&intervals);
        self.output(&counts, intervals, length_s, end_unix_s)
    }
}

impl Points for Out {
    fn point(&mut self, point: &NamedPoint<'_>) {
        if !point.value.number().is_finite() {
            self.not_finite += 1;
            return;
        }
        match &mut self.format {
            Format::Text(lines) => lines.point(point),
            Format::Pickle(pickles) => pickles.point(point),
            Format::Stream(lines) => lines.point(point),
        }
    }
}

impl Out {
    fn read_back(&mut self) -> Vec<model::Point> {
        let (formatted, points) = match &mut self.format {
            Format::Text(open) => {
                let formatted = open.take();
                let points = lines(&bytes(&formatted));
                (formatted, points)
            }
            Format::Stream(open) => {
                let formatted = open.take();
                let points = stream_lines(&bytes(&formatted));
                (formatted, points)
            }
            Format::Pickle(open) => {
                let formatted = open.take();
                let points = pickles(&bytes(&formatted));
                (formatted, points)
            }
        };
        assert_eq!(formatted.points, points.len() as u64);
        points
    }
}

fn bytes(formatted: &Formatted) -> Vec<u8> {
    formatted.chunks.concat()
}

fn naming_settings(dialect: Dialect, settings: &Settings) -> NamingSettings {
    let front = |kind| settings.fronts.get(&kind).cloned();
    let extended = settings.extended_counters.name();
    let histograms = settings.histograms.iter().map(model::Histogram::name);
    NamingSettings {
        dialect,
        percents: settings.percent.clone(),
        prefix: settings.prefix.clone(),
        heads: Heads {
            counter: front(Kind::Counter),
            timer: front(Kind::Timer),
            gauge: front(Kind::Gauge),
            set: front(Kind::Set),
            key_value: front(Kind::KeyValue),
        },
        suffix: settings.suffix.clone(),
        counter_counts: settings.counter_counts,
        extended_counters: extended.parse().expect("a word of the option"),
        timer_statistics: settings.timer_statistics.clone(),
        histograms: histograms
            .map(|text| text.parse().expect("a histogram"))
            .collect(),
    }
}

fn idle(idle: model::Idle) -> Idle {
    match idle {
        model::Idle::Never => Idle::Never,
        model::Idle::Silent => Idle::Quiet,
        model::Idle::After { silent_s } => Idle::After(Duration::from_secs_f64(silent_s)),
    }
}

fn counts_in_words(counts: &ShardCounts) -> Counts {
    let refused = Refusal::ALL
        .into_iter()
        .map(|reason| (reason.word().to_owned(), counts.refusals.of(reason)))
        .filter(|(_, count)| *count > 0);
    Counts {
        lines: counts.lines.lines,
        chained: counts.lines.chained,
        samples: counts.samples,
        skipped: counts.lines.skipped,
        refused: refused.collect(),
    }
}
