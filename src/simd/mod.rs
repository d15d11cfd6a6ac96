//! What the processor can do and the language cannot say: compare many bytes at once, and fetch
//! memory ahead of time. Every function has a portable twin with the same result, which other
//! architectures get and tests compare with.
//!
//! One binary serves all machines: what runs for each line is compiled for each [`Level`], and a
//! shard takes the best one when it starts. The bench `instructions` has what each level is worth.
//!
//! Besides `kernel` the only home of unsafe code. No function of the public face is unsafe: the
//! loads read whole arrays that are borrowed, a prefetch reads nothing that a program sees, and
//! a [`Wide`] is made only where its instructions are.

pub mod portable;

use std::fmt::Debug;

/// Instructions, as a type: code that is generic over it is compiled for each of them.
pub trait Vectors: Copy + Debug {
    /// A bit for each byte that is a line feed, `:`, `*` or 0x1a; the first byte has the lowest
    /// bit.
    ///
    /// The four differ in two bits that are masked out, so that one comparison finds both ends that
    /// most lines have. Who looks for two of them tells them apart where a bit is set.
    fn colons_and_feeds(self, bytes: &[u8; 64]) -> u64;

    /// A bit for each of the words that equals `word`; the first has the lowest bit.
    fn equal_words(self, words: &[u32; 8], word: u32) -> u32;

    /// The number that eight digits make, each of them 0 to 9 in a byte, the first of them in the
    /// lowest. None where a byte is more than 9.
    fn eight_digits(self, digits: u64) -> Option<u32>;

    /// Does some work in a function of its own that is compiled for these instructions.
    fn run<W: Work>(self, work: W) -> W::Output;
}

/// Work that is compiled for each kind of [`Vectors`].
pub trait Work {
    /// What it comes to.
    type Output;

    /// Does it. To be compiled with the instructions of its caller it has to be
    /// `#[inline(always)]`, and so has all that it calls for each line.
    fn run(self, vectors: impl Vectors) -> Self::Output;
}

/// A kind of [`Vectors`] that is chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What every processor of the architecture has.
    Baseline(Baseline),
    /// 64-bit x86 with AVX2 and what came with it: Haswell, Zen and later.
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Wide(Wide),
}

impl Level {
    /// All that this processor has, the best one last.
    pub fn all() -> impl Iterator<Item = Level> {
        let baseline = std::iter::once(Level::Baseline(Baseline));
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        return baseline.chain(Wide::detect().map(Level::Wide));
        #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
        return baseline;
    }

    /// The best that this processor has.
    pub fn best() -> Level {
        Level::all().last().expect("each has the baseline")
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Baseline(_) => "baseline",
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Level::Wide(_) => "wide",
        }
    }

    /// Does some work with these instructions.
    #[inline]
    pub fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            Level::Baseline(baseline) => baseline.run(work),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Level::Wide(wide) => wide.run(work),
        }
    }
}

/// What every processor of the architecture has: SSE2 on 64-bit x86, else the portable twins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline;

impl Vectors for Baseline {
    #[inline(always)]
    fn colons_and_feeds(self, bytes: &[u8; 64]) -> u64 {
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        return sse2::colons_and_feeds(bytes);
        #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
        return portable::colons_and_feeds(bytes);
    }

    #[inline(always)]
    fn equal_words(self, words: &[u32; 8], word: u32) -> u32 {
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        return sse2::equal_words(words, word);
        #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
        return portable::equal_words(words, word);
    }

    #[inline(always)]
    fn eight_digits(self, digits: u64) -> Option<u32> {
        portable::eight_digits(digits)
    }

    #[inline(never)]
    fn run<W: Work>(self, work: W) -> W::Output {
        work.run(self)
    }
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub use wide::Wide;

/// A bit for each of the bytes that equals `byte`; the first has the lowest bit. Alike at all
/// levels: it is for lines that are none of the usual.
#[inline]
pub fn equal_bytes(bytes: &[u8; 64], byte: u8) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    return sse2::equal_bytes(bytes, byte);
    #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
    return portable::equal_bytes(bytes, byte);
}

/// As on nearly every machine.
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
const CACHE_LINE_BYTES: usize = 64;

/// Asks for the cache lines of an item, which may be behind the end: for two of them where its size lets
/// it reach over the end of one. Changes nothing but time.
#[inline]
pub fn prefetch<T>(items: &[T], index: usize) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    {
        let item = items.as_ptr().wrapping_add(index);
        sse2::prefetch(item);
        if !CACHE_LINE_BYTES.is_multiple_of(size_of::<T>()) {
            sse2::prefetch(item.wrapping_byte_add(size_of::<T>() - 1));
        }
    }
    #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
    let _ = (items, index);
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod sse2;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod wide;

#[cfg(test)]
mod tests {
    use super::*;

    struct ColonsAndFeeds<'a>(&'a [u8; 64]);

    impl Work for ColonsAndFeeds<'_> {
        type Output = u64;

        #[inline(always)]
        fn run(self, vectors: impl Vectors) -> u64 {
            vectors.colons_and_feeds(self.0)
        }
    }

    struct EqualWords<'a>(&'a [u32; 8], u32);

    impl Work for EqualWords<'_> {
        type Output = u32;

        #[inline(always)]
        fn run(self, vectors: impl Vectors) -> u32 {
            vectors.equal_words(self.0, self.1)
        }
    }

    /// Every byte at every place, among bytes of all kinds.
    #[test]
    fn colons_and_feeds_are_found_as_the_portable_twin_and_a_plain_loop_find_them() {
        let mut state = 88_172_645_463_325_252u64;
        // Every sixteenth from the line feed on: the four, and twelve others.
        let (first, step) = if cfg!(miri) { (b'\n', 16) } else { (0, 1) };
        for place in (0..64).step_by(if cfg!(miri) { 9 } else { 1 }) {
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
                assert_eq!(portable::colons_and_feeds(&bytes), plain, "{bytes:?}");
                for level in Level::all() {
                    assert_eq!(
                        level.run(ColonsAndFeeds(&bytes)),
                        plain,
                        "{level:?} {bytes:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn equal_bytes_are_found_as_the_portable_twin_and_a_plain_loop_find_them() {
        for place in 0..64 {
            for byte in [0, b'\n', b'|', 0x7f, 0x80, u8::MAX] {
                let mut bytes = std::array::from_fn(|at| (at as u8).wrapping_mul(37));
                bytes[place] = byte;
                let plain = (0..64)
                    .filter(|&at| bytes[at] == byte)
                    .fold(0, |mask, at| mask | 1 << at);
                assert_eq!(portable::equal_bytes(&bytes, byte), plain, "{bytes:?}");
                assert_eq!(equal_bytes(&bytes, byte), plain, "{bytes:?}");
            }
        }
    }

    #[test]
    fn equal_words_are_found_as_the_portable_twin_and_a_plain_loop_find_them() {
        let kinds = [0, 7, 7 << 8, u32::MAX];
        let step = if cfg!(miri) { 997 } else { 1 };
        for pattern in (0..4usize.pow(8)).step_by(step) {
            let words = std::array::from_fn(|at| kinds[pattern >> (2 * at) & 3]);
            for word in kinds {
                let plain = (0..8)
                    .filter(|&at| words[at] == word)
                    .fold(0, |mask, at| mask | 1 << at);
                assert_eq!(portable::equal_words(&words, word), plain);
                for level in Level::all() {
                    let equal = level.run(EqualWords(&words, word));
                    assert_eq!(equal, plain, "{level:?}: {word} in {words:?}");
                }
            }
        }
    }

    struct EightDigits(u64);

    impl Work for EightDigits {
        type Output = Option<u32>;

        #[inline(always)]
        fn run(self, vectors: impl Vectors) -> Option<u32> {
            vectors.eight_digits(self.0)
        }
    }

    #[test]
    fn eight_digits_make_the_number_that_the_language_reads() {
        let step = if cfg!(miri) { 9_999_991 } else { 97 };
        for number in (0..100_000_000u32).step_by(step).chain([99_999_999]) {
            let text = format!("{number:08}");
            let digits = text
                .bytes()
                .rev()
                .fold(0, |digits, letter| digits << 8 | u64::from(letter - b'0'));
            assert_eq!(portable::eight_digits(digits), Some(number));
            for level in Level::all() {
                assert_eq!(level.run(EightDigits(digits)), Some(number), "{level:?}");
            }
        }
    }

    #[test]
    fn what_is_no_digit_is_noticed_wherever_it_stands() {
        for place in 0..8 {
            for value in (10..=u8::MAX).step_by(if cfg!(miri) { 35 } else { 1 }) {
                let digits = 0x0909_0909_0909_0909 & !(0xff << (8 * place))
                    | u64::from(value) << (8 * place);
                assert_eq!(portable::eight_digits(digits), None, "{digits:x}");
                for level in Level::all() {
                    assert_eq!(level.run(EightDigits(digits)), None, "{level:?} {digits:x}");
                }
            }
        }
    }

    #[test]
    fn a_prefetch_behind_the_end_is_harmless() {
        let items = [1u64, 2, 3];
        let longer = [[1u64, 2, 3]; 3];
        for index in [0, 2, 3, 1 << 40, usize::MAX] {
            prefetch(&items, index);
            prefetch(&longer, index);
        }
        assert_eq!((items, longer), ([1, 2, 3], [[1, 2, 3]; 3]));
    }
}
