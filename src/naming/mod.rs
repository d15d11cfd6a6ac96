//! What each dialect makes of a summary: which points, under which paths. A dialect is a file
//! here, an entry in [`Dialect`] and an arm in [`Naming`].
//!
//! Pure.

#![forbid(unsafe_code)]

mod etsy;
mod gstatsd;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::metric::{InputRules, MetricType, SafeNames};
use crate::snapshot::{Idle, IdleRules, SeriesName, Summary};
use etsy::Etsy;
use gstatsd::Gstatsd;

/// The daemons whose paths and arithmetic can be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// etsy's statsd with `legacyNamespace: false`.
    #[default]
    Etsy,
    /// etsy's statsd as it comes.
    EtsyLegacy,
    /// gstatsd.
    Gstatsd,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Dialect; 3] = [Dialect::Etsy, Dialect::EtsyLegacy, Dialect::Gstatsd];

    /// The word for it in settings.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Etsy => "etsy",
            Dialect::EtsyLegacy => "etsy-legacy",
            Dialect::Gstatsd => "gstatsd",
        }
    }

    /// Whether tags become part of the names, unless a setting says otherwise.
    pub fn keeps_tags(self) -> bool {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => true,
            Dialect::Gstatsd => false,
        }
    }

    /// Whether flushes fall on multiples of the interval, unless a setting says otherwise.
    pub fn aligns_flushes(self) -> bool {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => true,
            Dialect::Gstatsd => false,
        }
    }

    /// Whether the daemon's own metrics are sent, unless a setting says otherwise.
    pub fn has_own_metrics(self) -> bool {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => true,
            Dialect::Gstatsd => false,
        }
    }

    /// What a table has to know.
    pub fn input_rules(self, keep_tags: bool, weighted_timers: bool) -> InputRules {
        let (safe_names, sign_moves_gauge) = match self {
            Dialect::Etsy | Dialect::EtsyLegacy => (SafeNames::Graphite, true),
            Dialect::Gstatsd => (SafeNames::Strict, false),
        };
        InputRules {
            safe_names,
            keep_tags,
            sign_moves_gauge,
            weighted_timers,
        }
    }

    /// What outlives an interval. The settings hold where the dialect reports silent series at all.
    pub fn idle_rules(self, interval: Duration, idle: Idle, idle_gauges: Idle) -> IdleRules {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => IdleRules {
                interval,
                idle,
                idle_gauges,
                gauge_level_lives: true,
            },
            Dialect::Gstatsd => IdleRules {
                interval,
                idle: Idle::Quiet,
                idle_gauges: Idle::Quiet,
                gauge_level_lives: false,
            },
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Dialect, String> {
        Dialect::ALL
            .into_iter()
            .find(|dialect| dialect.word() == text)
            .ok_or_else(|| {
                let known = Dialect::ALL.map(Dialect::word).join(", ");
                format!("unknown naming {text:?}; there are {known}")
            })
    }
}

/// A number and how the dialect writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// The shortest text that reads back as the same number, as JavaScript writes it.
    Shortest(f64),
    /// With six decimals.
    Fixed(f64),
    /// Without decimals, rounded half away from zero.
    Whole(f64),
}

impl Value {
    /// The number.
    pub fn number(self) -> f64 {
        match self {
            Value::Shortest(number) | Value::Fixed(number) => number,
            Value::Whole(number) => number.round(),
        }
    }
}

/// One point. Its path is `head name stat tags`, put together without anything in between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point<'a> {
    /// What comes before the name of the series, its dot included.
    pub head: &'a str,
    /// The name of the series, without its tags.
    pub name: &'a [u8],
    /// What comes behind the name, its dot included.
    pub stat: &'a str,
    /// The tags of the series, each with the `;` before it.
    pub tags: &'a [u8],
    /// The value.
    pub value: Value,
    /// The time stamp in seconds since 1970.
    pub time_unix_s: u64,
}

/// What points are given to.
pub trait Points {
    /// Takes one point.
    fn point(&mut self, point: &Point<'_>);
}

/// When a flush is, for time stamps and rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlushTime {
    /// The end of the slot, in seconds since 1970.
    pub end_unix_s: u64,
    /// The scheduled length of the slot in seconds: shorter than the interval for the first one,
    /// longer where flushes were missed.
    pub length_s: f64,
    /// The flush interval in seconds.
    pub interval_s: f64,
}

/// A dialect with its settings.
#[derive(Clone, Debug)]
pub enum Naming {
    /// Both of etsy's namespaces.
    Etsy(Etsy),
    /// gstatsd's.
    Gstatsd(Gstatsd),
}

impl Naming {
    /// A dialect with these percentiles and a prefix, which may be empty, before every name.
    pub fn new(dialect: Dialect, percents: &[f64], prefix: &str) -> Naming {
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("{prefix}."),
        };
        match dialect {
            Dialect::Etsy => Naming::Etsy(Etsy::new(false, percents, &prefix)),
            Dialect::EtsyLegacy => Naming::Etsy(Etsy::new(true, percents, &prefix)),
            Dialect::Gstatsd => Naming::Gstatsd(Gstatsd::new(percents, &prefix)),
        }
    }

    /// The points of one series. Hot path of a flush.
    #[inline]
    pub fn points(
        &self,
        metric_type: MetricType,
        name: SeriesName<'_>,
        summary: &Summary<'_>,
        time: FlushTime,
        out: &mut impl Points,
    ) {
        // A name may begin with its tags.
        let bytes = name.path.len() + name.tags.len();
        debug_assert!(bytes > 0, "{metric_type:?} without a name");
        let series = Series { name, time };
        match self {
            Naming::Etsy(etsy) => etsy.points(&series, summary, out),
            Naming::Gstatsd(gstatsd) => gstatsd.points(&series, summary, out),
        }
    }

    /// The lines that a dialect adds to every flush, for so many series with samples.
    pub fn closing_points(&self, series_count: u64, time: FlushTime, out: &mut impl Points) {
        match self {
            Naming::Etsy(_) => {}
            Naming::Gstatsd(gstatsd) => gstatsd.closing_points(series_count, time, out),
        }
    }
}

/// A series whose points are being named.
struct Series<'a> {
    name: SeriesName<'a>,
    time: FlushTime,
}

impl<'a> Series<'a> {
    #[inline]
    fn point(&self, head: &'a str, stat: &'a str, value: Value) -> Point<'a> {
        Point {
            head,
            name: self.name.path,
            stat,
            tags: self.name.tags,
            value,
            time_unix_s: self.time.end_unix_s,
        }
    }
}
