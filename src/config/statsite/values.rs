//! The values of statsite's keys: its words for yes and no, and numbers with something behind them.

use std::fmt::Display;
use std::str::FromStr;

use crate::config::foreign::Fault;
use crate::config::ini::Entry;

/// A setting of ours from the text of a value.
pub(super) fn parsed<T: FromStr<Err: Display>>(entry: &Entry, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|reason| wrong(entry, reason))
}

/// Yes or no, in the words that statsite knows.
pub(super) fn flag(entry: &Entry) -> Result<bool, Fault> {
    match entry.value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        value => Err(wrong(
            entry,
            format!("`{value}` is neither yes, true or 1 nor no, false or 0"),
        )),
    }
}

/// A whole number of a range. statsite reads as far as there are digits, so that `10s` and `10 # x`
/// are 10; so does this, with a warning.
pub(super) fn whole(
    entry: &Entry,
    range: std::ops::RangeInclusive<u64>,
    warnings: &mut Vec<Fault>,
) -> Result<u64, Fault> {
    let unsigned = entry.value.strip_prefix('+').unwrap_or(&entry.value);
    let digits = unsigned.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = unsigned.split_at(digits.unwrap_or(unsigned.len()));
    let number = digits.parse().ok().filter(|number| range.contains(number));
    let Some(number) = number else {
        let (min, max) = (range.start(), range.end());
        let reason = format!(
            "`{}` is not a whole number from {min} to {max}",
            entry.value
        );
        return Err(wrong(entry, reason));
    };
    warn_of_rest(entry, digits, rest, warnings);
    Ok(number)
}

/// A finite number, likewise.
pub(super) fn number(entry: &Entry, warnings: &mut Vec<Fault>) -> Result<f64, Fault> {
    let text = entry.value.as_str();
    // As with scanf, the longest beginning that is a number.
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let end = text.find(|c| !is_of_number(c)).unwrap_or(text.len());
    let ends = (1..=end).rev();
    let read = ends.map(|end| (&text[..end], text[..end].parse::<f64>()));
    let read = read.filter_map(|(text, number)| Some((text, number.ok()?)));
    let finite = |(_, number): &(&str, f64)| number.is_finite();
    let Some((digits, number)) = read.take(1).find(finite) else {
        return Err(wrong(entry, format!("`{text}` is not a number")));
    };
    warn_of_rest(entry, digits, &text[digits.len()..], warnings);
    Ok(number)
}

pub(super) fn wrong(entry: &Entry, reason: impl Display) -> Fault {
    Fault::new(entry.line, format!("{}: {reason}", entry.key))
}

fn warn_of_rest(entry: &Entry, read: &str, rest: &str, warnings: &mut Vec<Fault>) {
    if !rest.is_empty() {
        let key = &entry.key;
        let reason = format!(
            "{key}: only `{read}` of `{}` is read, as by statsite; a comment begins with a space and `;`",
            entry.value
        );
        warnings.push(Fault::new(entry.line, reason));
    }
}
