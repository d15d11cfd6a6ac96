//! Where lines come in: addresses, and sockets that are bound to them.

mod address;

pub use address::{AddressError, BindAddress, DEFAULT_PORT};
