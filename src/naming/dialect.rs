//! The daemons whose paths and arithmetic can be had, and what each of them means for input and for
//! series that are silent.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::metric::{InputRules, SafeNames};
use crate::snapshot::{Idle, IdleRules};

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
