//! Spellings that rules refuse, remembered like those of series, so that a line of a refused name
//! costs no more than one that is recorded. Their slots are no series': none has an aggregate.

use super::brakes::Rule;
use super::column::REFUSED_SLOTS;
use super::refusal::Refusal;

/// So many are remembered in a table; names beyond that are held against the rules each time. Fewer
/// under Miri, where each takes milliseconds.
pub(super) const REFUSED_MAX: usize = if cfg!(miri) { 64 } else { 16_384 };

/// A longer spelling is not remembered, so that the memory of all is bounded: 5 MiB in a table.
pub(super) const REFUSED_BYTES_MAX: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Name {
    /// None if this place is free.
    record: Option<u32>,
    rule: Rule,
    reason: Refusal,
    /// Links refused in this interval. The rules are told of them at its end, so that a line of
    /// such a name writes to one place only.
    links: u64,
}

/// The refused spellings of one metric type, by slot.
#[derive(Debug, Default)]
pub(super) struct Refused {
    names: Vec<Name>,
    free: Vec<u32>,
    text_bytes: usize,
}

impl Refused {
    pub(super) fn len(&self) -> usize {
        self.names.len() - self.free.len()
    }

    /// What their texts take.
    pub(super) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Adds one of which a link was refused, and returns its slot.
    pub(super) fn add(
        &mut self,
        record: u32,
        (rule, reason): (Rule, Refusal),
        text_bytes: usize,
    ) -> u32 {
        let name = Name {
            record: Some(record),
            rule,
            reason,
            links: 1,
        };
        self.text_bytes += text_bytes;
        let number = self.free.pop().unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() as u32 - 1
        });
        self.names[number as usize] = name;
        REFUSED_SLOTS + number
    }

    #[inline]
    fn name(&mut self, slot: u32) -> &mut Name {
        &mut self.names[(slot - REFUSED_SLOTS) as usize]
    }

    /// Refuses one more link of it.
    #[inline]
    pub(super) fn refuse(&mut self, slot: u32) -> Refusal {
        let name = self.name(slot);
        name.links += 1;
        name.reason
    }

    /// Tells of the links that rules refused since the last call. Returns the slots of names that had
    /// none, with their records.
    pub(super) fn settle(&mut self, mut each: impl FnMut(Rule, u64)) -> Vec<(u32, u32)> {
        let silent = self.those(|name| name.links == 0);
        for name in &mut self.names {
            match std::mem::take(&mut name.links) {
                0 => {}
                links => each(name.rule, links),
            }
        }
        silent
    }

    /// Its text is elsewhere now.
    pub(super) fn moved(&mut self, slot: u32, record: u32) {
        self.name(slot).record = Some(record);
    }

    /// Frees a slot.
    pub(super) fn remove(&mut self, slot: u32, text_bytes: usize) {
        self.name(slot).record = None;
        self.text_bytes -= text_bytes;
        self.free.push(slot - REFUSED_SLOTS);
    }

    /// All slots in use, with their records.
    pub(super) fn all(&self) -> Vec<(u32, u32)> {
        self.those(|_| true)
    }

    /// Those of some rules.
    pub(super) fn of(&self, is_of: impl Fn(Rule) -> bool) -> Vec<(u32, u32)> {
        self.those(|name| is_of(name.rule))
    }

    fn those(&self, is_one: impl Fn(&Name) -> bool) -> Vec<(u32, u32)> {
        let in_use = (REFUSED_SLOTS..)
            .zip(&self.names)
            .filter_map(|(slot, name)| Some((slot, name.record?, is_one(name))));
        let those = in_use.filter(|(.., is_one)| *is_one);
        those.map(|(slot, record, _)| (slot, record)).collect()
    }
}
