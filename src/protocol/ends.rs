//! The ends of names and lines of a datagram, found ahead of its lines. Hot path.
//!
//! Where a line begins is known when the one before it ends. If its bytes were compared only then,
//! each line would wait for the comparison of the one before; what is found ahead only has to be
//! shifted. That takes more instructions (bench `instructions`: 282 a line instead of 267) in a
//! twentieth less time (bench `record`).

use super::block::{BLOCK_BYTES, pad};
use crate::simd::Vectors;

/// So many blocks are looked at ahead: longer than a datagram in an Ethernet frame.
const BLOCKS_MAX: usize = 32;

/// Which bytes of a datagram may end a name or a line.
pub(super) struct Ends {
    /// A word of [`Vectors::colons_and_feeds`] for each block, and one behind the last.
    words: [u64; BLOCKS_MAX + 1],
    /// Where the first block begins.
    first_at: usize,
    /// Up to where they are found.
    found_to: usize,
}

impl Ends {
    pub(super) fn new() -> Ends {
        Ends {
            words: [0; BLOCKS_MAX + 1],
            first_at: 0,
            found_to: 0,
        }
    }

    /// What [`Vectors::colons_and_feeds`] says of the 64 bytes from `at` on, with a line feed where the
    /// datagram ends. To be asked in order.
    #[inline(always)]
    pub(super) fn from(&mut self, vectors: impl Vectors, datagram: &[u8], at: usize) -> u64 {
        if at + BLOCK_BYTES > self.found_to {
            self.find(vectors, datagram, at);
        }
        let bit = at - self.first_at;
        let block = bit / BLOCK_BYTES % BLOCKS_MAX;
        let shift = bit % BLOCK_BYTES;
        // In two steps, as no shift may be as long as the word.
        self.words[block] >> shift | (self.words[block + 1] << 1) << (BLOCK_BYTES - 1 - shift)
    }

    #[inline(always)]
    fn find(&mut self, vectors: impl Vectors, datagram: &[u8], at: usize) {
        let (blocks, rest) = datagram[at..].as_chunks::<BLOCK_BYTES>();
        let count = blocks.len().min(BLOCKS_MAX);
        for (word, block) in self.words.iter_mut().zip(&blocks[..count]) {
            *word = vectors.colons_and_feeds(block);
        }
        self.first_at = at;
        self.found_to = at + count * BLOCK_BYTES;
        if count < BLOCKS_MAX {
            self.words[count] = vectors.colons_and_feeds(&pad(rest));
            self.words[count + 1] = 0;
            self.found_to = usize::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Baseline;

    #[test]
    fn what_is_found_ahead_is_what_each_place_has_behind_it() {
        let mut random = fastrand::Rng::with_seed(3);
        let lengths = [
            0, 1, 63, 64, 65, 127, 128, 129, 2_047, 2_048, 2_049, 2_112, 5_000,
        ];
        let lengths = lengths.into_iter();
        for length in lengths.filter(|length| !cfg!(miri) || *length < 200) {
            let datagram: Vec<u8> = (0..length)
                .map(|_| random.choice(*b"ab:\n*|").expect("six"))
                .collect();
            let mut padded = datagram.clone();
            padded.push(b'\n');
            padded.resize(length + 2 * BLOCK_BYTES, 0);
            for step in [1, 7, 64, 130, 3_000] {
                let mut ends = Ends::new();
                for at in (0..length).step_by(step) {
                    let block = padded[at..].first_chunk().expect("it is padded");
                    let found = ends.from(Baseline, &datagram, at);
                    assert_eq!(found, Baseline.colons_and_feeds(block), "{at} of {length}");
                }
            }
        }
    }
}
