//! From the spelling of a name to the slot of its series, for one metric type. Hot path: looking
//! up a known spelling does not allocate.
//!
//! A series may be spelled in several ways that are equal once they are made safe. Every spelling
//! has an entry of its own in `spellings`; a series that was first seen under an unsafe spelling
//! has its safe name in `safe_names` as well, for the next spelling to be found by.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;
use hashbrown::HashTable;

/// Where a spelling is kept and which slot it leads to.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// All of the hash that is used: the table's 64 bits are made from it, so that growing the
    /// table does not read the names again.
    hash: u32,
    record: u32,
    name_bytes: u16,
    tags_bytes: u16,
    slot: u32,
}

/// A spelling looked up: the hash is kept for inserting it.
pub(super) struct Found {
    hash: u32,
    /// The slot, if the spelling is known.
    pub(super) slot: Option<u32>,
}

/// The spellings of one metric type.
#[derive(Debug, Default)]
pub(super) struct Names {
    spellings: HashTable<Entry>,
    safe_names: HashTable<Entry>,
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

    /// Looks a spelling up.
    #[inline]
    pub(super) fn find(&self, name: &[u8], tags: &[u8]) -> Found {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        hasher.write(tags);
        let hash = (hasher.finish() >> 32) as u32;
        let slot = self.lookup(&self.spellings, hash, name, tags);
        Found { hash, slot }
    }

    #[inline]
    fn lookup(&self, among: &HashTable<Entry>, hash: u32, name: &[u8], tags: &[u8]) -> Option<u32> {
        among
            .find(spread(hash), |entry| {
                entry.hash == hash
                    && usize::from(entry.name_bytes) == name.len()
                    && usize::from(entry.tags_bytes) == tags.len()
                    && self.texts.is(entry.record, name, tags)
            })
            .map(|entry| entry.slot)
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
            let hash = self.find(safe, b"").hash;
            self.add(slot, hash, safe, b"", Kind::SafeName);
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
                self.put(
                    slot as u32,
                    record.hash,
                    record.name,
                    record.tags,
                    record.kind,
                );
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
        let record = self.texts.put(*head, hash, kind, name, tags);
        *head = record;
        let entry = Entry {
            hash,
            record,
            name_bytes: u16::try_from(name.len()).expect("spellings are bounded"),
            tags_bytes: u16::try_from(tags.len()).expect("spellings are bounded"),
            slot,
        };
        let table = match kind {
            Kind::Spelling => &mut self.spellings,
            Kind::SafeName => &mut self.safe_names,
        };
        table.insert_unique(spread(hash), entry, |entry| spread(entry.hash));
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
            let table = match record.kind {
                Kind::Spelling => &mut self.spellings,
                Kind::SafeName => &mut self.safe_names,
            };
            let hash = spread(record.hash);
            if let Ok(entry) = table.find_entry(hash, |entry| entry.record == number) {
                entry.remove();
            }
            next = record.next;
            self.texts.free(number);
        }
        self.free.push(slot);
        true
    }
}

/// The table takes its group from the low bits and its tag from the top seven.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// No record: the end of a chain.
const NONE: u32 = u32::MAX;

/// Which table a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Spelling,
    SafeName,
}

/// Texts of spellings in one block of memory. A record is a header, the name and the tags, in
/// steps of [`STEP_BYTES`]; freed records are used again for texts of their size.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Freed records by their size in steps.
    free: Vec<Vec<u32>>,
    free_bytes: usize,
}

/// A record, read.
struct Record<'a> {
    /// The record before it of the same series.
    next: u32,
    hash: u32,
    kind: Kind,
    name: &'a [u8],
    tags: &'a [u8],
}

const STEP_BYTES: usize = 16;

/// `next`, `hash`, `kind`, and the lengths of name and tags.
const HEADER_BYTES: usize = 13;

/// So much may be free at any rate.
const FREE_BYTES_MIN: usize = 16 << 20;

impl Texts {
    /// Records are numbered by steps, so that 32 bits reach 64 GiB.
    fn at(record: u32) -> usize {
        record as usize * STEP_BYTES
    }

    fn has_room(&self) -> bool {
        self.bytes.len() / STEP_BYTES + super::name::SPELLING_BYTES_MAX < NONE as usize
    }

    /// Whether more is free than in use.
    fn is_sparse(&self) -> bool {
        self.free_bytes > (self.bytes.len() / 2).max(FREE_BYTES_MIN)
    }

    #[inline]
    fn is(&self, record: u32, name: &[u8], tags: &[u8]) -> bool {
        let text = &self.bytes[Texts::at(record) + HEADER_BYTES..];
        text[..name.len()] == *name
            && (tags.is_empty() || text[name.len()..name.len() + tags.len()] == *tags)
    }

    fn put(&mut self, next: u32, hash: u32, kind: Kind, name: &[u8], tags: &[u8]) -> u32 {
        let text_bytes = name.len() + tags.len();
        let steps = (HEADER_BYTES + text_bytes).div_ceil(STEP_BYTES);
        let record = match self.free.get_mut(steps).and_then(Vec::pop) {
            Some(record) => {
                self.free_bytes -= steps * STEP_BYTES;
                record
            }
            None => {
                let record = self.bytes.len() / STEP_BYTES;
                self.bytes.resize(self.bytes.len() + steps * STEP_BYTES, 0);
                u32::try_from(record).expect("has_room was asked")
            }
        };
        let (header, text) = self.bytes[Texts::at(record)..].split_at_mut(HEADER_BYTES);
        let length = |text: &[u8]| u16::try_from(text.len()).expect("spellings are bounded");
        header[..4].copy_from_slice(&next.to_le_bytes());
        header[4..8].copy_from_slice(&hash.to_le_bytes());
        header[8] = u8::from(kind == Kind::SafeName);
        header[9..11].copy_from_slice(&length(name).to_le_bytes());
        header[11..13].copy_from_slice(&length(tags).to_le_bytes());
        text[..name.len()].copy_from_slice(name);
        text[name.len()..text_bytes].copy_from_slice(tags);
        record
    }

    fn get(&self, record: u32) -> Record<'_> {
        let (header, text) = self.bytes[Texts::at(record)..].split_at(HEADER_BYTES);
        let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
        let length = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let (name, behind) = text.split_at(length(9));
        Record {
            next: u32::from_le_bytes(word(0)),
            hash: u32::from_le_bytes(word(4)),
            kind: match header[8] {
                0 => Kind::Spelling,
                _ => Kind::SafeName,
            },
            name,
            tags: &behind[..length(11)],
        }
    }

    fn free(&mut self, record: u32) {
        let Record { name, tags, .. } = self.get(record);
        let steps = (HEADER_BYTES + name.len() + tags.len()).div_ceil(STEP_BYTES);
        if self.free.len() <= steps {
            self.free.resize_with(steps + 1, Vec::new);
        }
        self.free[steps].push(record);
        self.free_bytes += steps * STEP_BYTES;
    }
}

#[cfg(test)]
mod tests {
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
        let bytes = names.texts.bytes.len();
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
            names.texts.bytes.len(),
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
        let bytes = names.texts.bytes.len();
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
