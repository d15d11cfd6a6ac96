//! Patterns of names: what a rule against a flood of series matches.

use std::fmt;
use std::str::FromStr;

/// A text in which `*` stands for any bytes or none, dots included. It is compared with whole safe
/// names: `app.*` is every name below `app.`, with its tags if it has any.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(String);

/// The longest pattern, in bytes: its word is a segment of a path.
const PATTERN_BYTES_MAX: usize = 200;

impl Pattern {
    /// Whether a safe name is one of these.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let mut parts = self.0.split('*').map(str::as_bytes);
        let first = parts.next().expect("a split gives a part");
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        // The first place of each part leaves the most for those behind it.
        for part in parts {
            match memchr::memmem::find(rest, part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// The pattern as a segment of a path: what is no letter, digit or `-` becomes `_`.
    #[must_use]
    pub fn word(&self) -> String {
        let is_safe = |c: char| c.is_ascii_alphanumeric() || c == '-';
        self.0.replace(|c| !is_safe(c), "_")
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return Err(format!(
                "`{text}` is no pattern of names: it has 1 to {PATTERN_BYTES_MAX} bytes"
            ));
        }
        match text.chars().find(|c| !c.is_ascii_graphic()) {
            Some(bad) => Err(format!(
                "the pattern `{text}` holds {bad:?}, which no safe name has: only printable ASCII \
                 without white space"
            )),
            None => Ok(Pattern(text.to_owned())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many series may have names of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quota {
    /// The names that count.
    pub pattern: Pattern,
    /// Series of all types in all shards, 0 for none.
    pub series_max: u32,
}

impl FromStr for Quota {
    type Err = String;

    /// `app.*=10000`: the last `=` counts, as names with tags have others.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((pattern, count)) = text.rsplit_once('=') else {
            return Err(format!("`{text}` is no quota, such as app.*=10000"));
        };
        Ok(Quota {
            pattern: pattern.parse()?,
            series_max: series_count(count)?,
        })
    }
}

/// Reads the number of a quota.
fn series_count(text: &str) -> Result<u32, String> {
    let max = u32::MAX;
    let wrong = |_| format!("`{text}` is not a whole number from 0 to {max}");
    text.replace('_', "").parse().map_err(wrong)
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.pattern, self.series_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let pattern: Pattern = pattern.parse().expect(pattern);
        pattern.matches(name.as_bytes())
    }

    #[test]
    fn a_star_stands_for_anything_dots_and_nothing_included() {
        for (pattern, name) in [
            ("app.debug.*", "app.debug.x"),
            ("app.debug.*", "app.debug.x.y;env=prod"),
            ("app.debug.*", "app.debug."),
            ("app", "app"),
            ("*", "a"),
            ("**", "a"),
            ("*.debug.*", "app.web.debug.debug.x"),
            ("a*b*c", "abc"),
            ("a*b*c", "a.b.b.c.c"),
            ("*;env=dev*", "hits;az=1;env=dev"),
            ("*aab", "aaaab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("app.debug.*", "app.debug"),
            ("app.debug.*", "my.app.debug.x"),
            ("app", "app.x"),
            ("app", "app;env=prod"),
            ("app", "ap"),
            ("a*b*c", "a.c.b"),
            // The parts may not overlap.
            ("ab*bc", "abc"),
            ("*a*a*", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_quota_ends_with_its_number() {
        let quota: Quota = "hits;env=*=1_000".parse().expect("a quota");
        assert_eq!(quota.to_string(), "hits;env=*=1000");
        for wrong in ["app.*", "app.*=", "=5", "app.*=-1", "a b=5", "é=5"] {
            assert!(wrong.parse::<Quota>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_word_of_a_pattern_is_a_segment_of_a_path() {
        let pattern: Pattern = "app.de-bug.*;x=1".parse().expect("a pattern");
        assert_eq!(pattern.word(), "app_de-bug___x_1");
    }
}
