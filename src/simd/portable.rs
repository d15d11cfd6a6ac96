//! The twins without any instruction of a particular processor.

/// What is compared of a byte in [`colons_and_feeds`]: all but the two bits in which a line feed
/// (0x0a) and a colon (0x3a) differ.
pub(super) const COMPARED_BITS: u8 = 0b1100_1111;

/// What is left of a line feed and of a colon.
pub(super) const MARK: u8 = b'\n';

/// As [`super::colons_and_feeds`]. Without a branch for each byte, so that compilers make vectors
/// of it.
#[inline]
pub fn colons_and_feeds(bytes: &[u8; 64]) -> u64 {
    (0..64).fold(0, |mask, at| {
        mask | u64::from(bytes[at] & COMPARED_BITS == MARK) << at
    })
}

/// As [`super::equal_words`].
#[inline]
pub fn equal_words(words: &[u32; 5], word: u32) -> u32 {
    (0..5).fold(0, |mask, at| mask | u32::from(words[at] == word) << at)
}
