//! Reads settings from a TOML file and says where in it a mistake is.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use super::Settings;
use super::foreign::Format;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text, with spaces for control characters.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            text,
            reason,
        } = self;
        let marker = format!("{:indent$}^", "", indent = column - 1);
        write!(f, "{line}:{column}: {reason}\n  {text}\n  {marker}")
    }
}

/// Reads the settings in a file.
///
/// # Errors
/// A message that names the file, and the place in it.
pub fn read(path: &Path) -> Result<Settings, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    parse(&text).map_err(|mistake| match Format::of_text(&text) {
        Some(other) => format!("{shown}:{mistake}\n{}", other.hint()),
        None => format!("{shown}:{mistake}"),
    })
}

/// Parses the text of a file.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str) -> Result<Settings, Mistake> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().unwrap_or_default();
        mistake(text, &place, &reason(error.message()))
    })
}

pub(super) fn mistake(text: &str, place: &Range<usize>, reason: &str) -> Mistake {
    let before = text.get(..place.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_text = text[line_start..].lines().next().unwrap_or_default();
    Mistake {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        // A control character could move the marker, or play tricks on the terminal.
        text: line_text.replace(char::is_control, " "),
        reason: reason.replace(char::is_control, " "),
    }
}

/// Serde's words for a key that is none of ours list them all; a hint is shorter.
fn reason(message: &str) -> String {
    let Some((key, _)) = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once("`, expected one of "))
    else {
        return message.replace("expected u8", "expected a whole number from 0 to 255");
    };
    let hint = if key.contains('-') {
        "keys have `_` where options have `-`"
    } else {
        "ringstat --help lists them, with `-` where keys have `_`"
    };
    format!("there is no setting `{key}`; {hint}")
}
