//! The facilities of syslog by their names, as in RFC 5424, section 6.2.1.

use std::fmt;
use std::str::FromStr;

/// What kind of program a message in syslog is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(&'static str);

/// The names, in the order of their numbers; 12 to 15 have none on Linux.
const NAMES: [&str; 20] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

impl Facility {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl FromStr for Facility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = NAMES.iter().find(|name| name.eq_ignore_ascii_case(text));
        name.map(|name| Self(name))
            .ok_or_else(|| format!("`{text}` is no facility of syslog: {}", NAMES.join(", ")))
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
