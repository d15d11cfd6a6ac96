//! The address that lines come in at, as it is written in options.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::host::{DEFAULT_PORT, HostPort};
use super::path::SocketPath;

/// The forms that an address may have, for users.
const FORMS: &str =
    "udp://HOST:PORT, tcp://HOST:PORT, unix:PATH?mode=0660, unixgram:PATH?mode=0660, stdin:";

/// Where lines come in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BindAddress {
    /// Datagrams over the network.
    Udp(HostPort),
    /// Connections over the network.
    Tcp(HostPort),
    /// Connections of this machine.
    Unix(SocketPath),
    /// Datagrams of this machine.
    UnixDatagram(SocketPath),
    /// The standard input.
    Stdin,
}

impl Default for BindAddress {
    fn default() -> Self {
        BindAddress::Udp(HostPort::default())
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindAddress::Udp(place) => write!(formatter, "udp://{place}"),
            BindAddress::Tcp(place) => write!(formatter, "tcp://{place}"),
            BindAddress::Unix(path) => write!(formatter, "unix:{path}"),
            BindAddress::UnixDatagram(path) => write!(formatter, "unixgram:{path}"),
            BindAddress::Stdin => formatter.write_str("stdin:"),
        }
    }
}

/// What is wrong with the text of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    pub(super) text: String,
    pub(super) fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Empty,
    Scheme(String),
    Port(String),
    BareIpv6,
    Bracket,
    NotIpv6(String),
    Host(String),
    NoPath,
    LongPath(usize),
    Mode(String),
    BehindStdin,
}

impl Error for AddressError {}

impl fmt::Display for AddressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match &self.fault {
            Fault::Empty => write!(formatter, "the address is empty: [HOST]:PORT is wanted"),
            Fault::Scheme(scheme) => write!(
                formatter,
                "{text}: unknown scheme {scheme:?}; known: {FORMS}"
            ),
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
            Fault::NoPath => write!(
                formatter,
                "{text}: the path of a socket is wanted, as in unix:/run/ringstat.sock"
            ),
            Fault::LongPath(bytes) => write!(
                formatter,
                "{text}: a socket's path may have 107 bytes, none of them zero; this one has \
                 {bytes}"
            ),
            Fault::Mode(query) => write!(
                formatter,
                "{text}: {query:?} is not understood; permissions are written mode=0660, at most \
                 0777"
            ),
            Fault::BehindStdin => write!(formatter, "{text}: nothing follows `stdin:`"),
        }
    }
}

impl FromStr for BindAddress {
    type Err = AddressError;

    /// Reads `[udp://][HOST][:PORT]`, `tcp://[HOST][:PORT]`, `unix:PATH`, `unixgram:PATH` and
    /// `stdin:`; digits alone are a port, a host alone gets port 8125.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|fault| AddressError {
            text: text.to_owned(),
            fault,
        })
    }
}

fn parse(text: &str) -> Result<BindAddress, Fault> {
    if let Some(path) = text.strip_prefix("unix:") {
        return SocketPath::parse(path).map(BindAddress::Unix);
    }
    if let Some(path) = text.strip_prefix("unixgram:") {
        return SocketPath::parse(path).map(BindAddress::UnixDatagram);
    }
    if let Some(rest) = text.strip_prefix("stdin:") {
        return match rest {
            "" => Ok(BindAddress::Stdin),
            _ => Err(Fault::BehindStdin),
        };
    }
    match text.split_once("://") {
        None => HostPort::parse(text, DEFAULT_PORT).map(BindAddress::Udp),
        Some(("udp", place)) => HostPort::parse(place, DEFAULT_PORT).map(BindAddress::Udp),
        Some(("tcp", place)) => HostPort::parse(place, DEFAULT_PORT).map(BindAddress::Tcp),
        Some((scheme, _)) => Err(Fault::Scheme(scheme.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: Option<&str>, port: u16) -> HostPort {
        HostPort {
            host: host.map(str::to_owned),
            port,
        }
    }

    fn address(host: Option<&str>, port: u16) -> BindAddress {
        BindAddress::Udp(place(host, port))
    }

    fn path(path: &str, mode: Option<u32>) -> SocketPath {
        SocketPath {
            path: path.into(),
            mode,
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
            ("unix", address(Some("unix"), 8125)),
            ("stdin", address(Some("stdin"), 8125)),
            ("tcp://:8127", BindAddress::Tcp(place(None, 8127))),
            ("tcp://[::1]", BindAddress::Tcp(place(Some("::1"), 8125))),
            ("unix:/a b", BindAddress::Unix(path("/a b", None))),
            ("unix:///a", BindAddress::Unix(path("/a", None))),
            ("unix:a?mode=660", BindAddress::Unix(path("a", Some(0o660)))),
            (
                "unixgram:/a?mode=0777",
                BindAddress::UnixDatagram(path("/a", Some(0o777))),
            ),
            ("stdin:", BindAddress::Stdin),
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
            "tcp://:8125",
            "tcp://[::1]:0",
            "unix:/run/ringstat.sock",
            "unix:here?mode=0007",
            "unixgram:/run/ringstat.sock?mode=0660",
            "stdin:",
        ] {
            let address: BindAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        assert_eq!(BindAddress::default().to_string(), "udp://:8125");
    }

    #[test]
    fn a_wrong_address_is_refused_with_what_to_write() {
        let long = format!("unix:/{}", "x".repeat(107));
        for (text, part) in [
            ("", "is empty"),
            ("udp://", "is empty"),
            ("tcp://", "is empty"),
            ("::1", "brackets, as in [::1]:8125"),
            ("::1:8125", "brackets, as in [::1]:8125"),
            ("fe80::1", "brackets"),
            (
                "http://:8125",
                "known: udp://HOST:PORT, tcp://HOST:PORT, unix:PATH",
            ),
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
            ("unix:", "path of a socket is wanted"),
            ("unixgram:?mode=0660", "path of a socket is wanted"),
            ("unix:/run/", "path of a socket is wanted"),
            (&long, "may have 107 bytes"),
            ("unix:/a?mode=0888", "written mode=0660"),
            ("unix:/a?mode=+7", "written mode=0660"),
            ("unix:/a?mode=4755", "at most 0777"),
            ("unix:/a?mod=0660", "written mode=0660"),
            ("stdin:8125", "nothing follows"),
        ] {
            let error = text.parse::<BindAddress>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
