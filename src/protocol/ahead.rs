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

/// What was found of a datagram.
pub(super) struct Ahead {
    /// A word of [`Vectors::colons_and_feeds`] for each block, and one behind the last.
    marks: [u64; BLOCKS_MAX + 1],
    /// Where the first block begins.
    start: usize,
    /// Up to where the next bytes are known.
    end: usize,
}

impl Ahead {
    pub(super) fn new() -> Ahead {
        Ahead {
            marks: [0; BLOCKS_MAX + 1],
            start: 0,
            end: 0,
        }
    }

    /// Which of the 64 bytes from `at` on [`Vectors::colons_and_feeds`] names; the end of the datagram
    /// is a line feed. To be asked in order.
    #[inline(always)]
    pub(super) fn marks(&mut self, vectors: impl Vectors, datagram: &[u8], at: usize) -> u64 {
        if at + BLOCK_BYTES > self.end {
            self.look(vectors, datagram, at);
        }
        let behind = at - self.start;
        let block = behind / BLOCK_BYTES % BLOCKS_MAX;
        let shift = behind % BLOCK_BYTES;
        // In two steps, as no shift may be as long as the word.
        self.marks[block] >> shift | (self.marks[block + 1] << 1) << (BLOCK_BYTES - 1 - shift)
    }

    #[inline(always)]
    fn look(&mut self, vectors: impl Vectors, datagram: &[u8], at: usize) {
        let (blocks, rest) = datagram[at..].as_chunks::<BLOCK_BYTES>();
        let count = blocks.len().min(BLOCKS_MAX);
        for (marks, block) in self.marks.iter_mut().zip(&blocks[..count]) {
            *marks = vectors.colons_and_feeds(block);
        }
        self.start = at;
        self.end = at + count * BLOCK_BYTES;
        if count < BLOCKS_MAX {
            self.marks[count] = vectors.colons_and_feeds(&pad(rest));
            self.marks[count + 1] = 0;
            self.end = usize::MAX;
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
                let mut ahead = Ahead::new();
                for at in (0..length).step_by(step) {
                    let block = padded[at..].first_chunk().expect("it is padded");
                    let marks = ahead.marks(Baseline, &datagram, at);
                    assert_eq!(marks, Baseline.colons_and_feeds(block), "{at} of {length}");
                }
            }
        }
    }
}
