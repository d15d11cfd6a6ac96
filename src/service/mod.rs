//! The service manager, as systemd is one: the sockets that it hands over, those that it keeps for
//! us, and what it is told.
//!
//! The protocols are sd_listen_fds(3), sd_notify(3) and systemd.service(5) (FileDescriptorStoreMax).

mod handed;
mod manager;
mod store;

pub use handed::{Handed, handed_over};
pub use manager::Manager;
pub use store::{STORED, Store, name_of};
