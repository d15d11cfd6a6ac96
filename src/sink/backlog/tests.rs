//! The order of slots, with a clock that the test holds.

mod spread;

use super::*;

const INTERVAL: Duration = Duration::from_secs(10);
const LIVE_FIRST: Order = Order::LiveFirst {
    flush_interval: INTERVAL,
};

fn slot(number: u64) -> Part {
    Part {
        end_unix_s: number,
        index: 0,
        lines: 10,
        chunks: vec![bytes::Bytes::from_static(&[b'x'; 100])],
    }
}

/// Pushes a part and returns what is given up for it.
fn push(backlog: &mut Backlog, part: Part) -> Vec<Part> {
    backlog.push(part);
    backlog.give_up_excess()
}

fn backlog_of(order: Order, numbers: std::ops::RangeInclusive<u64>) -> Backlog {
    let mut backlog = Backlog::new(order, 1 << 20);
    for number in numbers {
        assert!(push(&mut backlog, slot(number)).is_empty());
    }
    backlog
}

/// The slot that goes at `now`, sent at once; or when to ask again.
fn send(backlog: &mut Backlog, now: Instant) -> Result<u64, Option<Instant>> {
    match backlog.next(now) {
        Next::Send(slot) => {
            backlog.sent();
            Ok(slot.end_unix_s)
        }
        Next::WaitUntil(due) => Err(Some(due)),
        Next::Idle | Next::Load(_) => Err(None),
    }
}

#[test]
fn the_live_slot_goes_first_then_one_old_slot_per_interval() {
    let mut backlog = backlog_of(LIVE_FIRST, 1..=4);
    let t0 = Instant::now();
    assert_eq!(send(&mut backlog, t0), Ok(4));
    assert_eq!(send(&mut backlog, t0), Err(Some(t0 + INTERVAL / 2)));
    assert_eq!(send(&mut backlog, t0 + INTERVAL / 2), Ok(1));
    let t1 = t0 + INTERVAL;
    backlog.push(slot(5));
    assert_eq!(send(&mut backlog, t1), Ok(5));
    assert_eq!(send(&mut backlog, t1), Err(Some(t1 + INTERVAL / 2)));
    assert_eq!(send(&mut backlog, t1 + INTERVAL / 2), Ok(2));
    // Without a live slot old ones keep their pace.
    let next = t1 + INTERVAL / 2 + INTERVAL;
    assert_eq!(send(&mut backlog, t1 + INTERVAL), Err(Some(next)));
    assert_eq!(send(&mut backlog, next), Ok(3));
    assert_eq!(send(&mut backlog, next), Err(None));
}

#[test]
fn the_pace_is_twice_the_live_one_at_most() {
    let mut backlog = backlog_of(LIVE_FIRST, 1..=50);
    let t0 = Instant::now();
    let mut sent = Vec::new();
    for tick in 0..200 {
        if tick % 10 == 0 {
            backlog.push(slot(51 + tick / 10));
        }
        while let Ok(number) = send(&mut backlog, t0 + INTERVAL * tick as u32 / 10) {
            sent.push((tick, number));
        }
    }
    assert_eq!(sent.len(), 40);
    for interval in 0..20 {
        let live = (interval * 10, 51 + interval);
        let old = (interval * 10 + 5, 1 + interval);
        assert_eq!(sent[2 * interval as usize..][..2], [live, old]);
    }
}

#[test]
fn a_slow_sink_still_comes_to_its_old_slots() {
    let mut backlog = backlog_of(LIVE_FIRST, 1..=3);
    let t0 = Instant::now();
    assert!(matches!(backlog.next(t0), Next::Send(slot) if slot.end_unix_s == 3));
    backlog.sent();
    // The live slot took longer than half an interval: the old one may begin at once.
    assert_eq!(send(&mut backlog, t0 + INTERVAL * 7 / 10), Ok(1));
}

#[test]
fn closing_ends_the_pace_and_keeps_the_order() {
    let mut backlog = backlog_of(LIVE_FIRST, 1..=3);
    backlog.stop_pacing();
    let now = Instant::now();
    let order: Vec<_> = (0..4).map(|_| send(&mut backlog, now)).collect();
    assert_eq!(order, [Ok(3), Ok(1), Ok(2), Err(None)]);
}

#[test]
fn arrival_order_has_no_pace() {
    let mut backlog = backlog_of(Order::Arrival, 1..=3);
    let now = Instant::now();
    let order: Vec<_> = (0..4).map(|_| send(&mut backlog, now)).collect();
    assert_eq!(order, [Ok(1), Ok(2), Ok(3), Err(None)]);
}

#[test]
fn a_slot_that_was_cut_off_takes_its_place_again() {
    let mut backlog = backlog_of(LIVE_FIRST, 1..=2);
    let now = Instant::now();
    assert!(matches!(backlog.next(now), Next::Send(slot) if slot.end_unix_s == 2));
    assert_eq!(backlog.lines(), 20, "on its way is still queued");
    backlog.cut_off();
    backlog.push(slot(3));
    backlog.stop_pacing();
    let order: Vec<_> = (0..3).map(|_| send(&mut backlog, now)).collect();
    assert_eq!(order, [Ok(3), Ok(1), Ok(2)]);
    assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
}

#[test]
fn a_repeated_slot_keeps_its_place_and_its_pace() {
    let mut backlog = backlog_of(LIVE_FIRST, 1..=1);
    let t0 = Instant::now();
    assert!(matches!(backlog.next(t0), Next::Send(_)));
    let sent = backlog.sent().sent.expect("sent for the first time");
    backlog.push(slot(2));
    backlog.repeat(sent, Loss::Doubtful);
    assert_eq!(backlog.lines(), 10);
    assert_eq!(send(&mut backlog, t0), Ok(2));
    assert_eq!(send(&mut backlog, t0), Err(Some(t0 + INTERVAL / 2)));
    assert!(matches!(backlog.next(t0 + INTERVAL), Next::Send(_)));
    let again = backlog.sent();
    assert_eq!((again.lines, again.bytes), (0, 0), "they count once");
    // Whoever has not read it gets it a third time; whoever may have read it gets it no fourth time.
    let sent = again.sent.expect("it may have to be repeated");
    backlog.repeat(sent, Loss::Sure);
    assert!(matches!(backlog.next(t0 + INTERVAL * 2), Next::Send(_)));
    let sent = backlog.sent().sent.expect("it may have to be repeated");
    assert_eq!(backlog.unrepeated_lines(), 0);
    backlog.repeat(sent, Loss::Doubtful);
    assert!(backlog.is_empty());
    assert_eq!(backlog.unrepeated_lines(), 10);
}

/// A peer that took one slot over each connection and closed it made memory grow without a limit:
/// the live slot always went first, and all that were to be repeated waited behind it.
#[test]
fn slots_to_repeat_are_held_within_the_limit() {
    let mut backlog = Backlog::new(LIVE_FIRST, 350);
    let now = Instant::now();
    for number in 1..=20 {
        assert!(push(&mut backlog, slot(number)).is_empty());
        assert!(matches!(backlog.next(now), Next::Send(slot) if slot.end_unix_s == number));
        let sent = backlog.sent().sent.expect("sent for the first time");
        backlog.repeat(sent, Loss::Doubtful);
    }
    assert_eq!(
        push(&mut backlog, slot(21)).len(),
        0,
        "they make room first"
    );
    assert_eq!((backlog.lines(), backlog.bytes()), (10, 100));
    backlog.stop_pacing();
    let order: Vec<_> = (0..4).map(|_| send(&mut backlog, now)).collect();
    assert_eq!(order, [Ok(21), Ok(19), Ok(20), Err(None)]);
}

#[test]
fn the_oldest_slots_make_room_but_not_the_one_on_its_way() {
    let mut backlog = Backlog::new(Order::Arrival, 350);
    for number in 1..=3 {
        backlog.push(slot(number));
    }
    let now = Instant::now();
    assert!(matches!(backlog.next(now), Next::Send(slot) if slot.end_unix_s == 1));
    let given_up = push(&mut backlog, slot(4));
    assert_eq!(given_up.len(), 1);
    assert_eq!(given_up[0].end_unix_s, 2);
    backlog.sent();
    assert_eq!(send(&mut backlog, now), Ok(3));
    assert_eq!(send(&mut backlog, now), Ok(4));
    assert!(backlog.is_empty());
}

#[test]
fn a_slot_larger_than_the_limit_is_dropped_at_once() {
    let mut backlog = Backlog::new(LIVE_FIRST, 99);
    assert_eq!(push(&mut backlog, slot(1)).len(), 1);
    assert_eq!(send(&mut backlog, Instant::now()), Err(None));
    assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
}

#[test]
fn clearing_gives_back_what_was_pushed_oldest_first() {
    let mut backlog = backlog_of(LIVE_FIRST, 1..=3);
    assert!(matches!(backlog.next(Instant::now()), Next::Send(_)));
    backlog.stop();
    let rest: Vec<u64> = backlog.clear().iter().map(|s| s.end_unix_s).collect();
    assert_eq!(rest, [1, 2, 3]);
    assert!(backlog.is_empty());
    assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
}

/// A part of a slot that has several.
fn part(number: u64, index: u32) -> Part {
    Part {
        index,
        ..slot(number)
    }
}

/// The part that goes at `now`, sent at once: its slot and its place there.
fn send_part(backlog: &mut Backlog, now: Instant) -> Result<(u64, u32), Option<Instant>> {
    match backlog.next(now) {
        Next::Send(part) => {
            backlog.sent();
            Ok((part.end_unix_s, part.index))
        }
        Next::WaitUntil(due) => Err(Some(due)),
        Next::Idle | Next::Load(_) => Err(None),
    }
}

fn backlog_of_parts(parts: &[(u64, u32)]) -> Backlog {
    let mut backlog = Backlog::new(LIVE_FIRST, 1 << 20);
    for &(number, index) in parts {
        assert!(push(&mut backlog, part(number, index)).is_empty());
    }
    backlog
}

#[test]
fn the_parts_of_a_slot_go_together_and_in_order() {
    let mut backlog = backlog_of_parts(&[(1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1)]);
    let t0 = Instant::now();
    assert_eq!(send_part(&mut backlog, t0), Ok((3, 0)));
    assert_eq!(send_part(&mut backlog, t0), Ok((3, 1)));
    assert_eq!(send_part(&mut backlog, t0), Err(Some(t0 + INTERVAL / 2)));
    // A part that comes later is still of the live slot, and does not move the pace of old ones.
    let later = t0 + INTERVAL / 4;
    backlog.push(part(3, 2));
    assert_eq!(send_part(&mut backlog, later), Ok((3, 2)));
    assert_eq!(send_part(&mut backlog, later), Err(Some(t0 + INTERVAL / 2)));
    let t1 = t0 + INTERVAL / 2;
    for index in 0..3 {
        assert_eq!(send_part(&mut backlog, t1), Ok((1, index)));
    }
    assert_eq!(send_part(&mut backlog, t1), Err(Some(t1 + INTERVAL)));
    assert_eq!(send_part(&mut backlog, t1 + INTERVAL), Ok((2, 0)));
}

#[test]
fn an_old_slot_that_the_live_one_interrupts_waits_for_its_time_again() {
    let mut backlog = backlog_of_parts(&[(1, 0), (1, 1), (2, 0)]);
    let t0 = Instant::now();
    assert_eq!(send_part(&mut backlog, t0), Ok((2, 0)));
    let t1 = t0 + INTERVAL / 2;
    assert_eq!(send_part(&mut backlog, t1), Ok((1, 0)));
    backlog.push(part(3, 0));
    assert_eq!(send_part(&mut backlog, t1), Ok((3, 0)));
    assert_eq!(send_part(&mut backlog, t1), Err(Some(t1 + INTERVAL)));
    assert_eq!(send_part(&mut backlog, t1 + INTERVAL), Ok((1, 1)));
}

#[test]
fn slots_that_end_in_the_same_second_keep_their_pace() {
    let mut backlog = backlog_of_parts(&[(7, 0), (7, 0), (7, 0)]);
    let t0 = Instant::now();
    assert_eq!(send_part(&mut backlog, t0), Ok((7, 0)));
    let t1 = t0 + INTERVAL / 2;
    assert_eq!(send_part(&mut backlog, t1), Ok((7, 0)));
    assert_eq!(send_part(&mut backlog, t1), Err(Some(t1 + INTERVAL)));
}

#[test]
fn parts_that_are_sent_again_take_their_places_among_those_that_wait() {
    let mut backlog = backlog_of_parts(&[(1, 0), (1, 1), (1, 2), (1, 3)]);
    let now = Instant::now();
    let mut sent = Vec::new();
    for _ in 0..2 {
        assert!(matches!(backlog.next(now), Next::Send(_)));
        let token = backlog.sent().sent.expect("sent for the first time");
        sent.push(token);
    }
    assert!(matches!(backlog.next(now), Next::Send(_)));
    backlog.cut_off();
    for token in sent {
        backlog.repeat(token, Loss::Doubtful);
    }
    let order: Vec<_> = (0..5).map(|_| send_part(&mut backlog, now)).collect();
    let all = [(1, 0), (1, 1), (1, 2), (1, 3)].map(Ok);
    assert_eq!(order, [&all[..], &[Err(None)]].concat());
    assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
}

#[test]
fn of_a_slot_that_does_not_fit_the_oldest_parts_make_room() {
    let mut backlog = Backlog::new(LIVE_FIRST, 250);
    let mut given_up = Vec::new();
    for (number, index) in [(1, 0), (2, 0), (2, 1), (2, 2)] {
        let parts = push(&mut backlog, part(number, index));
        given_up.extend(parts.iter().map(|part| (part.end_unix_s, part.index)));
    }
    assert_eq!(given_up, [(1, 0), (2, 0)]);
    assert_eq!((backlog.lines(), backlog.bytes()), (20, 200));
    let now = Instant::now();
    assert_eq!(send_part(&mut backlog, now), Ok((2, 1)));
    assert_eq!(send_part(&mut backlog, now), Ok((2, 2)));
}
