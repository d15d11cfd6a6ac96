//! The address that a socket is bound to, as it is written in options.

use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// StatsD's port, taken where an address names none.
pub const DEFAULT_PORT: u16 = 8125;

/// Schemes that an address may begin with.
const SCHEMES: [&str; 1] = ["udp"];

/// A host and a port to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BindAddress {
    /// A name or an address without brackets; none for all addresses, IPv6 and IPv4.
    pub host: Option<String>,
    /// 0 lets the kernel choose.
    pub port: u16,
}

impl Default for BindAddress {
    fn default() -> Self {
        BindAddress {
            host: None,
            port: DEFAULT_PORT,
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            None => write!(formatter, "udp://:{port}"),
            Some(host) if host.contains(':') => write!(formatter, "udp://[{host}]:{port}"),
            Some(host) => write!(formatter, "udp://{host}:{port}"),
        }
    }
}

/// What is wrong with the text of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Empty,
    Scheme(String),
    Port(String),
    BareIpv6,
    Bracket,
    NotIpv6(String),
    Host(String),
}

impl Error for AddressError {}

impl fmt::Display for AddressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match &self.fault {
            Fault::Empty => write!(formatter, "the address is empty: [HOST]:PORT is wanted"),
            Fault::Scheme(scheme) => {
                let known = SCHEMES.map(|scheme| format!("{scheme}://")).join(", ");
                write!(
                    formatter,
                    "{text}: unknown scheme {scheme:?}; known: {known}"
                )
            }
            Fault::Port(port) => write!(
                formatter,
                "{text}: port {port:?} is not a number from 0 to 65535"
            ),
            Fault::BareIpv6 => write!(
                formatter,
                "{text}: an IPv6 address goes in brackets, as in [::1]:{DEFAULT_PORT}"
            ),
            Fault::Bracket => write!(
                formatter,
                "{text}: [ADDRESS] is followed by :PORT or by nothing"
            ),
            Fault::NotIpv6(host) => write!(
                formatter,
                "{text}: {host:?} in brackets is not an IPv6 address"
            ),
            Fault::Host(host) => write!(formatter, "{text}: {host:?} is not a host name"),
        }
    }
}

impl FromStr for BindAddress {
    type Err = AddressError;

    /// Reads `[udp://][HOST][:PORT]`; digits alone are a port, a host alone gets port 8125.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|fault| AddressError {
            text: text.to_owned(),
            fault,
        })
    }
}

fn parse(text: &str) -> Result<BindAddress, Fault> {
    let authority = match text.split_once("://") {
        None => text,
        Some((scheme, rest)) if SCHEMES.contains(&scheme) => rest,
        Some((scheme, _)) => return Err(Fault::Scheme(scheme.to_owned())),
    };
    if authority.is_empty() {
        return Err(Fault::Empty);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(Fault::Bracket)?;
        // A zone (%eth0) is for the resolver to check.
        let address = host.split_once('%').map_or(host, |(address, _)| address);
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(Fault::NotIpv6(host.to_owned()));
        }
        let port = match rest.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if rest.is_empty() => DEFAULT_PORT,
            None => return Err(Fault::Bracket),
        };
        return Ok(BindAddress {
            host: Some(host.to_owned()),
            port,
        });
    }
    if authority.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(BindAddress {
            host: None,
            port: parse_port(authority)?,
        });
    }
    let (host, port) = match authority.rsplit_once(':') {
        None => (authority, DEFAULT_PORT),
        // With a second colon this is an IPv6 address whose end would be taken for a port.
        Some((host, _)) if host.contains(':') => return Err(Fault::BareIpv6),
        Some((host, port)) => (host, parse_port(port)?),
    };
    // What would end up inside a wrong name: blanks, a path, a query, a user.
    if host
        .contains(|character: char| character.is_whitespace() || "/?#@[]%\\\"".contains(character))
    {
        return Err(Fault::Host(host.to_owned()));
    }
    Ok(BindAddress {
        host: (!host.is_empty()).then(|| host.to_owned()),
        port,
    })
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    // `parse` would also take a plus sign.
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(port) = text.parse()
    {
        return Ok(port);
    }
    Err(Fault::Port(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: Option<&str>, port: u16) -> BindAddress {
        BindAddress {
            host: host.map(str::to_owned),
            port,
        }
    }

    #[test]
    fn every_way_to_write_an_address_is_read() {
        for (text, expected) in [
            ("8125", address(None, 8125)),
            (":8126", address(None, 8126)),
            ("0", address(None, 0)),
            ("host:8126", address(Some("host"), 8126)),
            ("foo", address(Some("foo"), 8125)),
            ("a-b.example:1", address(Some("a-b.example"), 1)),
            ("127.0.0.1:8125", address(Some("127.0.0.1"), 8125)),
            ("127.0.0.1", address(Some("127.0.0.1"), 8125)),
            ("[::1]:8126", address(Some("::1"), 8126)),
            ("[::]", address(Some("::"), 8125)),
            ("[fe80::1%eth0]:9", address(Some("fe80::1%eth0"), 9)),
            ("udp://:8127", address(None, 8127)),
            ("udp://8127", address(None, 8127)),
            ("udp://[::1]:8127", address(Some("::1"), 8127)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_address_reads_as_it_is_written() {
        for text in [
            "udp://:8125",
            "udp://host:1",
            "udp://[::1]:8125",
            "udp://1.2.3.4:0",
        ] {
            let address: BindAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        assert_eq!(BindAddress::default().to_string(), "udp://:8125");
    }

    #[test]
    fn a_wrong_address_is_refused_with_what_to_write() {
        for (text, part) in [
            ("", "is empty"),
            ("udp://", "is empty"),
            ("::1", "brackets, as in [::1]:8125"),
            ("::1:8125", "brackets, as in [::1]:8125"),
            ("fe80::1", "brackets"),
            ("tcp://:8125", "known: udp://"),
            ("host:", "port \"\""),
            ("host:http", "port \"http\""),
            ("host:+1", "port \"+1\""),
            (":65536", "port \"65536\""),
            ("99999", "port \"99999\""),
            ("[::1]8125", "followed by :PORT"),
            ("[::1", "followed by :PORT"),
            ("[localhost]:8125", "not an IPv6 address"),
            ("ho st:1", "not a host name"),
            ("host/path", "not a host name"),
        ] {
            let error = text.parse::<BindAddress>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
