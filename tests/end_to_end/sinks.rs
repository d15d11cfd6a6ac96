//! Graphite sinks that are dead, come back, or stall, beside one that works.

use crate::support::daemon::Daemon;
use crate::support::graphite::{Graphite, ReservedPort, name_of};
use crate::support::points::{OWN, Points};

/// Goal: an outage of one sink harms no other, and what it missed comes later: the live slot
/// first, then the oldest, and in the end all. Method: a port where nobody listens at first; the
/// sink that works shows what there is and what is queued for the other.
#[test]
fn a_sink_that_comes_back_gets_the_live_slot_and_then_all_that_it_missed() {
    let (works, late) = (Graphite::start(), ReservedPort::new());
    let late_name = name_of(late.port);
    let mut daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1 -s 127.0.0.1:{} -s 127.0.0.1:{}",
        works.port, late.port
    ));
    daemon.sender().send("before:1|c");
    let queued_lines = format!("{OWN}.sink.{late_name}.queued_lines");
    works.wait_for("four slots while the other sink is dead", |points| {
        points.values(&queued_lines).len() >= 4
    });
    let missed = slots(&works.points());
    daemon.sender().send("after:1|c");
    let late = late.listen();
    let received = late.wait_for("two of the old slots", |points| {
        let slots = slots(points);
        slots.iter().filter(|slot| missed.contains(slot)).count() >= 2
    });
    let live = slots(&received)[0];
    assert!(missed.iter().all(|slot| *slot <= live), "{live} {missed:?}");
    daemon.log.wait_for_text("is down: ");
    daemon.log.wait_for_text("is back after ");
    assert_eq!(daemon.stop(), Some(0));

    let [complete, recovered] = [&works, &late].map(Graphite::points_to_end);
    for points in [&complete, &recovered] {
        assert_eq!(points.sum("stats.counters.before.count"), 1.0);
        assert_eq!(points.sum("stats.counters.after.count"), 1.0);
    }
    let (mut expected, order) = (slots(&complete), slots(&recovered));
    let old: Vec<u64> = order.iter().copied().filter(|slot| *slot < live).collect();
    assert!(
        old.is_sorted(),
        "the backlog is sent oldest first: {order:?}"
    );
    let mut all = order.clone();
    all.sort_unstable();
    expected.sort_unstable();
    assert_eq!(all, expected, "each slot came, and came once");
    assert_eq!(recovered.0.len(), complete.0.len());
    let while_dead = &complete.values(&queued_lines)[..4];
    assert!(
        while_dead.is_sorted_by(|one, next| one < next),
        "{while_dead:?}"
    );
    complete.assert_sink_balances(&late_name);
    complete.assert_sink_balances(&name_of(works.port));
}

/// Goal: a sink that takes no bytes slows nobody down. Method: it never reads, and slots are large
/// enough to fill all buffers; the other sink gets slot after slot meanwhile.
#[test]
fn a_sink_that_never_reads_does_not_delay_another() {
    let (works, stalls) = (Graphite::start(), ReservedPort::new());
    stalls.stall();
    let mut daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1 -s 127.0.0.1:{} -s 127.0.0.1:{}",
        stalls.port, works.port
    ));
    let sender = daemon.sender();
    for number in 0..2_000 {
        // A gauge is repeated in every slot.
        sender.send(format!("{}.{number}:1|g", "long".repeat(30)));
    }
    let queued_lines = format!("{OWN}.sink.{}.queued_lines", name_of(stalls.port));
    works.wait_for("a queue of four slots", |points| {
        points.values(&queued_lines).last() > Some(&8_000.0)
    });
    // It gives the stalled sink a little time, and no more.
    assert_eq!(daemon.stop(), Some(0));
    let points = works.points_to_end();
    assert!(slots(&points).is_sorted_by(|one, next| one < next));
    points.assert_sink_balances(&name_of(stalls.port));
    points.assert_sink_balances(&name_of(works.port));
}

/// Goal: what an outage costs is bounded, and told. Method: a queue of less than three slots for a
/// sink that is dead; the sink that works shows how many lines were dropped.
#[test]
fn a_full_queue_drops_lines_and_counts_them() {
    let (works, dead) = (Graphite::start(), ReservedPort::new());
    let mut daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1 -s 127.0.0.1:{} -s graphite://127.0.0.1:{}?queue_bytes=5000",
        works.port, dead.port
    ));
    let of_sink = |name: &str| format!("{OWN}.sink.{}.{name}", name_of(dead.port));
    works.wait_for("dropped lines", |points| {
        points.values(&of_sink("queued_bytes")).len() >= 4
            && points.sum(&of_sink("dropped_lines")) > 0.0
    });
    daemon.log.wait_for_text("its queue is full");
    let ledger = daemon.ledger();
    ledger.assert_balanced();
    let of_dead = ledger.sink(&dead.name());
    assert!(of_dead.dropped > 0 && of_dead.sent == 0, "{of_dead:?}");
    assert_eq!(daemon.stop(), Some(0));
    let points = works.points_to_end();
    points.assert_sink_balances(&name_of(dead.port));
    let queued_bytes = points.values(&of_sink("queued_bytes"));
    assert!(queued_bytes.iter().all(|bytes| *bytes <= 5000.0));
    assert_eq!(points.sum(&of_sink("lines")), 0.0);
}

/// The time stamps of all slots, in the order of their arrival.
fn slots(points: &Points) -> Vec<u64> {
    points.times(&format!("{OWN}.datagrams"))
}
