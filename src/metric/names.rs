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

use super::brakes::Rule;
use super::column::REFUSED_SLOTS;
use super::index::{Entry, Index};
use super::memory;
use super::refusal::Refusal;
use super::refused::Refused;
use super::samples::MetricType;
use super::texts::{Kind, NONE, Texts};
use crate::simd::Vectors;

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
    /// Spellings that are refused.
    refused: Refused,
    hasher: RandomState,
}

impl Names {
    /// How many spellings of series are remembered.
    pub(super) fn len(&self) -> usize {
        self.spellings.len() - self.refused.len()
    }

    /// How many refused spellings are remembered.
    pub(super) fn refused_count(&self) -> usize {
        self.refused.len()
    }

    /// What the memory of series is charged with.
    pub(super) fn charge(&self, metric_type: MetricType) -> usize {
        let spellings = self.len() + self.safe_names.len();
        let text_bytes = self.texts.live_bytes() - self.refused.text_bytes();
        memory::charge(metric_type, text_bytes, spellings, self.series_count())
    }

    /// How many series there are.
    pub(super) fn series_count(&self) -> usize {
        self.heads.len() - self.free.len()
    }

    /// The hash that a spelling is looked up by.
    #[inline(always)]
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
        (hasher.finish() as u32).max(1)
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
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u32) {
        self.spellings.prefetch(hash);
    }

    /// The entry that a hash most likely leads to, whose text is asked for. Holds until a spelling
    /// is added or forgotten.
    #[inline(always)]
    pub(super) fn guess(
        &self,
        vectors: impl Vectors,
        hash: u32,
        text_bytes: usize,
    ) -> Option<Entry> {
        let entry = self.spellings.first(vectors, hash)?;
        self.texts.prefetch(entry.record, text_bytes);
        Some(entry)
    }

    /// Whether a record holds this spelling.
    #[inline(always)]
    pub(super) fn is(&self, record: u32, name: &[u8], tags: &[u8]) -> bool {
        self.texts.is(record, name, tags)
    }

    /// Whether the memory for texts can take another spelling.
    pub(super) fn has_room(&self) -> bool {
        self.texts.has_room() && self.heads.len() < REFUSED_SLOTS as usize
    }

    /// Whether there is a series of this safe name.
    pub(super) fn has_series(&self, safe: &[u8]) -> bool {
        let found = self.find(safe, b"");
        let spelled = found.slot.filter(|&slot| slot < REFUSED_SLOTS);
        spelled.is_some()
            || self
                .lookup(&self.safe_names, found.hash, safe, b"")
                .is_some()
    }

    /// Remembers that a rule refuses a spelling that is new, and for what reason.
    pub(super) fn refuse(
        &mut self,
        found: &Found,
        name: &[u8],
        tags: &[u8],
        rule: (Rule, Refusal),
    ) {
        if self.texts.is_sparse() {
            self.compact();
        }
        let record = self.texts.put(NONE, Kind::Spelling, name, tags);
        let slot = self.refused.add(record, rule, self.texts.size_of(record));
        self.spellings.insert(found.hash, Entry { record, slot });
    }

    /// Refuses one more link of the spelling that a slot stands for which is no series'.
    #[inline]
    pub(super) fn refuse_again(&mut self, slot: u32) -> Refusal {
        self.refused.refuse(slot)
    }

    /// Tells how many links of remembered spellings rules have refused since the last call, and forgets
    /// those spellings that had none.
    pub(super) fn settle_refused(&mut self, each: impl FnMut(Rule, u64)) {
        for (slot, record) in self.refused.settle(each) {
            self.forget_refused(slot, record);
        }
    }

    /// Forgets the refused spellings of some rules.
    pub(super) fn forget_refused_of(&mut self, is_of: impl Fn(Rule) -> bool) {
        for (slot, record) in self.refused.of(is_of) {
            self.forget_refused(slot, record);
        }
    }

    fn forget_refused(&mut self, slot: u32, record: u32) {
        let read = self.texts.get(record);
        let hash = self.hash(read.name, read.tags);
        self.spellings.remove(hash, record);
        self.refused.remove(slot, self.texts.size_of(record));
        self.texts.free(record);
    }

    /// The slots of the series of which one spelling, or the safe name, is meant.
    pub(super) fn slots_of(&self, mut is_meant: impl FnMut(&[u8], &[u8]) -> bool) -> Vec<u32> {
        let in_use = (0u32..).zip(&self.heads).filter(|(_, head)| **head != NONE);
        let meant = in_use.filter(|(_, head)| {
            let record = self.texts.get(**head);
            is_meant(record.name, record.tags)
        });
        meant.map(|(slot, _)| slot).collect()
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
            let spelled = found.slot.filter(|&slot| slot < REFUSED_SLOTS);
            spelled.or_else(|| self.lookup(&self.safe_names, found.hash, safe, b""))
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
        for (slot, record) in self.refused.all() {
            let read = texts.get(record);
            let hash = self.hash(read.name, read.tags);
            let record = self.texts.put(NONE, Kind::Spelling, read.name, read.tags);
            self.refused.moved(slot, record);
            self.spellings.insert(hash, Entry { record, slot });
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
mod tests;
