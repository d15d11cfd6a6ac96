//! A merger and tables that go on by other rules.

use super::*;

const GRAPHITE: InputRules = InputRules {
    safe_names: SafeNames::Graphite,
    keep_tags: true,
    sign_moves_gauge: true,
    weighted_timers: false,
};

const STRICT: InputRules = InputRules {
    safe_names: SafeNames::Strict,
    ..GRAPHITE
};

impl Rig {
    fn change(&mut self, input: InputRules, interval: Duration) {
        let limits = Limits::default();
        for table in &mut self.tables {
            table.change(input, limits);
        }
        let settings = MergerSettings {
            idle: IdleRules {
                interval,
                ..self.merger.rules
            },
            limits,
            weighted_timers: input.weighted_timers,
            sum_order: SumOrder::Value,
            counter_samples: false,
        };
        self.merger.change(settings, input);
    }
}

#[test]
fn series_whose_names_the_new_rules_give_too_stay_and_no_others() {
    let mut rig = Rig::new(2, 99, Idle::Never);
    for name in ["a", "b", "a=1"] {
        assert!(rig.count(0, name));
    }
    for (name, level) in [("g", 5.0), ("g=1", 6.0)] {
        assert!(rig.record(1, name, Values::Gauge(&[number(level)])));
    }
    rig.flush();
    rig.change(STRICT, INTERVAL);
    assert!(rig.count(0, "a=2") && rig.count(1, "b"));
    assert_eq!(rig.flush(), ["a 0", "a2 1", "b 1", "g 5"]);
    assert_eq!(rig.merger.counts().expired, 2);
    let moved = Number {
        value: 2.0,
        signed: true,
    };
    assert!(rig.record(0, "g", Values::Gauge(&[moved])));
    assert_eq!(rig.flush(), ["a 0", "a2 0", "b 0", "g 7"]);
}

#[test]
fn rules_that_leave_names_alone_leave_tables_and_silence_alone() {
    let mut rig = Rig::new(1, 99, flushes(3));
    assert!(rig.count(0, "a") && rig.count(0, "b"));
    rig.flush();
    assert_eq!(rig.flush(), ["a 0", "b 0"]);
    let weighted = InputRules {
        weighted_timers: true,
        ..GRAPHITE
    };
    rig.change(weighted, INTERVAL);
    assert_eq!(rig.spellings(0), 2);
    assert!(rig.count(0, "a"));
    assert_eq!(rig.flush(), ["a 1", "b 0"]);
    assert_eq!(rig.merger.counts().new, 0);
    assert_eq!(rig.flush(), ["a 0", "b 0"]);
    assert_eq!(rig.flush(), ["a 0"]);
}

/// Goal: a shard that missed the flush at which the rules changed loses nothing, and nothing is
/// taken for something else. Method: its last interval by the old rules is merged beside the first
/// of another shard by the new ones; slot 0 is another series in each.
#[test]
fn a_late_interval_by_the_old_rules_is_merged_beside_new_ones() {
    let mut rig = Rig::new(2, 99, Idle::Quiet);
    let taken = |rig: &mut Rig, shard: usize| rig.tables[shard].hand_over(Interval::default());
    for name in ["x", "y"] {
        assert!(rig.count(0, name) && rig.count(1, name));
    }
    let first = taken(&mut rig, 0);
    let late = taken(&mut rig, 1);
    assert_eq!(rig.merge(&[(0, first)]), ["x 1", "y 1"]);
    let weighted = InputRules {
        weighted_timers: true,
        ..STRICT
    };
    rig.change(weighted, INTERVAL);
    for shard in [0, 1] {
        assert!(rig.count(shard, "y") && rig.count(shard, "x"));
        assert!(rig.record(shard, "t", Values::Timer(&[number(1.0)])));
    }
    let intervals = [(0, taken(&mut rig, 0)), (1, late), (1, taken(&mut rig, 1))];
    assert_eq!(rig.merge(&intervals), ["t 2", "x 3", "y 3"]);
}

// A shard that was late told of them together with its first interval by the new rules: they were
// removed before they were reported, with all their samples.
#[test]
fn names_of_the_old_rules_in_a_late_interval_are_reported_before_they_go() {
    let mut rig = Rig::new(1, 99, Idle::Never);
    let taken = |rig: &mut Rig| rig.tables[0].hand_over(Interval::default());
    let record_all = |rig: &mut Rig| {
        assert!(rig.count(0, "a=1"));
        for values in [
            Values::Timer(&[number(1.0)]),
            Values::Set(b"x"),
            Values::Gauge(&[number(5.0)]),
            Values::KeyValue {
                values: &[number(7.0)],
                time_unix_s: None,
            },
        ] {
            assert!(rig.record(0, "b=1", values));
        }
    };
    record_all(&mut rig);
    let late = taken(&mut rig);
    rig.change(STRICT, INTERVAL);
    record_all(&mut rig);
    let first = taken(&mut rig);
    let (old, new) = (
        ["a=1 1", "b=1 1", "b=1 1", "b=1 5", "b=1 7"],
        ["a1 1", "b1 1", "b1 1", "b1 5", "b1 7"],
    );
    let mut expected = [old, new].concat();
    expected.sort_unstable();
    assert_eq!(rig.merge(&[(0, late), (0, first)]), expected);
    assert_eq!(rig.flush(), ["a1 0", "b1 0", "b1 0", "b1 5"]);
    assert_eq!(rig.merger.counts().expired, 5);
}

// What a shard should forget was told in the numbers of its earlier table.
#[test]
fn silence_by_earlier_numbers_is_not_taken_for_that_of_new_series() {
    let mut rig = Rig::new(1, 99, Idle::Quiet);
    assert!(rig.count(0, "old"));
    rig.flush();
    let silence = rig.merger.silence(0, true);
    let everything = Silence {
        forget: vec![SlotId {
            metric_type: MetricType::Counter,
            slot: 0,
        }],
        ..silence
    };
    rig.change(STRICT, INTERVAL);
    assert!(rig.count(0, "new"));
    let interval = rig.tables[0].hand_over(Interval::default());
    rig.tables[0].set_silence(everything);
    rig.tables[0].forget_some(9);
    assert_eq!(rig.spellings(0), 1);
    assert_eq!(rig.merge(&[(0, interval)]), ["new 1"]);
}

#[test]
fn silence_lasts_as_long_with_another_interval() {
    let mut rig = Rig::new(1, 99, Idle::After(3 * INTERVAL));
    assert!(rig.count(0, "a"));
    rig.flush();
    assert_eq!(rig.flush(), ["a 0"]);
    assert_eq!(rig.flush(), ["a 0"]);
    // Two of three intervals are over.
    rig.change(GRAPHITE, INTERVAL / 5);
    for _ in 0..5 {
        assert_eq!(rig.flush(), ["a 0"]);
    }
    assert_eq!(rig.flush(), [""; 0]);
}
