//! The aggregates of one type, dense by slot.

use crate::simd;

/// The state of one series in one interval. `Default` is the identity of `merge`.
pub trait Aggregate: Default {
    /// Whether anything was recorded.
    fn is_touched(&self) -> bool;
}

/// Slots from here on are no series': they mark names that are refused.
pub(super) const REFUSED_SLOTS: u32 = u32::MAX - (1 << 20);

/// Aggregates by slot. It grows to the highest slot that was recorded into.
#[derive(Clone, Debug, Default)]
pub struct Column<A> {
    slots: Vec<A>,
}

impl<A: Aggregate> Column<A> {
    /// The aggregate of a slot, to record into; None for a slot that only marks a name as refused.
    /// Hot path: such a slot is beyond the end, which is looked at in any case.
    #[inline(always)]
    pub fn open(&mut self, slot: u32) -> Option<&mut A> {
        let index = slot as usize;
        if index >= self.slots.len() {
            if slot >= REFUSED_SLOTS {
                return None;
            }
            self.grow(index);
        }
        self.slots.get_mut(index)
    }

    /// Asks for the memory of a slot's aggregate.
    #[inline(always)]
    pub fn prefetch(&self, slot: u32) {
        simd::prefetch(&self.slots, slot as usize);
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        self.slots.resize_with(index + 1, A::default);
    }

    /// The aggregate of a slot, if the column reaches it.
    pub fn get(&self, slot: u32) -> Option<&A> {
        self.slots.get(slot as usize)
    }

    /// Whether anything was recorded into a slot.
    pub fn is_touched(&self, slot: u32) -> bool {
        self.get(slot).is_some_and(A::is_touched)
    }

    /// All aggregates by slot, the untouched ones too.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut A)> {
        (0u32..).zip(self.slots.iter_mut())
    }

    /// Sets every slot back, and keeps the memory.
    pub fn reset(&mut self) {
        self.slots.fill_with(A::default);
    }
}
