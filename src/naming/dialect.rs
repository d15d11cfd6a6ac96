//! The daemons whose paths and arithmetic can be had, and what each of them means for input and for
//! series that are silent.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::metric::{InputRules, SafeNames};
use crate::snapshot::{IdleRules, IdleTimes};

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
    /// The statsite that is written in C.
    Statsite,
    /// The statsite that is written in Python.
    PythonStatsite,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Dialect; 5] = [
        Dialect::Etsy,
        Dialect::EtsyLegacy,
        Dialect::Gstatsd,
        Dialect::Statsite,
        Dialect::PythonStatsite,
    ];

    /// The word for it in settings.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Etsy => "etsy",
            Dialect::EtsyLegacy => "etsy-legacy",
            Dialect::Gstatsd => "gstatsd",
            Dialect::Statsite => "statsite",
            Dialect::PythonStatsite => "python-statsite",
        }
    }

    /// The percentiles of timers, unless a setting says otherwise.
    pub fn percents(self) -> Vec<f64> {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy | Dialect::Gstatsd | Dialect::PythonStatsite => {
                vec![90.0]
            }
            Dialect::Statsite => vec![50.0, 95.0, 99.0],
        }
    }

    /// Whether tags become part of the names, unless a setting says otherwise.
    pub fn keeps_tags(self) -> bool {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => true,
            Dialect::Gstatsd | Dialect::Statsite | Dialect::PythonStatsite => false,
        }
    }

    /// Whether flushes fall on multiples of the interval, unless a setting says otherwise.
    pub fn aligns_flushes(self) -> bool {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => true,
            Dialect::Gstatsd | Dialect::Statsite | Dialect::PythonStatsite => false,
        }
    }

    /// Whether the daemon's own metrics are sent, unless a setting says otherwise.
    pub fn has_own_metrics(self) -> bool {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => true,
            Dialect::Gstatsd | Dialect::Statsite | Dialect::PythonStatsite => false,
        }
    }

    /// What a table has to know.
    pub fn input_rules(self, keep_tags: bool, weighted_timers: bool) -> InputRules {
        let (safe_names, sign_moves_gauge) = match self {
            Dialect::Etsy | Dialect::EtsyLegacy | Dialect::PythonStatsite => {
                (SafeNames::Graphite, true)
            }
            Dialect::Gstatsd => (SafeNames::Strict, false),
            Dialect::Statsite => (SafeNames::Printable, true),
        };
        InputRules {
            safe_names,
            keep_tags,
            sign_moves_gauge,
            weighted_timers,
        }
    }

    /// What outlives an interval. The settings hold where the dialect reports silent series at all.
    pub fn idle_rules(self, interval: Duration, idle: IdleTimes) -> IdleRules {
        match self {
            Dialect::Etsy | Dialect::EtsyLegacy => IdleRules {
                interval,
                idle,
                gauge_level_lives: true,
            },
            Dialect::Gstatsd | Dialect::Statsite | Dialect::PythonStatsite => IdleRules {
                interval,
                idle: IdleTimes::QUIET,
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
