//! Where lines come in: addresses, and sockets that are bound to them.

mod address;
mod bind_error;
mod udp;

pub use address::{AddressError, BindAddress, DEFAULT_PORT};
pub use bind_error::BindError;
pub use udp::{Bound, bind};
