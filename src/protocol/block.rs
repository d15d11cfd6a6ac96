//! The bytes that a line begins with, which are looked at all at once. Hot path.

use crate::simd::equal_bytes;

/// So many bytes are looked at.
pub(super) const BLOCK_BYTES: usize = 64;

/// The block that a text begins with. One that is shorter than a block is padded: the end of the
/// datagram ends the line, too.
#[inline(always)]
pub(super) fn block_of<'b>(
    text: &'b [u8],
    padded: &'b mut Option<[u8; BLOCK_BYTES]>,
) -> &'b [u8; BLOCK_BYTES] {
    match text.first_chunk() {
        Some(block) => block,
        None => padded.insert(pad(text)),
    }
}

/// A block of a text that is shorter than one, with a line feed behind it.
#[inline(never)]
pub(super) fn pad(text: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    block[..text.len()].copy_from_slice(text);
    block[text.len()] = b'\n';
    block
}

/// Where the parts of a line end.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Where the name does.
    pub(super) colon: usize,
    /// Where the type does.
    pub(super) type_end: usize,
    /// Where the line does.
    pub(super) end: usize,
}

/// A bit for each byte of a block that ends a part of a line; the first byte has the lowest.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    pub(super) feeds: u64,
    pub(super) colons: u64,
    pub(super) bars: u64,
}

impl Marks {
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK_BYTES]) -> Marks {
        Marks {
            feeds: equal_bytes(block, b'\n'),
            colons: equal_bytes(block, b':'),
            bars: equal_bytes(block, b'|'),
        }
    }

    /// Where the first line ends, if it does so in the block.
    #[inline]
    pub(super) fn end(self) -> Option<usize> {
        (self.feeds != 0).then(|| self.feeds.trailing_zeros() as usize)
    }

    /// Where the parts of the first line end if its type has one field behind it; None unless there is one
    /// colon, and a bar.
    #[inline]
    pub(super) fn rated(self) -> Option<Place> {
        let end = self.end()?;
        let line = (1 << end) - 1;
        let (colons, bars) = (self.colons & line, self.bars & line);
        if !colons.is_power_of_two() || bars == 0 {
            return None;
        }
        Some(Place {
            colon: colons.trailing_zeros() as usize,
            type_end: bars.ilog2() as usize,
            end,
        })
    }
}
