//! Addresses and choices that the settings name before the modules that own them exist.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::values::Time;

/// A UDP address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// A host name or an address; empty: every address of this machine, IPv4 and IPv6.
    host: String,
    port: u16,
}

impl FromStr for BindAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = after_scheme(text, "udp")?;
        let (host, port) = host_and_port(rest, None)?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udp://")?;
        write_host_and_port(f, &self.host, self.port)
    }
}

/// How points are written for a Graphite server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A line of text for each point.
    Text,
    /// Pickled lists of points.
    Pickle,
}

/// Where points go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkAddress {
    /// A Graphite server, by TCP.
    Graphite {
        /// A host name or an address.
        host: String,
        /// The TCP port.
        port: u16,
        /// What the server expects on that port.
        encoding: Encoding,
    },
    /// The standard output.
    Console,
}

impl FromStr for SinkAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "console:" {
            return Ok(Self::Console);
        }
        let (rest, encoding, port) = match text.strip_prefix("graphite+pickle://") {
            Some(rest) => (rest, Encoding::Pickle, 2004),
            None => (after_scheme(text, "graphite")?, Encoding::Text, 2003),
        };
        let (host, port) = host_and_port(rest, Some(port))?;
        let host = if host.is_empty() {
            "localhost".to_owned()
        } else {
            host
        };
        Ok(Self::Graphite {
            host,
            port,
            encoding,
        })
    }
}

impl fmt::Display for SinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => f.write_str("console:"),
            Self::Graphite {
                host,
                port,
                encoding,
            } => {
                f.write_str(match encoding {
                    Encoding::Text => "graphite://",
                    Encoding::Pickle => "graphite+pickle://",
                })?;
                write_host_and_port(f, host, *port)
            }
        }
    }
}

/// Which engine takes datagrams off the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// io_uring where it works, recvmmsg where it does not.
    #[default]
    Auto,
    /// io_uring, or no start.
    IoUring,
    /// recvmmsg.
    Recvmmsg,
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "io_uring" => Ok(Self::IoUring),
            "recvmmsg" => Ok(Self::Recvmmsg),
            _ => Err("not an engine: auto, io_uring or recvmmsg".to_owned()),
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::IoUring => "io_uring",
            Self::Recvmmsg => "recvmmsg",
        })
    }
}

/// Whose paths and arithmetic the points follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// etsy's statsd with its namespaced layout.
    #[default]
    Etsy,
    /// etsy's statsd with its legacy layout.
    EtsyLegacy,
    /// gstatsd.
    Gstatsd,
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "etsy" => Ok(Self::Etsy),
            "etsy-legacy" => Ok(Self::EtsyLegacy),
            "gstatsd" => Ok(Self::Gstatsd),
            _ => Err("not a naming: etsy, etsy-legacy or gstatsd".to_owned()),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etsy => "etsy",
            Self::EtsyLegacy => "etsy-legacy",
            Self::Gstatsd => "gstatsd",
        })
    }
}

/// What becomes of a series that gets no samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It is reported for ever.
    Never,
    /// It is not reported in an interval in which it got nothing.
    Quiet,
    /// It is reported until it was silent for this long.
    After(Duration),
}

impl FromStr for Idle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Quiet);
        }
        let Time(time) = text
            .parse()
            .map_err(|reason: String| format!("{reason}, or none"))?;
        Ok(if time.is_zero() {
            Self::Never
        } else {
            Self::After(time)
        })
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("0s"),
            Self::Quiet => f.write_str("none"),
            Self::After(time) => Time(*time).fmt(f),
        }
    }
}

fn after_scheme<'a>(text: &'a str, scheme: &str) -> Result<&'a str, String> {
    match text.split_once("://") {
        None => Ok(text),
        Some((known, rest)) if known == scheme => Ok(rest),
        Some((other, _)) => Err(format!("unknown scheme {other}://")),
    }
}

fn host_and_port(text: &str, default: Option<u16>) -> Result<(String, u16), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
        (host, rest.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => ("", Some(text)),
            None => (text, None),
        }
    };
    if host.contains(':') && !text.starts_with('[') {
        return Err("an IPv6 address needs brackets: [::1]:8125".to_owned());
    }
    let port = match (port, default) {
        (Some(port), _) => port.parse().map_err(|_| format!("not a port: `{port}`"))?,
        (None, Some(port)) => port,
        (None, None) => return Err("the port is missing: host:port".to_owned()),
    };
    Ok((host.to_owned(), port))
}

fn write_host_and_port(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') {
        write!(f, "[{host}]:{port}")
    } else {
        write!(f, "{host}:{port}")
    }
}
