//! What is counted and told of, without any sink.

use super::*;

fn slot(number: u64) -> Part {
    Part {
        end_unix_s: number,
        index: 0,
        lines: 10,
        chunks: vec![bytes::Bytes::from_static(&[b'x'; 100])],
    }
}

fn reasons(counters: &Counters) -> Vec<(DropReason, u64)> {
    counters.lines_dropped_by.iter().collect()
}

#[test]
fn a_refusing_queue_drops_and_counts() {
    let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
    queue.push(slot(1));
    queue.push(slot(2));
    queue.refuse();
    queue.push(slot(3));
    let counters = queue.counters();
    assert_eq!((counters.lines_pushed, counters.lines_dropped), (30, 30));
    assert_eq!(reasons(&counters), [(DropReason::OutputGone, 30)]);
    assert_eq!((counters.lines_queued, counters.bytes_queued), (0, 0));
}

// A command that failed behind the end of its time gave up a part that was counted as dropped
// already: a panic.
#[test]
fn behind_its_end_what_a_consumer_says_is_of_no_account() {
    for say in [Queue::give_up, Queue::cut_off, |queue: &Queue| {
        assert!(queue.sent().is_none());
    }] {
        let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
        queue.push(slot(1));
        queue.take_blocking().expect("the slot");
        queue.close();
        queue.end();
        queue.give_up_rest();
        say(&queue);
        let counters = queue.counters();
        assert_eq!((counters.lines_sent, counters.lines_dropped), (0, 10));
        assert_eq!(reasons(&counters), [(DropReason::AtTheEnd, 10)]);
        assert!(queue.is_finished());
    }
}

#[test]
fn a_slot_without_bytes_is_queued_where_no_other_waits() {
    let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
    let empty = |number| Part {
        lines: 0,
        chunks: Vec::new(),
        ..slot(number)
    };
    for number in 1..=3 {
        queue.push(empty(number));
    }
    assert_eq!(queue.take_blocking().expect("the first").end_unix_s, 1);
    queue.push(slot(4));
    queue.push(empty(5));
    queue.sent();
    assert_eq!(queue.take_blocking().expect("bytes").end_unix_s, 4);
    queue.sent();
    queue.close();
    assert!(queue.is_finished());
}

#[test]
fn a_slot_that_is_given_up_is_counted_as_dropped() {
    let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
    queue.push(slot(1));
    queue.push(slot(2));
    assert!(queue.take_blocking().is_some());
    queue.give_up();
    assert_eq!(queue.waiting_count(), 1);
    let counters = queue.counters();
    assert_eq!((counters.lines_dropped, counters.lines_queued), (10, 10));
    assert_eq!(reasons(&counters), [(DropReason::NotTaken, 10)]);
    assert_eq!(counters.bytes_queued, 100);
    assert_eq!(queue.take_blocking().expect("the next").end_unix_s, 2);
}

/// Nothing came out on a terminal where a line should have said that nothing was received: slots
/// without points were thrown away, whatever their bytes were.
#[test]
fn a_slot_of_bytes_without_points_is_queued() {
    let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
    queue.push(Part {
        lines: 0,
        ..slot(1)
    });
    assert_eq!(queue.take_blocking().expect("bytes").lines, 0);
}

#[test]
fn a_repeated_slot_counts_once() {
    let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
    queue.push(slot(1));
    assert!(queue.take_blocking().is_some());
    let sent = queue.sent().expect("it was sent for the first time");
    queue.repeat(sent, Loss::Doubtful);
    assert_eq!(queue.counters().lines_queued, 0);
    assert_eq!(queue.take_blocking().expect("repeated").end_unix_s, 1);
    queue.sent();
    assert_eq!(queue.counters().lines_sent, 10);
    assert_eq!(queue.counters().bytes_sent, 100);
}

/// Goal: of a slot that comes again with its time stamp only the second one is sent, and the lines of
/// the first are counted. Method: three parts wait, then the slot comes again; once more for a sink
/// whose receiver adds up, and once as another part of the slot.
#[test]
fn a_slot_that_comes_again_takes_the_place_of_what_waits() {
    let flush_interval = Duration::from_secs(10);
    let live_first = Order::LiveFirst { flush_interval };
    for (order, comes_again, superseded) in [
        (live_first, true, 30),
        (Order::Arrival, true, 0),
        (live_first, false, 0),
    ] {
        let queue = Queue::new("test".to_owned(), order, 10_000);
        for index in 0..3 {
            queue.push(Part { index, ..slot(1) });
        }
        queue.begin_slot(comes_again);
        queue.push(Part {
            lines: 5,
            ..slot(1)
        });
        let counters = queue.counters();
        assert_eq!(counters.lines_superseded, superseded);
        assert_eq!(counters.lines_queued, 35 - superseded);
        assert_eq!(counters.lines_pushed, 35);
    }
}
