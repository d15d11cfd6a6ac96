//! What is known between two merges, and what is left of a series that was deleted.

use super::*;

impl Rig {
    fn forget(&mut self, metric_type: MetricType, names: &str) -> Vec<String> {
        let mut forgotten = Vec::new();
        self.merger.forget(metric_type, names.as_bytes(), |name| {
            let name = [name.path, name.tags].concat();
            forgotten.push(String::from_utf8_lossy(&name).into_owned());
        });
        forgotten.sort();
        forgotten
    }

    fn sums(&self) -> Vec<(String, f64)> {
        let sums = self.merger.sums();
        let sums = sums.map(|(name, sum)| (String::from_utf8_lossy(name.path).into_owned(), sum));
        sums.collect()
    }
}

#[test]
fn a_name_is_one_series_and_a_star_all_below() {
    let mut rig = Rig::new(1, 99, Idle::Never);
    for name in ["a", "a.b", "a.b.c", "ab.c", "b"] {
        assert!(rig.count(0, name));
    }
    rig.flush();
    assert_eq!(rig.forget(MetricType::Timer, "a"), [""; 0]);
    assert_eq!(rig.forget(MetricType::Counter, "nothing"), [""; 0]);
    assert_eq!(rig.forget(MetricType::Counter, "a*"), [""; 0]);
    assert_eq!(rig.forget(MetricType::Counter, "a.b"), ["a.b"]);
    assert_eq!(rig.forget(MetricType::Counter, "a.b"), [""; 0]);
    assert_eq!(rig.forget(MetricType::Counter, "a.*"), ["a.b.c"]);
    let left = ["a", "ab.c", "b"].map(|name| (name.to_owned(), 1.0));
    assert_eq!(rig.sums(), left);
    assert_eq!(rig.flush(), ["a 0", "ab.c 0", "b 0"]);
}

#[test]
fn a_series_that_was_deleted_comes_again_with_its_next_sample() {
    let mut rig = Rig::new(1, 99, Idle::Never);
    let one = [number(1.5)];
    assert!(rig.count(0, "a"));
    assert!(rig.record(0, "t", Values::Timer(&one)));
    rig.flush();
    rig.forget(MetricType::Counter, "a");
    rig.forget(MetricType::Timer, "t");
    assert_eq!(rig.flush(), [""; 0]);
    assert!(rig.count(0, "a"));
    assert!(rig.record(0, "t", Values::Timer(&one)));
    assert_eq!(rig.flush(), ["a 1", "t 1"]);
    let timers: Vec<_> = rig.merger.timer_values().map(|(_, timer)| timer).collect();
    let values: &[f64] = &[1.5];
    let expected = TimerValues {
        values,
        received: 1,
    };
    assert_eq!(timers, [expected]);
    // It is reported again while it is silent.
    assert_eq!(rig.flush(), ["a 0", "t 0"]);
}

#[test]
fn a_gauge_that_was_deleted_begins_at_zero() {
    let mut rig = Rig::new(1, 99, Idle::Never);
    assert!(rig.record(0, "g", Values::Gauge(&[number(7.0)])));
    assert_eq!(rig.flush(), ["g 7"]);
    assert_eq!(rig.forget(MetricType::Gauge, "g"), ["g"]);
    assert_eq!(rig.merger.levels().count(), 0);
    assert_eq!(rig.flush(), [""; 0]);
    let up = Number {
        value: 2.0,
        signed: true,
    };
    assert!(rig.record(0, "g", Values::Gauge(&[up])));
    assert_eq!(rig.flush(), ["g 2"]);
}

// Its slot is free at once, and counts as expired.
#[test]
fn a_series_that_no_shard_knows_is_removed() {
    let mut rig = Rig::new(1, 99, Idle::Never);
    assert!(rig.merger.restore(&Lasting {
        metric_type: MetricType::Gauge,
        name: SeriesName::new(b"old;tag=1"),
        silent: INTERVAL,
        level: Some(4.0),
    }));
    assert_eq!(rig.forget(MetricType::Gauge, "old"), [""; 0]);
    assert_eq!(rig.forget(MetricType::Gauge, "old;tag=1"), ["old;tag=1"]);
    assert_eq!(rig.flush(), [""; 0]);
    assert_eq!(rig.merger.counts().expired, 1);
}
