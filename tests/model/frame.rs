//! The model's reading of a binary frame.

use super::line::{Kind, Line, Link, Value};

/// A binary frame begins with this byte.
pub const MAGIC: u8 = 0xaa;

/// The length of the frame that a text begins with, if it has all of it and its texts end with a
/// zero byte.
pub fn length(text: &[u8]) -> Option<usize> {
    let key_bytes = number(text.get(2..4)?);
    let ends = match text[1] {
        1 | 2 | 3 | 5 | 6 => vec![12 + key_bytes],
        4 => {
            let member_bytes = number(text.get(4..6)?);
            if member_bytes == 0 {
                return None;
            }
            vec![6 + key_bytes, 6 + key_bytes + member_bytes]
        }
        _ => return None,
    };
    let are_terminated = ends.iter().all(|&end| text.get(end - 1) == Some(&0));
    (key_bytes > 0 && are_terminated).then(|| ends[ends.len() - 1])
}

/// Reads a frame that [`length`] has found, or what it has not understood.
pub fn read(frame: &[u8]) -> Line {
    let links = |name: &[u8], link| Line::Links {
        name: name.to_vec(),
        links: vec![link],
        valueless: 0,
    };
    if length(frame).is_none() {
        return links(b"", Err("bad_frame"));
    }
    let key_bytes = number(&frame[2..4]);
    let (kind, text) = match frame[1] {
        1 => (Kind::KeyValue, ""),
        2 => (Kind::Counter, ""),
        3 => (Kind::Timer, ""),
        4 => {
            let name = before_zero(&frame[6..]);
            let member = before_zero(&frame[6 + key_bytes..]);
            let link = link(Kind::Set, member, 0.0);
            return links(
                name,
                if member.is_empty() {
                    Err("bad_value")
                } else {
                    Ok(link)
                },
            );
        }
        5 => (Kind::Gauge, ""),
        _ => (Kind::Gauge, "+"),
    };
    let value = f64::from_le_bytes(frame[4..12].try_into().expect("eight bytes"));
    let is_number = value == 0.0 || value.is_normal();
    let link = link(kind, text.as_bytes(), value);
    links(
        before_zero(&frame[12..]),
        if is_number {
            Ok(link)
        } else {
            Err("bad_value")
        },
    )
}

fn link(kind: Kind, text: &[u8], number: f64) -> Link {
    let text = text.to_vec();
    Link {
        kind,
        values: vec![Value { text, number }],
        rate: 1.0,
        time_unix_s: None,
        tags: None,
    }
}

fn number(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) + 256 * usize::from(bytes[1])
}

fn before_zero(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}
