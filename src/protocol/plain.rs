//! The short way for lines as most are: in 63 bytes a name, one number, and behind the type nothing
//! or a sample rate: `name:12|ms`, `name:1|c|@0.1`. The colon and the end were found ahead, all else
//! is read from these two, and no branch is taken that differs from line to line.
//! Whatever is not recognised goes the long way, which would read these lines alike, and takes them
//! more than three times as many instructions.

use super::block::{BLOCK_BYTES, Marks};
use super::number::parse_number;
use crate::metric::{MetricType, Number, Sample, SampleRate};
use crate::simd::{Baseline, Vectors};

/// Numbers of so many digits are read at once.
const DIGITS_MAX: usize = 8;

/// The last bytes of a line, which hold its type.
const ENDING_BYTES: usize = 4;

/// A type as a line ends with it.
struct Ending {
    bytes: u32,
    /// What of the four bytes belongs to it.
    mask: u32,
    length: u32,
    metric_type: MetricType,
}

/// By the three bits of the last letter in which `c`, `g` and `s` differ; a branch would be guessed
/// wrong for every other line.
const ENDINGS: [Ending; 8] = {
    // No line is like that: its last byte is none that leads here.
    const NONE: Ending = Ending::of(MetricType::Counter, *b"\0\0\0\0", 4);
    let mut endings = [const { NONE }; 8];
    endings[place(b'c')] = Ending::of(MetricType::Counter, *b"\0\0|c", 2);
    endings[place(b'g')] = Ending::of(MetricType::Gauge, *b"\0\0|g", 2);
    endings[place(b's')] = Ending::of(MetricType::Timer, *b"\0|ms", 3);
    endings
};

const fn place(last: u8) -> usize {
    (last >> 2 & 7) as usize
}

impl Ending {
    const fn of(metric_type: MetricType, bytes: [u8; ENDING_BYTES], length: u32) -> Ending {
        Ending {
            bytes: u32::from_le_bytes(bytes),
            mask: u32::MAX << (8 * (ENDING_BYTES as u32 - length)),
            length,
            metric_type,
        }
    }

    /// The type that a line ends with.
    #[inline(always)]
    fn of_line(line: &[u8]) -> Option<&'static Ending> {
        let bytes = *line.last_chunk::<ENDING_BYTES>()?;
        let ending = &ENDINGS[place(bytes[ENDING_BYTES - 1])];
        (u32::from_le_bytes(bytes) & ending.mask == ending.bytes).then_some(ending)
    }
}

/// Reads the line that a text begins with, if it is a plain one without a rate. `ends` are those
/// found in the text, as `Ends` has them.
#[inline(always)]
pub(super) fn read(vectors: impl Vectors, text: &[u8], ends: u64) -> Option<Sample<'_>> {
    let behind = ends & ends.wrapping_sub(1);
    if behind == 0 {
        return None;
    }
    // Neither is 0, which compilers know of one of them only.
    let colon = ends.trailing_zeros() as usize % BLOCK_BYTES;
    let line = text.get(..behind.trailing_zeros() as usize)?;
    // Something between may look like one of them.
    if line.get(colon) != Some(&b':') || text.get(line.len()).is_some_and(|byte| *byte != b'\n') {
        return None;
    }
    read_line(vectors, line, colon, line, SampleRate::ALL)
}

/// Reads the line that a text and its block begin with, if it is a plain one with a rate.
pub(super) fn read_rated<'a>(
    text: &'a [u8],
    block: &[u8; BLOCK_BYTES],
    marks: Marks,
) -> Option<Sample<'a>> {
    let place = marks.rated()?;
    let rate = block[place.type_end..place.end].strip_prefix(b"|@")?;
    let rate = SampleRate::new(parse_number(rate)?.value)?;
    let line = &text[..place.end];
    read_line(Baseline, line, place.colon, &line[..place.type_end], rate)
}

/// Reads a line whose name ends at `colon`. `unrated` is the line up to the end of its type.
#[inline(always)]
fn read_line<'a>(
    vectors: impl Vectors,
    line: &'a [u8],
    colon: usize,
    unrated: &[u8],
    rate: SampleRate,
) -> Option<Sample<'a>> {
    // A white byte would be trimmed, and `_e{` and `_sc|` begin what is not for us.
    let first = line[0];
    if first <= b' ' || first == b'_' {
        return None;
    }
    let ending = Ending::of_line(unrated)?;
    let head = &unrated[..unrated.len() - ending.length as usize];
    // Very many where the ending reaches over the colon.
    let digits = head.len().wrapping_sub(colon + 1);
    let number = match few_digits(vectors, head, digits) {
        Some(value) => Number {
            value,
            signed: false,
        },
        None => other_number(head.get(colon + 1..)?)?,
    };
    Some(Sample {
        line,
        name: &line[..colon],
        tags: b"",
        metric_type: ending.metric_type,
        rate,
        number,
    })
}

/// Reads numbers with a sign, a point or an exponent, and long ones.
#[inline(never)]
fn other_number(text: &[u8]) -> Option<Number> {
    parse_number(text)
}

/// The value of the last 1 to 8 bytes of a text, all at once. None where they are not all digits, or
/// where they are more or none, or the text has no eight bytes, as a name of a few letters leaves it.
#[inline(always)]
fn few_digits(vectors: impl Vectors, text: &[u8], digits: usize) -> Option<f64> {
    if digits.wrapping_sub(1) >= DIGITS_MAX {
        return None;
    }
    let word = u64::from_le_bytes(*text.last_chunk::<DIGITS_MAX>()?);
    // What stands before the number becomes leading zeros.
    let values = (word ^ 0x3030_3030_3030_3030) & u64::MAX << (8 * (DIGITS_MAX - digits));
    vectors.eight_digits(values).map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::super::block::block_of;
    use super::super::ends::Ends;
    use super::*;

    #[test]
    fn few_digits_are_read_as_the_language_reads_them() {
        let mut state = 88_172_645_463_325_252u64;
        for round in 0..if cfg!(miri) { 200 } else { 100_000u32 } {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = state as u32 % 10u32.pow(1 + round % 8);
            let digits = value.to_string();
            for before in ["a.name:", "99999999", "        "] {
                let text = format!("{before}{digits}");
                let read = few_digits(Baseline, text.as_bytes(), digits.len());
                let expected = (text.len() >= DIGITS_MAX).then(|| f64::from(value));
                assert_eq!(read, expected, "{text}");
            }
        }
    }

    #[test]
    fn other_bytes_than_digits_are_noticed_wherever_they_stand() {
        for place in 0..DIGITS_MAX {
            for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
                let mut text = *b"99999999";
                text[place] = byte;
                let read = few_digits(Baseline, &text, DIGITS_MAX);
                assert_eq!(read, None, "{byte} at {place}");
                let behind = few_digits(Baseline, &text, DIGITS_MAX - 1 - place);
                assert_eq!(behind.is_some(), place < DIGITS_MAX - 1, "behind {place}");
            }
        }
        let text = [b'1'; 2 * DIGITS_MAX];
        assert_eq!(few_digits(Baseline, &text, DIGITS_MAX + 1), None);
        assert_eq!(few_digits(Baseline, &text, 0), None);
        assert_eq!(few_digits(Baseline, &text[..DIGITS_MAX - 1], 1), None);
    }

    /// Reads the line that a text begins with.
    fn read_first(text: &[u8]) -> Option<Sample<'_>> {
        read(Baseline, text, Ends::new().from(Baseline, text, 0))
    }

    fn rated(text: &str) -> Option<Sample<'_>> {
        let mut padded = None;
        let block = block_of(text.as_bytes(), &mut padded);
        read_rated(text.as_bytes(), block, Marks::of(block))
    }

    #[track_caller]
    fn plain(line: &str) -> Option<(String, f64, MetricType)> {
        let datagram = format!("{line}\n{}", "x".repeat(64));
        let sample = read_first(datagram.as_bytes())?;
        assert_eq!(sample.line, line.as_bytes());
        let name = String::from_utf8_lossy(sample.name).into_owned();
        Some((name, sample.number.value, sample.metric_type))
    }

    #[test]
    fn plain_lines_are_recognised() {
        let long = "x".repeat(59);
        for (line, name, value, metric_type) in [
            ("service.a:12|c", "service.a", 12.0, MetricType::Counter),
            ("a:1|ms", "a", 1.0, MetricType::Timer),
            ("a:-0.25|g", "a", -0.25, MetricType::Gauge),
            ("a:1e3|ms", "a", 1000.0, MetricType::Timer),
            (
                "b ?|:12345678901|c",
                "b ?|",
                12_345_678_901.0,
                MetricType::Counter,
            ),
            (&format!("{long}:7|g"), &long, 7.0, MetricType::Gauge),
            (":7|g", "", 7.0, MetricType::Gauge),
        ] {
            let expected = (name.to_owned(), value, metric_type);
            assert_eq!(plain(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn a_sample_rate_may_stand_last() {
        for (line, value, weight) in [
            ("service.a:12|c|@0.5\n", 12.0, 2.0),
            ("a:-1.5|ms|@1\n", -1.5, 1.0),
            ("a:1|g|@+.25\n", 1.0, 4.0),
            ("a:7|c|@125e-3", 7.0, 8.0),
        ] {
            assert!(read_first(line.as_bytes()).is_none(), "{line}");
            let sample = rated(line).expect(line);
            let read = (sample.number.value, sample.rate.weight());
            assert_eq!(read, (value, weight), "{line}");
            assert_eq!(sample.line, line.trim_end().as_bytes());
        }
    }

    #[test]
    fn all_other_lines_are_left_to_the_long_way() {
        let long = "x".repeat(60);
        for line in [
            "",
            "a",
            "a\nb:1|c",
            " a:1|c",
            "a:1|c ",
            "a:1|c\r",
            "a:1|c|@0",
            "a:1|c|@2",
            "a:1|c|@ 0.1",
            "a:1|c|@0.1 ",
            "a:1|c|@0.1|T1",
            "a:1|c|@0.1|@0.1",
            "a:1|s|@0.1",
            "a|c|@1:1",
            "a|@0.1:",
            "a:1|@0.1",
            "a:|@0.1",
            "a:1|c|#k:v",
            "a:1:2|ms",
            "a:1|c:2|c",
            "a:|c",
            "a: 1|c",
            "a:1 |c",
            "a:1x|c",
            "a:1|m",
            "a:1|s",
            "a:1|h",
            "a:1|C",
            "_e{1,1}:a|c",
            "_sc|a:1|c",
            "\ta:1|c",
            "a*b:1|c",
            "a\u{1a}:1|c",
            "a:1|",
            "a:1\nb:2|c",
            "a|ms:",
            "a:ms",
            "|c:",
            "a:1|w",
            "a:1|\0\0\0\0",
            &format!("{long}:1|c"),
        ] {
            assert_eq!(plain(line), None, "{line:?}");
            assert_eq!(rated(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_line_is_read_alike_wherever_the_datagram_ends() {
        let line = b"a.name.of.some.thirty.bytes:17|ms";
        for behind in 0..100 {
            let datagram = [&line[..], b"\n", &vec![b'x'; behind]].concat();
            let sample = read_first(&datagram).expect("a plain line");
            assert_eq!((sample.line, sample.number.value), (&line[..], 17.0));
        }
        let sample = read_first(line).expect("a plain line without a line feed");
        assert_eq!((sample.line, sample.number.value), (&line[..], 17.0));
    }
}
