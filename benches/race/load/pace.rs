//! When datagrams are sent: evenly, in bursts, or as fast as it goes.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::sender::Sender;

/// Most datagrams between two looks at the clock.
const RUN_MAX: u64 = 256;

/// How late a load may end and still have kept its rate, as a part of its duration.
const LATE_PART_MAX: f64 = 0.02;

/// When datagrams are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Datagrams a second on average; as fast as it goes without.
    pub(crate) rate: Option<f64>,
    /// How many datagrams become due at once: 1 is even.
    pub(crate) burst: u64,
    pub(crate) wait: Wait,
}

/// How the time until the next datagram passes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// Looks at the clock without end, and lets other threads of the core go first. Each
    /// datagram leaves at its own moment.
    Watch,
    /// Sleeps so long and then sends what has become due meanwhile. Costs little.
    Sleep(Duration),
}

/// When a load ends: at whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) datagrams: u64,
    pub(crate) duration: Duration,
}

/// How far a load is, for other threads to see.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    sent: AtomicU64,
    stop: AtomicBool,
}

/// What became of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) elapsed: Duration,
    /// Whether the rate was reached, within 2 %.
    pub(crate) kept_rate: bool,
}

impl Progress {
    /// Datagrams sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends the load soon.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Pace {
    /// Each datagram at its own moment.
    pub(crate) fn even(rate: f64) -> Self {
        Pace {
            rate: Some(rate),
            burst: 1,
            wait: Wait::Watch,
        }
    }

    /// As fast as it goes.
    pub(crate) fn flat_out() -> Self {
        Pace {
            rate: None,
            ..Pace::even(0.0)
        }
    }

    /// How many datagrams are to have left after so long.
    fn due(&self, elapsed: Duration) -> u64 {
        match self.rate {
            None => u64::MAX,
            // A first burst is due at once.
            Some(rate) => {
                let bursts = (elapsed.as_secs_f64() * rate / self.burst as f64) as u64 + 1;
                bursts * self.burst
            }
        }
    }

    /// Sends until the limit, or until somebody stops it.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub(crate) fn run(
        &self,
        sender: &mut Sender<'_>,
        limit: Limit,
        progress: &Progress,
    ) -> io::Result<Sent> {
        let first = sender.sent();
        let began = Instant::now();
        loop {
            let elapsed = began.elapsed();
            let sent = sender.sent() - first;
            let is_over = sent >= limit.datagrams || elapsed >= limit.duration;
            if is_over || progress.stop.load(Ordering::Relaxed) {
                return Ok(self.sent(sent, elapsed));
            }
            let due = self.due(elapsed).min(limit.datagrams);
            if due > sent {
                sender.send((due - sent).min(RUN_MAX))?;
                progress.sent.store(sender.sent(), Ordering::Relaxed);
                continue;
            }
            match self.wait {
                Wait::Watch => thread::yield_now(),
                Wait::Sleep(tick) => thread::sleep(tick),
            }
        }
    }

    fn sent(&self, datagrams: u64, elapsed: Duration) -> Sent {
        let kept_rate = self.rate.is_none_or(|rate| {
            let wanted = elapsed.as_secs_f64() * rate;
            datagrams as f64 + self.burst as f64 >= wanted * (1.0 - LATE_PART_MAX)
        });
        Sent { elapsed, kept_rate }
    }
}
