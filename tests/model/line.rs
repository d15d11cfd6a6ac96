//! The model's grammar of a line: a name and its links, each link a sample or a refusal.

use super::frame;
use super::number::{decimal, is_space, trim};

/// A metric type, as the letters of the wire fold into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Counter,
    Timer,
    Gauge,
    Set,
    KeyValue,
}

/// One value of a link.
#[derive(Clone, Debug)]
pub struct Value {
    /// The text without white space around it; of a set's member, which it tells apart, with it.
    pub text: Vec<u8>,
    /// The number; zero for a member of a set.
    pub number: f64,
}

impl Value {
    /// Whether a sign stands in front, which moves a gauge where the naming says so.
    pub fn is_signed(&self) -> bool {
        matches!(self.text.first(), Some(b'+' | b'-'))
    }
}

/// One link that follows the grammar.
#[derive(Clone, Debug)]
pub struct Link {
    pub kind: Kind,
    pub values: Vec<Value>,
    /// The sample rate; 1 where none is given and on a key-value.
    pub rate: f64,
    /// A key-value's own time stamp in whole seconds.
    pub time_unix_s: Option<u64>,
    /// The text of the tag field behind its `#`.
    pub tags: Option<Vec<u8>>,
}

/// What a line holds.
pub enum Line {
    /// An event or a service check of DogStatsD.
    Skipped,
    NoValue,
    Links {
        name: Vec<u8>,
        links: Vec<Result<Link, &'static str>>,
        /// How many of them have nothing where the value stands.
        valueless: usize,
    },
}

/// What a datagram or a stream consists of.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// A line, without white space around it, and not empty.
    Text(&'a [u8]),
    /// A binary frame, or all that follows where one is broken.
    Frame(&'a [u8]),
}

/// The lines of a datagram, and its frames, which only one that begins with a frame has.
pub fn lines(datagram: &[u8]) -> Vec<Entry<'_>> {
    if datagram.first() == Some(&frame::MAGIC) {
        return stream(datagram);
    }
    datagram
        .split(|&byte| byte == b'\n')
        .map(trim)
        .filter(|line| !line.is_empty())
        .map(Entry::Text)
        .collect()
}

/// The lines and frames of a stream, up to the first frame that is broken.
pub fn stream(mut bytes: &[u8]) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    while let Some(&first) = bytes.first() {
        if first == frame::MAGIC {
            let length = frame::length(bytes).unwrap_or(bytes.len());
            let (frame, rest) = bytes.split_at(length);
            entries.push(Entry::Frame(frame));
            bytes = rest;
            continue;
        }
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let line = trim(&bytes[..end.unwrap_or(bytes.len())]);
        if !line.is_empty() {
            entries.push(Entry::Text(line));
        }
        bytes = &bytes[end.map_or(bytes.len(), |end| end + 1)..];
    }
    entries
}

/// Reads one line or frame as [`lines`] gives it.
pub fn read(entry: Entry<'_>) -> Line {
    let line = match entry {
        Entry::Text(line) => line,
        Entry::Frame(frame) => return frame::read(frame),
    };
    if line.starts_with(b"_e{") || line.starts_with(b"_sc|") {
        return Line::Skipped;
    }
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return Line::NoValue;
    };
    let (mut links, mut valueless) = (Vec::new(), 0);
    let mut rest = Some(&line[colon + 1..]);
    while let Some(text) = rest {
        let (parts, after) = cut_link(text);
        let link = judge(&parts);
        valueless += usize::from(parts[0].is_empty() && matches!(link, Err("bad_value")));
        links.push(link);
        rest = after;
    }
    Line::Links {
        name: line[..colon].to_vec(),
        links,
        valueless,
    }
}

/// Cuts a link off the front: its values, its type and its fields, then what follows the colon
/// that ends it. A link without any `|` has one part only.
fn cut_link(text: &[u8]) -> (Vec<&[u8]>, Option<&[u8]>) {
    let Some(bar) = text.iter().position(|&byte| byte == b'|') else {
        return (vec![text], None);
    };
    let mut parts = vec![&text[..bar]];
    let mut rest = &text[bar + 1..];
    let mut colons_end_it = true;
    loop {
        let is_type = parts.len() == 1;
        if !is_type && runs_to_the_next_bar(rest) {
            colons_end_it = false;
        }
        let end = rest
            .iter()
            .position(|&byte| byte == b'|' || (byte == b':' && colons_end_it));
        match end {
            None => {
                parts.push(rest);
                return (parts, None);
            }
            Some(end) => {
                parts.push(&rest[..end]);
                if rest[end] == b':' {
                    return (parts, Some(&rest[end + 1..]));
                }
                rest = &rest[end + 1..];
            }
        }
    }
}

/// Whether the field at the front is one that has its colons to itself.
fn runs_to_the_next_bar(rest: &[u8]) -> bool {
    match rest.iter().find(|&&byte| !is_space(byte)) {
        Some(&first) => first == b'#' || first.is_ascii_alphabetic(),
        None => false,
    }
}

fn judge(parts: &[&[u8]]) -> Result<Link, &'static str> {
    let [values, kind, fields @ ..] = parts else {
        return Err("no_type");
    };
    let kind = match trim(kind) {
        b"c" | b"m" => Kind::Counter,
        b"ms" | b"h" | b"d" => Kind::Timer,
        b"g" => Kind::Gauge,
        b"s" => Kind::Set,
        b"kv" => Kind::KeyValue,
        _ => return Err("bad_type"),
    };

    let mut rate = None;
    let mut time_unix_s = None;
    let mut tags = None;
    for field in fields {
        match trim(field) {
            [b'@', number @ ..] if kind == Kind::KeyValue => {
                if time_unix_s.is_some() {
                    return Err("bad_field");
                }
                let seconds = decimal(number).ok_or("bad_time")?;
                if !(0.0..9_007_199_254_740_992.0).contains(&seconds) {
                    return Err("bad_time");
                }
                time_unix_s = Some(seconds as u64);
            }
            [b'@', number @ ..] => {
                if rate.is_some() {
                    return Err("bad_field");
                }
                let number = decimal(number).ok_or("bad_rate")?;
                if number <= 0.0 || number > 1.0 {
                    return Err("bad_rate");
                }
                rate = Some(number);
            }
            [b'#', text @ ..] => {
                if tags.is_some() {
                    return Err("bad_field");
                }
                tags = Some(text.to_vec());
            }
            [letter, ..] if letter.is_ascii_alphabetic() => {}
            _ => return Err("bad_field"),
        }
    }

    Ok(Link {
        kind,
        values: read_values(kind, values)?,
        rate: rate.unwrap_or(1.0),
        time_unix_s,
        tags,
    })
}

fn read_values(kind: Kind, text: &[u8]) -> Result<Vec<Value>, &'static str> {
    if kind == Kind::Set {
        let text = text.to_vec();
        return if text.is_empty() {
            Err("bad_value")
        } else {
            Ok(vec![Value { text, number: 0.0 }])
        };
    }
    text.split(|&byte| byte == b':')
        .map(|member| {
            Ok(Value {
                text: trim(member).to_vec(),
                number: decimal(member).ok_or("bad_value")?,
            })
        })
        .collect()
}
