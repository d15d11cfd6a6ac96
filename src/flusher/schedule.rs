//! When flushes are: at wall-clock multiples of the interval, or from the start.
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

/// One flush that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The end of the slot, as time since 1970.
    pub(super) end: Duration,
    /// The scheduled length of the slot.
    pub(super) length: Duration,
}

/// The order of flushes.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// Slots end at multiples of the interval plus this.
    phase: Duration,
    last: Option<Moment>,
    start: Moment,
}

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
            last: None,
            start: now,
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

    /// The flush after the last one that was [`Schedule::done`].
    pub(super) fn next(&self, now: Moment) -> Due {
        let from = now.wall.saturating_sub(self.phase);
        let mut end = from - modulo(from, self.interval) + self.interval + self.phase;
        // A clock that runs a little slow, or was set back a little, must not give one slot
        // twice; one that was set back by more than an interval is followed.
        if let Some(last) = self.last
            && end <= last.wall
            && last.wall - end < self.interval
        {
            end = last.wall + self.interval;
        }
        Due {
            end,
            length: self.length_until(end, now),
        }
    }

    /// The scheduled time between the last slot's end and this one: by the wall clock, unless that
    /// was set meanwhile; then what the steady clock says of the time that is collected.
    fn length_until(&self, end: Duration, now: Moment) -> Duration {
        let last = self.last.unwrap_or(self.start);
        let (left, late) = (end.saturating_sub(now.wall), now.wall.saturating_sub(end));
        let by_wall = end.saturating_sub(last.wall);
        let collected = now.steady.saturating_sub(last.steady) + left;
        let by_steady = collected.saturating_sub(late);
        let agree = by_wall.abs_diff(by_steady) < self.interval / 2;
        if agree && !by_wall.is_zero() {
            by_wall
        } else {
            collected
        }
    }

    /// What to flush if it is this late: a slot that ended meanwhile takes the place of one that
    /// was missed.
    pub(super) fn catch_up(&self, due: Due, now: Moment) -> Due {
        let late = now.wall.saturating_sub(due.end);
        if late < self.interval {
            return due;
        }
        let end = due.end + (late - modulo(late, self.interval));
        Due {
            end,
            length: self.length_until(end, now),
        }
    }

    /// A slot is flushed, at a moment that it was caught up with.
    pub(super) fn done(&mut self, due: Due, now: Moment) {
        let late = now.wall.saturating_sub(due.end);
        let early = due.end.saturating_sub(now.wall);
        // So early is only who waited while the clock was set back.
        let early = match early < self.interval {
            true => early,
            false => Duration::ZERO,
        };
        self.last = Some(Moment {
            wall: due.end,
            steady: (now.steady + early).saturating_sub(late),
        });
    }
}

fn modulo(time: Duration, by: Duration) -> Duration {
    let rest = time.as_nanos() % by.as_nanos().max(1);
    Duration::new((rest / 1_000_000_000) as u64, (rest % 1_000_000_000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: u64, steady_ms: u64) -> Moment {
        Moment {
            wall: Duration::from_millis(wall_ms),
            steady: Duration::from_millis(steady_ms),
        }
    }

    fn due(end_ms: u64, length_ms: u64) -> Due {
        Due {
            end: Duration::from_millis(end_ms),
            length: Duration::from_millis(length_ms),
        }
    }

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn an_aligned_schedule_shortens_the_first_slot() {
        let mut schedule = Schedule::new(TEN, true, at(103_000, 0));
        assert_eq!(schedule.next(at(103_000, 0)), due(110_000, 7_000));
        schedule.done(due(110_000, 7_000), at(110_002, 7_002));
        assert_eq!(schedule.next(at(110_002, 7_002)), due(120_000, 10_000));
    }

    #[test]
    fn an_unaligned_schedule_begins_with_a_whole_slot() {
        let mut schedule = Schedule::new(TEN, false, at(103_250, 0));
        assert_eq!(schedule.next(at(103_250, 0)), due(113_250, 10_000));
        schedule.done(due(113_250, 10_000), at(113_251, 10_001));
        assert_eq!(schedule.next(at(113_251, 10_001)), due(123_250, 10_000));
    }

    #[test]
    fn a_missed_slot_is_merged_into_the_next() {
        let mut schedule = Schedule::new(TEN, true, at(100_000, 0));
        schedule.done(due(110_000, 10_000), at(125_000, 25_000));
        assert_eq!(schedule.next(at(125_000, 25_000)), due(130_000, 20_000));
        let late = schedule.catch_up(due(130_000, 20_000), at(155_000, 55_000));
        assert_eq!(late, due(150_000, 40_000));
        let in_time = due(130_000, 20_000);
        assert_eq!(schedule.catch_up(in_time, at(131_000, 31_000)), in_time);
    }

    #[test]
    fn a_wake_up_before_the_end_does_not_give_the_slot_twice() {
        let mut schedule = Schedule::new(TEN, true, at(100_000, 0));
        schedule.done(due(110_000, 10_000), at(109_999, 9_999));
        assert_eq!(schedule.next(at(109_999, 9_999)), due(120_000, 10_000));
    }

    #[test]
    fn a_schedule_that_changes_goes_on_behind_the_slot_that_ended() {
        let mut schedule = Schedule::new(TEN, true, at(100_000, 0));
        let end = due(110_000, 10_000);
        schedule.done(end, at(110_002, 10_002));
        schedule.change(Duration::from_secs(60), true, end.end);
        // Up to the next whole minute, and whole minutes from there on.
        let shorter = schedule.next(at(110_003, 10_003));
        assert_eq!(shorter, due(120_000, 10_000));
        schedule.done(shorter, at(120_000, 20_000));
        assert_eq!(schedule.next(at(120_000, 20_000)), due(180_000, 60_000));
        // From the end of the slot, however late that was flushed.
        let end = due(183_000, 63_000);
        schedule.done(end, at(183_900, 83_900));
        schedule.change(TEN, false, end.end);
        assert_eq!(schedule.next(at(183_901, 83_901)), due(193_000, 10_000));
    }

    #[test]
    fn a_clock_that_is_set_does_not_stop_flushes_or_falsify_rates() {
        let mut schedule = Schedule::new(TEN, true, at(1_000_000, 0));
        schedule.done(due(1_010_000, 10_000), at(1_010_000, 10_000));
        // Back by an hour's worth: the new time is followed, the length is that of the steady clock.
        assert_eq!(schedule.next(at(500_000, 10_001)), due(510_000, 10_001));
        // Back by three seconds: the slot after the last one, a little longer.
        let back = schedule.next(at(1_007_000, 10_001));
        assert_eq!(back.end, Duration::from_millis(1_020_000));
        // Forward by an hour.
        assert_eq!(schedule.next(at(4_610_000, 10_001)), due(4_620_000, 10_001));
    }

    // The wait for the end of a slot is where a clock is set: the length of that slot came out
    // as an hour, or that of the next one as nothing.
    #[test]
    fn a_clock_that_is_set_during_a_wait_does_not_falsify_rates() {
        let mut schedule = Schedule::new(TEN, true, at(1_000_000, 0));
        schedule.done(due(1_010_000, 10_000), at(1_010_000, 10_000));
        let waited_for = schedule.next(at(1_010_000, 10_000));
        assert_eq!(waited_for, due(1_020_000, 10_000));
        // Forward by an hour and three seconds.
        let forward = at(4_623_000, 20_000);
        assert_eq!(
            schedule.catch_up(waited_for, forward),
            due(4_620_000, 10_000)
        );
        // Back by some minutes, and three seconds are left until the next multiple.
        let back = at(507_000, 20_000);
        assert_eq!(schedule.catch_up(waited_for, back), waited_for);
        schedule.done(waited_for, back);
        assert_eq!(schedule.next(back), due(510_000, 3_000));
    }
}
