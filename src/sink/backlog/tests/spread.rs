//! The newest slot waits for its moment in the interval.

use super::*;

const DELAY: Duration = Duration::from_secs(7);

/// A backlog that was told of a flush at a time, of which a part came.
fn flushed(number: u64, at: Instant, backlog: &mut Backlog) {
    backlog.begin_slot(at);
    assert!(push(backlog, slot(number)).is_empty());
}

fn spread() -> Backlog {
    let mut backlog = Backlog::new(LIVE_FIRST, 1 << 20);
    backlog.set_live_delay(DELAY);
    backlog
}

#[test]
fn the_newest_slot_waits_for_its_moment_with_all_its_parts() {
    let (mut backlog, t0) = (spread(), Instant::now());
    flushed(1, t0, &mut backlog);
    assert_eq!(send(&mut backlog, t0), Err(Some(t0 + DELAY)));
    let second = Part {
        index: 1,
        ..slot(1)
    };
    assert!(push(&mut backlog, second).is_empty());
    assert_eq!(send(&mut backlog, t0), Err(Some(t0 + DELAY)));
    assert_eq!(send(&mut backlog, t0 + DELAY), Ok(1));
    assert_eq!(send(&mut backlog, t0 + DELAY), Ok(1));
    assert_eq!(send(&mut backlog, t0 + DELAY), Err(None));
}

/// With a moment late in the interval, the time of an old slot is that of the next one's wait.
#[test]
fn old_slots_go_while_the_newest_waits() {
    let (mut backlog, t0) = (spread(), Instant::now());
    for number in 1..=3 {
        flushed(number, t0, &mut backlog);
    }
    // Nothing went so far, so nothing paces the first of them.
    assert_eq!(send(&mut backlog, t0), Ok(1));
    assert_eq!(send(&mut backlog, t0), Err(Some(t0 + DELAY)));
    assert_eq!(send(&mut backlog, t0 + DELAY), Ok(3));
    let t1 = t0 + INTERVAL;
    flushed(4, t1, &mut backlog);
    let old = t0 + DELAY + INTERVAL / 2;
    assert_eq!(send(&mut backlog, t1), Err(Some(old)));
    assert_eq!(send(&mut backlog, old), Ok(2));
    assert_eq!(send(&mut backlog, old), Err(Some(t1 + DELAY)));
    assert_eq!(send(&mut backlog, t1 + DELAY), Ok(4));
    assert_eq!(send(&mut backlog, t1 + DELAY), Err(None));
}

#[test]
fn at_a_stop_nothing_waits() {
    let (mut backlog, t0) = (spread(), Instant::now());
    flushed(1, t0, &mut backlog);
    flushed(2, t0, &mut backlog);
    backlog.stop_pacing();
    let order: Vec<_> = (0..3).map(|_| send(&mut backlog, t0)).collect();
    assert_eq!(order, [Ok(2), Ok(1), Err(None)]);
}

/// A slot as large as the queue would otherwise lose its beginning while it waits.
#[test]
fn half_a_queue_is_not_filled_to_wait() {
    let mut backlog = Backlog::new(LIVE_FIRST, 250);
    backlog.set_live_delay(DELAY);
    let t0 = Instant::now();
    flushed(1, t0, &mut backlog);
    assert_eq!(send(&mut backlog, t0), Err(Some(t0 + DELAY)));
    let second = Part {
        index: 1,
        ..slot(1)
    };
    assert!(push(&mut backlog, second).is_empty());
    assert_eq!(send(&mut backlog, t0), Ok(1));
}
