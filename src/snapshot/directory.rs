//! The merged series of one metric type: from a name to a slot, and what is known of each.

use std::collections::HashSet;

use ahash::RandomState;
use hashbrown::HashTable;

use super::texts::{SeriesName, TextId, Texts};

/// What is known of a merged series beside its name and its aggregate. There may be ten million of
/// them, so it is no more than twelve bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where its name is; [`FREE`] for a slot that is free.
    page: u32,
    unit: u16,
    /// How many slots of shards lead here, one of each shard at most. While any does, the slot is
    /// not given away.
    references: u16,
    /// The flush at which it last got samples.
    pub(super) spoke_at: u32,
}

/// No page has this number.
const FREE: u32 = u32::MAX;

impl Entry {
    fn text(&self) -> Option<TextId> {
        let Entry { page, unit, .. } = *self;
        (page != FREE).then_some(TextId { page, unit })
    }

    fn set_text(&mut self, text: TextId) {
        (self.page, self.unit) = (text.page, text.unit);
    }

    /// Whether some slot of a shard leads here.
    pub(super) fn is_referred_to(&self) -> bool {
        self.references > 0
    }
}

/// Merged series by slot and by name.
#[derive(Debug, Default)]
pub(super) struct Directory {
    by_name: HashTable<u32>,
    entries: Vec<Entry>,
    texts: Texts,
    /// The levels of gauges by slot, NaN for none; empty for other types.
    levels: Vec<f64>,
    free: Vec<u32>,
    /// Series that are not to be reported until they get samples again.
    hushed: HashSet<u32>,
    hasher: RandomState,
}

impl Directory {
    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// One more than the highest slot that was ever in use.
    pub(super) fn slot_count(&self) -> usize {
        self.entries.len()
    }

    /// What is known of the series of a slot, unless the slot is free.
    #[inline]
    pub(super) fn entry(&self, slot: u32) -> Option<Entry> {
        let entry = self.entries.get(slot as usize).copied();
        entry.filter(|entry| entry.page != FREE)
    }

    /// The name of the series with this entry.
    #[inline]
    pub(super) fn name(&self, entry: Entry) -> SeriesName<'_> {
        let Entry { page, unit, .. } = entry;
        self.texts.get(TextId { page, unit })
    }

    /// All series by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Entry)> {
        (0u32..)
            .zip(self.entries.iter().copied())
            .filter(|(_, entry)| entry.page != FREE)
    }

    /// Notes that the series of a slot got samples. Hot path of a merge.
    #[inline]
    pub(super) fn spoke(&mut self, slot: u32, now: u32) {
        self.entries[slot as usize].spoke_at = now;
    }

    /// When each series last got samples, to be counted anew.
    pub(super) fn all_spoke_at(&mut self) -> impl Iterator<Item = &mut u32> {
        self.entries.iter_mut().map(|entry| &mut entry.spoke_at)
    }

    /// A slot of a shard leads here no more.
    pub(super) fn release(&mut self, slot: u32) {
        self.entries[slot as usize].references -= 1;
    }

    /// The level of a gauge, if it has one.
    pub(super) fn level(&self, slot: u32) -> Option<f64> {
        let level = self.levels.get(slot as usize).copied();
        level.filter(|level| !level.is_nan())
    }

    /// Keeps the level of a gauge.
    pub(super) fn set_level(&mut self, slot: u32, level: f64) {
        if self.levels.len() <= slot as usize {
            self.levels.resize(self.entries.len(), f64::NAN);
        }
        self.levels[slot as usize] = level;
    }

    /// Forgets the level of a gauge.
    pub(super) fn drop_level(&mut self, slot: u32) {
        if let Some(level) = self.levels.get_mut(slot as usize) {
            *level = f64::NAN;
        }
    }

    /// Whether a series is not to be reported while it is silent.
    pub(super) fn is_hushed(&self, slot: u32) -> bool {
        // This is asked for each series at each flush, and nearly always there is none.
        !self.hushed.is_empty() && self.hushed.contains(&slot)
    }

    /// Keeps a series from being reported until it gets samples.
    pub(super) fn hush(&mut self, slot: u32) {
        self.hushed.insert(slot);
    }

    /// A series may be reported while it is silent.
    pub(super) fn unhush(&mut self, slot: u32) {
        if !self.hushed.is_empty() {
            self.hushed.remove(&slot);
        }
    }

    /// The slot of a name, made if there is none, with one more reference to it. Says whether it
    /// was made.
    pub(super) fn refer(&mut self, name: &[u8], now: u32) -> (u32, bool) {
        let hash = self.hasher.hash_one(name);
        let (entries, texts, hasher) = (&self.entries, &self.texts, &self.hasher);
        let of = |slot: u32| {
            let text = entries[slot as usize].text();
            texts.whole(text.expect("a named slot is in use"))
        };
        if let Some(&slot) = self.by_name.find(hash, |&slot| of(slot) == name) {
            self.entries[slot as usize].references += 1;
            return (slot, false);
        }
        let slot = self
            .free
            .pop()
            .unwrap_or_else(|| u32::try_from(self.entries.len()).expect("series are bounded"));
        // Growing hashes all names once more, before the new one is among them.
        self.by_name
            .insert_unique(hash, slot, |&slot| hasher.hash_one(of(slot)));
        let TextId { page, unit } = self.texts.push(name);
        let entry = Entry {
            page,
            unit,
            references: 1,
            spoke_at: now,
        };
        match self.entries.get_mut(slot as usize) {
            Some(free) => *free = entry,
            None => {
                grow_by_an_eighth(&mut self.entries);
                self.entries.push(entry);
            }
        }
        (slot, true)
    }

    /// Makes a series that no shard knows yet. Returns its slot, and whether it was made.
    pub(super) fn restore(&mut self, name: &[u8], spoke_at: u32) -> (u32, bool) {
        let (slot, is_new) = self.refer(name, spoke_at);
        self.release(slot);
        self.spoke(slot, spoke_at);
        (slot, is_new)
    }

    /// Forgets a series.
    pub(super) fn remove(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        let Some(text) = entry.text() else {
            return;
        };
        entry.page = FREE;
        let hash = self.hasher.hash_one(self.texts.whole(text));
        if let Ok(found) = self.by_name.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
        self.texts.remove(text);
        self.drop_level(slot);
        self.unhush(slot);
        self.free.push(slot);
        if self.texts.is_wasteful() {
            self.put_texts_together();
        }
    }

    /// Moves the names to new pages, without those that were removed.
    fn put_texts_together(&mut self) {
        let old = std::mem::take(&mut self.texts);
        for entry in &mut self.entries {
            if let Some(text) = entry.text() {
                entry.set_text(self.texts.push(old.whole(text)));
            }
        }
    }
}

/// Makes room for one more. Doubling would leave a long vector half empty.
pub(super) fn grow_by_an_eighth<T>(vector: &mut Vec<T>) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact((vector.len() / 8).max(16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_come_and_go_take_no_more_memory_than_those_that_stay() {
        const COUNT: u32 = if cfg!(miri) { 20 } else { 1_000 };
        let mut directory = Directory::default();
        let stays = |number: u32| format!("stays.{number};a=b").into_bytes();
        for number in 0..COUNT {
            let (slot, is_new) = directory.refer(&stays(number), 1);
            assert_eq!((slot, is_new), (number, true));
        }
        for number in 0..if cfg!(miri) { 50 } else { 300_000u32 } {
            let name = format!("{number}.{}", "passes.by.".repeat(20));
            let (slot, is_new) = directory.refer(name.as_bytes(), 1);
            assert!(is_new && slot == COUNT, "the free slot is used again");
            directory.set_level(slot, 1.0);
            directory.remove(slot);
            assert_eq!(directory.level(slot), None);
        }
        assert!(directory.texts.size_bytes() < 40 << 20);
        assert_eq!(
            (directory.len(), directory.slot_count()),
            (COUNT as usize, COUNT as usize + 1)
        );
        for number in 0..COUNT {
            let (slot, is_new) = directory.refer(&stays(number), 1);
            assert_eq!((slot, is_new), (number, false));
            let entry = directory.entry(slot).expect("it is in use");
            let name = directory.name(entry);
            assert_eq!(name.tags, b";a=b");
            assert_eq!([name.path, name.tags].concat(), stays(number));
            assert_eq!(entry.references, 2);
        }
    }
}
