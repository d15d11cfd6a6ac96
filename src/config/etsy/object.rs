//! Looks keys of an object up as JavaScript would use them, and knows which nobody asked for.

use super::literal::{Content, Literal};
use crate::config::file::Mistake;

/// An object of the file.
pub(super) struct Object<'a> {
    text: &'a str,
    /// What nobody asked for yet.
    entries: Vec<(&'a str, &'a Literal)>,
}

impl<'a> Object<'a> {
    /// The entries of a value.
    ///
    /// # Errors
    /// If it is no object.
    pub(super) fn of(value: &'a Literal, text: &'a str) -> Result<Object<'a>, Mistake> {
        let Content::Object(entries) = &value.content else {
            return Err(value.mistake(text, "an object in braces is wanted here"));
        };
        let entries = entries.iter().map(|(key, value)| (key.as_str(), value));
        Ok(Object {
            text,
            entries: entries.collect(),
        })
    }

    /// What nobody asked for.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&'a str, &'a Literal)> {
        self.entries.iter().copied()
    }

    /// The value of a key; None for `null` too. Of equal keys the last one counts.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Literal> {
        let is_it = |(entry, _): &(&str, &Literal)| *entry == key;
        let value = self.entries.iter().copied().rfind(is_it)?.1;
        self.entries.retain(|entry| !is_it(entry));
        (value.content != Content::Null).then_some(value)
    }

    /// A list, or a single value in its place.
    pub(super) fn list(&mut self, key: &str) -> Option<(&'a Literal, &'a [Literal])> {
        let value = self.take(key)?;
        match &value.content {
            Content::List(entries) => Some((value, entries)),
            _ => Some((value, std::slice::from_ref(value))),
        }
    }

    /// An object; an empty one if there is none.
    pub(super) fn object(&mut self, key: &str) -> Result<Object<'a>, Mistake> {
        match self.take(key) {
            Some(value) => Object::of(value, self.text),
            None => Ok(Object {
                text: self.text,
                entries: Vec::new(),
            }),
        }
    }

    /// What decides in an `if`: everything but false, 0 and an empty text is true.
    pub(super) fn flag(&mut self, key: &str) -> Option<(&'a Literal, bool)> {
        let value = self.take(key)?;
        let flag = match &value.content {
            Content::Null => false,
            Content::Flag(flag) => *flag,
            Content::Number(number) => *number != 0.0 && !number.is_nan(),
            Content::Text(text) => !text.is_empty(),
            Content::List(_) | Content::Object(_) => true,
        };
        Some((value, flag))
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<(&'a Literal, &'a str)>, Mistake> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match &value.content {
            Content::Text(text) => Ok(Some((value, text))),
            _ => Err(self.mistake(value, &format!("{key} is a text in quotes"))),
        }
    }

    /// A number, or a text that is one; 0 is as good as none, for which there are defaults.
    pub(super) fn number(&mut self, key: &str) -> Result<Option<(&'a Literal, f64)>, Mistake> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match number(value) {
            Some(number) if number.is_finite() => Ok((number != 0.0).then_some((value, number))),
            _ => Err(self.mistake(value, &format!("{key} is a number"))),
        }
    }

    /// A port.
    pub(super) fn port(&mut self, key: &str) -> Result<Option<u16>, Mistake> {
        match self.number(key)? {
            None => Ok(None),
            Some((_, port)) if port.fract() == 0.0 && (1.0..=65_535.0).contains(&port) => {
                Ok(Some(port as u16))
            }
            Some((value, _)) => {
                Err(self.mistake(value, &format!("{key} is a port, from 1 to 65535")))
            }
        }
    }

    fn mistake(&self, value: &Literal, reason: &str) -> Mistake {
        value.mistake(self.text, reason)
    }
}

/// The number that a value is, in quotes or not.
pub(super) fn number(value: &Literal) -> Option<f64> {
    match &value.content {
        Content::Number(number) => Some(*number),
        Content::Text(text) => text.trim().parse().ok(),
        Content::Null | Content::Flag(_) | Content::List(_) | Content::Object(_) => None,
    }
}
