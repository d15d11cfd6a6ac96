//! A naive model of the whole daemon, from datagrams to points, to compare the real one with.
//!
//! It shares no code with `src` and is written to be obviously right: it keeps every sample of an
//! interval in a list and works out each statistic from the list. It knows no limits: traffic for
//! a comparison stays below them.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary and each fuzz target includes the model and uses a part of it"
)]

mod frame;
pub mod line;
mod name;
mod number;
mod points;
mod timer;

use std::collections::BTreeMap;

pub use line::Kind;

use line::Line;

/// The layouts of paths that the model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    Etsy,
    EtsyLegacy,
    Gstatsd,
    Statsite,
    PythonStatsite,
}

impl Naming {
    pub const ALL: [Naming; 5] = [
        Naming::Etsy,
        Naming::EtsyLegacy,
        Naming::Gstatsd,
        Naming::Statsite,
        Naming::PythonStatsite,
    ];

    /// Those whose paths begin with `stats`, of which many are the same.
    pub const WITH_STATS: [Naming; 3] = [Naming::Etsy, Naming::EtsyLegacy, Naming::Gstatsd];

    /// The name as an option spells it.
    pub fn name(self) -> &'static str {
        match self {
            Naming::Etsy => "etsy",
            Naming::EtsyLegacy => "etsy-legacy",
            Naming::Gstatsd => "gstatsd",
            Naming::Statsite => "statsite",
            Naming::PythonStatsite => "python-statsite",
        }
    }

    /// Whether a series that got nothing is spoken of, and a gauge's level lives on.
    fn remembers(self) -> bool {
        match self {
            Naming::Etsy | Naming::EtsyLegacy => true,
            Naming::Gstatsd | Naming::Statsite | Naming::PythonStatsite => false,
        }
    }

    /// Whether a signed number moves a gauge.
    fn moves_gauges(self) -> bool {
        self != Naming::Gstatsd
    }
}

/// For how long a series without samples goes on being reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Idle {
    /// Forever; written as 0.
    Never,
    /// As long as its silence is not longer than so many seconds, counted in full intervals.
    After { silent_s: f64 },
    /// Not at all; a gauge keeps its level all the same. Written as `none`.
    Silent,
}

/// Whether statsite says one thing of a counter or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    None,
    Sum,
    Samples,
}

impl Extended {
    /// The word of the option.
    pub fn name(self) -> &'static str {
        match self {
            Extended::None => "none",
            Extended::Sum => "sum",
            Extended::Samples => "samples",
        }
    }
}

/// The bins of some timers.
#[derive(Clone, Debug, PartialEq)]
pub enum Histogram {
    /// statsite's: for names that begin so.
    Even {
        prefix: String,
        min: f64,
        max: f64,
        width: f64,
    },
    /// etsy's: for names that contain a text. The edges ascend, the last one may be infinite.
    Edges { text: String, edges: Vec<f64> },
}

impl Histogram {
    /// As the option spells it.
    pub fn name(&self) -> String {
        match self {
            Histogram::Even {
                prefix,
                min,
                max,
                width,
            } => format!("{prefix}:{min}:{max}:{width}"),
            Histogram::Edges { text, edges } => {
                let edges: Vec<String> = edges.iter().map(|edge| edge.to_string()).collect();
                format!("{text}:{}", edges.join(","))
            }
        }
    }
}

/// What a pipeline is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    pub naming: Naming,
    /// The length of a full interval.
    pub flush_s: f64,
    pub percent: Vec<f64>,
    pub weighted_timers: bool,
    /// Empty for none.
    pub prefix: String,
    /// `None` leaves it to the naming.
    pub tags: Option<bool>,
    pub idle_counters: Idle,
    pub idle_timers: Idle,
    pub idle_sets: Idle,
    pub idle_gauges: Idle,
    /// What stands before the names of a type in place of what the naming has there.
    pub fronts: BTreeMap<Kind, String>,
    /// Empty for none.
    pub suffix: String,
    pub counter_counts: bool,
    pub extended_counters: Extended,
    /// The name of a counter of all that has a name, a value and a type.
    pub input_counter: Option<String>,
    /// All where it is empty.
    pub timer_statistics: Vec<String>,
    pub histograms: Vec<Histogram>,
    /// Values that a set keeps before it estimates; the model never estimates.
    pub set_values_max: usize,
}

impl Settings {
    /// The defaults of the daemon under a naming.
    pub fn new(naming: Naming) -> Settings {
        Settings {
            naming,
            flush_s: 10.0,
            percent: match naming {
                Naming::Statsite => vec![50.0, 95.0, 99.0],
                Naming::Etsy | Naming::EtsyLegacy | Naming::Gstatsd | Naming::PythonStatsite => {
                    vec![90.0]
                }
            },
            weighted_timers: false,
            prefix: String::new(),
            tags: None,
            idle_counters: Idle::After { silent_s: 300.0 },
            idle_timers: Idle::After { silent_s: 300.0 },
            idle_sets: Idle::After { silent_s: 300.0 },
            idle_gauges: Idle::Never,
            fronts: BTreeMap::new(),
            suffix: String::new(),
            counter_counts: true,
            extended_counters: Extended::None,
            input_counter: None,
            timer_statistics: Vec::new(),
            histograms: Vec::new(),
            set_values_max: 4096,
        }
    }

    fn keeps_tags(&self) -> bool {
        self.tags.unwrap_or(match self.naming {
            Naming::Etsy | Naming::EtsyLegacy => true,
            Naming::Gstatsd | Naming::Statsite | Naming::PythonStatsite => false,
        })
    }
}

/// One line of output.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub path: String,
    pub value: f64,
    pub time_unix_s: u64,
}

/// What became of the input of one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that hold more than white space.
    pub lines: u64,
    /// Links beyond the first of a line, and packed values beyond the first of an accepted link.
    pub chained: u64,
    /// Values that were accepted.
    pub samples: u64,
    /// Events and service checks.
    pub skipped: u64,
    /// Refused links by reason, and lines without a value.
    pub refused: BTreeMap<String, u64>,
}

impl Counts {
    /// Whether everything that came in went somewhere.
    pub fn balance(&self) -> bool {
        let refused: u64 = self.refused.values().sum();
        self.lines + self.chained == self.samples + self.skipped + refused
    }
}

/// What one interval brings.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// In no order that matters, except that a key-value's points stand as they arrived.
    pub points: Vec<Point>,
    /// Points left out because they are no finite number.
    pub points_not_finite: u64,
    pub counts: Counts,
}

/// Something that turns datagrams into points, one interval after the other.
pub trait Pipeline {
    /// Takes the datagrams of one interval, in order of arrival and each with the number of the
    /// socket it was sent from, and flushes at the interval's end.
    fn interval(
        &mut self,
        datagrams: &[(usize, Vec<u8>)],
        length_s: f64,
        end_unix_s: u64,
    ) -> Output;
}

/// Refusals that the input counter has all the same: something was measured.
const RECEIVED_ALL_THE_SAME: [&str; 4] =
    ["bad_value", "bad_rate", "name_too_long", "segment_too_long"];

/// The model itself.
pub struct Model {
    settings: Settings,
    shard_count: usize,
    series: BTreeMap<(Kind, String), Series>,
}

#[derive(Default)]
struct Series {
    /// Everything that arrived in this interval.
    samples: Vec<Sample>,
    /// A gauge's level at the end of the last interval.
    level: Option<f64>,
    /// For how many flushes nothing has come.
    silent_flushes: f64,
}

struct Sample {
    /// The shard that the datagram went to.
    shard: usize,
    /// The number of the datagram within its interval.
    datagram: usize,
    value: line::Value,
    rate: f64,
    time_unix_s: Option<u64>,
}

impl Model {
    /// A model of a daemon in which source `n` is served by shard `n % shard_count`.
    pub fn new(settings: Settings, shard_count: usize) -> Model {
        assert!(shard_count > 0);
        Model {
            settings,
            shard_count,
            series: BTreeMap::new(),
        }
    }

    fn take_line(
        &mut self,
        line: line::Entry<'_>,
        shard: usize,
        datagram: usize,
        counts: &mut Counts,
    ) {
        counts.lines += 1;
        let (name, links, valueless) = match line::read(line) {
            Line::Skipped => {
                counts.skipped += 1;
                return;
            }
            Line::NoValue => {
                *counts.refused.entry("no_value".into()).or_default() += 1;
                return;
            }
            Line::Links {
                name,
                links,
                valueless,
            } => (name, links, valueless),
        };
        let mut inputs = 0;
        counts.chained += links.len() as u64 - 1;
        for link in links {
            let named = link.and_then(|link| {
                let tags = link.tags.as_deref();
                let series = name::series_name(&self.settings, &name, tags)?;
                Ok((series, link))
            });
            match named {
                Err(reason) => {
                    *counts.refused.entry(reason.into()).or_default() += 1;
                    inputs += usize::from(RECEIVED_ALL_THE_SAME.contains(&reason));
                }
                Ok((series, link)) => {
                    inputs += link.values.len();
                    counts.chained += link.values.len() as u64 - 1;
                    counts.samples += link.values.len() as u64;
                    let series = self.series.entry((link.kind, series)).or_default();
                    for value in link.values {
                        series.samples.push(Sample {
                            shard,
                            datagram,
                            value,
                            rate: link.rate,
                            time_unix_s: link.time_unix_s,
                        });
                    }
                }
            }
        }
        if let Some(counter) = &self.settings.input_counter {
            for _ in valueless..inputs {
                let one = line::Value {
                    text: b"1".to_vec(),
                    number: 1.0,
                };
                let series = (Kind::Counter, counter.clone());
                self.series.entry(series).or_default().samples.push(Sample {
                    shard,
                    datagram,
                    value: one,
                    rate: 1.0,
                    time_unix_s: None,
                });
            }
        }
    }
}

impl Pipeline for Model {
    fn interval(
        &mut self,
        datagrams: &[(usize, Vec<u8>)],
        length_s: f64,
        end_unix_s: u64,
    ) -> Output {
        let mut output = Output::default();
        for (datagram, (source, bytes)) in datagrams.iter().enumerate() {
            for line in line::lines(bytes) {
                let shard = source % self.shard_count;
                self.take_line(line, shard, datagram, &mut output.counts);
            }
        }
        points::flush(
            &self.settings,
            self.shard_count,
            &mut self.series,
            points::End {
                length_s,
                unix_s: end_unix_s,
            },
            &mut output,
        );
        output
    }
}
