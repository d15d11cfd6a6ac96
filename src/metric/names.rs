//! From the spelling of a name to the slot of its series, for one metric type. Hot path: looking
//! up a known spelling does not allocate.
//!
//! A series may be spelled in several ways that are equal once they are made safe. Every spelling
//! has an entry of its own in `spellings`; a series that was first seen under an unsafe spelling
//! has its safe name in `safe_names` as well, for the next spelling to be found by.

use std::hash::{BuildHasher, Hasher};

// Not `fast`: about one seed in forty puts names that differ in a few bytes so near to each other
// that a lookup in a full index looks at three to five buckets. One multiplication more.
use foldhash::quality::RandomState;

use super::index::{Entry, Index};
use super::texts::{Kind, NONE, Texts};

/// A spelling looked up: the hash is kept for inserting it.
pub(super) struct Found {
    hash: u32,
    /// The slot, if the spelling is known.
    pub(super) slot: Option<u32>,
}

/// The spellings of one metric type.
#[derive(Debug, Default)]
pub(super) struct Names {
    spellings: Index,
    safe_names: Index,
    texts: Texts,
    /// By slot: the last record of its spellings; `NONE` for a free slot.
    heads: Vec<u32>,
    free: Vec<u32>,
    hasher: RandomState,
}

impl Names {
    /// How many spellings are remembered.
    pub(super) fn len(&self) -> usize {
        self.spellings.len()
    }

    /// How many series there are.
    pub(super) fn series_count(&self) -> usize {
        self.heads.len() - self.free.len()
    }

    /// The hash that a spelling is looked up by.
    #[inline]
    pub(super) fn hash(&self, name: &[u8], tags: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        // Two short texts are hashed in line, a long one by a call: 18 instructions more (bench
        // `instructions`).
        match name.split_first_chunk::<16>() {
            Some((start, rest)) if rest.len() <= 16 => {
                hasher.write(start);
                hasher.write(rest);
            }
            _ => hasher.write(name),
        }
        if !tags.is_empty() {
            hasher.write(tags);
        }
        ((hasher.finish() >> 32) as u32).max(1)
    }

    /// Looks a spelling up.
    #[inline]
    pub(super) fn find(&self, name: &[u8], tags: &[u8]) -> Found {
        self.find_hashed(self.hash(name, tags), name, tags)
    }

    /// Looks a spelling up whose hash is known.
    #[inline]
    pub(super) fn find_hashed(&self, hash: u32, name: &[u8], tags: &[u8]) -> Found {
        let slot = self.lookup(&self.spellings, hash, name, tags);
        Found { hash, slot }
    }

    #[inline]
    fn lookup(&self, among: &Index, hash: u32, name: &[u8], tags: &[u8]) -> Option<u32> {
        among
            .find(hash, |record| self.texts.is(record, name, tags))
            .map(|entry| entry.slot)
    }

    /// Asks for the memory where [`Names::guess`] looks.
    #[inline]
    pub(super) fn prefetch(&self, hash: u32) {
        self.spellings.prefetch(hash);
    }

    /// The entry that a hash most likely leads to, whose text is asked for. Holds until a spelling
    /// is added or forgotten.
    #[inline]
    pub(super) fn guess(&self, hash: u32, text_bytes: usize) -> Option<Entry> {
        let entry = self.spellings.first(hash)?;
        self.texts.prefetch(entry.record, text_bytes);
        Some(entry)
    }

    /// Whether a record holds this spelling.
    #[inline]
    pub(super) fn is(&self, record: u32, name: &[u8], tags: &[u8]) -> bool {
        self.texts.is(record, name, tags)
    }

    /// Whether the memory for texts can take another spelling.
    pub(super) fn has_room(&self) -> bool {
        self.texts.has_room()
    }

    /// Remembers a new spelling of the series of this safe name. Returns the slot, and whether
    /// the series is new.
    pub(super) fn insert(
        &mut self,
        found: &Found,
        name: &[u8],
        tags: &[u8],
        safe: &[u8],
    ) -> (u32, bool) {
        let is_safe = tags.is_empty() && name == safe;
        let by_safe_name = if is_safe {
            self.lookup(&self.safe_names, found.hash, safe, b"")
        } else {
            let found = self.find(safe, b"");
            found
                .slot
                .or_else(|| self.lookup(&self.safe_names, found.hash, safe, b""))
        };
        let slot = by_safe_name.unwrap_or_else(|| self.new_slot());
        let is_new = by_safe_name.is_none();
        self.add(slot, found.hash, name, tags, Kind::Spelling);
        if is_new && !is_safe {
            self.add(slot, self.hash(safe, b""), safe, b"", Kind::SafeName);
        }
        (slot, is_new)
    }

    fn new_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.heads.push(NONE);
            u32::try_from(self.heads.len() - 1).expect("slots are bounded by max_series")
        })
    }

    /// Puts all records together anew, so that memory follows what is remembered: records that
    /// were freed are used again only for texts of their size. The time it takes grows with the
    /// number of names, so it is due only when more is free than in use.
    #[cold]
    fn compact(&mut self) {
        let texts = std::mem::take(&mut self.texts);
        self.spellings.clear();
        self.safe_names.clear();
        for slot in 0..self.heads.len() {
            let mut next = std::mem::replace(&mut self.heads[slot], NONE);
            while next != NONE {
                let record = texts.get(next);
                let hash = self.hash(record.name, record.tags);
                self.put(slot as u32, hash, record.name, record.tags, record.kind);
                next = record.next;
            }
        }
    }

    fn add(&mut self, slot: u32, hash: u32, name: &[u8], tags: &[u8], kind: Kind) {
        if self.texts.is_sparse() {
            self.compact();
        }
        self.put(slot, hash, name, tags, kind);
    }

    fn put(&mut self, slot: u32, hash: u32, name: &[u8], tags: &[u8], kind: Kind) {
        let head = &mut self.heads[slot as usize];
        let record = self.texts.put(*head, kind, name, tags);
        *head = record;
        self.index_of(kind).insert(hash, Entry { record, slot });
    }

    fn index_of(&mut self, kind: Kind) -> &mut Index {
        match kind {
            Kind::Spelling => &mut self.spellings,
            Kind::SafeName => &mut self.safe_names,
        }
    }

    /// Forgets a series with all its spellings; the slot is free for another. Returns false if it
    /// was free already.
    pub(super) fn forget(&mut self, slot: u32) -> bool {
        let Some(head) = self.heads.get_mut(slot as usize) else {
            return false;
        };
        let mut next = std::mem::replace(head, NONE);
        if next == NONE {
            return false;
        }
        while next != NONE {
            let number = next;
            let record = self.texts.get(number);
            let (hash, kind) = (self.hash(record.name, record.tags), record.kind);
            next = record.next;
            self.index_of(kind).remove(hash, number);
            self.texts.free(number);
        }
        self.free.push(slot);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::texts::FREE_BYTES_MIN;
    use super::*;

    fn intern(names: &mut Names, name: &str, tags: &str, safe: &str) -> (u32, bool) {
        let found = names.find(name.as_bytes(), tags.as_bytes());
        match found.slot {
            Some(slot) => (slot, false),
            None => names.insert(&found, name.as_bytes(), tags.as_bytes(), safe.as_bytes()),
        }
    }

    #[test]
    fn spellings_that_become_equal_are_one_series_in_whatever_order_they_come() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut names = Names::default();
            let spelled = [("a_b", ""), ("a b", ""), ("a  b", "")];
            let slots: Vec<u32> = order
                .iter()
                .map(|&index: &usize| intern(&mut names, spelled[index].0, "", "a_b").0)
                .collect();
            assert_eq!(slots, [0, 0, 0]);
            assert_eq!((names.len(), names.series_count()), (3, 1));
        }
    }

    #[test]
    fn where_the_name_ends_and_the_tags_begin_makes_a_difference() {
        let mut names = Names::default();
        let one = intern(&mut names, "ab", "c:d", "ab;c=d").0;
        let two = intern(&mut names, "abc", ":d", "abc;=d").0;
        assert_ne!(one, two);
        assert_eq!(intern(&mut names, "ab;c=d", "", "ab;c=d").0, one);
    }

    #[test]
    fn a_forgotten_series_leaves_nothing_behind() {
        let mut names = Names::default();
        let slot = intern(&mut names, "a b", "", "a_b").0;
        intern(&mut names, "a_b", "", "a_b");
        let bytes = names.texts.size_bytes();
        assert!(names.forget(slot));
        assert!(!names.forget(slot));
        assert_eq!((names.len(), names.series_count()), (0, 0));
        assert_eq!((names.spellings.len(), names.safe_names.len()), (0, 0));
        for round in 0..10 {
            let spelling = format!("c {round}");
            let (again, is_new) = intern(&mut names, &spelling, "", &spelling.replace(' ', "_"));
            assert!(is_new);
            assert_eq!(again, slot);
            assert!(names.forget(again));
        }
        assert_eq!(
            names.texts.size_bytes(),
            bytes,
            "memory of the forgotten is used again"
        );
    }

    #[test]
    fn memory_follows_what_is_remembered_however_long_the_names_were() {
        let mut names = Names::default();
        let kept = intern(&mut names, "kept name", "a:b", "kept_name;a=b").0;
        for length in (100..4000).step_by(100) {
            let slots: Vec<u32> = (0..500)
                .map(|number| {
                    let name = format!("{number:0length$}");
                    intern(&mut names, &name, "", &name).0
                })
                .collect();
            for slot in slots {
                assert!(names.forget(slot));
            }
        }
        let bytes = names.texts.size_bytes();
        assert!(bytes < 2 * FREE_BYTES_MIN, "{bytes} bytes for one name");
        assert_eq!(names.find(b"kept name", b"a:b").slot, Some(kept));
        assert_eq!(
            intern(&mut names, "kept_name;a=b", "", "kept_name;a=b"),
            (kept, false)
        );
        assert!(names.forget(kept));
        assert_eq!((names.spellings.len(), names.safe_names.len()), (0, 0));
    }

    #[test]
    fn no_seed_crowds_names_that_are_alike() {
        const COUNT: u32 = 4_096;
        for _ in 0..400 {
            let (names, mut index) = (Names::default(), Index::default());
            for number in 0..COUNT {
                let name = format!("service.counter.{number:07}");
                let hash = names.hash(name.as_bytes(), b"");
                let (record, slot) = (number, number);
                index.insert(hash, Entry { record, slot });
            }
            let passed = index.passed_count();
            assert!(passed < COUNT, "{passed} of {COUNT}");
        }
    }

    #[test]
    fn many_names_are_all_found_again() {
        let mut names = Names::default();
        for number in 0..20_000u32 {
            let name = format!("service.{number}.requests");
            assert_eq!(intern(&mut names, &name, "", &name), (number, true));
        }
        for number in 0..20_000u32 {
            let name = format!("service.{number}.requests");
            assert_eq!(names.find(name.as_bytes(), b"").slot, Some(number));
        }
        assert_eq!(names.find(b"service.20000.requests", b"").slot, None);
    }
}
