//! Answers, from a merger that has merged and a status that is made up.

use super::*;
use crate::sink::LastSlot;

fn status(sinks: Vec<Counters>) -> Status {
    Status {
        lines_unix_s: None,
        refused_count: 3,
        sinks,
        ..Status::default()
    }
}

#[test]
fn times_are_told_as_seconds_since_then() {
    let failed = Counters {
        last_failure_unix_s: 80,
        ..Counters::default()
    };
    let written = Counters {
        last_failure_unix_s: 70,
        last_slot: LastSlot {
            written_unix_s: 95,
            took: std::time::Duration::from_micros(4_500),
            size_bytes: 1_234,
        },
        ..Counters::default()
    };
    let expected = "uptime: 50\nmessages.last_msg_seen: 50\nmessages.bad_lines_seen: 3\n\
                    graphite.last_flush: 5\ngraphite.last_exception: 30\ngraphite.flush_time: 4\n\
                    graphite.flush_length: 1234\nEND\n\n";
    assert_eq!(stats(&status(vec![failed, written]), 50, 100), expected);
}

#[test]
fn before_anything_came_or_went_the_start_counts() {
    let told = stats(&status(vec![Counters::default()]), 50, 100);
    assert!(told.contains("messages.last_msg_seen: 50\n"), "{told}");
    assert!(told.contains("graphite.last_flush: 50\n"), "{told}");
    assert!(told.contains("graphite.last_exception: 100\n"), "{told}");
    let mut status = status(Vec::new());
    status.lines_unix_s = Some(97);
    let told = stats(&status, 50, 100);
    assert!(told.contains("messages.last_msg_seen: 3\n"), "{told}");
    assert!(!told.contains("graphite"), "{told}");
}

#[test]
fn an_answer_has_room_for_a_mebibyte() {
    let mut lines = Lines::default();
    let line = "x".repeat(1023);
    for _ in 0..1030 {
        lines.push(&line);
    }
    let text = lines.finish();
    assert_eq!(text.lines().count(), 1025);
    assert!(text.ends_with("\n... 6 more items\n"));
}

#[test]
fn a_timer_shows_its_first_hundred_values() {
    let all: Vec<f64> = (0..101).map(f64::from).collect();
    let shown = |values, received| Values(TimerValues { values, received }).to_string();
    assert_eq!(shown(&[], 0), "[]");
    assert_eq!(shown(&all[1..3], 2), "[ 1, 2 ]");
    assert!(shown(&all, 101).ends_with("98, 99, ... 1 more items ]"));
    // Those of a sketch are counted only.
    assert_eq!(shown(&[], 7), "[ ... 7 more items ]");
}
