//! Text that settings add to names: safe in a path, with the host name in it on demand.

use std::fmt;
use std::str::FromStr;

/// What goes before a series' name: bytes that are safe in a Graphite path, or nothing.
/// `{host}` in it stands for the first label of the host name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(pub(super) String);

/// The longest prefix in bytes, and the longest of its segments: a segment becomes a file name.
const PREFIX_BYTES_MAX: usize = 512;
const SEGMENT_BYTES_MAX: usize = 255;

impl Prefix {
    /// The prefix with `{host}` replaced.
    ///
    /// # Errors
    /// A message if it is then too long.
    pub fn expand(&self, host: &HostLabel) -> Result<String, String> {
        let text = self.0.replace("{host}", &host.0);
        check_length(&text)?;
        Ok(text)
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_matches('.');
        let bare = trimmed.replace("{host}", "host");
        if let Some(bad) = bare
            .chars()
            .find(|c| !c.is_ascii() || !is_path_byte(*c as u8))
        {
            return Err(format!(
                "the path `{text}` holds {bad:?}: letters, digits, `_`, `-`, `.` and `{{host}}` \
                 are safe in a Graphite path"
            ));
        }
        if bare.contains("..") {
            return Err(format!("the path `{text}` holds two dots in a row"));
        }
        let prefix = Self(trimmed.to_owned());
        prefix.expand(&HostLabel("host".to_owned()))?;
        Ok(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of a path as it stands, dots at its ends included; may be empty. As with names under
/// naming statsite, no white space, no `|`, nothing but printable ASCII.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathText(pub(super) String);

impl PathText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '|') {
            return Err(format!(
                "the path `{text}` holds {bad:?}: only printable ASCII without spaces and `|` is \
                 safe for what reads the points"
            ));
        }
        check_length(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first label of a host name, made safe for a Graphite path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLabel(String);

impl HostLabel {
    /// Takes what stands before the first dot; unsafe bytes become `_`.
    #[must_use]
    pub fn new(host_name: &str) -> Self {
        let label = host_name.split('.').next().unwrap_or_default();
        let safe = |byte| {
            if is_path_byte(byte) {
                char::from(byte)
            } else {
                '_'
            }
        };
        let label: String = label.bytes().map(safe).take(64).collect();
        Self(if label.is_empty() {
            "localhost".to_owned()
        } else {
            label
        })
    }
}

fn check_length(text: &str) -> Result<(), String> {
    let mut segments = text.split('.');
    if segments.any(|segment| segment.len() > SEGMENT_BYTES_MAX) || text.len() > PREFIX_BYTES_MAX {
        return Err(format!(
            "the path `{text}` is too long: at most {PREFIX_BYTES_MAX} bytes, and \
             {SEGMENT_BYTES_MAX} between two dots"
        ));
    }
    Ok(())
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_label_is_safe_in_a_path() {
        for (host_name, label) in [
            ("db1.example.net", "db1"),
            ("db1", "db1"),
            ("", "localhost"),
            (".net", "localhost"),
            ("hö st/1", "h___st_1"),
        ] {
            assert_eq!(HostLabel::new(host_name), HostLabel(label.to_owned()));
        }
        assert_eq!(HostLabel::new(&"x".repeat(300)).0.len(), 64);
    }
}
