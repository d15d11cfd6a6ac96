//! Where lines come in: addresses, and sockets that are bound to them, by us or by somebody else.

mod address;
mod bind_error;
mod host;
mod inherited;
mod path;
mod place;
mod port;
mod socket_file;
mod streams;
mod udp;

pub use address::{AddressError, BindAddress};
pub use bind_error::BindError;
pub use host::{DEFAULT_PORT, HostPort};
pub use inherited::Inherited;
pub use path::SocketPath;
pub use port::{LivenessAddress, ManagementAddress, TcpAddress};
pub use socket_file::SocketFile;
pub use streams::{BoundStreams, Listener, bind_streams, bind_tcp};
pub use udp::{Bound, Origin, bind, bind_or_inherit};
