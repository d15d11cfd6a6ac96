//! Where the management console is, or that there is none.

use std::fmt;
use std::str::FromStr;

use crate::transport::{AddressError, ManagementAddress};

/// The setting: a file of etsy's statsd always has a console, so that none takes a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Management(pub Option<ManagementAddress>);

/// The word for no console.
const NONE: &str = "none";

impl FromStr for Management {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            NONE => Ok(Management(None)),
            address => address.parse().map(|address| Management(Some(address))),
        }
    }
}

impl fmt::Display for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str(NONE),
        }
    }
}
