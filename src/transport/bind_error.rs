//! Why an address cannot be bound, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;

use rustix::io::Errno;

use super::place::{Place, Transport};

/// A socket that could not be had.
#[derive(Debug)]
pub struct BindError {
    /// The address as it was asked for, or as it was resolved.
    address: String,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Resolve(io::Error),
    NoAddress,
    Twice,
    Bind {
        transport: Transport,
        port: u16,
        error: io::Error,
    },
    Path(io::Error),
    Option {
        name: &'static str,
        error: io::Error,
    },
}

impl BindError {
    pub(super) fn resolve(address: impl fmt::Display, error: io::Error) -> Self {
        BindError::new(address, Fault::Resolve(error))
    }

    pub(super) fn no_address(address: impl fmt::Display) -> Self {
        BindError::new(address, Fault::NoAddress)
    }

    pub(super) fn twice(address: impl fmt::Display) -> Self {
        BindError::new(address, Fault::Twice)
    }

    pub(super) fn bind(place: Place, error: io::Error) -> Self {
        let fault = Fault::Bind {
            transport: place.transport,
            port: place.address.port(),
            error,
        };
        BindError::new(place, fault)
    }

    pub(super) fn option(place: Place, name: &'static str, error: io::Error) -> Self {
        BindError::new(place, Fault::Option { name, error })
    }

    pub(super) fn path(address: impl fmt::Display, error: io::Error) -> Self {
        BindError::new(address, Fault::Path(error))
    }

    fn new(address: impl fmt::Display, fault: Fault) -> Self {
        BindError {
            address: address.to_string(),
            fault,
        }
    }

    /// Whether the address is not one of this machine, or of a family that it does not speak.
    pub(super) fn is_foreign(&self) -> bool {
        let Fault::Bind { error, .. } = &self.fault else {
            return false;
        };
        matches!(
            Errno::from_io_error(error),
            Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
        )
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::Resolve(error)
            | Fault::Bind { error, .. }
            | Fault::Path(error)
            | Fault::Option { error, .. } => Some(error),
            Fault::NoAddress | Fault::Twice => None,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        match &self.fault {
            Fault::Resolve(error) => write!(formatter, "cannot resolve {address}: {error}"),
            Fault::NoAddress => write!(formatter, "cannot resolve {address}: it has no address"),
            Fault::Twice => write!(
                formatter,
                "cannot bind {address}: the address is given twice"
            ),
            Fault::Option { name, error } => {
                write!(formatter, "cannot set {name} for {address}: {error}")
            }
            Fault::Path(error) => write!(formatter, "cannot bind {address}: {error}"),
            Fault::Bind {
                transport,
                port,
                error,
            } => {
                write!(formatter, "cannot bind {address}: ")?;
                match Errno::from_io_error(error) {
                    Some(Errno::ADDRINUSE) => write!(
                        formatter,
                        "address in use by another program (ss {} 'sport = :{port}' names it)",
                        transport.ss_options()
                    ),
                    Some(Errno::ADDRNOTAVAIL) => write!(
                        formatter,
                        "no interface of this machine has the address (ip addr lists them)"
                    ),
                    Some(Errno::ACCESS) => write!(
                        formatter,
                        "ports below 1024 need CAP_NET_BIND_SERVICE \
                         (sysctl net.ipv4.ip_unprivileged_port_start moves the border)"
                    ),
                    Some(Errno::AFNOSUPPORT) => {
                        write!(formatter, "the kernel does not speak this address family")
                    }
                    _ => write!(formatter, "{error}"),
                }
            }
        }
    }
}
