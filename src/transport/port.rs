//! Addresses of TCP ports that are not for lines: each kind has a default port.

use std::fmt;
use std::str::FromStr;

use super::address::AddressError;
use super::host::HostPort;

/// A TCP address with a port where none is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpAddress<const DEFAULT_PORT: u16>(pub HostPort);

/// Where each connection is answered with `YES`; the port is the Python statsite's.
pub type LivenessAddress = TcpAddress<8325>;

/// Where the management console is; the port is that of etsy's statsd.
pub type ManagementAddress = TcpAddress<8126>;

impl<const DEFAULT_PORT: u16> fmt::Display for TcpAddress<DEFAULT_PORT> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<const DEFAULT_PORT: u16> FromStr for TcpAddress<DEFAULT_PORT> {
    type Err = AddressError;

    /// Reads `[HOST][:PORT]`; digits alone are a port, a host alone gets the default one.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let place = HostPort::parse(text, DEFAULT_PORT).map_err(|fault| AddressError {
            text: text.to_owned(),
            fault,
        });
        place.map(TcpAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_the_other_daemon_unless_another_is_given() {
        let address: ManagementAddress = "[::1]".parse().unwrap();
        assert_eq!(address.to_string(), "[::1]:8126");
        for (text, expected) in [
            ("0.0.0.0", "0.0.0.0:8325"),
            ("[::1]", "[::1]:8325"),
            ("9", ":9"),
            ("localhost:9", "localhost:9"),
        ] {
            let address: LivenessAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), expected);
            assert_eq!(expected.parse(), Ok(address));
        }
        let error = "::1".parse::<LivenessAddress>().unwrap_err();
        assert!(error.to_string().contains("brackets"), "{error}");
    }
}
