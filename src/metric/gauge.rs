//! Gauges keep updates, not levels: the level before this interval is not known to a shard, and
//! two shards may each hold a part of the updates.

use super::column::Aggregate;

/// What happened to a gauge in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauge {
    /// The last time it was set: the stamp of the batch that brought it, and the value.
    set: Option<(u64, f64)>,
    /// Moves since that set.
    after: f64,
    /// Moves of shards that saw no set. A set makes its own shard's earlier moves void.
    loose: f64,
    updates: u32,
}

impl Gauge {
    /// Sets the level. Stamps come from one clock for all shards.
    #[inline(always)]
    pub fn set(&mut self, value: f64, stamp: u64) {
        self.set = Some((stamp, value));
        self.after = 0.0;
        self.loose = 0.0;
        self.updates = self.updates.saturating_add(1);
    }

    /// Moves the level.
    #[inline(always)]
    pub fn move_by(&mut self, value: f64) {
        match self.set {
            Some(_) => self.after += value,
            None => self.loose += value,
        }
        self.updates = self.updates.saturating_add(1);
    }

    /// Adds what the same shard recorded later.
    pub fn follow(&mut self, later: &Gauge) {
        let updates = self.updates.saturating_add(later.updates);
        match (self.set, later.set) {
            (_, Some(_)) => *self = *later,
            (Some(_), None) => self.after += later.loose,
            (None, None) => self.loose += later.loose,
        }
        self.updates = updates;
    }

    /// Adds what another shard recorded. The newest set wins with the moves that followed it; of
    /// two at one time the larger value, and of equal values the larger moves, so that the order
    /// of merging does not show.
    pub fn merge(&mut self, other: &Gauge) {
        let newer = match (&self.set, &other.set) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(mine), Some(theirs)) => (theirs.0, theirs.1, other.after)
                .partial_cmp(&(mine.0, mine.1, self.after))
                .is_some_and(std::cmp::Ordering::is_gt),
        };
        if newer {
            self.set = other.set;
            self.after = other.after;
        }
        self.loose += other.loose;
        self.updates = self.updates.saturating_add(other.updates);
    }

    /// The level at the end of the interval, given the one before it.
    pub fn level(&self, previous: f64) -> f64 {
        let base = self.set.map_or(previous, |(_, value)| value);
        base + self.after + self.loose
    }
}

impl Aggregate for Gauge {
    fn is_touched(&self) -> bool {
        self.updates > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_of_one_shard_stay_in_order_with_its_sets() {
        let mut gauge = Gauge::default();
        gauge.move_by(5.0);
        gauge.set(100.0, 1);
        gauge.move_by(-3.0);
        assert_eq!(gauge.level(7.0), 97.0);
    }

    #[test]
    fn moves_of_a_shard_that_saw_no_set_add_up_with_another_shards_set() {
        let (mut set, mut moved) = (Gauge::default(), Gauge::default());
        set.set(100.0, 1);
        moved.move_by(5.0);
        for (mut one, two) in [(set, moved), (moved, set)] {
            one.merge(&two);
            assert_eq!(one.level(7.0), 105.0);
        }
    }

    #[test]
    fn the_newest_set_wins_whichever_side_it_is_merged_from() {
        let (mut old, mut new) = (Gauge::default(), Gauge::default());
        old.set(1.0, 10);
        old.move_by(100.0);
        new.set(2.0, 11);
        new.move_by(0.5);
        let (mut forward, mut backward) = (old, new);
        forward.merge(&new);
        backward.merge(&old);
        assert_eq!(forward.level(0.0), 2.5);
        assert_eq!(backward.level(0.0), 2.5);
    }

    #[test]
    fn two_intervals_of_one_shard_come_to_the_same_as_one() {
        let updates: [fn(&mut Gauge); 4] = [
            |gauge| gauge.move_by(5.0),
            |gauge| gauge.set(100.0, 1),
            |gauge| gauge.move_by(-3.0),
            |gauge| gauge.set(40.0, 2),
        ];
        for count in 0..=updates.len() {
            for cut in 0..=count {
                let mut parts = <[Gauge; 3]>::default();
                for (index, update) in updates[..count].iter().enumerate() {
                    update(&mut parts[usize::from(index >= cut)]);
                    update(&mut parts[2]);
                }
                let [mut early, late, whole] = parts;
                early.follow(&late);
                assert_eq!(early, whole, "{count} updates, cut after {cut}");
            }
        }
    }

    #[test]
    fn merging_nothing_changes_nothing() {
        let mut gauge = Gauge::default();
        gauge.set(-4.0, 3);
        gauge.move_by(1.0);
        let before = gauge;
        gauge.merge(&Gauge::default());
        assert_eq!(gauge, before);
        let mut none = Gauge::default();
        none.merge(&before);
        assert_eq!(none, before);
    }
}
