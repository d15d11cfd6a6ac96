//! With SSE2, which each 64-bit x86 has.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    _MM_HINT_T0, _mm_and_si128, _mm_castsi128_ps, _mm_cmpeq_epi8, _mm_cmpeq_epi32, _mm_loadu_si128,
    _mm_movemask_epi8, _mm_movemask_ps, _mm_prefetch, _mm_set1_epi8, _mm_set1_epi32,
};

use super::portable::{COMPARED_BITS, MARK};

#[inline]
pub(super) fn colons_and_feeds(bytes: &[u8; 64]) -> u64 {
    equal_kept_bits(bytes, COMPARED_BITS, MARK)
}

#[inline]
pub(super) fn equal_bytes(bytes: &[u8; 64], byte: u8) -> u64 {
    equal_kept_bits(bytes, u8::MAX, byte)
}

/// A bit for each of the bytes of which these bits make `byte`.
#[inline(always)]
fn equal_kept_bits(bytes: &[u8; 64], bits: u8, byte: u8) -> u64 {
    let quarter = |at: usize| {
        let part: &[u8; 16] = bytes[at..at + 16].try_into().expect("16 of 64 bytes");
        // SAFETY: SSE2 is part of the architecture; 16 bytes may be read, and the load needs
        // no alignment.
        unsafe {
            let kept = _mm_and_si128(
                _mm_loadu_si128(part.as_ptr().cast()),
                _mm_set1_epi8(bits.cast_signed()),
            );
            let equal = _mm_cmpeq_epi8(kept, _mm_set1_epi8(byte.cast_signed()));
            u64::from(_mm_movemask_epi8(equal).cast_unsigned())
        }
    };
    quarter(0) | quarter(16) << 16 | (quarter(32) | quarter(48) << 16) << 32
}

#[inline]
pub(super) fn equal_words(words: &[u32; 8], word: u32) -> u32 {
    let four = |at: usize| {
        let part: &[u32; 4] = words[at..at + 4].try_into().expect("4 of 8 words");
        // SAFETY: SSE2 is part of the architecture; 16 bytes may be read, and the load needs
        // no alignment.
        unsafe {
            let equal = _mm_cmpeq_epi32(
                _mm_loadu_si128(part.as_ptr().cast()),
                _mm_set1_epi32(word.cast_signed()),
            );
            _mm_movemask_ps(_mm_castsi128_ps(equal)) as u32
        }
    };
    four(0) | four(4) << 4
}

#[inline]
pub(super) fn prefetch<T>(item: *const T) {
    // SAFETY: a prefetch of any address is a hint that neither reads nor faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(item.cast()) }
}
