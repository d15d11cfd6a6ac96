//! Floods: datagrams that somebody sends to do harm, and the good ones that they are held against.

use super::{Traffic, packed};

/// A kind of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// Good lines, packed.
    Packed,
    /// Good lines with a sample rate, packed, which go the long way.
    Rated,
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
}

impl Flood {
    pub(crate) const ALL: [Flood; 9] = [
        Flood::Packed,
        Flood::Rated,
        Flood::Single,
        Flood::Empty,
        Flood::Feeds,
        Flood::Noise,
        Flood::NoValue,
        Flood::NoType,
        Flood::Denied,
    ];

    /// What it may not cost more than, for each datagram.
    pub(crate) fn held_against(self) -> Option<Flood> {
        match self {
            Flood::Packed | Flood::Rated | Flood::Single => None,
            Flood::Empty => Some(Flood::Single),
            Flood::Noise | Flood::NoValue | Flood::NoType => Some(Flood::Rated),
            Flood::Denied | Flood::Feeds => Some(Flood::Packed),
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
            Flood::Rated => each(|bytes| {
                let text = String::from_utf8_lossy(bytes);
                text.replace('\n', "|@0.5\n").into_bytes()
            }),
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
        }
    }
}

fn replace(bytes: &[u8], one: u8, other: u8) -> Vec<u8> {
    let replaced = |&byte: &u8| if byte == one { other } else { byte };
    bytes.iter().map(replaced).collect()
}
