//! Points, and what they are given to.

use crate::metric::MetricType;

/// A number and how the dialect writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// The shortest text that reads back as the same number, as JavaScript writes it.
    Shortest(f64),
    /// With six decimals.
    Fixed(f64),
    /// Without decimals, rounded half away from zero.
    Whole(f64),
    /// With twelve significant digits, as Python 2 writes a float.
    Twelve(f64),
}

impl Value {
    /// The number.
    pub fn number(self) -> f64 {
        match self {
            Value::Shortest(number) | Value::Fixed(number) | Value::Twelve(number) => number,
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
    /// The type of the series.
    pub metric_type: MetricType,
    /// What `stat` says, for formats that have a number for it.
    pub statistic: Statistic,
}

/// What a point says of its series, where a format may have a number for that in place of a word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// No format has a number for it: it is known by `stat` alone.
    Other,
    /// The median, which formats with numbers know as the quantile of a half.
    Median,
    /// The sum, or the number of distinct values of a set.
    Sum,
    /// The sum of squares.
    SumSquares,
    /// The mean.
    Mean,
    /// How many there were.
    Count,
    /// The standard deviation.
    Deviation,
    /// The smallest value.
    Lower,
    /// The largest value.
    Upper,
    /// The sum per second.
    Rate,
    /// Samples per second.
    SampleRate,
    /// The value at this percentage, cut to a whole number as statsite cuts it.
    Quantile(u8),
    /// Values below this.
    BinBelow(f64),
    /// Values in the bin that begins here.
    Bin(f64),
    /// Values from the last bin on, which is called by this.
    BinAbove(f64),
}

/// What points are given to.
pub trait Points {
    /// Takes one point.
    fn point(&mut self, point: &Point<'_>);
}
