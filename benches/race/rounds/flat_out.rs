//! A round that looks for the highest rate at which a daemon loses nothing, and at what gets
//! through when as much is sent as the sender can.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::figure::Figure;
use crate::graphite::Received;
use crate::load::{Limit, Pace, Pool, Progress, Sender, Totals};
use crate::peers::{Contestant, Settings};

/// The first rate that is tried, in datagrams a second.
const FIRST_RATE: f64 = 16_000.0;
/// Makes all series known, in datagrams a second.
const SERIES_RATE: f64 = 1_000.0;
/// From one trial to the next until one fails.
const STEP: f64 = 4.0;
/// The search ends when the lowest rate with loss is no further above the highest without.
const PRECISION: f64 = 1.04;
/// No daemon of interest is slower.
const RATE_MIN: f64 = 100.0;
/// A trial lasts so many flush intervals, so that a flush is in it wherever it begins.
const TRIAL_INTERVALS: f64 = 1.0;
/// What waits at the end of a trial has to be taken within this part of its duration. More would
/// say that the daemon falls behind and only its receive buffer is large.
const BACKLOG_PART_MAX: f64 = 0.05;
const LOOK: Duration = Duration::from_millis(2);

/// A daemon that is tried at one rate after the other.
struct Trials<'a> {
    daemon: Daemon<'a>,
    contestant: &'a Contestant,
    /// Sends each datagram for itself, as they come from many clients.
    single: Sender<'a>,
    /// Leaves the cutting to the kernel, for rates that the other does not reach.
    cutting: Sender<'a>,
    flush: Duration,
}

/// How datagrams are sent.
#[derive(Clone, Copy, Debug)]
enum Way {
    Single,
    Cut,
}

/// What became of a rate.
#[derive(Clone, Copy, Debug)]
struct Trial {
    sent: Totals,
    seconds: f64,
    cpu_percent: f64,
    /// Whether everything was taken and accounted for.
    is_lossless: bool,
    kept_rate: bool,
    /// How much the daemon accounted for.
    share: f64,
}

impl Trial {
    fn lines_per_s(&self) -> f64 {
        self.sent.lines as f64 / self.seconds
    }
}

/// Runs a round of one contestant.
///
/// # Errors
/// The daemon does not start or ends before its time, or the traffic cannot be sent.
pub(crate) fn run(
    contestant: &Contestant,
    settings: &Settings,
    core: usize,
    pool: &Pool,
) -> io::Result<Vec<(Figure, f64)>> {
    let daemon = Daemon::start(contestant, settings, core)?;
    let single = Sender::open(pool, daemon.address(), 1)?;
    let mut cutting = Sender::open(pool, daemon.address(), 1)?;
    cutting.send_segments()?;
    let mut trials = Trials {
        daemon,
        contestant,
        single,
        cutting,
        flush: settings.flush,
    };
    // The series are made before anything counts.
    trials.at(SERIES_RATE)?;
    let best = trials.search()?;
    let flat_out = trials.run(Pace::flat_out(), Way::Cut)?;
    let mut values = Vec::new();
    // A sender that is slower than the daemon leaves its own rate as the highest known one.
    let best = if flat_out.is_lossless {
        Some(flat_out)
    } else {
        best
    };
    if let Some(best) = best {
        values.extend([
            (Figure::LosslessLines, best.lines_per_s()),
            (
                Figure::LosslessDatagrams,
                best.sent.datagrams as f64 / best.seconds,
            ),
            (Figure::CpuPercent, best.cpu_percent),
        ]);
    }
    values.push((Figure::OfferedLines, flat_out.lines_per_s()));
    if !contestant.is_floor() {
        let through = flat_out.lines_per_s() * flat_out.share;
        values.push((Figure::ThroughLines, through));
    }
    Ok(values)
}

impl Trials<'_> {
    /// Steps up until a rate is too high, then halves the distance in between.
    fn search(&mut self) -> io::Result<Option<Trial>> {
        let mut rate = FIRST_RATE;
        let mut best: Option<(f64, Trial)> = None;
        let mut lossy: Option<f64> = None;
        loop {
            let trial = self.at(rate)?;
            // Where the sender is at its end before the daemon, the search ends there too.
            if trial.is_lossless && trial.kept_rate {
                best = Some((rate, trial));
            } else {
                lossy = Some(rate);
            }
            rate = match (&best, lossy) {
                (Some((good, _)), Some(bad)) if bad / good <= PRECISION => break,
                (Some((good, _)), Some(bad)) => (good * bad).sqrt(),
                (Some((good, _)), None) => good * STEP,
                (None, Some(bad)) if bad / STEP < RATE_MIN => break,
                (None, Some(bad)) => bad / STEP,
                (None, None) => unreachable!("a trial is one or the other"),
            };
        }
        Ok(best.map(|(_, trial)| trial))
    }

    /// Tries a rate, with single datagrams if the sender is fast enough for that.
    fn at(&mut self, rate: f64) -> io::Result<Trial> {
        let trial = self.run(Pace::even(rate), Way::Single)?;
        if trial.kept_rate {
            Ok(trial)
        } else {
            self.run(Pace::even(rate), Way::Cut)
        }
    }

    /// Sends for a while, and waits until the daemon has accounted for it.
    fn run(&mut self, pace: Pace, way: Way) -> io::Result<Trial> {
        let before = self.daemon.received();
        let drops_before = self.daemon.queue().drops;
        let sender = match way {
            Way::Single => &mut self.single,
            Way::Cut => &mut self.cutting,
        };
        let sent_before = sender.totals();
        let cpu_before = self.daemon.process().cpu_time()?;
        let duration = self.flush.mul_f64(TRIAL_INTERVALS);
        let limit = Limit {
            datagrams: u64::MAX,
            duration,
        };
        let load = pace.run(sender, limit, &Progress::default())?;
        let sent = sender.totals().since(sent_before);
        let took_all = self.wait_for_an_empty_queue(duration.mul_f64(BACKLOG_PART_MAX));
        let cpu = self.daemon.process().cpu_time()? - cpu_before;
        let lost_none = self.daemon.queue().drops == drops_before;
        let share = self.settle(&before, &sent, lost_none);
        let seconds = load.elapsed.as_secs_f64();
        Ok(Trial {
            sent,
            seconds,
            cpu_percent: 100.0 * cpu.as_secs_f64() / seconds,
            is_lossless: took_all && lost_none && share == 1.0,
            kept_rate: load.kept_rate,
            share,
        })
    }

    /// Whether the receive buffer was emptied in time; comes back when it is empty, or when the
    /// daemon does not get there.
    fn wait_for_an_empty_queue(&self, time_max: Duration) -> bool {
        let began = Instant::now();
        while self.daemon.queue().bytes > 0 && began.elapsed() < self.flush * 5 {
            thread::sleep(LOOK);
        }
        began.elapsed() <= time_max + LOOK * 2
    }

    /// The part of a trial that the daemon accounts for. Where something is known to be lost, it
    /// gets the time to report all that it has, so that nothing of it falls into the next trial.
    fn settle(&self, before: &Received, sent: &Totals, lost_none: bool) -> f64 {
        if self.contestant.is_floor() {
            return if lost_none { 1.0 } else { 0.0 };
        }
        let time_max = self.flush.mul_f64(if lost_none { 3.0 } else { 1.5 });
        let began = Instant::now();
        loop {
            let delivered = self.daemon.delivered_since(before, sent);
            if delivered.is_exact {
                return 1.0;
            }
            if began.elapsed() > time_max {
                // Whatever rounding says, something is missing.
                return delivered.share.min(1.0 - f64::EPSILON);
            }
            self.daemon.nudge();
            thread::sleep(LOOK);
        }
    }
}
