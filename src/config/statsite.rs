//! Reads the configuration of the statsite in C, as its src/config.c does, v0.8.1.
//!
//! A key that it does not know is a warning, here as there. A value that it cannot read is an error,
//! also where statsite would go on with 0.

mod histograms;
mod keys;
#[cfg(test)]
mod tests;
mod values;

use std::path::Path;

use super::Settings;
use super::foreign::{self, Fault, Foreign, Format};
use super::ini;
use keys::Keys;

/// What statsite does without a file.
#[must_use]
pub fn defaults() -> Settings {
    let settings = Keys::default().into_settings();
    settings.expect("statsite listens by default")
}

/// Reads a file.
///
/// # Errors
/// A message that names the file, and the line in it.
pub fn read(path: &Path) -> Result<Foreign, String> {
    Format::Statsite.read(path, &foreign::text(path)?)
}

pub(super) fn read_text(path: &Path, text: &str) -> Result<Foreign, String> {
    let shown = path.display();
    let (settings, warnings) = parse(text).map_err(|fault| format!("{shown}:{fault}"))?;
    Ok((settings, foreign::in_file(path, &warnings)))
}

/// Reads the text of a file. Also says what of it is not taken as it stands.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<(Settings, Vec<Fault>), Fault> {
    let mut warnings = Vec::new();
    let mut keys = Keys::default();
    for section in ini::parse_inih(text)? {
        let name = section.name.to_lowercase();
        if name.starts_with("histogram") {
            let histogram = histograms::read(&section, &mut warnings)?;
            keys.histograms.extend(histogram);
        } else if name == "statsite" {
            for entry in &section.entries {
                keys.take(entry, &mut warnings)?;
            }
            if keys.has_stdin_in_background() {
                warnings.push(Fault::new(
                    section.line,
                    "parse_stdin has no effect with daemonize: in the background there is no \
                     standard input",
                ));
            }
        } else if let Some(entry) = section.entries.first() {
            let reason = match name.as_str() {
                "" => format!("`{}` stands before [statsite]", entry.key),
                _ => format!(
                    "[{}] is not a section of statsite: [statsite], [histogram...]",
                    section.name
                ),
            };
            return Err(Fault::new(entry.line, reason));
        }
    }
    Ok((keys.into_settings()?, warnings))
}
