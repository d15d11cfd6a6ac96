//! The schedule on a clock that the test holds.

use super::*;

fn at(wall_ms: u64, steady_ms: u64) -> Moment {
    Moment {
        wall: Duration::from_millis(wall_ms),
        steady: Duration::from_millis(steady_ms),
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn due(end_ms: u64, length_ms: u64) -> Due {
    Due {
        end: ms(end_ms),
        length: ms(length_ms),
        skipped: 0,
        is_repeated: false,
    }
}

const TEN: Duration = Duration::from_secs(10);

/// A schedule of which one slot was flushed in time: up to 110 s, 10 s after the start.
fn running() -> Schedule {
    let mut schedule = Schedule::new(TEN, true, at(100_000, 0));
    assert_eq!(
        schedule.flush(ms(110_000), at(110_000, 10_000)),
        due(110_000, 10_000)
    );
    schedule
}

fn later(now: Moment, by: Duration) -> Moment {
    Moment {
        wall: now.wall + by,
        steady: now.steady + by,
    }
}

/// Waits and flushes as the flusher does, from this moment on, for so many slots. The wall clock runs
/// evenly from here on.
fn go_on(schedule: &mut Schedule, mut now: Moment, slots: usize) -> Vec<Due> {
    let mut flushed = Vec::new();
    while flushed.len() < slots {
        let end = schedule.next(now);
        match schedule.is_over(end, now) {
            true => flushed.push(schedule.flush(end, now)),
            false => now = later(now, end - now.wall),
        }
    }
    flushed
}

#[test]
fn an_aligned_schedule_shortens_the_first_slot() {
    let mut schedule = Schedule::new(TEN, true, at(103_000, 0));
    let flushed = go_on(&mut schedule, at(103_000, 0), 2);
    assert_eq!(flushed, [due(110_000, 7_000), due(120_000, 10_000)]);
}

#[test]
fn an_unaligned_schedule_begins_with_a_whole_slot() {
    let mut schedule = Schedule::new(TEN, false, at(103_250, 0));
    let flushed = go_on(&mut schedule, at(103_250, 0), 2);
    assert_eq!(flushed, [due(113_250, 10_000), due(123_250, 10_000)]);
}

#[test]
fn a_flush_that_is_a_little_late_changes_no_length() {
    let mut schedule = running();
    // By as much each time, which must not add up.
    for slot in 2..100 {
        let now = at(100_000 + slot * 10_000 + 90, slot * 10_000 + 90);
        let end = schedule.next(at(100_000 + (slot - 1) * 10_000 + 91, 0));
        assert_eq!(
            schedule.flush(end, now),
            due(100_000 + slot * 10_000, 10_000)
        );
    }
}

/// What came while the flush was late is in this slot, and was not in the next.
#[test]
fn a_flush_that_is_late_has_the_length_that_was_collected() {
    let mut schedule = running();
    assert_eq!(schedule.next(at(110_001, 10_001)), ms(120_000));
    assert_eq!(
        schedule.flush(ms(120_000), at(124_000, 24_000)),
        due(120_000, 14_000)
    );
    let flushed = go_on(&mut schedule, at(124_001, 24_001), 2);
    assert_eq!(flushed, [due(130_000, 6_000), due(140_000, 10_000)]);
}

#[test]
fn of_a_process_that_was_stopped_the_slots_are_joined_and_counted() {
    let mut schedule = running();
    assert_eq!(schedule.next(at(110_001, 10_001)), ms(120_000));
    assert!(!schedule.has_skipped(ms(120_000), at(129_999, 29_999)));
    // For two intervals: it wakes up at 137 s.
    assert!(schedule.has_skipped(ms(120_000), at(137_000, 37_000)));
    let joined = schedule.flush(ms(120_000), at(137_000, 37_000));
    assert_eq!(
        joined,
        Due {
            skipped: 1,
            ..due(130_000, 27_000)
        }
    );
    let flushed = go_on(&mut schedule, at(137_001, 37_001), 2);
    assert_eq!(flushed, [due(140_000, 3_000), due(150_000, 10_000)]);
}

#[test]
fn behind_a_flush_longer_than_the_interval_the_next_one_is_at_once() {
    let mut schedule = running();
    // It took 13 s: the slot after it is over.
    let now = at(123_000, 23_000);
    let end = schedule.next(now);
    assert_eq!(end, ms(120_000));
    assert!(schedule.is_over(end, now));
    assert_eq!(schedule.flush(end, now), due(120_000, 13_000));
    // And 26 s more: of two slots that are over the last is flushed.
    let now = at(149_000, 49_000);
    let end = schedule.next(now);
    let joined = schedule.flush(end, now);
    assert_eq!(
        joined,
        Due {
            skipped: 1,
            ..due(140_000, 26_000)
        }
    );
    let flushed = go_on(&mut schedule, at(149_001, 49_001), 1);
    assert_eq!(flushed, [due(150_000, 1_000)]);
}

#[test]
fn a_clock_that_goes_back_a_little_makes_a_slot_longer_and_gives_none_twice() {
    for back_ms in [1, 2_000, 5_000, 9_999, 10_000, 25_000, 60_000] {
        // Between two waits, and in the middle of one.
        for waited_ms in [1, 4_000] {
            let mut schedule = running();
            assert_eq!(schedule.next(at(110_001, 10_001)), ms(120_000));
            let now = at(110_000 + waited_ms - back_ms, 10_000 + waited_ms);
            assert!(!schedule.is_over(ms(120_000), now));
            let flushed = go_on(&mut schedule, now, 2);
            // A difference of a millisecond is nothing to speak of.
            let longer = if back_ms == 1 { 0 } else { back_ms };
            assert_eq!(
                flushed,
                [due(120_000, 10_000 + longer), due(130_000, 10_000)],
                "{back_ms} ms, after {waited_ms} ms"
            );
        }
    }
}

#[test]
fn a_clock_that_goes_back_far_is_followed_and_what_comes_twice_is_counted() {
    let mut schedule = running();
    assert_eq!(schedule.next(at(110_001, 10_001)), ms(120_000));
    // An interval and a minute are the most that is waited for.
    let now = at(113_000 - 73_001, 13_000);
    assert_eq!(schedule.next(now), ms(40_000));
    let flushed = go_on(&mut schedule, now, 9);
    let again = |end, length| Due {
        is_repeated: true,
        ..due(end, length)
    };
    // From 110 s on the old clock to 40 s on the new one.
    assert_eq!(flushed[0], again(40_000, 3_001));
    for (number, flushed) in (1..).zip(&flushed[1..8]) {
        assert_eq!(*flushed, again(40_000 + 10_000 * number, 10_000));
    }
    // From here on none was sent before.
    assert_eq!(flushed[8], due(120_000, 10_000));
}

#[test]
fn a_clock_that_goes_forward_is_followed_and_what_is_left_out_is_counted() {
    // By less than what is left: the slot is shorter.
    let mut schedule = running();
    let flushed = go_on(&mut schedule, at(117_000, 12_000), 2);
    assert_eq!(flushed, [due(120_000, 5_000), due(130_000, 10_000)]);
    // By more than the interval, seen when the wait was over: the slot that ended last.
    let mut schedule = running();
    let far = Due {
        skipped: 360,
        ..due(3_720_000, 10_000)
    };
    let end = schedule.next(at(110_001, 10_001));
    assert_eq!(schedule.flush(end, at(3_723_000, 20_000)), far);
    let flushed = go_on(&mut schedule, at(3_723_001, 20_001), 2);
    assert_eq!(flushed, [due(3_730_000, 7_000), due(3_740_000, 10_000)]);
}

/// Back and forth again, as two services do that both set the clock.
#[test]
fn each_slot_is_flushed_or_counted_and_all_time_is_in_one() {
    let mut schedule = Schedule::new(TEN, true, at(1_000_000, 0));
    let mut now = at(1_000_000, 0);
    let mut flushed = Vec::new();
    for (wait_ms, step_ms) in [
        (4_000, 0),
        (10_000, 3_600_000),
        (10_000, -3_600_000),
        (10_000, 25_000),
        (12_000, -25_000),
        (31_000, 0),
        (10_000, -500_000),
        (10_000, 7_000_000),
        (25_000, -1),
    ] {
        // The clock is set in the middle of a wait, and seen at the end of it.
        now = later(now, ms(wait_ms));
        let wall = now.wall.as_millis() as u64;
        now.wall = ms(wall.checked_add_signed(step_ms).expect("after 1970"));
        for _ in 0..20 {
            let end = schedule.next(now);
            match schedule.is_over(end, now) {
                true => flushed.push(schedule.flush(end, now)),
                false => now = later(now, end - now.wall),
            }
        }
    }
    let mut ends = std::collections::BTreeSet::new();
    let (mut collected, mut skipped) = (Duration::ZERO, 0);
    for due in &flushed {
        assert!(ends.insert(due.end) || due.is_repeated, "{due:?}");
        collected += due.length;
        skipped += due.skipped;
    }
    let repeated = flushed.iter().filter(|due| due.is_repeated).count() as u64;
    assert!(repeated > 0 && skipped > 0);
    assert!(collected.abs_diff(now.steady) <= TEN, "{collected:?}");
    let newest = ends.last().expect("slots").as_millis() as u64;
    let all = (newest - 1_000_000) / 10_000;
    assert_eq!(all, flushed.len() as u64 - repeated + skipped);
}

#[test]
fn at_a_stop_the_open_slot_is_stamped_with_its_end_and_has_its_whole_length() {
    let mut schedule = running();
    let end = schedule.next(at(110_001, 10_001));
    assert_eq!(
        schedule.flush(end, at(113_000, 13_000)),
        due(120_000, 10_000)
    );
}

#[test]
fn a_schedule_that_changes_goes_on_behind_the_slot_that_ended() {
    let mut schedule = running();
    schedule.change(Duration::from_secs(60), true, ms(110_000));
    // Up to the next whole minute, and whole minutes from there on.
    let flushed = go_on(&mut schedule, at(110_003, 10_003), 2);
    assert_eq!(flushed, [due(120_000, 10_000), due(180_000, 60_000)]);
    // From the end of the slot, however late that was flushed.
    schedule.change(TEN, false, ms(180_000));
    let flushed = go_on(&mut schedule, at(180_900, 80_900), 1);
    assert_eq!(flushed, [due(190_000, 10_000)]);
}
