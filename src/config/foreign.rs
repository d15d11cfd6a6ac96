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

    /// The format of this text, if it is plainly one of these.
    pub fn of_text(text: &str) -> Option<Self> {
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
        let is_key_of_c = |line: String| {
            let (key, _) = line.split_once(['=', ':'])?;
            KEYS_OF_C.contains(&key.trim()).then_some(())
        };
        let has_key_of_c = || lines().find_map(is_key_of_c).is_some();
        (is_statsite && has_key_of_c()).then_some(Self::Statsite)
    }

    /// Refuses a text that is plainly a file of another daemon's. Most of it would be left out with
    /// a warning, or the first line be called wrong.
    ///
    /// # Errors
    /// A message that names the file, whose it seems to be and what reads it.
    pub(super) fn check_text(self, shown: impl fmt::Display, text: &str) -> Result<(), String> {
        match Self::of_text(text) {
            Some(other) if other != self => Err(format!(
                "{shown}: this seems to be a file of {}, and not of {}; {} reads it",
                other.daemon(),
                self.daemon(),
                other.option()
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// What to say of a text that was taken for one of ours.
    pub(super) fn hint(self) -> String {
        format!(
            "this seems to be a file of {}; {} reads it",
            self.daemon(),
            self.option()
        )
    }

    fn option(self) -> &'static str {
        match self {
            Self::Statsite => "ringstat --statsite FILE, or statsite -f FILE,",
            Self::PythonStatsite => "ringstat --python-statsite FILE, or statsite -c FILE,",
            Self::Etsy => "ringstat --etsy FILE",
        }
    }

    /// Reads the text of a file of this format.
    ///
    /// # Errors
    /// A message that names the file, and the line in it.
    pub fn read(self, path: &Path, text: &str) -> Result<Foreign, String> {
        self.check_text(path.display(), text)?;
        match self {
            Self::Statsite => statsite::read_text(path, text),
            Self::PythonStatsite => python_statsite::parse(&path.display().to_string(), text),
            Self::Etsy => etsy::read_text(path, text),
        }
    }
}

/// What the statsite in C has below [statsite] and the one in Python has not.
pub(super) const KEYS_OF_C: [&str; 27] = [
    "port",
    "tcp_port",
    "udp_port",
    "udp_rcvbuf",
    "bind_address",
    "parse_stdin",
    "log_facility",
    "timer_eps",
    "set_eps",
    "stream_cmd",
    "aligned_flush",
    "input_counter",
    "daemonize",
    "pid_file",
    "binary_stream",
    "use_type_prefix",
    "global_prefix",
    "kv_prefix",
    "gauges_prefix",
    "counts_prefix",
    "timers_prefix",
    "sets_prefix",
    "extended_counters",
    "legacy_extended_counters",
    "timers_include",
    "prefix_binary_stream",
    "quantiles",
];

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
pub fn text(path: &Path) -> Result<String, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_what_only_its_daemon_has() {
        use Format::{Etsy, PythonStatsite, Statsite};
        for (text, format) in [
            ("[statsite]\nflush_interval = 5\nlog_level = INFO", None),
            ("[statsite]\nflush_intervall = 5", None),
            ("stream_cmd = cat", None),
            ("[statsite]\n Stream_Cmd = cat", Some(Statsite)),
            ("[statsite]\nudp_port: 1", Some(Statsite)),
            ("# x\n[histogram_api]", Some(Statsite)),
            ("[statsite]\n[collector]\nport = 1", Some(PythonStatsite)),
            ("// x\n{ port: 1 }", Some(Etsy)),
            ("\n({ port: 1 })", Some(Etsy)),
            ("port = 1", None),
        ] {
            assert_eq!(Format::of_text(text), format, "{text}");
        }
    }

    #[test]
    fn a_file_of_another_daemon_is_refused_by_every_reader() {
        for (text, of, option) in [
            (
                "[statsite]\nstream_cmd = cat\n",
                Format::Statsite,
                "--statsite FILE",
            ),
            (
                "[collector]\nport = 1\n",
                Format::PythonStatsite,
                "--python-statsite FILE",
            ),
            ("{ port: 1 }\n", Format::Etsy, "--etsy FILE"),
        ] {
            let file = tempfile::NamedTempFile::new().expect("a temporary file");
            fs::write(&file, text).expect("a file");
            for reader in Format::ALL {
                let read = match reader {
                    Format::Statsite => statsite::read(file.path()),
                    Format::PythonStatsite => python_statsite::read(&[file.path()], &[], None),
                    Format::Etsy => etsy::read(file.path()),
                };
                if reader == of {
                    assert!(read.is_ok(), "{read:?}");
                    continue;
                }
                let error = read.expect_err(text);
                let seems = format!(
                    "{}: this seems to be a file of {}, and not of {};",
                    file.path().display(),
                    of.daemon(),
                    reader.daemon()
                );
                assert!(error.starts_with(&seems), "{error}");
                assert!(error.contains(option), "{error}");
            }
        }
    }
}
