//! The address of the port that says whether the daemon lives.

use std::fmt;
use std::str::FromStr;

use super::address::AddressError;
use super::host::HostPort;

/// The Python statsite's port for this.
const DEFAULT_PORT: u16 = 8325;

/// A TCP address where each connection is answered with `YES`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LivenessAddress(pub HostPort);

impl fmt::Display for LivenessAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for LivenessAddress {
    type Err = AddressError;

    /// Reads `[HOST][:PORT]`; digits alone are a port, a host alone gets port 8325.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let place = HostPort::parse(text, DEFAULT_PORT).map_err(|fault| AddressError {
            text: text.to_owned(),
            fault,
        });
        place.map(LivenessAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_the_python_statsite_unless_another_is_given() {
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
