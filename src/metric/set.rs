//! Sets count distinct values: one by one up to a limit, then by a HyperLogLog estimate.

mod hashes;

use std::hash::DefaultHasher;

use ahash::RandomState;
use cardinality_estimator::CardinalityEstimator;
use hashbrown::HashTable;

use super::column::Aggregate;
use super::memory::estimate_bytes;
use super::rules::Limits;

/// Hashes members of sets alike in all shards, with keys drawn at start: members are kept as 64
/// bits, so two of 4,096 are taken for one with a probability of 5 in 10^13.
#[derive(Clone, Debug)]
pub struct SetHash {
    state: RandomState,
    keys: [u64; 4],
}

/// The keys of a [`SetHash`], for a process that shall hash alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetKeys {
    /// The keys.
    pub keys: [u64; 4],
    /// What they make of a text that all know: another build may hash in another way.
    pub check: u64,
}

impl SetHash {
    /// New random keys.
    pub fn new() -> SetHash {
        let random = RandomState::new();
        SetHash::of_keys([1u8, 2, 3, 4].map(|number| random.hash_one(number)))
    }

    /// Takes keys over; None if they would make other hashes here than where they were drawn.
    pub fn with(keys: &SetKeys) -> Option<SetHash> {
        let hash = SetHash::of_keys(keys.keys);
        (hash.keys() == *keys).then_some(hash)
    }

    fn of_keys(keys: [u64; 4]) -> SetHash {
        let [one, two, three, four] = keys;
        SetHash {
            state: RandomState::with_seeds(one, two, three, four),
            keys,
        }
    }

    /// The keys.
    pub fn keys(&self) -> SetKeys {
        SetKeys {
            keys: self.keys,
            check: self.of(b"ringstat"),
        }
    }

    #[inline]
    fn of(&self, member: &[u8]) -> u64 {
        self.state.hash_one(member)
    }
}

impl Default for SetHash {
    fn default() -> SetHash {
        SetHash::new()
    }
}

/// How many registers the HyperLogLog of a set has, and so how far off it is: the standard error is
/// 1.04 / sqrt(registers), relative to the count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetPrecision {
    /// 2^8 registers: 6.5 %.
    P8,
    /// 2^10 registers: 3.3 %.
    P10,
    /// 2^12 registers: 1.6 %, in 3 KiB at most.
    #[default]
    P12,
    /// 2^14 registers: 0.81 %.
    P14,
    /// 2^16 registers: 0.41 %.
    P16,
    /// 2^18 registers: 0.20 %, in 192 KiB at most.
    P18,
}

impl SetPrecision {
    /// How many registers that are.
    pub(super) fn registers(self) -> usize {
        match self {
            SetPrecision::P8 => 1 << 8,
            SetPrecision::P10 => 1 << 10,
            SetPrecision::P12 => 1 << 12,
            SetPrecision::P14 => 1 << 14,
            SetPrecision::P16 => 1 << 16,
            SetPrecision::P18 => 1 << 18,
        }
    }

    /// With the fewest registers whose standard error is no more than this, if there are enough.
    pub fn for_error(error: f64) -> SetPrecision {
        let registers = (1.04 / error).powi(2);
        match registers.log2().ceil() as u32 {
            0..=8 => SetPrecision::P8,
            9..=10 => SetPrecision::P10,
            11..=12 => SetPrecision::P12,
            13..=14 => SetPrecision::P14,
            15..=16 => SetPrecision::P16,
            17.. => SetPrecision::P18,
        }
    }
}

impl SetPrecision {
    /// All of them.
    const ALL: [SetPrecision; 6] = [
        SetPrecision::P8,
        SetPrecision::P10,
        SetPrecision::P12,
        SetPrecision::P14,
        SetPrecision::P16,
        SetPrecision::P18,
    ];

    /// The binary logarithm of the number of registers.
    pub fn bits(self) -> u32 {
        match self {
            SetPrecision::P8 => 8,
            SetPrecision::P10 => 10,
            SetPrecision::P12 => 12,
            SetPrecision::P14 => 14,
            SetPrecision::P16 => 16,
            SetPrecision::P18 => 18,
        }
    }

    /// The one with 2^bits registers.
    pub fn of_bits(bits: u32) -> Option<SetPrecision> {
        SetPrecision::ALL
            .into_iter()
            .find(|precision| precision.bits() == bits)
    }
}

/// Members come hashed, so that its hasher is never asked.
type HyperLogLog<const P: usize> = CardinalityEstimator<u64, DefaultHasher, P>;

/// A HyperLogLog of one of the precisions.
#[derive(Clone, Debug)]
pub enum Estimate {
    /// Of 2^8 registers, and so on.
    P8(HyperLogLog<8>),
    /// 2^10.
    P10(HyperLogLog<10>),
    /// 2^12.
    P12(HyperLogLog<12>),
    /// 2^14.
    P14(HyperLogLog<14>),
    /// 2^16.
    P16(HyperLogLog<16>),
    /// 2^18.
    P18(HyperLogLog<18>),
}

macro_rules! of_any_precision {
    ($estimate:expr, $registers:ident => $value:expr) => {
        match $estimate {
            Estimate::P8($registers) => $value,
            Estimate::P10($registers) => $value,
            Estimate::P12($registers) => $value,
            Estimate::P14($registers) => $value,
            Estimate::P16($registers) => $value,
            Estimate::P18($registers) => $value,
        }
    };
}

impl Estimate {
    fn new(precision: SetPrecision) -> Estimate {
        match precision {
            SetPrecision::P8 => Estimate::P8(HyperLogLog::new()),
            SetPrecision::P10 => Estimate::P10(HyperLogLog::new()),
            SetPrecision::P12 => Estimate::P12(HyperLogLog::new()),
            SetPrecision::P14 => Estimate::P14(HyperLogLog::new()),
            SetPrecision::P16 => Estimate::P16(HyperLogLog::new()),
            SetPrecision::P18 => Estimate::P18(HyperLogLog::new()),
        }
    }

    fn precision(&self) -> SetPrecision {
        match self {
            Estimate::P8(_) => SetPrecision::P8,
            Estimate::P10(_) => SetPrecision::P10,
            Estimate::P12(_) => SetPrecision::P12,
            Estimate::P14(_) => SetPrecision::P14,
            Estimate::P16(_) => SetPrecision::P16,
            Estimate::P18(_) => SetPrecision::P18,
        }
    }

    fn hashes(&self) -> Vec<u64> {
        of_any_precision!(self, registers => hashes::hashes_of(registers))
    }

    fn insert_hash(&mut self, hash: u64) {
        of_any_precision!(self, registers => registers.insert_hash(hash));
    }

    fn count(&self) -> u64 {
        of_any_precision!(self, registers => registers.estimate() as u64)
    }

    /// Two precisions meet only in the flush in which a setting changes: there the larger of both
    /// counts.
    fn merge(&mut self, other: &Estimate) {
        match (self, other) {
            (Estimate::P8(mine), Estimate::P8(theirs)) => mine.merge(theirs),
            (Estimate::P10(mine), Estimate::P10(theirs)) => mine.merge(theirs),
            (Estimate::P12(mine), Estimate::P12(theirs)) => mine.merge(theirs),
            (Estimate::P14(mine), Estimate::P14(theirs)) => mine.merge(theirs),
            (Estimate::P16(mine), Estimate::P16(theirs)) => mine.merge(theirs),
            (Estimate::P18(mine), Estimate::P18(theirs)) => mine.merge(theirs),
            (mine, theirs) => {
                if theirs.count() > mine.count() {
                    *mine = theirs.clone();
                }
            }
        }
    }
}

/// More than the table of a set with one member takes.
const SMALLEST_SET_BYTES: usize = 64;

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
    /// Adds a member; past `max_set_values` members the set turns into an estimate, and earlier where
    /// that takes less of what sets may still take. False if there is no room for either.
    pub fn record(
        &mut self,
        member: &[u8],
        hash: &SetHash,
        limits: &Limits,
        room_bytes: &mut usize,
    ) -> bool {
        let before = self.size_bytes(limits);
        let hash = hash.of(member);
        let added_bytes = match self {
            Set::Estimated(_) => 0,
            Set::Exact(members) if members.len() >= limits.max_set_values => {
                estimate_bytes(limits.set_precision).saturating_sub(before)
            }
            Set::Exact(members) if members.len() < members.capacity() => 0,
            // It doubles.
            Set::Exact(_) => before.max(SMALLEST_SET_BYTES),
        };
        if added_bytes <= *room_bytes || self.has(hash) {
            self.insert(hash, limits);
        } else if estimate_bytes(limits.set_precision) <= before.saturating_add(*room_bytes) {
            let fewer = Limits {
                max_set_values: 0,
                ..*limits
            };
            self.insert(hash, &fewer);
        } else {
            return false;
        }
        let after = self.size_bytes(limits);
        *room_bytes = room_bytes.saturating_add(before).saturating_sub(after);
        true
    }

    /// Whether a member is known to be in it.
    fn has(&self, hash: u64) -> bool {
        match self {
            Set::Exact(members) => members.find(hash, |&member| member == hash).is_some(),
            Set::Estimated(_) => false,
        }
    }

    /// What is allocated for it, or may be.
    fn size_bytes(&self, limits: &Limits) -> usize {
        match self {
            Set::Exact(members) => members.allocation_size(),
            Set::Estimated(_) => estimate_bytes(limits.set_precision),
        }
    }

    fn insert(&mut self, hash: u64, limits: &Limits) {
        match self {
            Set::Exact(members) => {
                if members.find(hash, |&member| member == hash).is_some() {
                    return;
                }
                if members.len() < limits.max_set_values {
                    members.insert_unique(hash, hash, |&member| member);
                    return;
                }
                let mut estimate = Estimate::new(limits.set_precision);
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
    pub fn merge(&mut self, other: &Set, limits: &Limits) {
        match other {
            Set::Exact(members) => {
                for &member in members {
                    self.insert(member, limits);
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
            Set::Estimated(estimate) => estimate.count(),
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

    fn limits(max_set_values: usize, error: f64) -> Limits {
        Limits {
            max_set_values,
            set_precision: SetPrecision::for_error(error),
            ..Limits::default()
        }
    }

    fn filled(range: std::ops::Range<u32>, hash: &SetHash, limits: &Limits) -> Set {
        let mut set = Set::default();
        for member in range {
            let has_room = set.record(&member.to_le_bytes(), hash, limits, &mut { usize::MAX });
            assert!(has_room);
        }
        set
    }

    #[test]
    fn a_set_is_exact_up_to_its_limit_and_within_its_error_beyond_it() {
        let hash = SetHash::new();
        let (few, many) = if cfg!(miri) {
            (64, 300)
        } else {
            (4_096, 200_000)
        };
        for error in [0.2, 0.05, 0.0163, 0.005, 0.0021] {
            let limits = limits(few, error);
            assert_eq!(filled(0..few as u32, &hash, &limits).count(), few as u64);
            let set = filled(0..many, &hash, &limits);
            assert!(set.is_estimated());
            let off = (set.count() as f64 / f64::from(many) - 1.0).abs();
            // More than five standard errors are one chance in a million.
            assert!(off < 5.0 * error, "{error}: estimated {}", set.count());
        }
    }

    #[test]
    fn a_precision_has_no_more_registers_than_its_error_needs() {
        for (error, precision) in [
            (0.26, SetPrecision::P8),
            (0.065, SetPrecision::P8),
            (0.0649, SetPrecision::P10),
            (0.02, SetPrecision::P12),
            (0.0163, SetPrecision::P12),
            (0.0162, SetPrecision::P14),
            (0.0021, SetPrecision::P18),
            (0.001, SetPrecision::P18),
        ] {
            assert_eq!(SetPrecision::for_error(error), precision, "{error}");
        }
    }

    #[test]
    fn shards_that_saw_the_same_members_count_them_once() {
        let hash = SetHash::new();
        for (limit, tolerance) in [(4096, 0.0), (100, 0.09)] {
            let limits = limits(limit, 0.0163);
            for (one, two) in [(0..600, 400..1000), (0..50, 0..1000), (0..1000, 0..50)] {
                let mut merged = filled(one.clone(), &hash, &limits);
                merged.merge(&filled(two.clone(), &hash, &limits), &limits);
                let expected = f64::from(one.end.max(two.end));
                let error = (merged.count() as f64 / expected - 1.0).abs();
                assert!(error <= tolerance, "{one:?} {two:?}: {}", merged.count());
            }
        }
    }

    #[test]
    fn of_two_precisions_the_larger_count_stays() {
        let hash = SetHash::new();
        let (coarse, fine) = (limits(10, 0.05), limits(10, 0.005));
        let mut merged = filled(0..100, &hash, &coarse);
        let other = filled(0..if cfg!(miri) { 500 } else { 5_000 }, &hash, &fine);
        merged.merge(&other, &fine);
        assert_eq!(merged.count(), other.count());
        merged.merge(&filled(0..100, &hash, &coarse), &fine);
        assert_eq!(merged.count(), other.count());
    }
}
