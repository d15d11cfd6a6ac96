//! What outlives an interval, seen through tables of shards: series come, fall silent, go and
//! come again.

mod change;
mod forget;
mod restart;

use std::time::Duration;

use super::*;
use crate::metric::{InputRules, Number, SafeNames, SampleRate, Samples, SetHash, Table};
use crate::metric::{TableCounts, Values};
use crate::snapshot::{Idle, IdleTimes};

const INTERVAL: Duration = Duration::from_secs(10);

/// Shards' tables and the merger behind them, flushed together.
struct Rig {
    tables: Vec<Table>,
    merger: Merger,
}

impl Rig {
    fn new(shards: usize, max_series: usize, idle: Idle) -> Rig {
        let limits = Limits {
            max_series,
            ..Limits::default()
        };
        let rules = InputRules {
            safe_names: SafeNames::Graphite,
            keep_tags: true,
            sign_moves_gauge: true,
            weighted_timers: false,
        };
        let idle_rules = IdleRules {
            interval: INTERVAL,
            idle: IdleTimes {
                counters: idle,
                timers: idle,
                sets: idle,
                gauges: Idle::Never,
            },
            gauge_level_lives: true,
        };
        let set_hash = SetHash::new();
        let table = || Table::new(rules, limits, set_hash.clone());
        Rig {
            tables: (0..shards).map(|_| table()).collect(),
            merger: Merger::new(
                MergerSettings {
                    idle: idle_rules,
                    limits,
                    weighted_timers: false,
                    sum_order: SumOrder::Value,
                    counter_samples: false,
                },
                shards,
            ),
        }
    }

    fn count(&mut self, shard: usize, name: &str) -> bool {
        let one = [number(1.0)];
        self.record(shard, name, Values::Counter(&one))
    }

    fn record(&mut self, shard: usize, name: &str, values: Values<'_>) -> bool {
        let samples = Samples {
            name: name.as_bytes(),
            tags: b"",
            rate: SampleRate::ALL,
            values,
        };
        self.tables[shard].record(&samples).is_ok()
    }

    /// Flushes, and returns what is reported as "name value".
    fn flush(&mut self) -> Vec<String> {
        let hand_over = |table: &mut Table| table.hand_over(Interval::default());
        let intervals: Vec<_> = self.tables.iter_mut().map(hand_over).enumerate().collect();
        self.merge(&intervals)
    }

    fn merge(&mut self, intervals: &[(usize, Interval)]) -> Vec<String> {
        self.merger.merge(intervals);
        let mut reported = Vec::new();
        self.merger.summaries(|_, name, summary| {
            let value = match summary {
                Summary::Counter { sum, .. } => sum,
                Summary::Gauge(level) => level,
                Summary::Timer(values) => values.received as f64,
                Summary::Set(count) => count as f64,
                Summary::KeyValue { value, .. } => value,
            };
            reported.push(format!("{} {value}", String::from_utf8_lossy(name.path)));
        });
        reported.sort();
        for (shard, table) in self.tables.iter_mut().enumerate() {
            table.set_silence(self.merger.silence(shard, true));
            table.forget_some(usize::MAX);
        }
        reported
    }

    fn spellings(&self, shard: usize) -> usize {
        let TableCounts { spellings, .. } = self.tables[shard].counts();
        spellings
    }
}

/// A set of so many members in a shard, beginning with member `from`.
fn fill_set(rig: &mut Rig, shard: usize, from: usize, count: usize) {
    for member in from..from + count {
        assert!(rig.record(shard, "s", Values::Set(member.to_string().as_bytes())));
    }
}

// What each shard had was within the limit, so no shard counted it.
#[test]
fn a_set_that_only_all_shards_together_cannot_keep_is_counted_as_an_estimate() {
    let limit = Limits::default().max_set_values;
    let mut rig = Rig::new(2, 9, Idle::Quiet);
    fill_set(&mut rig, 0, 0, limit);
    fill_set(&mut rig, 1, 1, limit - 1);
    assert_eq!(rig.flush(), [format!("s {limit}")]);
    assert_eq!(rig.merger.counts().sets_estimated, 0);
    fill_set(&mut rig, 0, 0, limit);
    fill_set(&mut rig, 1, 1, limit);
    rig.flush();
    assert_eq!(rig.merger.counts().sets_estimated, 1);
}

// Flushes are counted in 32 bits, which 50 days of the shortest interval use up.
#[test]
fn flushes_may_go_on_when_their_number_wraps_around() {
    let mut rig = Rig::new(1, 9, flushes(2));
    rig.merger.now = u32::MAX - 2;
    assert!(rig.count(0, "a"));
    assert_eq!(rig.flush(), ["a 1"]);
    assert_eq!(rig.flush(), ["a 0"]);
    assert_eq!(rig.flush(), ["a 0"]);
    assert_eq!(rig.flush(), [""; 0]);
    rig.flush();
    assert_eq!(rig.merger.counts().expired, 1);
}

fn number(value: f64) -> Number {
    Number {
        value,
        signed: value < 0.0,
    }
}

fn flushes(count: u32) -> Idle {
    Idle::After(INTERVAL * count)
}

#[test]
fn a_silent_series_reports_zeros_and_then_goes_from_everywhere() {
    let mut rig = Rig::new(1, 9, flushes(2));
    assert!(rig.count(0, "a"));
    assert_eq!(rig.flush(), ["a 1"]);
    assert_eq!(rig.flush(), ["a 0"]);
    assert_eq!(rig.flush(), ["a 0"]);
    assert_eq!(rig.flush(), [""; 0], "silent for longer than two intervals");
    assert_eq!(rig.spellings(0), 0, "the shard was told to forget it");
    rig.flush();
    assert_eq!(
        rig.merger.counts().expired,
        1,
        "nobody refers to it any more"
    );
    assert!(rig.count(0, "a"));
    assert_eq!(rig.flush(), ["a 1"]);
    assert_eq!(rig.merger.counts().new, 1);
}

#[test]
fn a_slot_that_is_given_away_does_not_mix_two_series() {
    let mut rig = Rig::new(1, 1, flushes(9));
    assert!(rig.count(0, "a"));
    assert_eq!(rig.flush(), ["a 1"]);
    rig.flush();
    // The table has room for one name: b takes the slot of a, which goes on reporting zeros.
    assert!(rig.count(0, "b"));
    assert!(rig.count(0, "b"));
    assert_eq!(rig.flush(), ["a 0", "b 2"]);
    assert_eq!(
        rig.flush(),
        ["b 0"],
        "the merger keeps no more than the shards do"
    );
}

#[test]
fn two_shards_with_the_same_names_in_different_slots_are_added_up() {
    let mut rig = Rig::new(2, 9, flushes(1));
    for name in ["a", "b", "c"] {
        assert!(rig.count(0, name));
    }
    for name in ["c", "a", "c"] {
        assert!(rig.count(1, name));
    }
    assert_eq!(rig.flush(), ["a 2", "b 1", "c 3"]);
    assert!(rig.count(1, "b"));
    assert!(rig.count(0, "c"));
    assert_eq!(rig.flush(), ["a 0", "b 1", "c 1"]);
}

#[test]
fn late_intervals_of_one_shard_are_merged_in_their_order() {
    let mut rig = Rig::new(1, 9, flushes(9));
    assert!(rig.count(0, "a"));
    let first = rig.tables[0].hand_over(Interval::default());
    rig.tables[0].set_silence(Silence {
        forget: vec![SlotId {
            metric_type: MetricType::Counter,
            slot: 0,
        }],
        silent: Vec::new(),
        ..Silence::default()
    });
    rig.tables[0].forget_some(1);
    assert!(rig.count(0, "b"));
    let second = rig.tables[0].hand_over(Interval::default());
    assert_eq!(
        second.births[0].id, first.births[0].id,
        "b took the slot of a"
    );
    let reported = rig.merge(&[(0, first), (0, second)]);
    assert_eq!(reported, ["a 1", "b 1"]);
}

// A late shard brings two intervals to one flush: the move of the first was added to the set of
// the second, as if another shard had seen it.
#[test]
fn a_late_move_of_a_gauge_is_void_after_a_set_of_the_same_shard() {
    let mut rig = Rig::new(2, 9, flushes(9));
    assert!(rig.record(0, "g", Values::Gauge(&[number(-5.0)])));
    let first = rig.tables[0].hand_over(Interval::default());
    assert!(rig.record(0, "g", Values::Gauge(&[number(100.0)])));
    let second = rig.tables[0].hand_over(Interval::default());
    assert!(rig.record(1, "g", Values::Gauge(&[number(-1.0)])));
    let of_another = rig.tables[1].hand_over(Interval::default());
    let reported = rig.merge(&[(0, first), (0, second), (1, of_another)]);
    assert_eq!(reported, ["g 99"]);
}

#[test]
fn a_quiet_shard_does_not_keep_a_series_of_another_from_speaking() {
    let mut rig = Rig::new(2, 9, flushes(1));
    assert!(rig.count(0, "a") && rig.count(1, "a"));
    assert_eq!(rig.flush(), ["a 2"]);
    for _ in 0..5 {
        assert!(rig.count(1, "a"));
        assert_eq!(rig.flush(), ["a 1"]);
    }
    assert_eq!((rig.spellings(0), rig.spellings(1)), (0, 1));
}

#[test]
fn the_longest_silent_names_make_room_and_live_ones_stay() {
    let mut rig = Rig::new(1, 3, Idle::Never);
    for name in ["old", "older", "live"] {
        assert!(rig.count(0, name));
    }
    rig.flush();
    assert!(rig.count(0, "old") && rig.count(0, "live"));
    rig.flush();
    assert!(rig.count(0, "live"));
    rig.flush();
    assert!(rig.count(0, "live") && rig.count(0, "new"), "older goes");
    assert!(rig.count(0, "newer"), "old goes");
    assert!(!rig.count(0, "newest"), "all are live");
    let reported = rig.flush();
    assert!(reported.contains(&"live 1".to_owned()), "{reported:?}");
    assert!(reported.contains(&"newer 1".to_owned()), "{reported:?}");
    assert_eq!(
        rig.merger.counts().expired,
        2,
        "the merger has a limit, too"
    );
}

// It was taken for a timer, whose place in the order of types is another.
#[test]
fn a_gauge_makes_room_as_a_gauge() {
    let mut rig = Rig::new(1, 1, Idle::Never);
    assert!(rig.record(0, "old", Values::Gauge(&[number(1.0)])));
    assert_eq!(rig.flush(), ["old 1"]);
    rig.flush();
    assert!(rig.record(0, "new", Values::Gauge(&[number(2.0)])));
    rig.flush();
    assert_eq!(rig.merger.counts().expired, 1);
    assert_eq!(rig.flush(), ["new 2"]);
}

#[test]
fn levels_of_gauges_survive_a_restart() {
    let mut rig = Rig::new(1, 9, Idle::Never);
    assert!(rig.record(0, "g", Values::Gauge(&[number(40.0)])));
    assert_eq!(rig.flush(), ["g 40"]);
    let mut again = Rig::new(1, 9, Idle::Never);
    for series in rig.merger.lasting(false) {
        assert!(again.merger.restore(&series));
    }
    assert_eq!(again.flush(), ["g 40"]);
    let minus_two = [number(-2.0)];
    assert!(again.record(0, "g", Values::Gauge(&minus_two)));
    assert_eq!(again.flush(), ["g 38"]);
}

#[test]
fn a_level_that_overflows_is_not_kept() {
    let mut rig = Rig::new(1, 9, Idle::Never);
    assert!(rig.record(0, "g", Values::Gauge(&[number(-1e308)])));
    rig.flush();
    assert!(rig.record(0, "g", Values::Gauge(&[number(-1e308)])));
    assert_eq!(
        rig.flush(),
        ["g -inf"],
        "reported, for whoever counts such points"
    );
    assert_eq!(rig.flush().len(), 1);
    let lasting = rig.merger.lasting(false).next().expect("it has a level");
    assert_eq!(
        (lasting.name.path, lasting.level),
        (&b"g"[..], Some(-1e308))
    );
}

// It was reported as NaN in every flush from then on, and counted each time.
#[test]
fn a_gauge_that_overflowed_before_it_had_a_level_is_reported_once() {
    let mut rig = Rig::new(1, 9, Idle::Never);
    assert!(rig.record(0, "g", Values::Gauge(&[number(-1e308), number(-1e308)])));
    assert_eq!(rig.flush(), ["g -inf"]);
    assert_eq!(rig.flush(), [""; 0]);
    assert!(rig.record(0, "g", Values::Gauge(&[number(3.0)])));
    assert_eq!(rig.flush(), ["g 3"]);
    assert_eq!(rig.flush(), ["g 3"]);
}

#[test]
fn key_values_are_reported_one_by_one_in_order_and_never_again() {
    let mut rig = Rig::new(1, 9, flushes(9));
    let values = [number(2.0), number(1.0)];
    let key_values = Values::KeyValue {
        values: &values,
        time_unix_s: None,
    };
    assert!(rig.record(0, "k", key_values));
    let interval = rig.tables[0].hand_over(Interval::default());
    rig.merger.merge(&[(0, interval)]);
    let mut reported = Vec::new();
    rig.merger.summaries(|_, _, summary| {
        if let Summary::KeyValue { value, .. } = summary {
            reported.push(value);
        }
    });
    assert_eq!(reported, [2.0, 1.0]);
    assert_eq!(rig.flush(), [""; 0]);
}
