//! The facilities of syslog by their names, as in RFC 5424, section 6.2.1.

use std::fmt;
use std::str::FromStr;

/// What kind of program a message in syslog is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility {
    name: &'static str,
    number: u8,
}

/// The names with their numbers, as in sys/syslog.h; 12 to 15 have no name on Linux.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl Facility {
    /// The number, from 0 to 23.
    #[must_use]
    pub fn number(self) -> u8 {
        self.number
    }
}

impl FromStr for Facility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut facilities = FACILITIES.into_iter();
        let known = facilities.find(|(name, _)| name.eq_ignore_ascii_case(text));
        known
            .map(|(name, number)| Self { name, number })
            .ok_or_else(|| {
                let names = FACILITIES.map(|(name, _)| name).join(", ");
                format!("`{text}` is no facility of syslog: {names}")
            })
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
