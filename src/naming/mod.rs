//! What each dialect makes of a summary: which points, under which paths. A dialect is a file
//! here, an entry in [`Dialect`] and an arm in [`Naming`].
//!
//! Pure.

#![forbid(unsafe_code)]

mod dialect;
mod etsy;
mod gstatsd;
mod point;

pub use dialect::Dialect;
pub use point::{Point, Points, Value};

use crate::metric::MetricType;
use crate::snapshot::{SeriesName, Summary};
use etsy::Etsy;
use gstatsd::Gstatsd;

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
