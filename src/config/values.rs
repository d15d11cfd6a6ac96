//! The values that settings have in text: times, sizes, counts, percentiles.
//!
//! Each is checked while it is parsed, so that a message can point at the place in the file.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time: `10s`, `500ms`, `5m`; a plain number is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

/// The units of [`Time`], largest first, in nanoseconds.
const TIME_UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a time, such as 10s, 500ms or 5m");
        let (number, unit) = number_and_unit(text);
        let unit_ns = match unit {
            "" => 1_000_000_000,
            _ => {
                TIME_UNITS
                    .iter()
                    .find(|(name, _)| *name == unit)
                    .ok_or_else(wrong)?
                    .1
            }
        };
        let total_ns = scaled(number, unit_ns).ok_or_else(wrong)?;
        Ok(Self(Duration::from_nanos(total_ns)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parsed times are below 2^64 ns, so the cast loses nothing that a setting can hold.
        let total_ns = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        if total_ns == 0 {
            return f.write_str("0s");
        }
        let (unit, unit_ns) = largest_whole_unit(&TIME_UNITS, total_ns);
        write!(f, "{}{unit}", total_ns / unit_ns)
    }
}

/// The flush interval: above 0, at most a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushInterval(pub Duration);

impl FromStr for FlushInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Time(interval) = text.parse()?;
        if interval < Duration::from_millis(1) || interval > Duration::from_secs(86_400) {
            return Err(format!(
                "a flush interval of `{text}` is not between 1ms and 1d"
            ));
        }
        Ok(Self(interval))
    }
}

impl fmt::Display for FlushInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Time(self.0).fmt(f)
    }
}

/// A number of bytes, at least 1: `32MiB`, `64kB`; a plain number is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

/// The units of [`Size`] that it is printed in, largest first, in bytes.
const SIZE_UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
];

/// The further units of [`Size`] that are understood, in bytes.
const DECIMAL_SIZE_UNITS: [(&str, u64); 6] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size, such as 32MiB, 64KiB or 65507");
        let (number, unit) = number_and_unit(text);
        let mut units = SIZE_UNITS.iter().chain(&DECIMAL_SIZE_UNITS);
        let (_, unit_bytes) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        match scaled(number, *unit_bytes).map(usize::try_from) {
            Some(Ok(0)) => Err(format!("a size of `{text}` is too small: at least 1 byte")),
            Some(Ok(bytes)) => Ok(Self(bytes)),
            Some(Err(_)) | None => Err(wrong()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total_bytes = self.0 as u64;
        let (unit, unit_bytes) = largest_whole_unit(&SIZE_UNITS, total_bytes);
        write!(f, "{}{unit}", total_bytes / unit_bytes)
    }
}

/// A whole number from 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<const MAX: usize>(pub usize);

/// How many series or values: the tables number them in 32 bits.
pub type TableCount = Count<{ u32::MAX as usize }>;

/// How many shards: more than any machine has use for would only cost memory.
pub type ShardCount = Count<256>;

/// How many connections: more descriptors than that no process is given by default.
pub type ConnectionCount = Count<1_000_000>;

impl<const MAX: usize> FromStr for Count<MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.replace('_', "").parse() {
            Ok(count) if (1..=MAX).contains(&count) => Ok(Self(count)),
            _ => Err(format!("`{text}` is not a whole number from 1 to {MAX}")),
        }
    }
}

impl<const MAX: usize> From<Count<MAX>> for u64 {
    fn from(count: Count<MAX>) -> Self {
        count.0 as Self
    }
}

/// The largest payload of a UDP datagram in IPv4, in bytes.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_507;

/// The longest datagram that is taken whole, in bytes: 1 to 65,507.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramSize(pub usize);

impl FromStr for DatagramSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Size(bytes @ 1..=DATAGRAM_BYTES_MAX) => Ok(Self(bytes)),
            Size(_) => Err(format!(
                "`{text}` is more than a UDP datagram holds: {DATAGRAM_BYTES_MAX}"
            )),
        }
    }
}

impl From<DatagramSize> for u64 {
    fn from(size: DatagramSize) -> Self {
        size.0 as Self
    }
}

/// A percentile or a comma list of them: each finite, not 0, from -100 to 100.
/// An empty text is an empty list.
#[derive(Clone, Debug, PartialEq)]
pub struct Percents(pub Vec<f64>);

impl FromStr for Percents {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        text.split(',')
            .map(|part| percent(part.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // NaN and the infinities are in no range.
        Ok(percent) if (-100.0..=100.0).contains(&percent) && percent != 0.0 => Ok(percent),
        _ => Err(format!(
            "`{text}` is not a percentile: from -100 to 100, but not 0"
        )),
    }
}

/// An error relative to the true value, within bounds in millionths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativeError<const MIN_PPM: u32, const MAX_PPM: u32>(pub f64);

/// The error of a timer's sketch: from 0.01 %, below which a sketch takes what the values would.
pub type TimerError = RelativeError<100, 500_000>;

/// The error of a set's estimate: those of HyperLogLogs of 2^18 and of 2^4 registers.
pub type SetError = RelativeError<2_100, 260_000>;

impl<const MIN_PPM: u32, const MAX_PPM: u32> RelativeError<MIN_PPM, MAX_PPM> {
    const MIN: f64 = MIN_PPM as f64 / 1e6;
    const MAX: f64 = MAX_PPM as f64 / 1e6;

    /// The nearest one within the bounds; `ratio` is a number.
    pub(super) fn bounded(ratio: f64) -> Self {
        Self(ratio.clamp(Self::MIN, Self::MAX))
    }
}

impl<const MIN_PPM: u32, const MAX_PPM: u32> FromStr for RelativeError<MIN_PPM, MAX_PPM> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = (Self::MIN, Self::MAX);
        match text.parse() {
            Ok(ratio) if (min..=max).contains(&ratio) => Ok(Self(ratio)),
            _ => Err(format!(
                "`{text}` is not a relative error from {min} to {max}"
            )),
        }
    }
}

impl<const MIN_PPM: u32, const MAX_PPM: u32> From<RelativeError<MIN_PPM, MAX_PPM>> for f64 {
    fn from(error: RelativeError<MIN_PPM, MAX_PPM>) -> Self {
        error.0
    }
}

/// The name of a statistic: letters, digits and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatisticName(pub String);

impl FromStr for StatisticName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.is_empty() || !text.chars().all(is_word) {
            return Err(format!("`{text}` is not the name of a statistic"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for StatisticName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a file; not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(pub String);

impl FromStr for FilePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') {
            return Err(format!("{text:?} is not the path of a file"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of a whole, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub f64);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent)),
            _ => Err(format!("`{text}` is not a percentage from 0 to 100")),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a process is called: printable, and nothing that ends the name in a line of syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(pub String);

impl Title {
    const CHARACTERS_MAX: usize = 48;

    /// The title that is nearest to a text, which is not empty.
    pub(super) fn fitting(text: &str) -> Self {
        let fitting = |c: char| if Self::takes(c) { c } else { '_' };
        let characters = text.chars().take(Self::CHARACTERS_MAX);
        Self(characters.map(fitting).collect())
    }

    fn takes(c: char) -> bool {
        c.is_ascii_graphic() && !":[]".contains(c)
    }
}

impl FromStr for Title {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() {
            1..=Self::CHARACTERS_MAX if text.chars().all(Self::takes) => Ok(Self(text.to_owned())),
            _ => Err(format!(
                "{text:?} is not a name of up to 48 characters without spaces, colons and brackets"
            )),
        }
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// From which level on messages are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(pub log::LevelFilter);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |_| format!("`{text}` is not a log level: off, error, warn, info, debug, trace");
        text.parse().map(Self).map_err(wrong)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_str().to_lowercase())
    }
}

fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    (text[..end].trim_end(), &text[end..])
}

/// `number` times `unit`, rounded to a whole; None if it is no number, negative or too large.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let number = number.replace('_', "");
    if !number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return None;
    }
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let product = number.parse::<f64>().ok()? * unit as f64;
    // 2^63, from which on the cast below would clip.
    (product < 9_223_372_036_854_775_808.0).then(|| product.round() as u64)
}

fn largest_whole_unit(units: &[(&'static str, u64)], total: u64) -> (&'static str, u64) {
    let whole = units.iter().find(|(_, unit)| total.is_multiple_of(*unit));
    *whole.expect("the last unit is 1, which divides everything")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_the_largest_whole_unit() {
        for (given, printed) in [
            ("0", "0s"),
            ("0.0000000014", "1ns"),
            ("1.5us", "1500ns"),
            ("0.005", "5ms"),
            // 64,999.99... ns as a float.
            ("0.000065", "65us"),
            ("90", "90s"),
            ("120s", "2m"),
            ("1_440 m", "1d"),
            ("36h", "36h"),
            ("18446744073709551615ns", "18446744073709551615ns"),
        ] {
            let time: Time = given.parse().expect(given);
            assert_eq!(time.to_string(), printed, "for {given}");
        }
    }

    #[test]
    fn sizes_are_printed_in_the_largest_whole_unit() {
        for (given, printed) in [
            ("1", "1"),
            ("1024", "1KiB"),
            ("0.5MiB", "512KiB"),
            ("32 MiB", "32MiB"),
            ("1MB", "1000000"),
            ("4096GiB", "4TiB"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            let size: Size = given.parse().expect(given);
            assert_eq!(size.to_string(), printed, "for {given}");
        }
    }
}
