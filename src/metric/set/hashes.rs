//! A set as plain hashes, which give it again in another process that has the same keys.

use hashbrown::HashTable;

use super::{Estimate, HyperLogLog, Set, SetPrecision};

/// The crate's width of a register, and of the rank in an encoded hash.
const RANK_BITS: u32 = 6;
const RANK_MASK: u32 = (1 << RANK_BITS) - 1;

/// Hashes in the crate's small form have so many bits.
const SMALL_MASK: u64 = 0x7fff_ffff;

impl Set {
    /// Hashes that give this set again, in ascending order, and the precision if it is an estimate.
    /// Those of an estimate are no members: each stands for a register.
    pub fn hashes(&self) -> (Option<SetPrecision>, Vec<u64>) {
        let (precision, mut hashes) = match self {
            Set::Exact(members) => (None, members.iter().copied().collect()),
            Set::Estimated(estimate) => (Some(estimate.precision()), estimate.hashes()),
        };
        hashes.sort_unstable();
        (precision, hashes)
    }

    /// The set that these hashes are of. Any numbers give some set.
    pub fn of_hashes(precision: Option<SetPrecision>, hashes: impl Iterator<Item = u64>) -> Set {
        if let Some(precision) = precision {
            let mut estimate = Estimate::new(precision);
            hashes.for_each(|hash| estimate.insert_hash(hash));
            return Set::Estimated(Box::new(estimate));
        }
        let mut members = HashTable::new();
        for hash in hashes {
            if members.find(hash, |&member| member == hash).is_none() {
                members.insert_unique(hash, hash, |&member| member);
            }
        }
        Set::Exact(members)
    }
}

/// So many hashes the crate keeps in a list and counts one by one.
const LISTED_MAX: usize = 128;

/// For each register that is in use a hash that sets it. The crate tells its registers in the form
/// that its module `serde` describes: a number whose lowest two bits say what it is, and words. It is
/// not asked to read them back, as it takes what it reads on trust.
pub(super) fn hashes_of<const P: usize>(registers: &HyperLogLog<P>) -> Vec<u64> {
    let told = serde_json::to_value(registers).and_then(serde_json::from_value);
    let (form, words): (u64, Option<Vec<u32>>) = told.expect("a number and perhaps a list");
    let words = words.unwrap_or_default();
    // The rank is the number of ones from bit P on, plus one.
    let hash = |index: u64, rank: u32| {
        let ones = (1u64 << rank.saturating_sub(1)) - 1;
        (rank > 0).then_some(index | ones << P)
    };
    let encoded = |word: u32| hash(u64::from(word >> RANK_BITS), word & RANK_MASK);
    match form & 3 {
        0 => [form >> 2, form >> 33]
            .into_iter()
            .filter_map(|bits| encoded((bits & SMALL_MASK) as u32))
            .collect(),
        1 => words.into_iter().filter_map(encoded).collect(),
        _ => {
            let registers = (0..1usize << P).filter_map(|index| {
                // Two words come before the registers.
                let bit = index * RANK_BITS as usize;
                let (at, shift) = (bit / 32 + 2, bit % 32);
                let both = u64::from(words[at]) | u64::from(words[at + 1]) << 32;
                hash(index as u64, (both >> shift) as u32 & RANK_MASK)
            });
            let mut hashes: Vec<u64> = registers.collect();
            if hashes.len() <= LISTED_MAX {
                // So few would be taken for members. These set the same registers, to no more.
                let index = |hash: &u64| hash & ((1 << P) - 1);
                let more = hashes.iter().map(index).collect::<Vec<_>>();
                for other in 1..=3 {
                    hashes.extend(more.iter().map(|index| index | other << (P + 1)));
                }
            }
            hashes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Limits, SetHash};

    fn filled(limits: &Limits, hash: &SetHash, members: std::ops::Range<u32>) -> Set {
        let mut set = Set::default();
        for member in members {
            assert!(set.record(&member.to_le_bytes(), hash, limits, &mut { usize::MAX }));
        }
        set
    }

    /// Below three, below 129 and above that the crate has a form of its own.
    #[test]
    fn a_set_comes_back_from_its_hashes_and_merges_as_before() {
        let hash = SetHash::new();
        for (max, precision) in [(5_000, 12), (1, 8), (1, 12), (1, 18)] {
            let limits = Limits {
                max_set_values: max,
                set_precision: SetPrecision::of_bits(precision).expect("there is one"),
                ..Limits::default()
            };
            for count in [0, 1, 2, 3, 100, 129, 4_000] {
                let set = filled(&limits, &hash, 0..count);
                let (kept, hashes) = set.hashes();
                assert_eq!(kept.is_some(), count > max as u32);
                let mut again = Set::of_hashes(kept, hashes.iter().copied());
                // The crate keeps a sum of the registers in 32 bits, which the order rounds.
                let same = |one: &Set, two: &Set| one.count().abs_diff(two.count()) <= 1;
                assert!(same(&again, &set), "{count} of 2^{precision}");
                // The rest of the slot has half of the members again, and as many others.
                let rest = filled(&limits, &hash, count / 2..count * 2);
                let mut whole = filled(&limits, &hash, 0..count);
                whole.merge(&rest, &limits);
                again.merge(&rest, &limits);
                assert!(same(&again, &whole), "{count} of 2^{precision}");
            }
        }
    }
}
