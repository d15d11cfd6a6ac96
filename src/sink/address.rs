//! Reads and writes the address of a sink: `graphite://host:port?setting=value` and its short forms,
//! `command:CMD`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

mod kinds;
mod settings;

pub use kinds::{PlaceForm, SINK_TYPES, SinkKind, SinkType};
use settings::read_settings;

/// Where slots go that a sink cannot take in time, as far as its address says so: the options of these
/// names hold where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolSettings {
    /// A folder, by its absolute path, in which each sink has one of its own.
    pub folder: Option<PathBuf>,
    /// How many bytes the files of this sink may take.
    pub bytes_max: Option<u64>,
    /// How long after its end a slot is worth sending, in seconds.
    pub age_max_s: Option<u64>,
}

/// Where a sink sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A server to connect to.
    Server {
        /// Host name or IP address, without brackets.
        host: String,
        /// TCP port; not 0.
        port: u16,
    },
    /// The standard output.
    Output,
    /// What a shell is to run. Neither empty nor with a zero byte, which no argument can hold.
    Command(String),
}

/// How long a connection to a server is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// `connection=lasting`: as long as it stands.
    #[default]
    Lasting,
    /// `connection=flush`: for one flush. It begins when the flush does and ends with it.
    Flush,
}

/// Where a sink sends to and how. [`fmt::Display`] gives the full form, which reads back equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkAddress {
    /// The kind of sink.
    pub kind: SinkKind,
    /// Where the kind leads to.
    pub place: Place,
    /// How long its connections last; of no account where there are none.
    pub lifetime: Lifetime,
    /// How many bytes this sink may queue; the option `queue_bytes` where not set.
    pub queue_bytes: Option<u64>,
    /// Where slots go that cannot be delivered in time; without it they are dropped when the queue is
    /// full or the daemon ends.
    pub spool: SpoolSettings,
}

impl SinkAddress {
    /// Standard output.
    pub fn console() -> SinkAddress {
        SinkAddress {
            kind: SinkKind::Console,
            place: Place::Output,
            lifetime: Lifetime::default(),
            queue_bytes: None,
            spool: SpoolSettings::default(),
        }
    }

    /// A name for the sink's own metrics: one path segment of `[A-Za-z0-9_-]`. A command is not part
    /// of it, as it may hold a password.
    pub fn name(&self) -> String {
        let scheme = self.kind.scheme();
        let name = match &self.place {
            Place::Server { host, port } => format!("{scheme}_{host}_{port}"),
            Place::Output | Place::Command(_) => scheme.to_owned(),
        };
        name.chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => c,
                _ => '_',
            })
            .collect()
    }
}

/// Why an address is refused, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for AddressError {}

impl FromStr for SinkAddress {
    type Err = AddressError;

    /// Takes `scheme://host:port?settings`, `console:`, `command:CMD`, and for Graphite's text `2003`,
    /// `:2003`, `host`, `host:2003` and `[::1]:2003`. A missing host is localhost.
    fn from_str(text: &str) -> Result<SinkAddress, AddressError> {
        if let Some((listed, command)) = split_command(text) {
            return parse_command(text, listed, command);
        }
        let (place, query) = match text.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (text, None),
        };
        if place.is_empty() {
            // As of `-s "$SERVER"` where the variable is not set.
            return Err(AddressError(format!(
                "sink `{text}`: the address is empty: `[host]:port` is wanted"
            )));
        }
        let (listed, authority) = split_scheme(text, place)?;
        let place = match listed.place {
            PlaceForm::Server { default_port } => parse_authority(text, authority, default_port)?,
            PlaceForm::Nothing if authority.is_empty() => Place::Output,
            PlaceForm::Nothing => {
                return Err(AddressError(format!(
                    "sink `{text}`: write `{}`, nothing follows the colon",
                    listed.form
                )));
            }
            PlaceForm::Command => {
                return Err(AddressError(format!(
                    "sink `{text}`: write `{}`",
                    listed.form
                )));
            }
        };
        let mut address = SinkAddress {
            kind: listed.kind,
            place,
            lifetime: Lifetime::default(),
            queue_bytes: None,
            spool: SpoolSettings::default(),
        };
        if let Some(query) = query {
            read_settings(text, query, listed, &mut address)?;
        }
        Ok(address)
    }
}

impl fmt::Display for SinkAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kind.scheme())?;
        match &self.place {
            Place::Output => out.write_str(":")?,
            Place::Command(command) => write!(out, ":{command}")?,
            Place::Server { host, port } if host.contains(':') => {
                write!(out, "://[{host}]:{port}")?;
            }
            Place::Server { host, port } => write!(out, "://{host}:{port}")?,
        }
        let mut separator = '?';
        if self.lifetime == Lifetime::Flush {
            write!(out, "{separator}connection=flush")?;
            separator = '&';
        }
        if let Some(bytes) = self.queue_bytes {
            write!(out, "{separator}queue_bytes={bytes}")?;
            separator = '&';
        }
        let SpoolSettings {
            folder,
            bytes_max,
            age_max_s,
        } = &self.spool;
        if let Some(folder) = folder {
            write!(out, "{separator}spool={}", folder.display())?;
            separator = '&';
        }
        if let Some(bytes) = bytes_max {
            write!(out, "{separator}spool_bytes={bytes}")?;
            separator = '&';
        }
        if let Some(seconds) = age_max_s {
            write!(out, "{separator}spool_age={seconds}s")?;
        }
        Ok(())
    }
}

/// The type of a command sink, and the command.
fn split_command(text: &str) -> Option<(&'static SinkType, &str)> {
    let (scheme, command) = text.split_once(':')?;
    let listed = SINK_TYPES
        .iter()
        .find(|listed| listed.scheme == scheme && listed.place == PlaceForm::Command)?;
    Some((listed, command))
}

fn parse_command(
    text: &str,
    listed: &SinkType,
    command: &str,
) -> Result<SinkAddress, AddressError> {
    if command.trim().is_empty() {
        return Err(AddressError(format!(
            "sink `{text}`: the command is empty: write `{}`",
            listed.form
        )));
    }
    if command.contains('\0') {
        return Err(AddressError(format!(
            "sink `{}`: a command cannot hold a zero byte",
            text.escape_debug()
        )));
    }
    Ok(SinkAddress {
        kind: listed.kind,
        place: Place::Command(command.to_owned()),
        lifetime: Lifetime::default(),
        queue_bytes: None,
        spool: SpoolSettings::default(),
    })
}

/// The type of a sink that is no command, and what stands behind its scheme.
fn split_scheme<'a>(
    text: &str,
    place: &'a str,
) -> Result<(&'static SinkType, &'a str), AddressError> {
    if let Some((scheme, authority)) = place.split_once("://") {
        let listed = SINK_TYPES
            .iter()
            .find(|listed| listed.scheme == scheme)
            .ok_or_else(|| unknown_type(text))?;
        return Ok((listed, authority));
    }
    if let Some((scheme, rest)) = place.split_once(':') {
        let portless = SINK_TYPES
            .iter()
            .find(|listed| listed.scheme == scheme && listed.place == PlaceForm::Nothing);
        if let Some(listed) = portless {
            return Ok((listed, rest));
        }
        // A name, a colon, and no port: some other program's kind of sink, or a slip. Several
        // colons without brackets are an IPv6 address, which has its own advice.
        let is_host = scheme.is_empty() || scheme.starts_with('[');
        if !is_host && !starts_with_digit(rest) && !rest.contains(':') {
            return Err(unknown_type(text));
        }
    }
    Ok((SinkKind::GraphiteText.listed(), place))
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn unknown_type(text: &str) -> AddressError {
    let forms: Vec<&str> = SINK_TYPES.iter().map(|listed| listed.form).collect();
    AddressError(format!(
        "sink `{text}`: no such type of sink; there are `host:port`, `{}`",
        forms.join("`, `")
    ))
}

fn parse_authority(text: &str, authority: &str, default_port: u16) -> Result<Place, AddressError> {
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| AddressError(format!("sink `{text}`: `[` without `]`")))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(AddressError(format!(
                "sink `{text}`: `{host}` is not an IPv6 address"
            )));
        }
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(AddressError(format!("sink `{text}`: `:port` follows `]`"))),
        }
    } else if authority.matches(':').count() > 1 {
        return Err(AddressError(format!(
            "sink `{text}`: write an IPv6 address in brackets, as `[::1]:{default_port}`"
        )));
    } else if let Some((host, port)) = authority.split_once(':') {
        (host, Some(port))
    } else if starts_with_digit(authority) && authority.bytes().all(|b| b.is_ascii_digit()) {
        ("", Some(authority))
    } else {
        (authority, None)
    };
    if let Some(bad) = host
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_.:".contains(*c)))
    {
        return Err(AddressError(format!(
            "sink `{text}`: `{bad}` has no place in a host name"
        )));
    }
    let port = match port {
        None => default_port,
        Some(port) => port
            .parse()
            .ok()
            .filter(|number: &u16| *number != 0 && starts_with_digit(port))
            .ok_or_else(|| {
                AddressError(format!(
                    "sink `{text}`: `{port}` is not a port (1 to 65535)"
                ))
            })?,
    };
    let host = if host.is_empty() { "localhost" } else { host };
    Ok(Place::Server {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests;
