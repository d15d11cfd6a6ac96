//! When flushes are: at wall-clock multiples of the interval, or from the start. What is done about a
//! clock that steps, a process that was stopped, and a flush that takes longer than the interval.
//!
//! Pure: it is told the time, as nanoseconds since 1970 and as time since the start on a clock
//! that never steps.

use std::time::Duration;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The wall clock: time since 1970. It may step.
    pub(super) wall: Duration,
    /// Time since the start.
    pub(super) steady: Duration,
}

/// The slot that is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The end of the slot, as time since 1970.
    pub(super) end: Duration,
    /// For how long it was collected: as scheduled, unless the truth is far from that.
    pub(super) length: Duration,
    /// How many slots before it never had a flush. What came in them is in this one.
    pub(super) skipped: u64,
    /// Whether a slot with this end, or a later one, was flushed before.
    pub(super) is_repeated: bool,
}

/// The order of flushes.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// Slots end at multiples of the interval plus this.
    phase: Duration,
    /// The end of the last slot, or the start, and the time on the steady clock from which on the
    /// next one is collected.
    last: Moment,
    /// The latest end of all slots so far, or the start.
    newest: Duration,
}

/// A clock that is set back by no more than this, or than an interval, makes a slot longer. One that
/// is set back further is followed: to wait for so long would be worse than to have points twice.
const HELD_BACK_MAX: Duration = Duration::from_secs(60);

impl Schedule {
    /// Flushes from now on. An aligned schedule shortens the first slot.
    pub(super) fn new(interval: Duration, align: bool, now: Moment) -> Schedule {
        let phase = match align {
            true => Duration::ZERO,
            false => modulo(now.wall, interval),
        };
        Schedule {
            interval,
            phase,
            last: now,
            newest: now.wall,
        }
    }

    /// Lets slots end as they did in the process before, whose open slot ends at `end`, unless that is
    /// over, or further away than a slot is long.
    pub(super) fn go_on_to(&mut self, end: Duration) {
        let left = end.saturating_sub(self.last.wall);
        if !left.is_zero() && left <= self.interval {
            self.phase = modulo(end, self.interval);
        }
    }

    /// Goes on with another interval or alignment behind the slot that ended at `end`. If that makes
    /// the slots end elsewhere, the next one is shorter or longer.
    pub(super) fn change(&mut self, interval: Duration, align: bool, end: Duration) {
        self.phase = match align {
            true => Duration::ZERO,
            false => modulo(end, interval),
        };
        self.interval = interval;
    }

    /// The end of the next slot, as the clock shows it now. It may be over: then a flush took longer
    /// than the interval. To be asked again when the wait for it is over, as the clock may have been
    /// set.
    pub(super) fn next(&mut self, now: Moment) -> Duration {
        let end = self.end_after(self.last.wall);
        let ahead = end.saturating_sub(now.wall);
        if ahead <= self.interval + self.interval.max(HELD_BACK_MAX) {
            return end;
        }
        // As if the last slot had ended here, or the end would be put off each time it is asked for.
        self.last.wall = now.wall;
        self.end_after(now.wall)
    }

    /// Whether it is time for the slot with this end. A clock that runs a little slow needs no
    /// second wait.
    pub(super) fn is_over(&self, end: Duration, now: Moment) -> bool {
        end.saturating_sub(now.wall) <= EARLY_MAX
    }

    /// Whether so much time has gone since this end that a further slot has ended.
    pub(super) fn has_skipped(&self, end: Duration, now: Moment) -> bool {
        now.wall.saturating_sub(end) >= self.interval
    }

    /// What is flushed at this moment, by whoever has waited for this end or is told to stop before
    /// it: the slot that ended last, where several have. The next one begins here.
    pub(super) fn flush(&mut self, end: Duration, now: Moment) -> Due {
        let late = now.wall.saturating_sub(end);
        let end = end + (late - modulo(late, self.interval));
        // At a stop the slot has not ended. Whoever goes on with it counts it to its end.
        let left = end.saturating_sub(now.wall);
        let begun = now.steady + left;
        let collected = begun.saturating_sub(self.last.steady);
        let scheduled = end.saturating_sub(self.last.wall);
        let is_as_scheduled = scheduled.abs_diff(collected) <= self.tolerance();
        let due = Due {
            end,
            length: match is_as_scheduled && !scheduled.is_zero() {
                true => scheduled,
                false => collected.max(LENGTH_MIN),
            },
            skipped: self.ends_between(self.newest, end),
            is_repeated: end <= self.newest,
        };
        self.newest = self.newest.max(end);
        self.last = Moment {
            wall: end,
            // Not where it really began: a flush that is early or late by nothing to speak of would
            // otherwise add up with the next.
            steady: match is_as_scheduled {
                true => self.last.steady + scheduled,
                false => begun,
            },
        };
        due
    }

    /// By how much a length is not told from the scheduled one, so that rates of a small count stay
    /// round numbers: threads wake up late, and batches take a moment to gather.
    fn tolerance(&self) -> Duration {
        let short = ROUNDED_MIN.min(self.interval / 4);
        short.max(self.interval / 100)
    }

    /// The first end of a slot after this time.
    fn end_after(&self, time: Duration) -> Duration {
        let from = time.saturating_sub(self.phase);
        from - modulo(from, self.interval) + self.interval + self.phase
    }

    /// How many slots end between these.
    fn ends_between(&self, from: Duration, to: Duration) -> u64 {
        let first = self.end_after(from);
        let count = to.saturating_sub(first).as_nanos() / self.interval.as_nanos().max(1);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// Up to this a length is rounded to the scheduled one, or to a hundredth of a long interval, or to a
/// quarter of a short one.
const ROUNDED_MIN: Duration = Duration::from_millis(250);

/// How much too early a flush may be.
const EARLY_MAX: Duration = Duration::from_millis(1);

/// A rate is a number of something by a length.
const LENGTH_MIN: Duration = Duration::from_millis(1);

fn modulo(time: Duration, by: Duration) -> Duration {
    let rest = time.as_nanos() % by.as_nanos().max(1);
    Duration::new((rest / 1_000_000_000) as u64, (rest % 1_000_000_000) as u32)
}

#[cfg(test)]
mod tests;
