//! What goes wrong and when, drawn from a seed before anything begins.

use std::fmt;
use std::time::Duration;

use crate::load::random::Random;

/// A fault and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    /// Since the begin.
    pub(crate) at: Duration,
    pub(crate) what: Fault,
}

/// Something that goes wrong, or changes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A sink closes all connections and refuses new ones for this time.
    Kill { sink: usize, down: Duration },
    /// Another configuration and SIGHUP.
    Reload,
    /// SIGTERM, and a new process.
    Restart,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill { sink, down } => write!(f, "sink {sink} is gone for {down:?}"),
            Fault::Reload => f.write_str("another configuration"),
            Fault::Restart => f.write_str("a restart"),
        }
    }
}

/// All that goes wrong in a run.
pub(crate) struct Plan {
    pub(crate) faults: Vec<Timed>,
}

/// On average this many faults come in a run, but one in 20 seconds at most.
const FAULTS: u32 = 12;
const PERIOD_MAX: Duration = Duration::from_secs(20);

impl Plan {
    /// The faults of a run of this length. Restarts are in its first half only: the memory of the last
    /// process is watched for the other half.
    pub(crate) fn new(seed: u64, duration: Duration) -> Self {
        let mut random = Random::new(seed);
        let period = (duration / FAULTS).min(PERIOD_MAX);
        let mut between = |from: Duration, to: Duration| {
            let span = (to - from).as_millis() as u64;
            from + Duration::from_millis(random.below(span.max(1)))
        };
        let mut at = Duration::ZERO;
        let mut faults = Vec::new();
        loop {
            at += between(Duration::from_millis(500), 2 * period);
            if at >= duration {
                return Plan { faults };
            }
            let kind = between(Duration::ZERO, Duration::from_millis(100)).as_millis();
            let what = match kind {
                0..50 => {
                    let longest = match kind {
                        0..2 => 6 * period,
                        2..14 => 2 * period,
                        _ => period / 4,
                    };
                    Fault::Kill {
                        sink: kind as usize % 2,
                        down: between(Duration::from_millis(50), longest),
                    }
                }
                50..75 if at < duration / 2 => Fault::Restart,
                _ => Fault::Reload,
            };
            faults.push(Timed { at, what });
        }
    }

    /// How much of what.
    pub(crate) fn summary(&self) -> String {
        let (mut kills, mut reloads, mut restarts) = (0, 0, 0);
        for fault in &self.faults {
            match fault.what {
                Fault::Kill { .. } => kills += 1,
                Fault::Reload => reloads += 1,
                Fault::Restart => restarts += 1,
            }
        }
        format!("{kills} kills of sinks, {reloads} reloads, {restarts} restarts")
    }
}
