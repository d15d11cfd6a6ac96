//! Reads and writes the address of a sink: `graphite://host:port?setting=value` and its short forms,
//! `command:CMD`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

mod kinds;

pub use kinds::{PlaceForm, SINK_TYPES, SinkKind, SinkType};

/// Where slots go that a sink cannot take in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// A folder, by its absolute path; sinks may share it.
    pub folder: PathBuf,
    /// How many bytes of this sink it may hold.
    pub bytes_max: u64,
}

/// What a spool may hold where `spool_bytes` is not set: 1 GiB.
pub const SPOOL_BYTES_DEFAULT: u64 = 1 << 30;

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
    /// Where slots go that do not fit the queue or cannot be delivered at the end; without it
    /// they are dropped.
    pub spool: Option<SpoolSettings>,
}

impl SinkAddress {
    /// Standard output.
    pub fn console() -> SinkAddress {
        SinkAddress {
            kind: SinkKind::Console,
            place: Place::Output,
            lifetime: Lifetime::default(),
            queue_bytes: None,
            spool: None,
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
            spool: None,
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
        if let Some(SpoolSettings { folder, bytes_max }) = &self.spool {
            let folder = folder.display();
            write!(out, "{separator}spool={folder}&spool_bytes={bytes_max}")?;
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
        spool: None,
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

fn read_settings(
    text: &str,
    query: &str,
    listed: &SinkType,
    address: &mut SinkAddress,
) -> Result<(), AddressError> {
    let mut folder = None;
    let mut bytes_max = None;
    for setting in query.split('&') {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        if !listed.settings.contains(&key) {
            return Err(AddressError(format!(
                "sink `{text}`: no such setting `{key}`; there are: {}",
                listed.settings.join(", ")
            )));
        }
        if key == "connection" {
            address.lifetime = match value {
                "lasting" => Lifetime::Lasting,
                "flush" => Lifetime::Flush,
                _ => {
                    return Err(AddressError(format!(
                        "sink `{text}`: a connection is `lasting`, or there is one for each `flush`"
                    )));
                }
            };
            continue;
        }
        if key == "spool" {
            if !value.starts_with('/') {
                return Err(AddressError(format!(
                    "sink `{text}`: write the folder of the spool as an absolute path"
                )));
            }
            folder = Some(PathBuf::from(value));
            continue;
        }
        let size = parse_size(value).ok_or_else(|| {
            AddressError(format!(
                "sink `{text}`: `{value}` is not a size above 0, as `64MiB`"
            ))
        })?;
        match key {
            "queue_bytes" => address.queue_bytes = Some(size),
            "spool_bytes" => bytes_max = Some(size),
            _ => unreachable!("a listed setting is read above"),
        }
    }
    if bytes_max.is_some() && folder.is_none() {
        return Err(AddressError(format!(
            "sink `{text}`: spool_bytes without spool, the folder that it is about"
        )));
    }
    address.spool = folder.map(|folder| SpoolSettings {
        folder,
        bytes_max: bytes_max.unwrap_or(SPOOL_BYTES_DEFAULT),
    });
    Ok(())
}

/// A number of bytes, with or without `KiB`, `MiB` or `GiB`; 0 is none.
fn parse_size(text: &str) -> Option<u64> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let (digits, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests;
