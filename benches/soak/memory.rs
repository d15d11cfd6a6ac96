//! What the daemon holds in memory over time, and whether that grows.

use std::io;
use std::time::Duration;

use crate::checks::Findings;
use crate::daemon::Daemon;
use crate::measure::Process;

/// One look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the begin.
    pub(crate) at: Duration,
    /// Of which process.
    pub(crate) life: usize,
    pub(crate) resident_bytes: u64,
}

/// All looks.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) samples: Vec<Sample>,
    pub(crate) figures: Figures,
}

/// What they come to, for the last process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Means of the first and of the last quarter, in bytes.
    pub(crate) first_quarter: f64,
    pub(crate) last_quarter: f64,
    /// Of the line through all of them, in bytes an hour.
    pub(crate) slope_per_hour: f64,
    /// For how long it was looked at.
    pub(crate) span: Duration,
}

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(2);

/// A process that has just started grows to its size: names, buffers, what a flush takes. So much of
/// its life is left out, but no more than a third.
const WARM_UP: Duration = Duration::from_secs(120);

/// What the last quarter may have more than the first: a part of it, and some in any case, for what
/// an outage at the end of it queued.
const GROWTH_PART_MAX: f64 = 0.05;
const GROWTH_BYTES_MAX: f64 = 8.0 * 1024.0 * 1024.0;

/// In shorter lives nothing is to be seen.
const SPAN_MIN: Duration = Duration::from_secs(300);

impl Memory {
    /// Looks, if it is time to.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn look(&mut self, at: Duration, daemon: &Daemon) -> io::Result<()> {
        let is_due = |last: &Sample| at - last.at >= PERIOD;
        if self.samples.last().is_none_or(is_due) {
            let resident_bytes = Process::new(daemon.process_id()).resident_bytes()?;
            self.samples.push(Sample {
                at,
                life: daemon.life,
                resident_bytes,
            });
        }
        Ok(())
    }

    /// Adds a fault if memory grew, where the run is long enough to tell.
    pub(crate) fn check(&mut self, traffic: Duration, findings: &mut Findings) {
        self.figures = self.last_life(traffic);
        let Figures {
            first_quarter,
            last_quarter,
            span,
            ..
        } = self.figures;
        let may_be = first_quarter * (1.0 + GROWTH_PART_MAX) + GROWTH_BYTES_MAX;
        if span >= SPAN_MIN && last_quarter > may_be {
            findings.add(format!(
                "memory grew: {:.1} MiB in the first quarter, {:.1} MiB in the last",
                mebibytes(first_quarter),
                mebibytes(last_quarter)
            ));
        }
    }

    /// The figures of the last process, from its warm-up to the end of the traffic.
    fn last_life(&self, traffic: Duration) -> Figures {
        let last = self.samples.last().map_or(0, |sample| sample.life);
        let mut of_life = self.samples.iter();
        let of_life: Vec<&Sample> = of_life
            .by_ref()
            .filter(|sample| sample.life == last && sample.at <= traffic)
            .collect();
        let Some(born) = of_life.first().map(|sample| sample.at) else {
            return Figures::default();
        };
        let warm = born + WARM_UP.min((traffic.saturating_sub(born)) / 3);
        let points: Vec<(f64, f64)> = of_life
            .iter()
            .filter(|sample| sample.at >= warm)
            .map(|sample| (sample.at.as_secs_f64(), sample.resident_bytes as f64))
            .collect();
        let quarter = points.len().div_ceil(4);
        let mean = |points: &[(f64, f64)]| {
            let sum: f64 = points.iter().map(|(_, bytes)| bytes).sum();
            sum / points.len().max(1) as f64
        };
        Figures {
            first_quarter: mean(&points[..quarter]),
            last_quarter: mean(&points[points.len() - quarter..]),
            slope_per_hour: slope(&points) * 3600.0,
            span: traffic.saturating_sub(born),
        }
    }

    /// For people.
    pub(crate) fn print(&self) {
        println!("{}", self.summary());
    }

    /// The figures in a sentence.
    pub(crate) fn summary(&self) -> String {
        let most = self
            .samples
            .iter()
            .map(|sample| sample.resident_bytes)
            .max();
        format!(
            "memory of the last process over {:.1} min: first quarter {:.2} MiB, last quarter {:.2} \
             MiB, slope {:+.3} MiB an hour; most in the whole run {:.1} MiB",
            self.figures.span.as_secs_f64() / 60.0,
            mebibytes(self.figures.first_quarter),
            mebibytes(self.figures.last_quarter),
            mebibytes(self.figures.slope_per_hour),
            mebibytes(most.unwrap_or(0) as f64)
        )
    }
}

pub(crate) fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// Of the line of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - mean_x) * (y - mean_y);
        below += (x - mean_x) * (x - mean_x);
    }
    if below > 0.0 { above / below } else { 0.0 }
}
