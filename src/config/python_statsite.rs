//! Reads the configuration of the statsite in Python: INI files, and settings of its command line.
//!
//! Its sources are statsite/bin/statsite.py and, for the arguments of each class, the modules beside
//! statsite/statsite.py, v0.5.1. It takes every value as text, which some of its classes cannot; here a
//! value means what its author meant, with a warning where that is something else.

mod keys;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::foreign::{self, Foreign, Format};
use super::ini;
use keys::Keys;

/// A value from a file or from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    /// Where it stands, for messages: `FILE:LINE`, `-s SETTING`.
    place: String,
    /// The section.
    section: String,
    /// The key in it, in lower case; may have dots.
    key: String,
    /// The value, without white space around it.
    value: String,
}

/// Reads files, of which a later one wins, and settings `SECTION.KEY=VALUE`, which win over files.
/// The log level wins over all.
///
/// # Errors
/// A message that names the file, and the line in it, or the setting.
pub fn read(
    paths: &[impl AsRef<Path>],
    settings: &[String],
    log_level: Option<&str>,
) -> Result<Foreign, String> {
    let mut given = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let (shown, text) = (path.display().to_string(), foreign::text(path)?);
        Format::PythonStatsite.check_text(&shown, &text)?;
        given.extend(in_text(&shown, &text)?);
    }
    for setting in settings {
        given.push(on_command_line(setting)?);
    }
    given.extend(log_level.map(|level| Given {
        place: format!("-l {level}"),
        section: "statsite".to_owned(),
        key: "log_level".to_owned(),
        value: level.to_owned(),
    }));
    of_given(&given)
}

/// Reads the text of one file, which messages call by this name.
///
/// # Errors
/// A message that names the file and the line.
pub fn parse(shown: &str, text: &str) -> Result<Foreign, String> {
    of_given(&in_text(shown, text)?)
}

fn of_given(given: &[Given]) -> Result<Foreign, String> {
    let mut warnings = Vec::new();
    let mut keys = Keys::default();
    for given in given {
        keys.take(given, &mut warnings)?;
    }
    Ok((keys.into_settings(), warnings))
}

fn in_text(shown: &str, text: &str) -> Result<Vec<Given>, String> {
    let sections = ini::parse_config_parser(text).map_err(|fault| format!("{shown}:{fault}"))?;
    let given = sections.into_iter().flat_map(|section| {
        let name = section.name;
        section.entries.into_iter().map(move |entry| Given {
            place: format!("{shown}:{}", entry.line),
            section: name.clone(),
            key: entry.key,
            value: entry.value,
        })
    });
    Ok(given.collect())
}

fn on_command_line(setting: &str) -> Result<Given, String> {
    let split = setting.split_once('=');
    let split = split.and_then(|(key, value)| Some((key.split_once('.')?, value)));
    let Some(((section, key), value)) = split else {
        return Err(format!(
            "-s {setting}: write SECTION.KEY=VALUE, as in collector.port=8125"
        ));
    };
    Ok(Given {
        place: format!("-s {setting}"),
        section: section.trim().to_owned(),
        key: key.trim().to_lowercase(),
        value: value.trim().to_owned(),
    })
}
