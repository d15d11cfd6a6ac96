//! Points, and what they are given to.

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
