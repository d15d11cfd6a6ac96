//! What each dialect makes of a summary: which points, under which paths. A dialect is a file
//! here, an entry in [`Dialect`] and an arm in [`Naming`].
//!
//! Pure.

#![forbid(unsafe_code)]

mod dialect;
mod etsy;
mod gstatsd;
mod histogram;
mod inputs;
mod point;
mod python_statsite;
mod settings;
mod statsite;

pub use dialect::Dialect;
pub use etsy::{ETSY_STATISTICS, is_etsy_statistic};
pub use histogram::{BIN_COUNT_MAX, EvenBins, Histogram};
pub use inputs::Inputs;
pub use point::{Point, Points, Statistic, Value};
pub use settings::{ExtendedCounters, Heads, NamingSettings};
pub use statsite::{NO_STATISTICS, STATSITE_STATISTICS, statsite_statistic};

use crate::metric::MetricType;
use crate::snapshot::{SeriesName, SumOrder, Summary};
use etsy::Etsy;
use gstatsd::Gstatsd;
use python_statsite::PythonStatsite;
use statsite::Statsite;

/// When a flush is, for time stamps and rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlushTime {
    /// The end of the slot, in seconds since 1970.
    pub end_unix_s: u64,
    /// For how long the slot was collected, in seconds: shorter than the interval for the first one,
    /// longer where flushes were missed.
    pub length_s: f64,
    /// The flush interval in seconds.
    pub interval_s: f64,
}

/// A dialect with its settings.
#[derive(Clone, Debug)]
pub enum Naming {
    /// Both of etsy's namespaces.
    Etsy(Box<Etsy>),
    /// gstatsd's.
    Gstatsd(Gstatsd),
    /// That of the statsite in C.
    Statsite(Statsite),
    /// That of the statsite in Python.
    PythonStatsite(PythonStatsite),
}

impl Naming {
    /// A naming as set. What a dialect does not have is ignored.
    pub fn new(settings: &NamingSettings) -> Naming {
        match settings.dialect {
            Dialect::Etsy | Dialect::EtsyLegacy => Naming::Etsy(Box::new(Etsy::new(settings))),
            Dialect::Gstatsd => Naming::Gstatsd(Gstatsd::new(settings)),
            Dialect::Statsite => Naming::Statsite(Statsite::new(settings)),
            Dialect::PythonStatsite => Naming::PythonStatsite(PythonStatsite::new(settings)),
        }
    }

    /// In what order the values of a timer are added, which decides the last digit of a sum.
    pub fn sum_order(&self) -> SumOrder {
        match self {
            Naming::Statsite(_) => SumOrder::Arrival,
            Naming::Etsy(_) | Naming::Gstatsd(_) | Naming::PythonStatsite(_) => SumOrder::Value,
        }
    }

    /// Whether a counter's point depends on how many samples there were.
    pub fn needs_counter_samples(&self) -> bool {
        match self {
            Naming::Statsite(statsite) => statsite.needs_counter_samples(),
            Naming::Etsy(_) | Naming::Gstatsd(_) | Naming::PythonStatsite(_) => false,
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
        let series = Series {
            metric_type,
            name,
            time,
        };
        match self {
            Naming::Etsy(etsy) => etsy.points(&series, summary, out),
            Naming::Gstatsd(gstatsd) => gstatsd.points(&series, summary, out),
            Naming::Statsite(statsite) => statsite.points(&series, summary, out),
            Naming::PythonStatsite(statsite) => statsite.points(&series, summary, out),
        }
    }

    /// The lines that a dialect adds to every flush, for so many series with samples.
    pub fn closing_points(&self, series_count: u64, time: FlushTime, out: &mut impl Points) {
        match self {
            Naming::Etsy(_) | Naming::Statsite(_) | Naming::PythonStatsite(_) => {}
            Naming::Gstatsd(gstatsd) => gstatsd.closing_points(series_count, time, out),
        }
    }
}

/// A series whose points are being named.
struct Series<'a> {
    metric_type: MetricType,
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
            metric_type: self.metric_type,
            statistic: Statistic::Other,
        }
    }

    /// A key-value's point, which may have a time stamp of its own.
    #[inline]
    fn key_value(
        &self,
        head: &'a str,
        stat: &'a str,
        value: Value,
        time_unix_s: Option<u64>,
    ) -> Point<'a> {
        let point = self.point(head, stat, value);
        Point {
            time_unix_s: time_unix_s.unwrap_or(point.time_unix_s),
            ..point
        }
    }
}

/// The prefix with the dot behind it, or nothing.
fn dotted(prefix: &str) -> String {
    match prefix {
        "" => String::new(),
        prefix => format!("{prefix}."),
    }
}

/// What comes before a name: the head that is set, or else the dialect's, and the prefix.
fn head(set: Option<&str>, of_dialect: &str, prefix: &str) -> String {
    format!("{}{}", set.unwrap_or(of_dialect), dotted(prefix))
}
