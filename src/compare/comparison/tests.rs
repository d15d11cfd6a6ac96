//! Tests of slots and paths, and of what a report says of them.

use super::*;
use crate::compare::report::report;

fn comparison() -> Comparison {
    Comparison::new(Rules {
        interval_s: 10.0,
        tolerance: 1e-9,
        ignored: vec!["own.".to_owned()],
        paths_max: 100,
    })
}

const START: i64 = 1_700_000_000;

/// One daemon, which flushes at START, and so many seconds later.
struct Daemon {
    side: Side,
    shift_s: i64,
}

impl Daemon {
    /// Sends points of a slot, `path value`, and one of its own, so that the slot is known.
    fn send(&self, comparison: &mut Comparison, slot: i64, points: &[&str]) {
        let end = START + 10 * slot + self.shift_s;
        for text in points.iter().chain(&["own.datagrams 1"]) {
            let line = format!("{text} {end}");
            let point = crate::compare::point::read(line.as_bytes()).expect("a point");
            comparison.take(self.side, &point, end as f64);
        }
    }
}

const OLD: Daemon = Daemon {
    side: Side::Old,
    shift_s: 0,
};
const NEW: Daemon = Daemon {
    side: Side::New,
    shift_s: 0,
};

/// Both send the same in slots 0 to 9 but for what `old` and `new` give for a slot.
fn compared(
    old: impl Fn(i64) -> Vec<&'static str>,
    new: impl Fn(i64) -> Vec<&'static str>,
) -> Comparison {
    let mut comparison = comparison();
    for slot in 0..10 {
        OLD.send(&mut comparison, slot, &old(slot));
        NEW.send(&mut comparison, slot, &new(slot));
    }
    comparison.finish();
    comparison
}

/// The report, which must say so much of unexplained differences.
fn text(comparison: &Comparison, is_equal: bool) -> String {
    let report = report(comparison, 20);
    assert_eq!(report.is_equal, is_equal, "{}", report.text);
    report.text
}

#[track_caller]
fn assert_says(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in\n{text}");
}

#[test]
fn two_daemons_that_say_the_same_are_equal_and_slots_are_forgotten() {
    let points = |_| {
        vec![
            "stats.counters.a.count 3",
            "stats.timers.t.mean 1.5",
            "gauges.g -1",
        ]
    };
    let comparison = compared(points, points);
    let text = text(&comparison, true);
    // The first one is where it began, and the last one may have been cut off.
    assert_says(&text, "8 slots were compared");
    assert_says(&text, "3 paths: equal\n");
    assert!(comparison.open.len() <= 2, "slots 8 and 9");
    assert_eq!(comparison.counts[0].ignored, 10);
}

#[test]
fn a_path_that_only_one_has_is_named() {
    let text = text(
        &compared(
            |_| vec!["timers.t.count 1", "timers.t.mean_90 4"],
            |slot| match slot {
                4 => vec!["timers.t.count 1", "timers.t.mean_95 4", "counts.once 1"],
                _ => vec!["timers.t.count 1", "timers.t.mean_95 4"],
            },
        ),
        false,
    );
    assert_says(&text, "1 paths: equal\n");
    assert_says(&text, "timers.t.mean_90: only in old, 8 slots");
    assert_says(&text, "timers.t.mean_95: only in new, 8 slots");
    assert_says(&text, "counts.once: only in new, 1 slots");
}

#[test]
fn a_statistic_of_a_timer_counts_where_the_timer_got_the_same() {
    // A value that came between the flushes: the count of slot 4 has one less, that of 5 one more.
    let moved = |slot| match slot {
        4 => vec!["timers.t.count 9", "timers.t.mean 4"],
        5 => vec!["timers.t.count 11", "timers.t.mean 6"],
        _ => vec!["timers.t.count 10", "timers.t.mean 5"],
    };
    let steady = |_| vec!["timers.t.count 10", "timers.t.mean 5"];
    assert_says(
        &text(&compared(steady, moved), true),
        "2 paths: equal but for samples",
    );
    let wrong = |slot| match slot {
        4 => vec!["timers.t.count 10", "timers.t.mean 4"],
        _ => vec!["timers.t.count 10", "timers.t.mean 5"],
    };
    let text = text(&compared(steady, wrong), false);
    assert_says(
        &text,
        "timers.t.mean: old 5, new 4 at 1700000040; 1 slots differ",
    );
}

#[test]
fn slots_of_two_daemons_that_flush_at_other_times_are_matched() {
    let late = Daemon {
        side: Side::New,
        shift_s: 4,
    };
    let mut comparison = comparison();
    for slot in 0..20 {
        // Six seconds of each ten are before the old one's flush.
        let (old, new) = match slot {
            5 => (vec!["counts.a 6"], vec!["counts.a 10"]),
            6 => (vec!["counts.a 4"], vec![]),
            _ => (vec![], vec![]),
        };
        OLD.send(&mut comparison, slot, &old);
        late.send(&mut comparison, slot, &new);
    }
    comparison.finish();
    let text = text(&comparison, true);
    assert_says(&text, "end 4 s after those of old");
    assert_says(&text, "1 paths: equal but for samples");
}

/// Goal: memory stays bounded. Method: one daemon sends alone, then far too many paths, then slots
/// that the other one never gets to.
#[test]
fn what_waits_for_the_other_daemon_is_bounded() {
    let mut comparison = comparison();
    for slot in 0..50 {
        OLD.send(&mut comparison, slot, &["counts.a 1"]);
        assert!(comparison.open.len() <= OPEN_SLOTS_MAX + 1);
    }
    NEW.send(&mut comparison, 50, &["counts.a 1"]);
    for slot in 50..100 {
        OLD.send(&mut comparison, slot, &["counts.a 1"]);
        assert!(comparison.open.len() <= OPEN_SLOTS_MAX + 1);
    }
    let names: Vec<String> = (0..200).map(|n| format!("counts.{n} 1")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    OLD.send(&mut comparison, 100, &names);
    assert_eq!(
        (comparison.paths.len(), comparison.counts[0].over_limit),
        (100, 101)
    );
    // A slot that was closed before its points came.
    NEW.send(&mut comparison, 60, &["counts.a 1"]);
    assert_eq!(comparison.counts[1].late, 1);
}

#[test]
fn a_time_in_the_future_does_not_make_everything_else_late() {
    let mut comparison = comparison();
    let point = crate::compare::point::read(b"counts.a 1 99999999999").expect("a point");
    comparison.take(Side::Old, &point, START as f64);
    assert_eq!(comparison.counts[0].bad_lines, 1);
    assert_eq!(comparison.sides[0].map(|side| side.newest), None);
}

#[test]
fn key_values_with_a_time_of_their_own_are_compared() {
    let with = |value: i64| {
        let mut comparison = comparison();
        for slot in 0..20 {
            for daemon in [&OLD, &NEW] {
                daemon.send(&mut comparison, slot, &[]);
                let number = if slot == 8 && daemon.side == Side::New {
                    value
                } else {
                    7
                };
                let line = format!("kv.k {number} 12345");
                let point = crate::compare::point::read(line.as_bytes()).expect("a point");
                comparison.take(daemon.side, &point, (START + 10 * slot) as f64);
            }
        }
        comparison.finish();
        report(&comparison, 20).is_equal
    };
    assert!(with(7));
    assert!(!with(8));
}

#[test]
fn nothing_compared_is_not_equal() {
    assert_says(&text(&comparison(), false), "one of them sent no point");
    let mut short = comparison();
    OLD.send(&mut short, 0, &[]);
    NEW.send(&mut short, 0, &[]);
    short.finish();
    assert_says(&text(&short, false), "too short a time");
}

#[test]
fn a_difference_with_a_known_reason_is_told_with_it_and_is_no_failure() {
    for (old, new, reason) in [
        (
            vec!["timers.t.sum_sq 1", "timers.t.count 9"],
            vec!["timers.t.sum_sq 1", "timers.t.count 10"],
            "without its fraction",
        ),
        (
            vec!["timers.t.sum_sq 1", "timers.t.count 100", "timers.t.p95 96"],
            vec!["timers.t.sum_sq 1", "timers.t.count 100", "timers.t.p95 95"],
            "beyond 49 values",
        ),
        (
            vec!["timers.t.sum_sq 1", "timers.t.p100 3"],
            vec!["timers.t.sum_sq 1", "timers.t.p99_9 3"],
            "its p100 may be p99_9",
        ),
        (
            vec!["statsite.counts.a.count 9", "statsite.counts.a.rate 1"],
            vec!["statsite.counts.a.count 10", "statsite.counts.a.rate 1"],
            "of a sampled counter",
        ),
        (
            vec!["timers.t.stdev 1", "timers.t.sum 50", "timers.t.count 2"],
            vec!["timers.t.stdev 1", "timers.t.sum 50", "timers.t.count 20"],
            "as one",
        ),
        (
            vec![
                "stats.timers.t.upper 9",
                "stats.timers.t.lower 5",
                "stats.timers.t.count 2",
            ],
            vec![
                "stats.timers.t.upper 9",
                "stats.timers.t.lower 5",
                "stats.timers.t.count 4",
            ],
            "as one",
        ),
        (
            vec!["counts.caf\u{e9}.a 5"],
            vec!["counts.caf.a 5"],
            "under two spellings",
        ),
        (vec!["sets.s 991"], vec!["sets.s 1000"], "beyond 64 members"),
        (
            vec!["stats_counts.toString nan"],
            vec!["stats_counts.toString 1"],
            "not sent",
        ),
        (vec![], vec!["stats_counts.__proto__ 1"], "JavaScript"),
        (vec!["stats.counters.a.count 0"], vec![], "silent series"),
        (
            vec!["statsite.counts.a 0.3"],
            vec!["statsite.counts.a 30"],
            "and not by 1/rate",
        ),
        (
            vec!["statsite.timers.t.stdev 1", "statsite.timers.t.mean_90 50"],
            vec![
                "statsite.timers.t.stdev 1",
                "statsite.timers.t.mean_90 50.5",
            ],
            "to a whole number",
        ),
    ] {
        let text = text(&compared(|_| old.clone(), |_| new.clone()), true);
        assert_says(&text, reason);
        assert_says(&text, "different for a known reason");
    }
}

#[test]
fn what_looks_like_a_known_difference_is_not_excused_by_it() {
    for (old, new) in [
        // 20 values: statsite's quantile is exact.
        (
            vec!["timers.t.sum_sq 1", "timers.t.count 20", "timers.t.p95 96"],
            vec!["timers.t.sum_sq 1", "timers.t.count 20", "timers.t.p95 95"],
        ),
        // statsite counts fewer, never more.
        (
            vec!["timers.t.sum_sq 1", "timers.t.count 10"],
            vec!["timers.t.sum_sq 1", "timers.t.count 9"],
        ),
        (vec!["sets.s 500"], vec!["sets.s 1000"]),
        // Not of sampling: the sum is less, too.
        (
            vec!["counts.a.count 9", "counts.a.rate 0.9"],
            vec!["counts.a.count 10", "counts.a.rate 1"],
        ),
        // etsy's statsd counts right.
        (
            vec!["stats.counters.a.count 9", "stats.counters.a.rate 1"],
            vec!["stats.counters.a.count 10", "stats.counters.a.rate 1"],
        ),
        (
            vec!["timers.t.stdev 1", "timers.t.sum 50", "timers.t.count 2"],
            vec!["timers.t.stdev 1", "timers.t.sum 60", "timers.t.count 20"],
        ),
        // The largest value is lost as well.
        (
            vec![
                "stats.timers.t.upper 8",
                "stats.timers.t.lower 5",
                "stats.timers.t.count 2",
            ],
            vec![
                "stats.timers.t.upper 9",
                "stats.timers.t.lower 5",
                "stats.timers.t.count 4",
            ],
        ),
        // Too few values for the extremes to tell.
        (
            vec![
                "stats.timers.t.upper 9",
                "stats.timers.t.lower 5",
                "stats.timers.t.count 99",
            ],
            vec![
                "stats.timers.t.upper 9",
                "stats.timers.t.lower 5",
                "stats.timers.t.count 100",
            ],
        ),
        // One spelling, but other values.
        (vec!["counts.caf\u{e9}.a 5"], vec!["counts.caf.a 6"]),
        (
            vec!["counts.caf\u{e9}.a 5", "counts.caf.a 1"],
            vec!["counts.caf.a 5"],
        ),
        (vec!["stats.counters.a.count 1"], vec![]),
        (vec!["stats.counters.a.count;x=1 1"], vec![]),
        // Not the Python one: sum_sq is the C statsite's.
        (
            vec!["statsite.counts.a 3", "statsite.timers.t.sum_sq 1"],
            vec!["statsite.counts.a 30", "statsite.timers.t.sum_sq 1"],
        ),
    ] {
        let text = text(&compared(|_| old.clone(), |_| new.clone()), false);
        assert_says(&text, " 0 paths: different for a known reason");
    }
}

/// Regression: every tagged series that only one daemon had was excused, and its values were not
/// compared.
#[test]
fn tags_in_another_order_are_the_same_series_and_its_values_are_compared() {
    let old = |_| vec!["a.count;y=2;x=1;canary 1", "b.count;k= 1"];
    let equal = |_| vec!["a.count;canary=true;x=1;y=2 1", "b.count;k=true 1"];
    assert_says(&text(&compared(old, equal), true), "2 paths: equal\n");
    let other = |_| vec!["a.count;canary=true;x=1;y=2 3", "b.count;k=true 1"];
    let text = text(&compared(old, other), false);
    assert_says(&text, "a.count;canary=true;x=1;y=2: old 1, new 3");
}

/// Regression: one point that is no number excused all differences of its path.
#[test]
fn a_point_that_is_no_number_excuses_its_slot_alone() {
    let old = |slot| match slot {
        4 => vec!["counts.a nan"],
        _ => vec!["counts.a 1"],
    };
    let text = text(&compared(old, |_| vec!["counts.a 3"]), false);
    assert_says(&text, "counts.a: old nothing, new 3");
}

/// Regression: differences in a time too short to judge them, and paths beyond the limit, were
/// told, and the exit code said that nothing differs.
#[test]
fn what_was_not_compared_is_not_equal() {
    let mut short = comparison();
    for slot in 0..4 {
        OLD.send(&mut short, slot, &["counts.a 1"]);
        NEW.send(&mut short, slot, &["counts.a 3"]);
    }
    short.finish();
    assert_says(&text(&short, false), "no path could be judged");

    let names: Vec<String> = (0..101).map(|n| format!("counts.{n} 1")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut many = comparison();
    for slot in 0..10 {
        OLD.send(&mut many, slot, &names);
        NEW.send(&mut many, slot, &names);
    }
    many.finish();
    assert_says(&text(&many, false), "left out beyond --max-paths");
}
