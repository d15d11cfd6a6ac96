//! Reads a JavaScript object of plain values, and knows where each of them stands.
//!
//! JSON5 is what JavaScript has of such values: comments, bare keys, single quotes, commas at the
//! end. The crate tells a place only with an error, so a place is found by reading once more and
//! failing there on purpose.

use std::borrow::Cow;
use std::fmt;

use json5::{Deserializer, Error, ErrorCode, Position};
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::config::file::{Mistake, mistake};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literal {
    pub(super) content: Content,
    path: Path,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    List(Vec<Literal>),
    /// Keys in the order of the file; of equal ones JavaScript takes the last.
    Object(Vec<(String, Literal)>),
}

/// The way to a value: which entry of each object or list, from the outermost one.
type Path = Vec<usize>;

/// The reader calls itself for each level.
const DEPTH_MAX: usize = 32;

/// A text with blanks in the place of parentheses around all of it, so that each place stays: etsy's
/// statsd evaluates `config = TEXT`, which may be `({ ... })`.
pub(super) fn without_parentheses(text: &str) -> Cow<'_, str> {
    let open = text.len() - skip_blank(text).len();
    if !text[open..].starts_with('(') {
        return Cow::Borrowed(text);
    }
    let is_last = |(at, _): &(usize, &str)| {
        let rest = skip_blank(&text[at + 1..]);
        skip_blank(rest.strip_prefix(';').unwrap_or(rest)).is_empty()
    };
    let Some((close, _)) = text.match_indices(')').find(is_last) else {
        return Cow::Borrowed(text);
    };
    let mut text = text.to_owned();
    for at in [open, close] {
        text.replace_range(at..=at, " ");
    }
    Cow::Owned(text)
}

/// What follows on white space and comments.
fn skip_blank(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let end = if text.starts_with("//") {
            text.find(LINE_ENDS)
        } else if text.starts_with("/*") {
            text.find("*/").map(|at| at + 2)
        } else {
            return text;
        };
        text = &text[end.unwrap_or(text.len())..];
    }
}

/// Reads a text that is one value.
///
/// # Errors
/// The first mistake; where the text needs JavaScript to be run, what to write instead.
pub(super) fn parse(text: &str) -> Result<Literal, Mistake> {
    let trimmed = text.trim_end();
    // A statement may end so; etsy's statsd evaluates `config = TEXT`.
    let text = trimmed.strip_suffix(';').unwrap_or(text);
    let mut deserializer = Deserializer::from_str(text);
    let literal = Read::default().deserialize(&mut deserializer);
    let literal = literal.map_err(|error| {
        let at = offset(text, error.position());
        mistake(text, &(at..at), &reason(&error, text, at))
    })?;
    match deserializer.deserialize_any(Fail) {
        Err(error) if error.code() == Some(ErrorCode::EofParsingValue) => Ok(literal),
        Err(error) => {
            let at = offset(text, error.position());
            let reason = "nothing may follow the object of settings";
            Err(mistake(text, &(at..at), reason))
        }
        Ok(()) => unreachable!("it fails at every value"),
    }
}

impl Literal {
    /// What is wrong with it.
    pub(super) fn mistake(&self, text: &str, reason: &str) -> Mistake {
        let find = Find { path: &self.path };
        let found = find.deserialize(&mut Deserializer::from_str(text));
        let position = found.err().and_then(|error| error.position());
        let at = offset(text, position);
        mistake(text, &(at..at), reason)
    }
}

/// Makes a [`Literal`].
#[derive(Default)]
struct Read {
    path: Path,
}

impl Read {
    fn literal<E>(self, content: Content) -> Result<Literal, E> {
        let path = self.path;
        Ok(Literal { content, path })
    }

    fn entry(&self, index: usize) -> Read {
        let path = self.path.iter().copied().chain([index]).collect();
        Read { path }
    }

    fn check_depth<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.path.len() < DEPTH_MAX {
            return Ok(());
        }
        Err(E::custom(format_args!(
            "values are nested deeper than {DEPTH_MAX} levels"
        )))
    }
}

impl<'de> DeserializeSeed<'de> for Read {
    type Value = Literal;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Literal, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = Literal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Literal, E> {
        self.literal(Content::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Literal, E> {
        self.literal(Content::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Literal, E> {
        self.literal(Content::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Literal, E> {
        self.literal(Content::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Literal, E> {
        self.literal(Content::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Literal, E> {
        self.literal(Content::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Literal, A::Error> {
        self.check_depth()?;
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element_seed(self.entry(entries.len()))? {
            entries.push(entry);
        }
        self.literal(Content::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Literal, A::Error> {
        self.check_depth()?;
        let mut entries = Vec::new();
        while let Some(key) = object.next_key()? {
            let value = object.next_value_seed(self.entry(entries.len()))?;
            entries.push((key, value));
        }
        self.literal(Content::Object(entries))
    }
}

/// Fails at the value with this path.
struct Find<'a> {
    path: &'a [usize],
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match self.path {
            [] => from.deserialize_any(Fail),
            _ => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was read before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for _ in 0..self.path[0] {
            list.next_element_seed(Read::default())?;
        }
        let path = &self.path[1..];
        list.next_element_seed(Find { path }).map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        for _ in 0..self.path[0] {
            object.next_key::<String>()?;
            object.next_value_seed(Read::default())?;
        }
        object.next_key::<String>()?;
        let path = &self.path[1..];
        object.next_value_seed(Find { path })
    }
}

/// Fails at any value: it visits none.
struct Fail;

impl Visitor<'_> for Fail {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

/// The place in bytes; the end of the text if there is none.
fn offset(text: &str, position: Option<Position>) -> usize {
    let Some(Position { line, column }) = position else {
        return text.len();
    };
    let mut rest = text;
    for _ in 0..line {
        let end = rest.find(LINE_ENDS).unwrap_or(rest.len());
        let width = match rest.as_bytes()[end..] {
            [] => 0,
            [b'\r', b'\n', ..] => 2,
            _ => rest[end..].chars().next().map_or(0, char::len_utf8),
        };
        rest = &rest[end + width..];
    }
    let columns = rest.char_indices().nth(column);
    text.len() - rest.len() + columns.map_or(rest.len(), |(at, _)| at)
}

/// What ends a line in JavaScript.
const LINE_ENDS: [char; 4] = ['\n', '\r', '\u{2028}', '\u{2029}'];

/// In words for whoever wrote JavaScript, at the place where the reader gave up.
fn reason(error: &Error, text: &str, at: usize) -> String {
    let Some(code) = error.code() else {
        let reason = error.to_string();
        // Behind the reason the crate tells the place, which is told already.
        let reason = reason
            .rsplit_once(" at line ")
            .map_or(&*reason, |(reason, _)| reason);
        return match reason {
            "invalid float literal" => expression("what stands here"),
            _ => reason.to_owned(),
        };
    };
    let word = word(text, at);
    match code {
        _ if !text.contains('{') || !text[..at].contains('{') && !text[at..].starts_with('{') => {
            "the file is one object of settings: it begins with `{`".to_owned()
        }
        ErrorCode::ExpectedValue | ErrorCode::ExpectedBool | ErrorCode::ExpectedNull => {
            match word {
                "undefined" => "`undefined` is no value; leave the key out".to_owned(),
                "" if text[at..].starts_with('`') => {
                    "write text in single or double quotes".to_owned()
                }
                "" => "a value is missing here: a number, true, false, text in quotes, a list or \
                       an object"
                    .to_owned(),
                word => expression(&format!("`{word}`")),
            }
        }
        ErrorCode::ExpectedComma
        | ErrorCode::ExpectedClosingBrace
        | ErrorCode::ExpectedClosingBracket
        | ErrorCode::ExpectedComment
            if text[at..].starts_with(OPERATORS) || code == ErrorCode::ExpectedComment =>
        {
            expression("what stands here")
        }
        ErrorCode::ExpectedComma
        | ErrorCode::ExpectedClosingBrace
        | ErrorCode::ExpectedClosingBracket => {
            "a comma is missing before this, or a closing bracket".to_owned()
        }
        ErrorCode::LeadingZero => "a number must not begin with 0; write a file's mode as text, \
                                   such as '0660'"
            .to_owned(),
        // The place is that of the innermost object or list around the end.
        ErrorCode::EofParsingArray
        | ErrorCode::EofParsingBool
        | ErrorCode::EofParsingComment
        | ErrorCode::EofParsingEscapeSequence
        | ErrorCode::EofParsingIdentifier
        | ErrorCode::EofParsingNull
        | ErrorCode::EofParsingNumber
        | ErrorCode::EofParsingObject
        | ErrorCode::EofParsingString
        | ErrorCode::EofParsingValue => {
            "the file ends before what begins here does, or within a text in it".to_owned()
        }
        _ => code.to_string(),
    }
}

/// What an expression may go on with behind a value.
const OPERATORS: [char; 17] = [
    '+', '-', '*', '/', '%', '.', '(', '[', '?', '|', '&', '<', '>', '=', '!', '^', '`',
];

fn expression(what: &str) -> String {
    format!(
        "{what} is JavaScript, and ringstat runs none; write the value that it comes to: a number \
         such as 10000, true, false, or text in quotes such as 'web1'"
    )
}

/// The word around a place; the crate reads some letters of one before it gives up.
fn word(text: &str, at: usize) -> &str {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let start = text[..at].trim_end_matches(is_part).len();
    let rest = &text[start..];
    &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]
}
