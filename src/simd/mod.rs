//! What the processor can do and the language cannot say: compare many bytes at once, and fetch
//! memory ahead of time. Every function has a portable twin with the same result, which other
//! architectures get and tests compare with; 64-bit x86 always has SSE2, so nothing is chosen at
//! run time and one binary serves all machines.
//!
//! Besides `kernel` the only home of unsafe code. No function of the public face is unsafe: the
//! loads read whole arrays that are borrowed, and a prefetch reads nothing that a program sees.

pub mod portable;

/// A bit for each byte that is a line feed, `:`, `*` or 0x1a; the first byte has the lowest bit.
///
/// The four differ in two bits that are masked out, so that one comparison finds both ends that
/// most lines have. Who looks for two of them tells them apart where a bit is set.
#[inline]
pub fn colons_and_feeds(bytes: &[u8; 64]) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    return sse2::colons_and_feeds(bytes);
    #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
    return portable::colons_and_feeds(bytes);
}

/// A bit for each of the words that equals `word`; the first has the lowest bit.
#[inline]
pub fn equal_words(words: &[u32; 5], word: u32) -> u32 {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    return sse2::equal_words(words, word);
    #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
    return portable::equal_words(words, word);
}

/// Asks for the cache line of an item, which may be behind the end. Changes nothing but time.
#[inline]
pub fn prefetch<T>(items: &[T], index: usize) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    sse2::prefetch(items.as_ptr().wrapping_add(index));
    #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
    let _ = (items, index);
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod sse2 {
    #![allow(unsafe_code)]

    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_and_si128, _mm_castsi128_ps, _mm_cmpeq_epi8, _mm_cmpeq_epi32,
        _mm_loadu_si128, _mm_movemask_epi8, _mm_movemask_ps, _mm_prefetch, _mm_set1_epi8,
        _mm_set1_epi32,
    };

    use super::portable::{COMPARED_BITS, MARK};

    #[inline]
    pub(super) fn colons_and_feeds(bytes: &[u8; 64]) -> u64 {
        let quarter = |at: usize| {
            let part: &[u8; 16] = bytes[at..at + 16].try_into().expect("16 of 64 bytes");
            // SAFETY: SSE2 is part of the architecture; 16 bytes may be read, and the load needs
            // no alignment.
            unsafe {
                let kept = _mm_and_si128(
                    _mm_loadu_si128(part.as_ptr().cast()),
                    _mm_set1_epi8(COMPARED_BITS.cast_signed()),
                );
                let equal = _mm_cmpeq_epi8(kept, _mm_set1_epi8(MARK.cast_signed()));
                u64::from(_mm_movemask_epi8(equal).cast_unsigned())
            }
        };
        quarter(0) | quarter(16) << 16 | (quarter(32) | quarter(48) << 16) << 32
    }

    #[inline]
    pub(super) fn equal_words(words: &[u32; 5], word: u32) -> u32 {
        let four = |at: usize| {
            let part: &[u32; 4] = words[at..at + 4].try_into().expect("4 of 5 words");
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
        four(0) | four(1) << 1
    }

    #[inline]
    pub(super) fn prefetch<T>(item: *const T) {
        // SAFETY: a prefetch of any address is a hint that neither reads nor faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(item.cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place, among bytes of all kinds.
    #[test]
    fn colons_and_feeds_are_found_as_the_portable_twin_and_a_plain_loop_find_them() {
        let mut state = 88_172_645_463_325_252u64;
        // Every sixteenth from the line feed on: the four, and twelve others.
        let (first, step) = if cfg!(miri) { (b'\n', 16) } else { (0, 1) };
        for place in 0..64 {
            for byte in (first..=u8::MAX).step_by(step) {
                let mut bytes = [0; 64];
                for other in &mut bytes {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    *other = state as u8;
                }
                bytes[place] = byte;
                let plain = (0..64)
                    .filter(|&at| matches!(bytes[at], b'\n' | b':' | b'*' | 0x1a))
                    .fold(0, |mask, at| mask | 1 << at);
                assert_eq!(colons_and_feeds(&bytes), plain, "{bytes:?}");
                assert_eq!(portable::colons_and_feeds(&bytes), plain, "{bytes:?}");
            }
        }
    }

    #[test]
    fn equal_words_are_found_as_the_portable_twin_and_a_plain_loop_find_them() {
        let kinds = [0, 7, 7 << 8, u32::MAX];
        for pattern in 0..4usize.pow(5) {
            let words = [0, 2, 4, 6, 8].map(|shift| kinds[pattern >> shift & 3]);
            for word in kinds {
                let plain = (0..5)
                    .filter(|&at| words[at] == word)
                    .fold(0, |mask, at| mask | 1 << at);
                assert_eq!(equal_words(&words, word), plain, "{word} in {words:?}");
                assert_eq!(portable::equal_words(&words, word), plain);
            }
        }
    }

    #[test]
    fn a_prefetch_behind_the_end_is_harmless() {
        let items = [1u64, 2, 3];
        for index in [0, 2, 3, 1 << 40, usize::MAX] {
            prefetch(&items, index);
        }
        assert_eq!(items, [1, 2, 3]);
    }
}
