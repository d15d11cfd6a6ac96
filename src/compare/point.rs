//! Reads lines of Graphite's text protocol: `path value time`.

/// A line of one daemon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point<'a> {
    pub(super) path: &'a str,
    pub(super) value: f64,
    /// Seconds since 1970; cut to whole ones.
    pub(super) time_unix_s: i64,
    /// How far rounding may have moved the value: daemons that print six decimals move small
    /// values by more than any relative tolerance.
    pub(super) rounding: f64,
}

/// The last of six decimals, and a little for the binary form of it.
const SIX_DECIMALS: f64 = 1.000_001e-6;

/// Reads a line without its line feed; None if it is no point.
pub(super) fn read(line: &[u8]) -> Option<Point<'_>> {
    let line = std::str::from_utf8(line).ok()?;
    let mut tokens = line.split_ascii_whitespace();
    let (path, value, time) = (tokens.next()?, tokens.next()?, tokens.next()?);
    if tokens.next().is_some() {
        return None;
    }
    let decimals = value.split_once('.').map_or(0, |(_, rest)| rest.len());
    let time: f64 = time.parse().ok()?;
    // Beyond this a time is no time, and arithmetic would overflow.
    if !(0.0..1e12).contains(&time) {
        return None;
    }
    Some(Point {
        path,
        value: value.parse().ok()?,
        time_unix_s: time as i64,
        rounding: if decimals == 6 { SIX_DECIMALS } else { 0.0 },
    })
}

/// Cuts a stream into lines, wherever its pieces begin and end.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
    /// Whether the line that `rest` would belong to was too long, up to its end.
    is_skipping: bool,
}

/// Longer than any line that Graphite takes.
const LINE_BYTES_MAX: usize = 16_384;

impl Lines {
    /// Hands over every line that a piece completes; None for one that is too long.
    pub(super) fn feed(&mut self, mut piece: &[u8], mut take: impl FnMut(Option<&[u8]>)) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let line = &piece[..end];
            piece = &piece[end + 1..];
            if self.is_skipping || self.rest.len() + line.len() > LINE_BYTES_MAX {
                take(None);
            } else if self.rest.is_empty() {
                take(Some(line));
            } else {
                self.rest.extend_from_slice(line);
                take(Some(&self.rest));
            }
            self.rest.clear();
            self.is_skipping = false;
        }
        if self.rest.len() + piece.len() > LINE_BYTES_MAX {
            self.is_skipping = true;
            self.rest.clear();
        }
        if !self.is_skipping {
            self.rest.extend_from_slice(piece);
        }
    }

    /// Hands over a last line without its line feed.
    pub(super) fn end(self, mut take: impl FnMut(Option<&[u8]>)) {
        if self.is_skipping {
            take(None);
        } else if !self.rest.is_empty() {
            take(Some(&self.rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_three_words() {
        let point = read(b"a.b;c=d -1.5e3 1700000010.9\r").expect("a point");
        assert_eq!((point.path, point.value), ("a.b;c=d", -1500.0));
        assert_eq!((point.time_unix_s, point.rounding), (1_700_000_010, 0.0));
        assert!(read(b"a 0.000001 1").expect("a point").rounding > 0.0);
        assert!(read(b"a -nan 1").expect("a point").value.is_nan());
        for line in [
            "",
            "a",
            "a 1",
            "a x 1",
            "a 1 x",
            "a 1 2 3",
            "a 1 -5",
            "a 1 1e300",
            "a 1 nan",
        ] {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
        assert_eq!(read(b"\xff 1 1"), None);
    }

    #[test]
    fn every_cut_of_a_stream_gives_the_same_lines() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let whole = format!("a 1 1\n\n{long}\nb 2 2\nc 3 3");
        let lines = |size: usize| {
            let (mut found, mut lines) = (Vec::new(), Lines::default());
            let mut take = |line: Option<&[u8]>| found.push(line.map(<[u8]>::to_vec));
            for piece in whole.as_bytes().chunks(size) {
                lines.feed(piece, &mut take);
            }
            lines.end(&mut take);
            found
        };
        let expected = [Some("a 1 1"), Some(""), None, Some("b 2 2"), Some("c 3 3")];
        let expected = expected.map(|line| line.map(|line| line.as_bytes().to_vec()));
        for size in [1, 2, 3, 5, 7, 1_000, LINE_BYTES_MAX, whole.len()] {
            assert_eq!(lines(size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_that_never_ends_takes_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..1_000 {
            lines.feed(&[b'x'; 1_000], |_| panic!("it does not end"));
            assert!(lines.rest.capacity() <= 2 * LINE_BYTES_MAX);
        }
    }
}
