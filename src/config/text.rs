//! Reads and writes settings in a file as the same text that the command line takes.
//!
//! A value is parsed while it is deserialized: only then does a message know its place.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Parses an option of the command line; whatever the error's type, its words are kept.
pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|reason: T::Err| reason.to_string())
}

/// A setting with one value: a string, or a number where the same text would do.
pub(super) mod one {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        super::Parsed::deserialize(deserializer).map(|super::Parsed(value)| Some(value))
    }

    pub(crate) fn serialize<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Display,
        S: Serializer,
    {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }
}

/// As [`one`], and written as a number.
pub(super) mod number {
    use serde::Serializer;

    pub(crate) use super::one::deserialize;

    pub(crate) fn serialize<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + Into<u64>,
        S: Serializer,
    {
        match value {
            Some(value) => serializer.serialize_u64((*value).into()),
            None => serializer.serialize_none(),
        }
    }
}

/// Lists of percentiles, written as one array of numbers.
pub(super) mod percents {
    use serde::Serializer;

    use crate::config::values::Percents;

    pub(crate) use super::many::deserialize;

    pub(crate) fn serialize<S: Serializer>(
        lists: &Option<Vec<Percents>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match lists {
            Some(lists) => serializer.collect_seq(lists.iter().flat_map(|Percents(list)| list)),
            None => serializer.serialize_none(),
        }
    }
}

/// As [`one`], and written as a number that need not be whole.
pub(super) mod ratio {
    use serde::Serializer;

    pub(crate) use super::one::deserialize;

    pub(crate) fn serialize<T, S>(ratio: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + Into<f64>,
        S: Serializer,
    {
        match ratio {
            Some(ratio) => serializer.serialize_f64((*ratio).into()),
            None => serializer.serialize_none(),
        }
    }
}

/// A repeatable setting: an array, or a single value.
pub(super) mod many {
    use std::fmt::Display;
    use std::marker::PhantomData;
    use std::str::FromStr;

    use serde::{Deserializer, Serializer};

    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        deserializer
            .deserialize_any(super::ManyVisitor(PhantomData))
            .map(Some)
    }

    pub(crate) fn serialize<T, S>(values: &Option<Vec<T>>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Display,
        S: Serializer,
    {
        match values {
            Some(values) => serializer.collect_seq(values.iter().map(T::to_string)),
            None => serializer.serialize_none(),
        }
    }
}

/// A value that was parsed from its text.
struct Parsed<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(OneVisitor(PhantomData))
            .map(Self)
    }
}

struct OneVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> Visitor<'_> for OneVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: FromStr<Err: Display>> Visitor<'de> for ManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings or numbers, or one of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        OneVisitor(self.0).visit_str(text).map(|value| vec![value])
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
        OneVisitor(self.0)
            .visit_i64(number)
            .map(|value| vec![value])
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Vec<T>, E> {
        OneVisitor(self.0)
            .visit_f64(number)
            .map(|value| vec![value])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Parsed(value)) = array.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}
