//! What can be set of a naming beside its dialect.

use std::fmt;
use std::str::FromStr;

use super::{Dialect, Histogram};

/// A dialect, and all that can be set of it. [`NamingSettings::new`] gives what a dialect does by
/// itself.
#[derive(Clone, Debug, PartialEq)]
pub struct NamingSettings {
    /// Whose paths and arithmetic.
    pub dialect: Dialect,
    /// Percentiles in percent, in the order in which they are sent. Below 0, which only etsy knows,
    /// for the highest values.
    pub percents: Vec<f64>,
    /// Goes before the name of every series, without dots at its ends; may be empty.
    pub prefix: String,
    /// What goes before the prefix.
    pub heads: Heads,
    /// Goes behind the statistic and before the tags, without dots at its ends; may be empty. Only
    /// etsy's namings have it.
    pub suffix: String,
    /// Whether the sums of counters are sent, and not only their rates. Only etsy's namings ask.
    pub counter_counts: bool,
    /// Whether counters are sent as a count and a rate. Only statsite asks.
    pub extended_counters: ExtendedCounters,
    /// The statistics of timers that are sent, in the words of the dialect: etsy's, of which
    /// `upper_percent` stands for `upper_90` and the like, or statsite's. Empty: all;
    /// [`super::NO_STATISTICS`] alone: none. The other dialects always send all.
    pub timer_statistics: Vec<String>,
    /// The bins of timers: etsy's first one that fits, statsite's with the longest prefix. The
    /// other dialects have none.
    pub histograms: Vec<Histogram>,
}

impl NamingSettings {
    /// What the dialect does unless told otherwise.
    pub fn new(dialect: Dialect) -> NamingSettings {
        NamingSettings {
            dialect,
            percents: dialect.percents(),
            prefix: String::new(),
            heads: Heads::default(),
            suffix: String::new(),
            counter_counts: true,
            extended_counters: ExtendedCounters::default(),
            timer_statistics: Vec::new(),
            histograms: Vec::new(),
        }
    }
}

/// What comes before the names of each type, dots included, where it is not what the dialect has
/// there. gstatsd and etsy's legacy namespace leave no choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Of counters.
    pub counter: Option<String>,
    /// Of timers.
    pub timer: Option<String>,
    /// Of gauges.
    pub gauge: Option<String>,
    /// Of sets.
    pub set: Option<String>,
    /// Of key-values.
    pub key_value: Option<String>,
}

/// Whether statsite sends a counter as one point, its sum, or as `.count` and `.rate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedCounters {
    /// `none`: the sum alone.
    #[default]
    None,
    /// `sum`: the count is the sum.
    Sum,
    /// `samples`: the count is that of the samples the clients took.
    Samples,
}

impl ExtendedCounters {
    /// All of them.
    pub const ALL: [ExtendedCounters; 3] = [
        ExtendedCounters::None,
        ExtendedCounters::Sum,
        ExtendedCounters::Samples,
    ];

    /// The word for it in settings.
    pub fn word(self) -> &'static str {
        match self {
            ExtendedCounters::None => "none",
            ExtendedCounters::Sum => "sum",
            ExtendedCounters::Samples => "samples",
        }
    }
}

impl fmt::Display for ExtendedCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for ExtendedCounters {
    type Err = String;

    fn from_str(text: &str) -> Result<ExtendedCounters, String> {
        ExtendedCounters::ALL
            .into_iter()
            .find(|extended| extended.word() == text)
            .ok_or_else(|| {
                let known = ExtendedCounters::ALL.map(ExtendedCounters::word).join(", ");
                format!("{text:?} is no kind of extended counters; there are {known}")
            })
    }
}
