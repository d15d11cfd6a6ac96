//! With AVX2 and what else the processors of that generation have.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    _mm_cvtsi64_si128, _mm_cvtsi128_si32, _mm_madd_epi16, _mm_maddubs_epi16, _mm_packus_epi32,
    _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32, _mm_subs_epu8, _mm_testz_si128,
    _mm256_and_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi8, _mm256_cmpeq_epi32,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_movemask_ps, _mm256_set1_epi8,
    _mm256_set1_epi32,
};

use super::portable::{COMPARED_BITS, MARK};
use super::{Vectors, Work};

/// Proof that the processor has AVX2, BMI1, BMI2, LZCNT, POPCNT and MOVBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide(());

impl Wide {
    /// None where one of them is missing.
    pub fn detect() -> Option<Wide> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("movbe");
        has_all.then_some(Wide(()))
    }
}

impl Vectors for Wide {
    #[inline(always)]
    fn colons_and_feeds(self, bytes: &[u8; 64]) -> u64 {
        // SAFETY: a `Wide` is made only where the processor has AVX2.
        unsafe { colons_and_feeds(bytes) }
    }

    #[inline(always)]
    fn equal_words(self, words: &[u32; 8], word: u32) -> u32 {
        // SAFETY: a `Wide` is made only where the processor has AVX2.
        unsafe { equal_words(words, word) }
    }

    #[inline(always)]
    fn eight_digits(self, digits: u64) -> Option<u32> {
        // SAFETY: a `Wide` is made only where the processor has AVX2.
        unsafe { eight_digits(digits) }
    }

    #[inline(always)]
    fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: a `Wide` is made only where the processor has all that the function is compiled
        // for.
        unsafe { run(self, work) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,movbe")]
#[inline(never)]
fn run<W: Work>(wide: Wide, work: W) -> W::Output {
    work.run(wide)
}

#[target_feature(enable = "avx2")]
#[inline]
fn colons_and_feeds(bytes: &[u8; 64]) -> u64 {
    let half = |at: usize| {
        let part: &[u8; 32] = bytes[at..at + 32].try_into().expect("32 of 64 bytes");
        // SAFETY: 32 bytes may be read, and the load needs no alignment.
        let part = unsafe { _mm256_loadu_si256(part.as_ptr().cast()) };
        let kept = _mm256_and_si256(part, _mm256_set1_epi8(COMPARED_BITS.cast_signed()));
        let equal = _mm256_cmpeq_epi8(kept, _mm256_set1_epi8(MARK.cast_signed()));
        u64::from(_mm256_movemask_epi8(equal).cast_unsigned())
    };
    half(0) | half(32) << 32
}

#[target_feature(enable = "avx2")]
#[inline]
fn equal_words(words: &[u32; 8], word: u32) -> u32 {
    // SAFETY: 32 bytes may be read, and the load needs no alignment.
    let words = unsafe { _mm256_loadu_si256(words.as_ptr().cast()) };
    let equal = _mm256_cmpeq_epi32(words, _mm256_set1_epi32(word.cast_signed()));
    _mm256_movemask_ps(_mm256_castsi256_ps(equal)).cast_unsigned()
}

/// Digits become pairs, fours and the whole, by multiplying neighbours and adding them.
#[target_feature(enable = "avx2")]
#[inline]
fn eight_digits(digits: u64) -> Option<u32> {
    let digits = _mm_cvtsi64_si128(digits.cast_signed());
    let above_nine = _mm_subs_epu8(digits, _mm_set1_epi8(9));
    if _mm_testz_si128(above_nine, above_nine) == 0 {
        return None;
    }
    let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(i16::from_le_bytes([10, 1])));
    let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    let fours = _mm_packus_epi32(fours, fours);
    let whole = _mm_madd_epi16(fours, _mm_set1_epi32(1 << 16 | 10_000));
    Some(_mm_cvtsi128_si32(whole).cast_unsigned())
}
