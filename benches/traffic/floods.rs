//! Floods: datagrams that somebody sends to do harm, and the good ones that they are held against.

use super::{Traffic, packed};

/// A kind of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// Good lines, packed.
    Packed,
    /// Good lines, one a datagram.
    Single,
    /// Empty datagrams.
    Empty,
    /// Nothing but line feeds.
    Feeds,
    /// Packed lines of bytes that are no text.
    Noise,
    /// Packed lines without a value.
    NoValue,
    /// Packed lines without a type.
    NoType,
    /// Packed lines whose names are denied.
    Denied,
    /// The shortest good lines, packed.
    Shortest,
    /// The shortest good lines that go the long way, packed.
    ShortestSets,
    /// The shortest lines there are, packed, none of which holds a sample.
    Fragments,
    /// Short lines with all parts, packed, none of which holds a sample.
    Faulty,
    /// One line of very many links, none of which holds a sample.
    Chain,
}

impl Flood {
    pub(crate) const ALL: [Flood; 13] = [
        Flood::Packed,
        Flood::Single,
        Flood::Empty,
        Flood::Feeds,
        Flood::Noise,
        Flood::NoValue,
        Flood::NoType,
        Flood::Denied,
        Flood::Shortest,
        Flood::ShortestSets,
        Flood::Fragments,
        Flood::Faulty,
        Flood::Chain,
    ];

    /// What it may not cost more than, for each datagram.
    pub(crate) fn held_against(self) -> Option<Flood> {
        match self {
            Flood::Packed | Flood::Single | Flood::Shortest | Flood::ShortestSets => None,
            Flood::Empty => Some(Flood::Single),
            Flood::Feeds | Flood::Noise | Flood::NoValue | Flood::NoType | Flood::Denied => {
                Some(Flood::Packed)
            }
            Flood::Fragments => Some(Flood::Shortest),
            Flood::Faulty | Flood::Chain => Some(Flood::ShortestSets),
        }
    }

    /// Datagrams of this kind, as many as [`packed`] gives.
    pub(crate) fn traffic(self, lines: u64, names: u64) -> Traffic {
        let good = packed(lines, names);
        let each = |change: fn(&[u8]) -> Vec<u8>| Traffic {
            datagrams: good.datagrams.iter().map(|bytes| change(bytes)).collect(),
            ..good
        };
        match self {
            Flood::Packed | Flood::Denied => packed(lines, names),
            Flood::Single => each(|bytes| {
                let line = bytes.split(|&byte| byte == b'\n').next();
                line.unwrap_or_default().to_vec()
            }),
            Flood::Empty => each(|_| Vec::new()),
            Flood::Feeds => each(|bytes| vec![b'\n'; bytes.len()]),
            Flood::Noise => each(|bytes| {
                let noise = |&byte: &u8| if byte == b'\n' { byte } else { byte ^ 0x80 };
                bytes.iter().map(noise).collect()
            }),
            Flood::NoValue => each(|bytes| replace(bytes, b':', b'.')),
            Flood::NoType => each(|bytes| replace(bytes, b'|', b'x')),
            Flood::Shortest => each(|bytes| fill(bytes.len(), &["a:1|c"])),
            Flood::ShortestSets => each(|bytes| fill(bytes.len(), &["a:1|s"])),
            Flood::Fragments => {
                each(|bytes| fill(bytes.len(), &[":", "a", "|", ":|", "a:1", "_", "_e{"]))
            }
            Flood::Faulty => each(|bytes| {
                let lines = [":|c", ":x|c", ":1|x", ":9e999|c", ":1|c|", ":1|c|@0"];
                fill(bytes.len(), &lines)
            }),
            Flood::Chain => each(|bytes| [b"a", &*b":|".repeat(bytes.len() / 2)].concat()),
        }
    }

    /// How many samples a round of its traffic holds, and how many refused links.
    pub(crate) fn samples_and_refused(self, traffic: &Traffic) -> (u64, u64) {
        let count = |byte| {
            let bytes = traffic.datagrams.iter().flatten();
            bytes.filter(|&&other| other == byte).count() as u64
        };
        match self {
            Flood::Packed | Flood::Shortest | Flood::ShortestSets => (count(b'\n'), 0),
            Flood::Single => (traffic.datagrams.len() as u64, 0),
            Flood::Empty | Flood::Feeds => (0, 0),
            Flood::Noise | Flood::NoValue | Flood::NoType | Flood::Denied | Flood::Faulty => {
                (0, count(b'\n'))
            }
            // Events are skipped, and not refused.
            Flood::Fragments => (0, count(b'\n') - count(b'{')),
            Flood::Chain => (0, count(b'|')),
        }
    }
}

/// As many bytes of these lines in turn, as far as whole ones go.
fn fill(length: usize, lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    for line in lines.iter().cycle() {
        if bytes.len() + line.len() + 1 > length {
            break;
        }
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

fn replace(bytes: &[u8], one: u8, other: u8) -> Vec<u8> {
    let replaced = |&byte: &u8| if byte == one { other } else { byte };
    bytes.iter().map(replaced).collect()
}
