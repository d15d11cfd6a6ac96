//! Where the control socket is, or that there is none.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::transport::{AddressError, BindAddress, SocketPath};

/// The setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// At [`DEFAULT_PATH`], where that can be had.
    #[default]
    Default,
    /// At this path and nowhere else.
    At(SocketPath),
    /// Nowhere.
    None,
}

/// Where the control socket is that nobody has set.
pub const DEFAULT_PATH: &str = "/run/ringstat/ctl";

/// The permissions of a control socket that has none of its own: its user and its group.
pub const DEFAULT_MODE: u32 = 0o660;

/// The word for no control socket.
const NONE: &str = "none";

impl FromStr for Control {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text == NONE {
            return Ok(Control::None);
        }
        match format!("unix:{text}").parse()? {
            BindAddress::Unix(path) => Ok(Control::At(path)),
            BindAddress::Udp(_)
            | BindAddress::Tcp(_)
            | BindAddress::UnixDatagram(_)
            | BindAddress::Stdin => unreachable!("the scheme is that of a Unix socket"),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Control::Default => f.write_str(DEFAULT_PATH),
            Control::At(path) => path.fmt(f),
            Control::None => f.write_str(NONE),
        }
    }
}

impl Control {
    /// With a relative path below a directory.
    #[must_use]
    pub(super) fn in_directory(self, directory: &Path) -> Control {
        match self {
            Control::At(at) => Control::At(SocketPath {
                path: directory.join(at.path),
                ..at
            }),
            Control::Default | Control::None => self,
        }
    }
}
