//! Reads output bytes back into points, and is stricter than any receiver.

use crate::model::Point;

/// The longest path: a name of 1,024 bytes with its prefix and a statistic.
const PATH_BYTES_MAX: usize = 1_200;

/// Reads lines of `path value stamp`; panics at anything else.
pub fn lines(bytes: &[u8]) -> Vec<Point> {
    let text = std::str::from_utf8(bytes).expect("output is ASCII");
    assert!(text.is_empty() || text.ends_with('\n'), "half a line");
    text.lines().map(line).collect()
}

/// Reads lines of `path|value|stamp`; panics at anything else.
pub fn stream_lines(bytes: &[u8]) -> Vec<Point> {
    let text = std::str::from_utf8(bytes).expect("output is ASCII");
    assert!(!text.contains(' '), "a space");
    lines(text.replace('|', " ").as_bytes())
}

/// Reads one line without its line feed.
pub fn line(line: &str) -> Point {
    let words: Vec<&str> = line.split(' ').collect();
    let [path, value, stamp] = words[..] else {
        panic!("{line:?} is not three words");
    };
    point(
        path,
        value.parse().expect("a value is a number"),
        stamp.parse().expect("a stamp"),
    )
}

/// Reads messages of a big-endian length and a pickled list of (path, (stamp, value)); panics at
/// anything else.
pub fn pickles(mut bytes: &[u8]) -> Vec<Point> {
    let mut points = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let message: Vec<(String, (u64, f64))> =
            serde_pickle::from_slice(message, serde_pickle::DeOptions::new())
                .expect("a message is a pickled list");
        for (path, (stamp, value)) in message {
            points.push(point(&path, value, stamp));
        }
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a length");
    points
}

fn point(path: &str, value: f64, time_unix_s: u64) -> Point {
    assert!(!path.is_empty() && path.len() <= PATH_BYTES_MAX, "{path:?}");
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    assert!(value.is_finite(), "{path} {value}");
    Point {
        path: path.into(),
        value,
        time_unix_s,
    }
}
