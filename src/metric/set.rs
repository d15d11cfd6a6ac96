//! Sets count distinct values: one by one up to a limit, then by a HyperLogLog estimate.

use ahash::RandomState;
use cardinality_estimator::CardinalityEstimator;
use hashbrown::HashTable;

use super::column::Aggregate;

/// Hashes members of sets alike in all shards, with keys drawn at start: members are kept as 64
/// bits, so two of 4,096 are taken for one with a probability of 5 in 10^13.
#[derive(Clone, Debug)]
pub struct SetHash(RandomState);

impl SetHash {
    /// New random keys.
    pub fn new() -> SetHash {
        SetHash(RandomState::new())
    }

    #[inline]
    fn of(&self, member: &[u8]) -> u64 {
        self.0.hash_one(member)
    }
}

impl Default for SetHash {
    fn default() -> SetHash {
        SetHash::new()
    }
}

/// A HyperLogLog of 2^12 registers: 1.6 % standard error in 3 KiB at most.
type Estimate = CardinalityEstimator<u64>;

/// The distinct values of one series in one interval.
#[derive(Debug)]
pub enum Set {
    /// Every member, by its hash.
    Exact(HashTable<u64>),
    /// Too many to keep.
    Estimated(Box<Estimate>),
}

impl Default for Set {
    fn default() -> Set {
        Set::Exact(HashTable::new())
    }
}

impl Set {
    /// Adds a member; past `limit` members the set turns into an estimate.
    pub fn record(&mut self, member: &[u8], hash: &SetHash, limit: usize) {
        self.insert(hash.of(member), limit);
    }

    fn insert(&mut self, hash: u64, limit: usize) {
        match self {
            Set::Exact(members) => {
                if members.find(hash, |&member| member == hash).is_some() {
                    return;
                }
                if members.len() < limit {
                    members.insert_unique(hash, hash, |&member| member);
                    return;
                }
                let mut estimate = Estimate::new();
                members
                    .iter()
                    .for_each(|&member| estimate.insert_hash(member));
                estimate.insert_hash(hash);
                *self = Set::Estimated(Box::new(estimate));
            }
            Set::Estimated(estimate) => estimate.insert_hash(hash),
        }
    }

    /// Adds what another shard recorded.
    pub fn merge(&mut self, other: &Set, limit: usize) {
        match other {
            Set::Exact(members) => {
                for &member in members {
                    self.insert(member, limit);
                }
            }
            Set::Estimated(theirs) => match self {
                Set::Estimated(mine) => mine.merge(theirs),
                Set::Exact(members) => {
                    let mut estimate = theirs.clone();
                    members
                        .iter()
                        .for_each(|&member| estimate.insert_hash(member));
                    *self = Set::Estimated(estimate);
                }
            },
        }
    }

    /// Whether there were more values than are kept.
    pub fn is_estimated(&self) -> bool {
        matches!(self, Set::Estimated(_))
    }

    /// How many distinct values there were.
    pub fn count(&self) -> u64 {
        match self {
            Set::Exact(members) => members.len() as u64,
            Set::Estimated(estimate) => estimate.estimate() as u64,
        }
    }
}

impl Aggregate for Set {
    fn is_touched(&self) -> bool {
        match self {
            Set::Exact(members) => !members.is_empty(),
            Set::Estimated(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(range: std::ops::Range<u32>, hash: &SetHash, limit: usize) -> Set {
        let mut set = Set::default();
        for member in range {
            set.record(&member.to_le_bytes(), hash, limit);
        }
        set
    }

    #[test]
    fn a_set_is_exact_up_to_its_limit_and_close_beyond_it() {
        let hash = SetHash::new();
        assert_eq!(filled(0..4096, &hash, 4096).count(), 4096);
        let set = filled(0..100_000, &hash, 4096);
        let error = (set.count() as f64 / 100_000.0 - 1.0).abs();
        // Five standard errors of a sketch of 2^12 registers.
        assert!(error < 5.0 * 0.01625, "estimated {}", set.count());
    }

    #[test]
    fn shards_that_saw_the_same_members_count_them_once() {
        let hash = SetHash::new();
        for (limit, tolerance) in [(4096, 0.0), (100, 0.09)] {
            for (one, two) in [(0..600, 400..1000), (0..50, 0..1000), (0..1000, 0..50)] {
                let mut merged = filled(one.clone(), &hash, limit);
                merged.merge(&filled(two.clone(), &hash, limit), limit);
                let expected = f64::from(one.end.max(two.end));
                let error = (merged.count() as f64 / expected - 1.0).abs();
                assert!(error <= tolerance, "{one:?} {two:?}: {}", merged.count());
            }
        }
    }
}
