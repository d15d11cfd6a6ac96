//! What a Graphite database holds of the points that it got: the last one of each path and time.

use std::collections::BTreeMap;

use super::points::Points;

/// Values by path, and in it by time stamp in seconds since 1970. Where a slot is written again, the
/// later value takes the place of the earlier one, as in a whisper file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kept(BTreeMap<String, BTreeMap<u64, f64>>);

impl Kept {
    /// Writes points in order of arrival.
    pub(crate) fn of(points: &Points) -> Kept {
        let mut kept = Kept::default();
        for point in &points.0 {
            let series = kept.0.entry(point.path.clone()).or_default();
            series.insert(point.time_unix_s, point.value);
        }
        kept
    }

    /// The values of a path, oldest first.
    pub(crate) fn values(&self, path: &str) -> Vec<f64> {
        self.series(path).map(|(_, value)| value).collect()
    }

    /// The time stamps of a path in seconds since 1970, oldest first.
    pub(crate) fn times(&self, path: &str) -> Vec<u64> {
        self.series(path)
            .map(|(time_unix_s, _)| time_unix_s)
            .collect()
    }

    /// The sum of a path over all slots.
    pub(crate) fn sum(&self, path: &str) -> f64 {
        self.series(path).map(|(_, value)| value).sum()
    }

    fn series(&self, path: &str) -> impl Iterator<Item = (u64, f64)> {
        let series = self.0.get(path).into_iter().flatten();
        series.map(|(time_unix_s, value)| (*time_unix_s, *value))
    }
}

#[test]
fn of_two_values_for_a_slot_the_later_is_kept() {
    let lines = ["a 1 10", "a 2 20", "b 5 10", "a 7 10"].map(str::to_owned);
    let kept = Kept::of(&Points::parse(&lines));
    assert_eq!(kept.values("a"), [7.0, 2.0]);
    assert_eq!(kept.times("a"), [10, 20]);
    assert_eq!(
        (kept.sum("a"), kept.sum("b"), kept.sum("c")),
        (9.0, 5.0, 0.0)
    );
}
