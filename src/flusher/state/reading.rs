//! Reads a state file, and checks all of it: a file that is damaged anywhere is not used.

use std::ops::Range;
use std::str::{FromStr, Split};
use std::time::Duration;

use super::text::{CHECKSUM, HEADING, Head};
use crate::metric::{
    Counter, MetricType, NAME_BYTES_MAX, Set, SetKeys, SetPrecision, Sketch, SketchNumbers,
    TimerPart,
};
use crate::snapshot::{Lasting, Partial, Piece, SeriesName};
use crate::telemetry::SlotCounts;

/// What any version begins with.
const HEADING_OF_ANY: &str = "ringstat state ";

/// The version before, which had gauges only: a line with level and name for each.
const HEADING_OF_GAUGES: &str = "ringstat gauges 1\n";

/// The part of a slot that was flushed when the daemon stopped.
#[derive(Debug)]
pub struct Slot {
    /// When the slot ends, as time since 1970.
    pub end: Duration,
    /// Its length, for rates.
    pub length: Duration,
    /// What the members of its sets are hashed with.
    pub keys: Option<SetKeys>,
    /// What own metrics have counted in it.
    pub counts: SlotCounts,
    /// Its series.
    pub part: Partial,
}

/// A state, read and checked.
#[derive(Debug)]
pub struct State {
    text: String,
    series: Range<usize>,
    /// What it is of.
    pub head: Head,
    /// The slot that was cut in two, if one was.
    pub slot: Option<Slot>,
}

impl State {
    /// Reads a state, or the gauges of the version before, which do not say when they were written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: Vec<u8>, written: Duration) -> Result<State, String> {
        let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
        if text.starts_with(HEADING_OF_GAUGES) {
            return State::of_gauges(text, written);
        }
        if !text.starts_with(HEADING) {
            return Err(match text.starts_with(HEADING_OF_ANY) {
                true => format!(
                    "it is {:?}, which this version does not know",
                    text.lines().next().unwrap_or_default()
                ),
                false => format!("its first line is not {:?}", HEADING.trim_end()),
            });
        }
        let end = checked_end(&text)?;
        let mut lines = numbered_lines(&text, HEADING.len()..end);
        let head = lines.next().and_then(|(_, _, line)| head(line));
        let head = head.ok_or("line 2 does not say what it is of")?;
        let mut state = State {
            series: end..end,
            head,
            slot: None,
            text: String::new(),
        };
        let mut series: Option<Range<usize>> = None;
        for (number, range, line) in lines {
            let is_understood = match &mut state.slot {
                Some(slot) => slot.take(line).is_some(),
                None if line.starts_with("slot ") => {
                    state.slot = Slot::begun(line);
                    state.slot.is_some()
                }
                None => {
                    let start = series.map_or(range.start, |before| before.start);
                    series = Some(start..range.end);
                    lasting(line).is_some()
                }
            };
            if !is_understood {
                return Err(format!("line {number} is not understood"));
            }
        }
        state.series = series.unwrap_or(end..end);
        state.text = text;
        Ok(state)
    }

    fn of_gauges(text: String, written: Duration) -> Result<State, String> {
        let series = HEADING_OF_GAUGES.len()..text.len();
        for (number, _, line) in numbered_lines(&text, series.clone()) {
            if gauge(line).is_none() {
                return Err(format!("line {number} is no level and name"));
            }
        }
        Ok(State {
            series,
            head: Head {
                written,
                end: written,
                interval: Duration::ZERO,
            },
            slot: None,
            text,
        })
    }

    /// The series that outlive the slot.
    pub fn series(&self) -> impl Iterator<Item = Lasting<'_>> {
        let read = match self.text.starts_with(HEADING_OF_GAUGES) {
            true => gauge,
            false => lasting,
        };
        self.text[self.series.clone()].lines().filter_map(read)
    }
}

/// Where the line with the checksum begins.
fn checked_end(text: &str) -> Result<usize, String> {
    let end = text
        .trim_end_matches('\n')
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let told = text[end..].strip_prefix(CHECKSUM).map(str::trim_end);
    let told = told.and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match told {
        None => Err("its last line has no checksum, so its end is missing".to_owned()),
        Some(told) if told != crc32fast::hash(&text.as_bytes()[..end]) => {
            Err("its checksum is wrong".to_owned())
        }
        Some(_) => Ok(end),
    }
}

/// The lines in a range of a text, with their numbers in it, of which the first here is 2, and where
/// they are.
fn numbered_lines(
    text: &str,
    range: Range<usize>,
) -> impl Iterator<Item = (usize, Range<usize>, &str)> {
    let mut at = range.start;
    let lines = text[range].split_inclusive('\n');
    lines.zip(2..).map(move |(line, number)| {
        let range = at..at + line.len();
        at = range.end;
        (number, range, line.trim_end_matches('\n'))
    })
}

fn head(line: &str) -> Option<Head> {
    let mut fields = line.strip_prefix("of ")?.split(' ');
    Some(Head {
        written: Duration::from_millis(next(&mut fields)?),
        end: Duration::from_nanos(next(&mut fields)?),
        interval: Duration::from_nanos(next(&mut fields)?),
    })
}

fn lasting(line: &str) -> Option<Lasting<'_>> {
    let mut fields = line.split(' ');
    let metric_type = match fields.next()? {
        "c" => MetricType::Counter,
        "ms" => MetricType::Timer,
        "g" => MetricType::Gauge,
        "s" => MetricType::Set,
        _ => return None,
    };
    let silent = Duration::from_millis(next(&mut fields)?);
    let level = match metric_type {
        MetricType::Gauge => Some(finite(&mut fields)?),
        MetricType::Counter | MetricType::Timer | MetricType::Set | MetricType::KeyValue => None,
    };
    let series = Lasting {
        metric_type,
        name: name(&mut fields)?,
        silent,
        level,
    };
    fields.next().is_none().then_some(series)
}

/// A line of the version before.
fn gauge(line: &str) -> Option<Lasting<'_>> {
    let mut fields = line.split(' ');
    let level = Some(finite(&mut fields)?);
    let series = Lasting {
        metric_type: MetricType::Gauge,
        name: name(&mut fields)?,
        silent: Duration::ZERO,
        level,
    };
    fields.next().is_none().then_some(series)
}

impl Slot {
    fn begun(line: &str) -> Option<Slot> {
        let mut fields = line.strip_prefix("slot ")?.split(' ');
        Some(Slot {
            end: Duration::from_nanos(next(&mut fields)?),
            length: Duration::from_nanos(next(&mut fields)?),
            keys: None,
            counts: SlotCounts::default(),
            part: Partial::default(),
        })
    }

    /// Takes one line of it; None if that is not understood.
    fn take(&mut self, line: &str) -> Option<()> {
        let mut fields = line.split(' ');
        match fields.next()? {
            "keys" => {
                let mut key = || u64::from_str_radix(fields.next()?, 16).ok();
                let keys = [key()?, key()?, key()?, key()?];
                let check = key()?;
                self.keys = Some(SetKeys { keys, check });
            }
            "count" => {
                let count = next(&mut fields)?;
                self.counts.add(fields.next()?, count);
            }
            "+c" => {
                let sum = next(&mut fields)?;
                let count = positive(&mut fields)?;
                let counter = Piece::Counter(Counter { sum, count });
                self.part.add(text_of_name(&mut fields)?, counter);
            }
            "+g" => {
                let level = Piece::Gauge(next(&mut fields)?);
                self.part.add(text_of_name(&mut fields)?, level);
            }
            "+kv" => {
                let value = finite(&mut fields)?;
                let time_unix_s = match fields.next()? {
                    "-" => None,
                    time => Some(time.parse().ok()?),
                };
                let sample = Piece::KeyValue { value, time_unix_s };
                self.part.add(text_of_name(&mut fields)?, sample);
            }
            "+s" => {
                let precision = match fields.next()? {
                    "exact" => None,
                    bits => Some(SetPrecision::of_bits(bits.parse().ok()?)?),
                };
                let name = text_of_name(&mut fields)?;
                let hash = |field| u64::from_str_radix(field, 16).ok();
                let hashes = fields.by_ref().map(hash).collect::<Option<Vec<_>>>()?;
                let set = Set::of_hashes(precision, hashes.into_iter());
                self.part.add(name, Piece::Set(&set));
            }
            "+ms" => self.take_timer(&mut fields)?,
            _ => return None,
        }
        fields.next().is_none().then_some(())
    }

    fn take_timer(&mut self, fields: &mut Split<'_, char>) -> Option<()> {
        let weight = positive(fields)?;
        let name = text_of_name(fields)?;
        let (mut values, mut weights) = (Vec::new(), Vec::new());
        let mut sketch = None;
        while let Some(field) = fields.next() {
            if field == "~" {
                sketch = Some(read_sketch(fields)?);
                break;
            }
            let (value, weight) = match field.split_once('*') {
                Some((value, weight)) => (value, Some(weight)),
                None => (field, None),
            };
            values.push(finite(&mut value.split(' '))?);
            if let Some(weight) = weight {
                weights.push(positive(&mut weight.split(' '))?);
            }
        }
        if !weights.is_empty() && weights.len() != values.len() {
            return None;
        }
        let part = TimerPart {
            weight,
            values: &values,
            weights: &weights,
            sketch: sketch.as_ref(),
        };
        self.part.add(name, Piece::Timer(part));
        Some(())
    }
}

fn read_sketch(fields: &mut Split<'_, char>) -> Option<Sketch> {
    let growth = next(fields)?;
    let count = next(fields)?;
    let (sum, sum_squares) = (next(fields)?, next(fields)?);
    let bounds = (next(fields)?, next(fields)?);
    let mut bins = Vec::new();
    for field in fields.by_ref() {
        let (bin, weight) = field.split_once('*')?;
        bins.push((bin.parse().ok()?, weight.parse().ok()?));
    }
    Sketch::of_numbers(&SketchNumbers {
        growth,
        count,
        sum,
        sum_squares,
        bounds,
        bins,
    })
}

fn next<T: FromStr>(fields: &mut Split<'_, char>) -> Option<T> {
    fields.next()?.parse().ok()
}

fn finite(fields: &mut Split<'_, char>) -> Option<f64> {
    next(fields).filter(|number: &f64| number.is_finite())
}

fn positive(fields: &mut Split<'_, char>) -> Option<f64> {
    finite(fields).filter(|&number| number > 0.0)
}

/// The text of a safe name.
fn text_of_name<'a>(fields: &mut Split<'a, char>) -> Option<&'a [u8]> {
    let name = fields.next()?.as_bytes();
    let is_safe = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.iter().all(|byte| byte.is_ascii_graphic());
    is_safe.then_some(name)
}

fn name<'a>(fields: &mut Split<'a, char>) -> Option<SeriesName<'a>> {
    text_of_name(fields).map(SeriesName::new)
}
