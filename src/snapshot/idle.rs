//! What becomes of a series that gets nothing in an interval.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::metric::MetricType;

/// How long a silent series is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// `0`: for ever.
    Never,
    /// `none`: not at all.
    Quiet,
    /// Until it has been silent for longer than this.
    After(Duration),
}

impl Idle {
    /// After how many silent flushes nothing is reported any more; None for never.
    pub(super) fn flushes(self, interval: Duration) -> Option<u32> {
        match self {
            Idle::Never => None,
            Idle::Quiet => Some(0),
            Idle::After(time) => {
                let flushes = time.as_nanos() / interval.as_nanos().max(1);
                Some(u32::try_from(flushes).unwrap_or(u32::MAX - 1))
            }
        }
    }
}

/// How long silent series of each type are reported. Key-values never are: they have no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimes {
    /// For counters, which report zeros while they are silent.
    pub counters: Idle,
    /// For timers, likewise.
    pub timers: Idle,
    /// For sets, likewise.
    pub sets: Idle,
    /// For gauges, which repeat their level.
    pub gauges: Idle,
}

impl IdleTimes {
    /// Nothing is reported while it is silent.
    pub const QUIET: IdleTimes = IdleTimes {
        counters: Idle::Quiet,
        timers: Idle::Quiet,
        sets: Idle::Quiet,
        gauges: Idle::Quiet,
    };

    /// For series of this type.
    pub fn of(self, metric_type: MetricType) -> Idle {
        match metric_type {
            MetricType::Counter => self.counters,
            MetricType::Timer => self.timers,
            MetricType::Set => self.sets,
            MetricType::Gauge => self.gauges,
            MetricType::KeyValue => Idle::Quiet,
        }
    }
}

/// The rules of a dialect for what outlives an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleRules {
    /// The flush interval, which silence is counted in.
    pub interval: Duration,
    /// How long silent series are reported.
    pub idle: IdleTimes,
    /// Whether a gauge's level lives on between flushes; otherwise every interval begins at 0.
    pub gauge_level_lives: bool,
}

impl IdleRules {
    /// Whether a series of this type keeps its level although it is not reported any more: a
    /// gauge that says nothing while it is idle is moved from where it was all the same.
    pub(super) fn keeps_quiet_level(&self, metric_type: MetricType) -> bool {
        metric_type == MetricType::Gauge
            && self.gauge_level_lives
            && self.idle.gauges == Idle::Quiet
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Idle::Never => f.write_str("0"),
            Idle::Quiet => f.write_str("none"),
            Idle::After(time) if time.subsec_nanos() == 0 => write!(f, "{}s", time.as_secs()),
            Idle::After(time) => write!(f, "{}ms", time.as_secs_f64() * 1e3),
        }
    }
}

impl FromStr for Idle {
    type Err = String;

    /// `0`, `none`, or seconds with an optional unit: `300`, `500ms`, `90s`, `5m`, `1h`.
    fn from_str(text: &str) -> Result<Idle, String> {
        if text == "none" {
            return Ok(Idle::Quiet);
        }
        let (digits, unit_s) = match text.as_bytes() {
            [.., b'm', b's'] => (&text[..text.len() - 2], 0.001),
            [.., b'h'] => (&text[..text.len() - 1], 3_600.0),
            [.., b'm'] => (&text[..text.len() - 1], 60.0),
            [.., b's'] => (&text[..text.len() - 1], 1.0),
            _ => (text, 1.0),
        };
        digits
            .parse::<f64>()
            .ok()
            .and_then(|number| Duration::try_from_secs_f64(number * unit_s).ok())
            .map(|time| match time {
                Duration::ZERO => Idle::Never,
                _ => Idle::After(time),
            })
            .ok_or_else(|| format!("{text:?} is neither a time (5m, 90s), nor 0, nor none"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_times_are_read_and_written_alike() {
        for (text, expected) in [
            ("0", Idle::Never),
            ("none", Idle::Quiet),
            ("300s", Idle::After(Duration::from_secs(300))),
            ("500ms", Idle::After(Duration::from_millis(500))),
        ] {
            assert_eq!(text.parse(), Ok(expected));
            assert_eq!(expected.to_string(), text);
        }
        assert_eq!("5m".parse(), Ok(Idle::After(Duration::from_secs(300))));
        assert_eq!("2h".parse(), Ok(Idle::After(Duration::from_secs(7200))));
        for text in ["", "m", "-1", "nan", "1d", "never", "1e999"] {
            assert!(text.parse::<Idle>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn idle_times_are_counted_in_whole_flushes() {
        let interval = Duration::from_secs(2);
        assert_eq!(Idle::Never.flushes(interval), None);
        assert_eq!(Idle::Quiet.flushes(interval), Some(0));
        assert_eq!(
            Idle::After(Duration::from_secs(5)).flushes(interval),
            Some(2)
        );
    }
}
