//! Says in binary frames what a datagram says in text.

use crate::model::line::{self, Kind, Line, Value};

/// Frames that fit into a datagram of any network, put together.
const FRAMES_EACH: usize = 20;

/// The samples of a datagram as datagrams of frames; None if frames cannot say one of them, for
/// lack of rates, tags, time stamps and zero bytes. What is refused in it is left out.
pub fn frames(datagram: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    for entry in line::lines(datagram) {
        let Line::Links { name, links, .. } = line::read(entry) else {
            continue;
        };
        for link in links.into_iter().flatten() {
            if link.rate != 1.0 || link.tags.is_some() || link.time_unix_s.is_some() {
                return None;
            }
            for value in &link.values {
                frames.push(frame(&name, link.kind, value)?);
            }
        }
    }
    Some(frames.chunks(FRAMES_EACH).map(<[_]>::concat).collect())
}

fn frame(name: &[u8], kind: Kind, value: &Value) -> Option<Vec<u8>> {
    let key = terminated(name)?;
    let wire_type = match kind {
        Kind::KeyValue => 1,
        Kind::Counter => 2,
        Kind::Timer => 3,
        Kind::Set => 4,
        Kind::Gauge if value.is_signed() => 6,
        Kind::Gauge => 5,
    };
    let head = [&[0xaa, wire_type][..], &length(&key)?].concat();
    if kind == Kind::Set {
        let member = terminated(&value.text)?;
        return Some([&head, &length(&member)?[..], &key, &member].concat());
    }
    Some([&head, &value.number.to_le_bytes()[..], &key].concat())
}

fn terminated(text: &[u8]) -> Option<Vec<u8>> {
    (!text.contains(&0)).then(|| [text, b"\0"].concat())
}

fn length(text: &[u8]) -> Option<[u8; 2]> {
    u16::try_from(text.len()).ok().map(u16::to_le_bytes)
}
