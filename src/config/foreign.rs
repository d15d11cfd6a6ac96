//! What the readers of other daemons' files have in common: what they give, and how they complain.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use super::{Settings, etsy, python_statsite, statsite};

/// What a file or a command line of another daemon comes to: the settings of ringstat that do the
/// same, and what was not taken as it stands there, each with its place.
pub type Foreign = (Settings, Vec<String>);

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The statsite in C.
    Statsite,
    /// The statsite in Python.
    PythonStatsite,
    /// etsy's statsd.
    Etsy,
}

impl Format {
    const ALL: [Self; 3] = [Self::Statsite, Self::PythonStatsite, Self::Etsy];

    fn word(self) -> &'static str {
        match self {
            Self::Statsite => "statsite",
            Self::PythonStatsite => "python-statsite",
            Self::Etsy => "etsy",
        }
    }

    /// What its readers know the daemon as.
    #[must_use]
    pub fn daemon(self) -> &'static str {
        match self {
            Self::Statsite => "the statsite in C",
            Self::PythonStatsite => "the statsite in Python",
            Self::Etsy => "etsy's statsd",
        }
    }

    /// What the content of a file says; None if it says nothing.
    ///
    /// # Errors
    /// A message that names the file if it cannot be read.
    pub fn of_file(path: &Path) -> Result<Option<Self>, String> {
        Ok(Self::of_text(&text(path)?))
    }

    fn of_text(text: &str) -> Option<Self> {
        let lines = || text.lines().map(|line| line.trim().to_lowercase());
        // An object, or a comment of JavaScript before it; neither begins a line of an INI file.
        if text.trim_start().starts_with(['{', '/', '(']) {
            return Some(Self::Etsy);
        }
        let mut is_statsite = false;
        for heading in lines().filter_map(|line| Some(line.strip_prefix('[')?.to_owned())) {
            match heading.split(']').next().unwrap_or_default() {
                "collector" | "store" | "aggregator" | "aliveness_check" | "metrics" => {
                    return Some(Self::PythonStatsite);
                }
                "statsite" => is_statsite = true,
                name if name.starts_with("histogram") => return Some(Self::Statsite),
                _ => {}
            }
        }
        // Both have these two.
        let is_of_both = |key: &str| matches!(key.trim(), "flush_interval" | "log_level");
        let mut keys = lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned()));
        (is_statsite && keys.any(|key| !is_of_both(&key))).then_some(Self::Statsite)
    }

    /// Reads a file of this format.
    ///
    /// # Errors
    /// A message that names the file, and the line in it.
    pub fn read(self, path: &Path) -> Result<Foreign, String> {
        match self {
            Self::Statsite => statsite::read(path),
            Self::PythonStatsite => python_statsite::read(&[path], &[], None),
            Self::Etsy => etsy::read(path),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let format = Self::ALL.into_iter().find(|format| format.word() == word);
        format.ok_or_else(|| {
            let known = Self::ALL.map(Self::word).join(", ");
            format!("`{word}` is no format of a file; there are {known}")
        })
    }
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Fault {
    pub(super) fn new(line: usize, reason: impl fmt::Display) -> Self {
        // A control character could play tricks on the terminal.
        let reason = reason.to_string().replace(char::is_control, " ");
        Self { line, reason }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}

/// The text of a file, whatever its encoding: what is not UTF-8 is often a comment. In a value its
/// replacement is refused like any other character that is not ASCII.
///
/// # Errors
/// A message that names the file.
pub(super) fn text(path: &Path) -> Result<String, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// Warnings with the file that they are about.
pub(super) fn in_file(path: &Path, warnings: &[Fault]) -> Vec<String> {
    let shown = path.display();
    warnings
        .iter()
        .map(|fault| format!("{shown}:{fault}"))
        .collect()
}
