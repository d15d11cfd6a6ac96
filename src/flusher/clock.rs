//! Reads both clocks, and says in the log what a flush has to do with a clock that was set.

use std::time::{Duration, Instant, SystemTime};

use super::schedule::{Due, Moment};

/// Both clocks of a flusher.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Of the last flush, or the start.
    last: Moment,
    was_behind: bool,
}

/// How far a clock must have been set to be told of. Services that keep it right move it by less.
const STEP_MIN: Duration = Duration::from_secs(1);

/// Both clocks are read one after the other, so close that nothing depends on it.
const READING_MAX: Duration = Duration::from_millis(1);

/// How often they are read anew when the thread was held up in between.
const READINGS_MAX: usize = 10;

impl Clock {
    /// The steady clock begins now.
    pub(super) fn start() -> Clock {
        let mut clock = Clock {
            start: Instant::now(),
            last: Moment {
                wall: Duration::ZERO,
                steady: Duration::ZERO,
            },
            was_behind: false,
        };
        clock.last = clock.now();
        clock
    }

    /// The time on both.
    pub(super) fn now(&self) -> Moment {
        let mut moment = self.read();
        for _ in 1..READINGS_MAX {
            if self.start.elapsed() - moment.steady < READING_MAX {
                break;
            }
            moment = self.read();
        }
        moment
    }

    fn read(&self) -> Moment {
        let steady = self.start.elapsed();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Moment {
            // A clock that shows a time before 1970 is as good as one that shows 1970.
            wall: wall.unwrap_or_default(),
            steady,
        }
    }

    /// Says what is unusual about the slot that is flushed now.
    pub(super) fn tell(&mut self, due: &Due, now: Moment) {
        let before = std::mem::replace(&mut self.last, now);
        let was_behind = std::mem::replace(&mut self.was_behind, due.skipped > 0);
        let end_unix_s = due.end.as_secs();
        if let Some((way, by)) = step(before, now) {
            log::warn!(
                "the clock went {way} by {:.0} s: the slot up to {end_unix_s} has {:.1} s, {} slots \
                 before it have no points{}",
                by.as_secs_f64(),
                due.length.as_secs_f64(),
                due.skipped,
                match due.is_repeated {
                    true => ", and time stamps come again",
                    false => "",
                }
            );
        } else if due.skipped > 0 && !was_behind {
            log::warn!(
                "{} slots have no points, theirs are in the slot up to {end_unix_s}: a flush took \
                 longer than the interval, or the process was stopped meanwhile",
                due.skipped
            );
        }
    }
}

/// How the wall clock was set between two moments.
fn step(before: Moment, now: Moment) -> Option<(&'static str, Duration)> {
    // Both sides are later than `before` on one clock each.
    let (wall, expected) = (now.wall + before.steady, before.wall + now.steady);
    let by = wall.abs_diff(expected);
    let way = if wall > expected { "forward" } else { "back" };
    (by >= STEP_MIN).then_some((way, by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_from_time_that_passed() {
        let at = |wall, steady| Moment {
            wall: Duration::from_secs(wall),
            steady: Duration::from_secs(steady),
        };
        let before = at(1_000, 10);
        assert_eq!(step(before, at(1_500, 510)), None);
        let hour = Duration::from_secs(3_600);
        assert_eq!(step(before, at(4_610, 20)), Some(("forward", hour)));
        let back = Duration::from_secs(900);
        assert_eq!(step(before, at(110, 20)), Some(("back", back)));
    }
}
