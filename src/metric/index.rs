//! A hash index from hashes of names to records: every lookup of a known name costs one cache
//! line, which can be asked for ahead of time. That is what a hash table of a library cannot
//! give: a datagram's names are hashed first, and while their lines of memory are on the way the
//! next names are hashed. `gathered` tells what that is worth.
//!
//! Buckets of a cache line each; who finds his bucket full goes to the next one, and every bucket
//! that was passed by counts that, so that a lookup knows where it may stop, and nothing but the
//! entry itself has to be removed.

use crate::simd::{self, Vectors};

/// Entries of a bucket: as many as fit into a cache line.
const BUCKET_ENTRIES: usize = 5;

/// An index with this many entries a bucket on average grows. At 4 of 5 a lookup that finds its
/// name looks at 1.3 buckets on average.
const LOAD_MAX: usize = 4;

/// Where memory does not matter yet, hardly any lookup looks at a second bucket: the processor
/// guesses wrong that it need not.
const SMALL_LOAD_MAX: usize = 2;

/// As many buckets are no small index any more: 64 KiB.
const SMALL_BUCKETS: usize = 1024;

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Bucket {
    /// The hashes, 0 where the entry is free; behind them the records, and then the slots. In one
    /// array, so that the hashes can be compared with a vector that is longer than they are.
    words: [u32; 3 * BUCKET_ENTRIES],
    /// How many entries stand behind this bucket because it was full.
    passed: u32,
}

const RECORDS_AT: usize = BUCKET_ENTRIES;
const SLOTS_AT: usize = 2 * BUCKET_ENTRIES;

/// What of [`simd::Vectors::equal_words`] is hashes.
const HASHES_MASK: u32 = (1 << BUCKET_ENTRIES) - 1;

/// What stands in the index for one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where the text is.
    pub(super) record: u32,
    /// The series that it leads to.
    pub(super) slot: u32,
}

impl Bucket {
    #[inline]
    fn entry(&self, at: usize) -> Entry {
        Entry {
            record: self.words[RECORDS_AT + at],
            slot: self.words[SLOTS_AT + at],
        }
    }

    fn hashes(&self) -> &[u32] {
        &self.words[..BUCKET_ENTRIES]
    }

    fn set(&mut self, at: usize, hash: u32, entry: Entry) {
        self.words[at] = hash;
        self.words[RECORDS_AT + at] = entry.record;
        self.words[SLOTS_AT + at] = entry.slot;
    }
}

/// The index. Hashes are not 0.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// None, or a power of two of them.
    buckets: Vec<Bucket>,
    entries_count: usize,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.entries_count
    }

    pub(super) fn clear(&mut self) {
        self.buckets.fill(Bucket::default());
        self.entries_count = 0;
    }

    /// Asks for the memory where a hash is looked up.
    #[inline]
    pub(super) fn prefetch(&self, hash: u32) {
        simd::prefetch(&self.buckets, self.home(hash));
    }

    /// The first entry of a hash: nearly always the one that is looked for, if there is one.
    #[inline(always)]
    pub(super) fn first(&self, vectors: impl Vectors, hash: u32) -> Option<Entry> {
        let bucket = self.buckets.get(self.home(hash))?;
        let words = bucket.words.first_chunk().expect("there are 15");
        let matching = vectors.equal_words(words, hash) & HASHES_MASK;
        if matching == 0 {
            return self.find(hash, |_| true);
        }
        Some(bucket.entry(matching.trailing_zeros() as usize))
    }

    /// The entry of a hash whose record is the right one.
    #[inline(never)]
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<Entry> {
        let (bucket, at) = self.locate(hash, is_it)?;
        Some(self.buckets[bucket].entry(at))
    }

    #[inline]
    fn locate(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<(usize, usize)> {
        let home = self.home(hash);
        let mut number = home;
        let mut bucket = self.buckets.get(number)?;
        loop {
            // Without a branch for each entry, which would be guessed wrong every other time.
            let mut matching = (0..BUCKET_ENTRIES).fold(0, |mask, at| {
                mask | u32::from(bucket.words[at] == hash) << at
            });
            while matching != 0 {
                let at = matching.trailing_zeros() as usize % BUCKET_ENTRIES;
                if is_it(bucket.words[RECORDS_AT + at]) {
                    return Some((number, at));
                }
                matching &= matching - 1;
            }
            if bucket.passed == 0 {
                return None;
            }
            number = self.next(number);
            // Entries that came and went can leave every bucket passed by.
            if number == home {
                return None;
            }
            bucket = &self.buckets[number];
        }
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.buckets.len().wrapping_sub(1)
    }

    #[inline]
    fn next(&self, number: usize) -> usize {
        (number + 1) & (self.buckets.len() - 1)
    }

    /// Adds an entry. Entries of equal hashes may stand side by side.
    pub(super) fn insert(&mut self, hash: u32, entry: Entry) {
        debug_assert_ne!(hash, 0);
        if self.entries_count >= self.buckets.len() * self.load_max() {
            self.grow();
        }
        self.entries_count += 1;
        self.place(hash, entry);
    }

    fn place(&mut self, hash: u32, entry: Entry) {
        let mut number = self.home(hash);
        loop {
            let bucket = &mut self.buckets[number];
            if let Some(at) = bucket.hashes().iter().position(|&hash| hash == 0) {
                bucket.set(at, hash, entry);
                return;
            }
            bucket.passed += 1;
            number = self.next(number);
        }
    }

    /// Removes the entry of a record, if it is there.
    pub(super) fn remove(&mut self, hash: u32, record: u32) {
        let Some((found, at)) = self.locate(hash, |other| other == record) else {
            return;
        };
        self.buckets[found].words[at] = 0;
        self.entries_count -= 1;
        let mut number = self.home(hash);
        while number != found {
            self.buckets[number].passed -= 1;
            number = self.next(number);
        }
    }

    /// How many buckets more than one the lookups of all entries look at.
    #[cfg(test)]
    pub(super) fn passed_count(&self) -> u32 {
        self.buckets.iter().map(|bucket| bucket.passed).sum()
    }

    fn load_max(&self) -> usize {
        match self.buckets.len() < SMALL_BUCKETS {
            true => SMALL_LOAD_MAX,
            false => LOAD_MAX,
        }
    }

    #[cold]
    fn grow(&mut self) {
        let count = (self.buckets.len() * 2).max(1);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::default(); count]);
        for bucket in &old {
            for at in 0..BUCKET_ENTRIES {
                if bucket.words[at] != 0 {
                    self.place(bucket.words[at], bucket.entry(at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32) -> Entry {
        Entry {
            record: number,
            slot: number + 1,
        }
    }

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        let mut index = Index::default();
        index.prefetch(7);
        assert_eq!(index.first(simd::Baseline, 7), None);
        index.remove(7, 1);
        assert_eq!(index.len(), 0);
    }

    #[test]
    fn entries_of_one_hash_are_told_apart_by_their_records() {
        let mut index = Index::default();
        for number in 0..100 {
            index.insert(9, entry(number));
        }
        for number in 0..100 {
            assert_eq!(
                index.find(9, |record| record == number),
                Some(entry(number))
            );
        }
        assert_eq!(index.find(9, |record| record == 100), None);
    }

    #[test]
    fn a_lookup_ends_where_every_bucket_was_passed_by() {
        let mut index = Index::default();
        // One of each bucket goes on to the next, as long as others fill its own.
        for hash in 1..=4 {
            let room = if hash == 1 { 5 } else { 4 };
            let numbers = 10 * hash..10 * hash + room;
            let last = numbers.end;
            (numbers.clone()).for_each(|number| index.insert(hash, entry(number)));
            index.insert(hash, entry(last));
            numbers.for_each(|number| index.remove(hash, number));
        }
        assert_eq!(index.buckets.len(), 4);
        assert!(index.buckets.iter().all(|bucket| bucket.passed == 1));
        assert_eq!(index.find(5, |_| true), None);
        assert_eq!(index.find(2, |record| record == 0), None);
    }

    /// An index of so many entries with random hashes.
    fn random_index(count: usize) -> Index {
        let mut index = Index::default();
        let mut state = 88_172_645_463_325_252u64;
        for number in 0..count {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            index.insert((state >> 32) as u32 | 1 << 31, entry(number as u32));
        }
        index
    }

    #[test]
    fn a_lookup_in_a_full_index_looks_at_one_bucket_and_a_third_at_most() {
        let bucket_count = if cfg!(miri) { SMALL_BUCKETS } else { 4_096 };
        let index = random_index(bucket_count * LOAD_MAX);
        assert_eq!(index.buckets.len(), bucket_count);
        let passed = index.passed_count() as usize;
        assert!(passed < index.len() / 3, "{passed} of {}", index.len());
    }

    #[test]
    fn hardly_any_lookup_in_a_small_index_looks_at_two_buckets() {
        let bucket_count = SMALL_BUCKETS / 2;
        let index = random_index(bucket_count * SMALL_LOAD_MAX);
        assert_eq!(index.buckets.len(), bucket_count);
        let passed = index.passed_count() as usize;
        assert!(passed < index.len() / 40, "{passed} of {}", index.len());
    }

    /// Few hashes, so that buckets overflow into each other, against a list.
    #[test]
    fn whatever_comes_and_goes_the_others_are_found() {
        let mut index = Index::default();
        let mut known: Vec<(u32, u32)> = Vec::new();
        let mut state = 88_172_645_463_325_252u64;
        for number in 0..if cfg!(miri) { 1_000 } else { 20_000u32 } {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let hash = 1 + (state >> 40) as u32 % 64;
            if known.len() > 40 || (state >> 20).is_multiple_of(3) && !known.is_empty() {
                let (hash, record) = known.swap_remove((state >> 30) as usize % known.len());
                index.remove(hash, record);
                assert_eq!(index.find(hash, |other| other == record), None);
            } else {
                index.insert(hash, entry(number));
                known.push((hash, number));
            }
            assert_eq!(index.len(), known.len());
            if let Some(&(hash, record)) = known.get(number as usize % known.len().max(1)) {
                assert_eq!(
                    index.find(hash, |other| other == record),
                    Some(entry(record))
                );
            }
        }
        for (hash, record) in known {
            assert_eq!(
                index.find(hash, |other| other == record),
                Some(entry(record))
            );
            index.remove(hash, record);
        }
        assert_eq!(index.len(), 0);
        assert!(index.buckets.iter().all(|bucket| bucket.passed == 0));
    }
}
