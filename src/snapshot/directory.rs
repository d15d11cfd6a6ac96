//! The merged series of one metric type: from a name to a slot, and what is known of each.

use ahash::RandomState;
use hashbrown::HashTable;

use crate::metric::Gauge;

/// One merged series.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Box<[u8]>,
    /// How many slots of shards lead here. While any does, the slot is not given away.
    pub(super) references: u32,
    /// The flush at which it last got samples.
    pub(super) spoke_at: u32,
    /// The level of a gauge, NaN as long as it has none; unused for other types.
    pub(super) level: f64,
}

impl Entry {
    /// Applies the updates of a gauge to its level, and returns what to report. A level that
    /// overflows is reported once, but not kept: it would stay so for ever.
    pub(super) fn update_level(&mut self, gauge: &Gauge, lives: bool) -> f64 {
        let has_previous = lives && !self.level.is_nan();
        let level = gauge.level(if has_previous { self.level } else { 0.0 });
        if level.is_finite() {
            self.level = level;
        }
        level
    }

    /// Forgets the level of a gauge.
    pub(super) fn drop_level(&mut self) {
        self.level = f64::NAN;
    }
}

/// Merged series by slot and by name.
#[derive(Debug, Default)]
pub(super) struct Directory {
    by_name: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
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

    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Entry)> {
        (0u32..)
            .zip(&mut self.entries)
            .filter_map(|(slot, entry)| Some((slot, entry.as_mut()?)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0u32..)
            .zip(&self.entries)
            .filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }

    /// The slot of a name, made if there is none, with one more reference to it. Says whether it
    /// was made.
    pub(super) fn refer(&mut self, name: Box<[u8]>, now: u32) -> (u32, bool) {
        let hash = self.hasher.hash_one(&*name);
        let entries = &self.entries;
        let of = |slot: &u32| entries[*slot as usize].as_ref().map(|entry| &*entry.name);
        if let Some(&slot) = self.by_name.find(hash, |slot| of(slot) == Some(&*name)) {
            self.get_mut(slot)
                .expect("a named slot is in use")
                .references += 1;
            return (slot, false);
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).expect("series are bounded")
        });
        self.entries[slot as usize] = Some(Entry {
            name,
            references: 1,
            spoke_at: now,
            level: f64::NAN,
        });
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.by_name.insert_unique(hash, slot, |&slot| {
            let entry = entries[slot as usize]
                .as_ref()
                .expect("a named slot is in use");
            hasher.hash_one(&*entry.name)
        });
        (slot, true)
    }

    /// Makes a series that no shard knows yet, with a level.
    pub(super) fn restore(&mut self, name: Box<[u8]>, level: f64, now: u32) {
        let (slot, _) = self.refer(name, now);
        let entry = self.get_mut(slot).expect("a named slot is in use");
        entry.references -= 1;
        entry.level = level;
    }

    /// Forgets a series.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(entry) = self.entries[slot as usize].take() else {
            return;
        };
        let hash = self.hasher.hash_one(&*entry.name);
        if let Ok(found) = self.by_name.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
        self.free.push(slot);
    }
}
