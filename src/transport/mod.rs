//! Where lines come in: addresses, and sockets that are bound to them.

mod address;
mod bind_error;
mod host;
mod path;
mod udp;

pub use address::{AddressError, BindAddress};
pub use bind_error::BindError;
pub use host::{DEFAULT_PORT, HostPort};
pub use path::SocketPath;
pub use udp::{Bound, bind};
