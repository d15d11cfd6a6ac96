//! The address to listen on and the engine, until transport and kernel have them.

use std::fmt;
use std::str::FromStr;

/// A host and a port to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// A name or an address without brackets; none for all addresses, IPv6 and IPv4.
    pub host: Option<String>,
    /// 0 lets the kernel choose.
    pub port: u16,
}

impl Default for BindAddress {
    fn default() -> Self {
        Self {
            host: None,
            port: 8125,
        }
    }
}

impl FromStr for BindAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = match text.split_once("://") {
            None => text,
            Some(("udp", rest)) => rest,
            Some((scheme, _)) => return Err(format!("{text}: unknown scheme {scheme}://")),
        };
        let (host, port) = rest.rsplit_once(':').unwrap_or(("", rest));
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(format!("{text}: an IPv6 address goes in brackets"));
        }
        let host = bare.unwrap_or(host);
        Ok(Self {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port: port.parse().map_err(|_| format!("{text}: not a port"))?,
        })
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref().unwrap_or_default() {
            host if host.contains(':') => write!(f, "udp://[{host}]:{}", self.port),
            host => write!(f, "udp://{host}:{}", self.port),
        }
    }
}

/// The engine that the configuration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// io_uring where it works, else recvmmsg.
    #[default]
    Auto,
    /// io_uring, or an error.
    IoUring,
    /// recvmmsg, without asking for io_uring.
    Recvmmsg,
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "io_uring" => Ok(Self::IoUring),
            "recvmmsg" => Ok(Self::Recvmmsg),
            _ => Err(format!(
                "unknown engine {text:?}: auto, io_uring or recvmmsg"
            )),
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
