//! Differences that are meant: where ringstat and its predecessors part on purpose, or where a
//! predecessor is wrong. README says more of each under "Compatibility".

use super::comparison::{Comparison, Path};
use super::kind::{self, PathType};

/// A path that differs, and what is known of it.
pub(super) struct Case<'a> {
    pub(super) path: &'a Path,
    pub(super) comparison: &'a Comparison,
}

/// A reason, and the paths that it is taken for.
struct Known {
    reason: &'static str,
    explains: fn(&Case<'_>) -> bool,
}

/// The first that explains a path is taken.
const KNOWN: [Known; 12] = [
    Known {
        reason: "points that are no finite number are not sent",
        // One such point does not excuse differences in other slots.
        explains: |case| {
            let not_finite = case.path.not_finite[0];
            not_finite > 0 && case.path.drift.verdict.real <= not_finite
        },
    },
    Known {
        reason: "a silent series is reported as 0 for as long as `idle` says, by one of them longer",
        explains: |case| {
            case.is_alone() && case.path.largest == [0.0; 2] && case.path_type() != PathType::Gauge
        },
    },
    Known {
        reason: "etsy's statsd loses names that mean something to JavaScript",
        explains: |case| {
            let mut words = case.path.name.split(['.', ';']);
            words.any(|word| JAVASCRIPT_NAMES.contains(&word))
        },
    },
    Known {
        reason: "statsite names a quantile in whole percents: its p100 may be p99_9",
        explains: |case| {
            let word = case.word();
            let is_percent =
                word.starts_with('p') && word[1..].starts_with(|c: char| c.is_ascii_digit());
            case.is_statsite()
                && case.is_alone()
                && is_percent
                && (word.contains('_') || word == "p100")
        },
    },
    Known {
        reason: "beyond 49 values statsite's quantiles are approximations",
        explains: |case| {
            let is_quantile = matches!(case.word().as_bytes(), b"median" | [b'p', b'0'..=b'9', ..]);
            case.is_statsite() && is_quantile && !case.is_alone() && case.timer_count() > 49.0
        },
    },
    Known {
        reason: "of a sampled timer value statsite counts 1/rate without its fraction",
        explains: |case| {
            let is_count = matches!(case.word(), "count" | "sample_rate");
            case.is_statsite() && is_count && case.old_is_less_by(0.5)
        },
    },
    Known {
        reason: "of a sampled counter statsite counts 1/rate without its fraction",
        explains: |case| {
            // The rate is of the sum, which has the fraction.
            let sum_is_equal = case.counter_rate().is_some_and(is_equal);
            case.word() == "count" && sum_is_equal && case.old_is_less_by(0.5)
        },
    },
    Known {
        reason: "gstatsd and the Python statsite count a sampled timer value as one",
        explains: |case| {
            case.word() == "count"
                && case.old_is_less_by(1.0)
                && match case.is_python_statsite_timer() {
                    true => case.beside("sum").is_some_and(is_equal),
                    false => case.is_gstatsd_timer() && case.has_equal_extremes(),
                }
        },
    },
    Known {
        reason: "ringstat makes names safe for Graphite: one path under two spellings",
        explains: |case| {
            let side = usize::from(case.path.slots[0] == 0);
            let mine = case.path.sums[side];
            case.other_spelling().is_some_and(|other| {
                let its = other.sums[1 - side];
                // Samples that one of them has in a slot that is not compared: two of all slots.
                let slots = f64::from(case.path.slots[side].max(1));
                (mine - its).abs() <= (2.0 / slots).min(0.05) * mine.abs().max(its.abs())
            })
        },
    },
    Known {
        reason: "beyond 64 members statsite's sets are estimates, within 5 % of ringstat's",
        explains: |case| {
            let close = case.relative().is_some_and(|relative| relative < 0.05);
            case.path_type() == PathType::Set && case.path.largest[1] > 64.0 && close
        },
    },
    Known {
        reason: "the Python statsite multiplies a counter by its sample rate, and not by 1/rate",
        explains: |case| case.is_python_statsite_counter() && case.old_is_less_by(1.0),
    },
    Known {
        reason: "the Python statsite cuts the mean of whole numbers to a whole number",
        explains: |case| {
            let is_mean = case.word().starts_with("mean_");
            let whole = |path: &Path| path.sums[0].fract() == 0.0;
            case.is_python_statsite_timer()
                && is_mean
                && whole(case.path)
                && case.old_is_less_by(1.0)
        },
    },
];

const JAVASCRIPT_NAMES: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// Whether both daemons have it and it differs in no slot for good.
fn is_equal(path: &Path) -> bool {
    !path.slots.contains(&0) && path.drift.verdict.real == 0
}

/// Why a path differs, if that is known.
pub(super) fn reason(case: &Case<'_>) -> Option<&'static str> {
    let known = KNOWN.iter().find(|known| (known.explains)(case));
    known.map(|known| known.reason)
}

impl Case<'_> {
    fn word(&self) -> &str {
        kind::last_word(&self.path.name)
    }

    fn path_type(&self) -> PathType {
        kind::path_type(&self.path.name)
    }

    /// Whether only one daemon has the path.
    fn is_alone(&self) -> bool {
        self.path.slots.contains(&0)
    }

    fn beside(&self, statistic: &str) -> Option<&Path> {
        let timer = self.path_type() == PathType::Timer;
        let name = timer.then(|| kind::beside(&self.path.name, statistic))?;
        self.comparison.named(&name)
    }

    /// Only the C statsite has this statistic.
    fn is_statsite(&self) -> bool {
        self.beside("sum_sq").is_some_and(|path| path.slots[0] > 0)
    }

    /// Only the statsites have this statistic.
    fn is_python_statsite_timer(&self) -> bool {
        !self.is_statsite() && self.beside("stdev").is_some_and(|path| path.slots[0] > 0)
    }

    /// gstatsd has these statistics and no sum of any kind.
    fn is_gstatsd_timer(&self) -> bool {
        let has = |statistic| self.beside(statistic).is_some();
        self.path.name.starts_with("stats.timers.")
            && has("upper")
            && has("lower")
            && !["sum", "stdev", "count_ps"].into_iter().any(has)
    }

    /// Whether the smallest and the largest value of the timer are the same too often for a daemon that
    /// has lost as many values as its count is smaller: it would have lost those as often.
    fn has_equal_extremes(&self) -> bool {
        let [old, new] = self.path.sums;
        let slots = f64::from(self.path.slots[0].min(self.path.slots[1]));
        let expected = slots * (1.0 - old / new);
        let is_rarely_different = |statistic| {
            self.beside(statistic).is_some_and(|path| {
                let verdict = &path.drift.verdict;
                f64::from(verdict.moved + verdict.real + verdict.open) < expected / 4.0
            })
        };
        // Of a timer whose values are all alike the extremes tell nothing.
        let sum_of = |statistic| self.beside(statistic).map_or(0.0, |path| path.sums[1]);
        let has_spread = sum_of("upper") > sum_of("lower");
        expected >= 2.0
            && has_spread
            && is_rarely_different("upper")
            && is_rarely_different("lower")
    }

    /// What the C statsite has beside the count of an extended counter.
    fn counter_rate(&self) -> Option<&Path> {
        let mut words = self.path.name.split('.');
        // The first decides, as it does for the type.
        let head = words.find(|word| matches!(*word, "counters" | "counts" | "stats_counts"));
        let is_statsite = self.path_type() == PathType::Counter && head == Some("counts");
        let name = is_statsite.then(|| kind::beside(&self.path.name, "rate"))?;
        self.comparison.named(&name)
    }

    /// The path that only the other daemon has and that is this one, made safe or not.
    fn other_spelling(&self) -> Option<&Path> {
        let name = &self.path.name;
        let (other, missing) = match self.path.slots {
            [_, 0] => (self.comparison.named(&kind::made_safe(name)), 0),
            [0, _] => (self.comparison.spelled(name), 1),
            _ => return None,
        };
        other.filter(|other| other.slots[missing] == 0 && other.slots[1 - missing] > 0)
    }

    /// C statsite's counters are right, so that this must be told apart by what else there is.
    fn is_python_statsite_counter(&self) -> bool {
        self.path.name.starts_with("statsite.counts.") && !self.comparison.has_statsite_timers
    }

    /// The most values that the timer got in a slot.
    fn timer_count(&self) -> f64 {
        self.beside("count").map_or(0.0, |path| path.largest[1])
    }

    /// How far apart the worst slot is.
    fn relative(&self) -> Option<f64> {
        self.path.drift.verdict.worst.map(|worst| worst.relative())
    }

    /// Whether the old daemon has less of it, by up to this part of what the new one has.
    fn old_is_less_by(&self, part: f64) -> bool {
        let [old, new] = self.path.sums;
        (0.0..new).contains(&old) && new - old <= part * new
    }
}
