//! The twins without any instruction of a particular processor.

/// What is compared of a byte in [`colons_and_feeds`]: all but the two bits in which a line feed
/// (0x0a) and a colon (0x3a) differ.
pub(super) const COMPARED_BITS: u8 = 0b1100_1111;

/// What is left of a line feed and of a colon.
pub(super) const MARK: u8 = b'\n';

/// As [`super::Vectors::colons_and_feeds`]. Without a branch for each byte, so that compilers make
/// vectors of it.
#[inline]
pub fn colons_and_feeds(bytes: &[u8; 64]) -> u64 {
    (0..64).fold(0, |mask, at| {
        mask | u64::from(bytes[at] & COMPARED_BITS == MARK) << at
    })
}

/// As [`super::equal_bytes`].
#[inline]
pub fn equal_bytes(bytes: &[u8; 64], byte: u8) -> u64 {
    (0..64).fold(0, |mask, at| mask | u64::from(bytes[at] == byte) << at)
}

/// As [`super::Vectors::equal_words`].
#[inline]
pub fn equal_words(words: &[u32; 8], word: u32) -> u32 {
    (0..8).fold(0, |mask, at| mask | u32::from(words[at] == word) << at)
}

/// As [`super::Vectors::eight_digits`]: digits are doubled up to pairs, fours and eight in one
/// register (Lemire, "Number parsing at a gigabyte per second", section 9).
#[inline(always)]
pub fn eight_digits(digits: u64) -> Option<u32> {
    let above_nine = digits | digits.wrapping_add(0x7676_7676_7676_7676);
    if above_nine & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let thousands = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let ones = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some((thousands.wrapping_add(ones) >> 32) as u32)
}
