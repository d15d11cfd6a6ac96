//! Reads one binary frame as statsite's clients send it.
//!
//! All numbers are little-endian, and both lengths include the zero byte that ends what they count
//! (statsite's README, "Binary Protocol"; its `conn_handler.c` has the types):
//!
//! ```text
//! 0xaa  type  key bytes: u16  value: f64             key 0x00
//! 0xaa  0x04  key bytes: u16  member bytes: u16      key 0x00  member 0x00
//! ```

use super::line::Record;
use crate::metric::{MetricType, Number, Refusal, Sample, SampleRate, Samples, Values};

/// The first byte of each frame.
pub const MAGIC: u8 = 0xaa;

/// What makes it impossible to tell where the next frame begins: an unknown type, a length of
/// nothing, a text without the zero byte at its end, or an end in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

const SET: u8 = 4;
const NUMBER_HEADER_BYTES: usize = 12;
const SET_HEADER_BYTES: usize = 6;

/// How many bytes the frame has that a text begins with; None if too little of it is there to
/// know. Once it is known for the beginning of a frame it is the same for more of it.
pub(super) fn length(text: &[u8]) -> Option<Result<usize, Broken>> {
    match *text {
        [] | [_] => None,
        [_, 1..=3 | 5 | 6, ref rest @ ..] => {
            let key = u16_at(rest, 0)?;
            Some(match key {
                0 => Err(Broken),
                key => Ok(NUMBER_HEADER_BYTES + key),
            })
        }
        [_, SET, ref rest @ ..] => {
            let (key, member) = (u16_at(rest, 0)?, u16_at(rest, 2)?);
            Some(match (key, member) {
                (0, _) | (_, 0) => Err(Broken),
                (key, member) => Ok(SET_HEADER_BYTES + key + member),
            })
        }
        [..] => Some(Err(Broken)),
    }
}

fn u16_at(text: &[u8], start: usize) -> Option<usize> {
    let bytes = text.get(start..start + 2)?;
    Some(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
}

/// Reads a frame that is as long as [`length`] says.
///
/// # Errors
/// If a text in it does not end with a zero byte. Nothing was recorded then.
pub(super) fn read<'a>(frame: &'a [u8], into: &mut impl Record<'a>) -> Result<(), Broken> {
    let wire_type = frame[1];
    if wire_type == SET {
        let (key, member) = frame[SET_HEADER_BYTES..].split_at(u16_at(frame, 2).ok_or(Broken)?);
        let (name, member) = (text(key)?, text(member)?);
        record(name, Values::Set(member), into);
        return Ok(());
    }
    let (header, key) = frame.split_at(NUMBER_HEADER_BYTES);
    let name = text(key)?;
    let value = f64::from_le_bytes(*header.last_chunk().ok_or(Broken)?);
    if !value.is_normal() && value != 0.0 {
        into.refuse(Refusal::BadValue, name);
        return Ok(());
    }
    // Only a delta moves a gauge, whatever its sign.
    let (metric_type, signed) = match wire_type {
        1 => {
            let values = &[Number {
                value,
                signed: false,
            }];
            let values = Values::KeyValue {
                values,
                time_unix_s: None,
            };
            record(name, values, into);
            return Ok(());
        }
        2 => (MetricType::Counter, false),
        3 => (MetricType::Timer, false),
        5 => (MetricType::Gauge, false),
        6 => (MetricType::Gauge, true),
        _ => return Err(Broken),
    };
    into.sample(&Sample {
        line: name,
        name,
        tags: b"",
        metric_type,
        rate: SampleRate::ALL,
        number: Number { value, signed },
    });
    Ok(())
}

fn record<'a>(name: &'a [u8], values: Values<'_>, into: &mut impl Record<'a>) {
    if values == Values::Set(b"") {
        into.refuse(Refusal::BadValue, name);
        return;
    }
    let samples = Samples {
        name,
        tags: b"",
        rate: SampleRate::ALL,
        values,
    };
    if let Err(reason) = into.record(&samples) {
        into.refuse(reason, name);
    }
}

/// What stands before the first zero byte, as in C; the last byte is one.
fn text(terminated: &[u8]) -> Result<&[u8], Broken> {
    match terminated.last() {
        Some(0) => Ok(&terminated[..memchr::memchr(0, terminated).ok_or(Broken)?]),
        Some(_) | None => Err(Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it is given.
    #[derive(Default)]
    struct Journal(Vec<String>);

    impl Record<'_> for Journal {
        fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
            let name = samples.name.escape_ascii();
            self.0.push(match samples.values {
                Values::Set(member) => format!("{name} s {}", member.escape_ascii()),
                Values::Counter(numbers)
                | Values::Gauge(numbers)
                | Values::Timer(numbers)
                | Values::KeyValue {
                    values: numbers, ..
                } => {
                    let Number { value, signed } = numbers[0];
                    let word = samples.metric_type().word();
                    let sign = if signed { " moves" } else { "" };
                    format!("{name} {word} {value}{sign}")
                }
            });
            Ok(())
        }

        fn refuse(&mut self, reason: Refusal, line: &[u8]) {
            self.0
                .push(format!("! {} {}", line.escape_ascii(), reason.word()));
        }
    }

    fn number(wire_type: u8, value: f64, key: &[u8]) -> Vec<u8> {
        let key_bytes = (key.len() as u16).to_le_bytes();
        [
            &[MAGIC, wire_type][..],
            &key_bytes,
            &value.to_le_bytes(),
            key,
        ]
        .concat()
    }

    fn set(key: &[u8], member: &[u8]) -> Vec<u8> {
        let lengths = [key, member].map(|text| (text.len() as u16).to_le_bytes());
        [&[MAGIC, SET][..], &lengths.concat(), key, member].concat()
    }

    fn check(frame: &[u8], expected: Result<&str, Broken>) {
        let mut journal = Journal::default();
        let read = match length(frame) {
            Some(Ok(length)) if length == frame.len() => read(frame, &mut journal),
            Some(Ok(length)) => panic!("{length} instead of {} bytes", frame.len()),
            Some(Err(broken)) => Err(broken),
            None => panic!("no length in {}", frame.escape_ascii()),
        };
        let journal = read.map(|()| journal.0.concat());
        assert_eq!(journal.as_deref(), expected.as_ref().map(|text| *text));
    }

    #[test]
    fn each_type_is_read() {
        // The example of statsite's README, byte by byte.
        check(
            b"\xaa\x02\x06\0\0\0\0\0\0\0\x69\x40Conns\0",
            Ok("Conns counters 200"),
        );
        check(&number(1, 1.5, b"k\0"), Ok("k key_values 1.5"));
        check(&number(3, -2.0, b"t\0"), Ok("t timers -2"));
        check(&number(5, -2.0, b"g\0"), Ok("g gauges -2"));
        check(&number(6, 2.0, b"g\0"), Ok("g gauges 2 moves"));
        check(&set(b"s\0", b"a:b|c\nd\0"), Ok("s s a:b|c\\nd"));
    }

    #[test]
    fn a_text_ends_at_its_first_zero_byte() {
        check(&number(2, 1.0, b"a\0b\0"), Ok("a counters 1"));
        check(&set(b"s\0\0", b"x\0y\0"), Ok("s s x"));
    }

    #[test]
    fn what_no_text_could_say_is_refused_alone() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-310] {
            check(&number(2, value, b"a\0"), Ok("! a bad_value"));
            check(&number(1, value, b"a\0"), Ok("! a bad_value"));
        }
        check(&number(2, -0.0, b"a\0"), Ok("a counters -0"));
        check(&set(b"s\0", b"\0"), Ok("! s bad_value"));
    }

    #[test]
    fn broken_frames_are_known() {
        for wire_type in [0, 7, 8, 0x10, 0xaa, 0xff] {
            check(&number(wire_type, 1.0, b"a\0"), Err(Broken));
        }
        check(&number(2, 1.0, b""), Err(Broken));
        check(&number(2, 1.0, b"ab"), Err(Broken));
        check(&number(1, f64::NAN, b"ab"), Err(Broken));
        check(&set(b"", b"m\0"), Err(Broken));
        check(&set(b"s\0", b""), Err(Broken));
        check(&set(b"s", b"m\0"), Err(Broken));
        check(&set(b"s\0", b"m"), Err(Broken));
    }

    #[test]
    fn a_length_is_known_from_the_header_on_and_never_changes() {
        for frame in [number(2, 1.0, b"abc\0"), set(b"s\0", b"member\0")] {
            let header = if frame[1] == SET { 6 } else { 4 };
            for end in 0..=frame.len() {
                let expected = (end >= header).then_some(Ok(frame.len()));
                assert_eq!(length(&frame[..end]), expected, "{end} bytes");
            }
        }
        assert_eq!(length(&[MAGIC, 9]), Some(Err(Broken)));
    }
}
