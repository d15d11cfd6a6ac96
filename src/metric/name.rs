//! Makes names safe for the receiver: Graphite turns a name into a path of files, and closes the
//! connection at bytes that are no UTF-8. Done once, when a spelling is first seen.

use smallvec::SmallVec;

use super::refusal::Refusal;
use super::rules::{InputRules, SafeNames};

/// The longest name, tags included, once it is made safe.
pub const NAME_BYTES_MAX: usize = 1_024;

/// The longest segment between two dots: the longest name of a file.
pub const SEGMENT_BYTES_MAX: usize = 255;

/// The longest spelling, tags field included, that a table remembers.
pub const SPELLING_BYTES_MAX: usize = 4_096;

/// Appends the safe name of a spelling to `safe`, with the tags in Graphite's form. The spelling
/// has at most [`SPELLING_BYTES_MAX`].
///
/// # Errors
/// Why no series can have this name.
pub(super) fn make_safe(
    rules: &InputRules,
    name: &[u8],
    tags: &[u8],
    safe: &mut Vec<u8>,
) -> Result<(), Refusal> {
    clean(rules.safe_names, name, safe);
    if safe.is_empty() {
        return Err(Refusal::EmptyName);
    }
    append_tags(rules.safe_names, tags, safe);
    if safe.len() > NAME_BYTES_MAX {
        return Err(Refusal::NameTooLong);
    }
    let path = safe.split(|&byte| byte == b';').next().unwrap_or_default();
    if path
        .split(|&byte| byte == b'.')
        .any(|segment| segment.len() > SEGMENT_BYTES_MAX)
    {
        return Err(Refusal::SegmentTooLong);
    }
    Ok(())
}

/// White space as lines may have it: the line feed ends a line and never gets here.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

fn clean(rules: SafeNames, text: &[u8], safe: &mut Vec<u8>) {
    let mut in_white = false;
    for &byte in text {
        let white = is_white(byte);
        if white && in_white {
            continue;
        }
        in_white = white;
        safe.extend(match rules {
            _ if white => (rules != SafeNames::Strict).then_some(b'_'),
            SafeNames::Graphite => match byte {
                b'/' => Some(b'-'),
                b'_' | b'.' | b';' | b'=' | b'-' => Some(byte),
                _ => byte.is_ascii_alphanumeric().then_some(byte),
            },
            SafeNames::Strict => match byte {
                b'/' => Some(b'_'),
                b'_' | b'.' | b'-' => Some(byte),
                _ => byte.is_ascii_alphanumeric().then_some(byte),
            },
            SafeNames::Printable => (byte.is_ascii_graphic() && byte != b'|').then_some(byte),
        });
    }
}

/// Appends the tags of a `#` field, sorted, each once: `k:v` as `;k=v`. A tag without a value gets
/// `true`, and one without a key is left out, because Graphite refuses points with such tags.
fn append_tags(rules: SafeNames, tags: &[u8], safe: &mut Vec<u8>) {
    let mut sorted: SmallVec<[Vec<u8>; 8]> = tags
        .split(|&byte| byte == b',')
        .filter_map(|tag| {
            let colon = memchr::memchr(b':', tag);
            let (key, value) = match colon {
                Some(at) => (&tag[..at], &tag[at + 1..]),
                None => (tag, &b""[..]),
            };
            let mut pair = Vec::with_capacity(tag.len() + 5);
            clean(rules, key, &mut pair);
            if pair.is_empty() {
                return None;
            }
            pair.push(b'=');
            let key_bytes = pair.len();
            clean(rules, value, &mut pair);
            if pair.len() == key_bytes {
                pair.extend_from_slice(b"true");
            }
            // A semicolon would begin another tag.
            pair.iter_mut()
                .filter(|byte| **byte == b';')
                .for_each(|byte| *byte = b'_');
            Some(pair)
        })
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    for tag in sorted {
        safe.push(b';');
        safe.extend(tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(safe_names: SafeNames, name: &str, tags: &str) -> Result<String, Refusal> {
        let rules = InputRules {
            safe_names,
            keep_tags: true,
            sign_moves_gauge: true,
            weighted_timers: false,
        };
        let mut safe = Vec::new();
        make_safe(&rules, name.as_bytes(), tags.as_bytes(), &mut safe)?;
        Ok(String::from_utf8(safe).expect("safe names are ASCII"))
    }

    #[test]
    fn names_are_made_safe_as_each_rule_says() {
        let name = "a  b/c#d|e;f=g\u{e9}\u{1}";
        for (rules, expected) in [
            (SafeNames::Graphite, "a_b-cde;f=g"),
            (SafeNames::Strict, "ab_cdefg"),
            (SafeNames::Printable, "a_b/c#de;f=g"),
        ] {
            assert_eq!(safe(rules, name, "").as_deref(), Ok(expected));
        }
    }

    #[test]
    fn tags_are_sorted_and_given_once_and_never_empty() {
        let tags = "env:prod,az:a:b,env:prod,,canary,x:1;2,:lost,!:lost,y:,z:!";
        assert_eq!(
            safe(SafeNames::Graphite, "n", tags).as_deref(),
            Ok("n;az=ab;canary=true;env=prod;x=1_2;y=true;z=true")
        );
    }

    #[test]
    fn names_that_no_file_can_have_are_refused() {
        let long = "x".repeat(255);
        let graphite = |name: &str| safe(SafeNames::Graphite, name, "");
        assert!(graphite(&long).is_ok());
        assert_eq!(graphite(&format!("{long}x")), Err(Refusal::SegmentTooLong));
        assert!(
            graphite(&format!("a;tag={long}x")).is_ok(),
            "tags are no path"
        );
        assert!(graphite(&[&*long; 4].join(".")).is_ok());
        assert_eq!(graphite(&[&*long; 5].join(".")), Err(Refusal::NameTooLong));
        assert_eq!(graphite("\u{e9}!"), Err(Refusal::EmptyName));
    }
}
