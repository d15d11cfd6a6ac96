//! Random numbers that are the same in every run and every version.

/// Marsaglia's xorshift64: good enough to spread names.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Small seeds alone would begin with small numbers.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        // Zero is the one state that never changes.
        Random(if seed == SPREAD {
            SPREAD
        } else {
            seed ^ SPREAD
        })
    }

    /// A number from 0 to `limit` - 1.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
