//! Looks at the lines of each datagram as they came, for whoever searches a client that misbehaves:
//! logs them, and counts them by name. Costs nothing where neither is asked for.

use std::borrow::Cow;
use std::collections::HashMap;

use ahash::RandomState;

use crate::metric::{InputRules, SPELLING_BYTES_MAX};
use crate::protocol;

/// What to do with lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapRules {
    /// Whether each is logged.
    pub logs_lines: bool,
    /// How many names are counted in an interval; 0 for none.
    pub names_max: usize,
}

impl TapRules {
    fn is_any(self) -> bool {
        self.logs_lines || self.names_max > 0
    }
}

/// A shard's look at its lines.
#[derive(Debug)]
pub struct Tap {
    rules: TapRules,
    names: NameCounts,
}

/// How many lines came for each name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameCounts {
    counts: HashMap<Box<[u8]>, u64, RandomState>,
    /// Lines of names for which there was no room.
    rest: u64,
}

impl Tap {
    /// A tap that has seen nothing; None where there is nothing to do.
    #[must_use]
    pub fn by(rules: TapRules) -> Option<Box<Tap>> {
        let names = NameCounts::default();
        rules.is_any().then(|| Box::new(Tap { rules, names }))
    }

    /// Looks at the lines of a datagram. Frames are no lines, and one that begins with a frame is
    /// left out.
    pub fn datagram(&mut self, datagram: &[u8]) {
        if datagram.first() != Some(&protocol::MAGIC) {
            self.lines(datagram);
        }
    }

    /// Looks at whole lines.
    pub fn lines(&mut self, lines: &[u8]) {
        for line in lines.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            if self.rules.logs_lines {
                log::info!("line: {}", line.escape_ascii());
            }
            if self.rules.names_max > 0 {
                self.names.add(&spelling(line), 1, self.rules.names_max);
            }
        }
    }

    /// What was counted since the last time.
    pub fn take_names(&mut self) -> NameCounts {
        std::mem::take(&mut self.names)
    }
}

/// A line's name, with the tags behind a line feed, which no line holds.
fn spelling(line: &[u8]) -> Cow<'_, [u8]> {
    let end = memchr::memchr2(b':', b'|', line).unwrap_or(line.len());
    let name = &line[..end];
    let Some(begin) = memchr::memmem::find(line, b"|#") else {
        return Cow::Borrowed(name);
    };
    let tags = &line[begin + 2..];
    let tags = &tags[..memchr::memchr(b'|', tags).unwrap_or(tags.len())];
    Cow::Owned([name, b"\n", tags].concat())
}

impl NameCounts {
    fn add(&mut self, name: &[u8], lines: u64, names_max: usize) {
        if let Some(count) = self.counts.get_mut(name) {
            *count += lines;
        } else if self.counts.len() < names_max && name.len() <= SPELLING_BYTES_MAX {
            self.counts.insert(name.into(), lines);
        } else {
            self.rest += lines;
        }
    }

    /// Adds what a shard counted by spelling, under the names that these come to.
    pub fn merge(&mut self, spellings: NameCounts, rules: &InputRules, names_max: usize) {
        self.rest += spellings.rest;
        for (spelling, lines) in spellings.counts {
            let (name, tags) = match memchr::memchr(b'\n', &spelling) {
                Some(at) => (&spelling[..at], &spelling[at + 1..]),
                None => (&spelling[..], &b""[..]),
            };
            match rules.safe_name(name, tags) {
                Ok(name) => self.add(&name, lines, names_max),
                // No series has it.
                Err(_) => self.rest += lines,
            }
        }
    }

    /// The names with the most lines: so many percent of all names, one at least if there are any.
    /// Names of equal counts are in the order of the alphabet.
    #[must_use]
    pub fn busiest(&self, percent: f64) -> Vec<(&[u8], u64)> {
        let mut names: Vec<(&[u8], u64)> = self
            .counts
            .iter()
            .map(|(name, count)| (&**name, *count))
            .collect();
        names.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        // A part of one counts as one, as with etsy's statsd.
        let shown = (names.len() as f64 * percent / 100.0).ceil() as usize;
        names.truncate(shown);
        names
    }

    /// Lines without a name that could be counted.
    #[must_use]
    pub fn rest(&self) -> u64 {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::SafeNames;

    const RULES: InputRules = InputRules {
        safe_names: SafeNames::Graphite,
        keep_tags: true,
        sign_moves_gauge: true,
        weighted_timers: false,
    };

    fn counted(lines: &[u8], names_max: usize) -> NameCounts {
        let mut tap = Tap::by(TapRules {
            logs_lines: false,
            names_max,
        })
        .expect("there is something to do");
        tap.datagram(lines);
        tap.datagram(b"\xaa\x02\x02\0\0\0\0\0\0\0\xf0\x3fframe\0\n");
        let mut names = NameCounts::default();
        names.merge(tap.take_names(), &RULES, names_max);
        names
    }

    fn shown(names: &NameCounts, percent: f64) -> String {
        let busiest = names.busiest(percent);
        let shown = busiest
            .iter()
            .map(|(name, count)| format!("{} {count}", name.escape_ascii()));
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn spellings_of_a_name_are_one_and_each_line_counts_once() {
        let names = counted(
            b"a/b:1|c:2|c\n\n a-b:x\r\nc|c\na-b\nd:1:2|ms|#k:v|@1\nd:1|c|#k:v",
            9,
        );
        assert_eq!(shown(&names, 100.0), "a-b 3, d;k=v 2, c 1");
        assert_eq!(names.rest(), 0);
    }

    #[test]
    fn a_part_of_the_names_is_the_busiest_part() {
        let names = counted(b"a:1|c\nb:1|c\nb:1|c\nc:1|c", 9);
        assert_eq!(shown(&names, 34.0), "b 2, a 1");
        assert_eq!(shown(&names, 33.0), "b 2");
        assert_eq!(shown(&names, 0.0), "");
    }

    #[test]
    fn names_beyond_the_limit_and_names_of_no_series_are_the_rest() {
        let names = counted(b"a:1|c\nb:1|c\nc:1|c\nb:1|c\n!:1|c", 2);
        assert_eq!(shown(&names, 100.0), "b 2, a 1");
        assert_eq!(names.rest(), 2);
        let long = [&[b'x'; SPELLING_BYTES_MAX + 1], &b":1|c"[..]].concat();
        assert_eq!(counted(&long, 2).rest(), 1);
    }
}
