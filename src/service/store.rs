//! The service manager's store of descriptors: what is put there comes back to the next process.

use std::os::fd::{AsFd, BorrowedFd};

use sd_notify::NotifyState;

/// What the names of all our descriptors in the store begin with.
pub const STORED: &str = "store/";

/// The longest name that systemd takes.
const NAME_BYTES_MAX: usize = 255;

/// The store, if there is a service manager. Whether it keeps anything nobody tells: systemd does
/// as far as `FileDescriptorStoreMax=` goes.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    is_there: bool,
}

impl Store {
    /// The store of the service manager that started this process.
    pub fn here() -> Store {
        Store {
            is_there: std::env::var_os("NOTIFY_SOCKET").is_some(),
        }
    }

    /// Whether there is somebody who may keep something.
    pub fn is_there(self) -> bool {
        self.is_there
    }

    /// Asks the service manager to keep a descriptor, until it is removed by its name. Returns
    /// whether it was told.
    pub fn keep(self, name: &str, descriptor: impl AsFd) -> bool {
        let descriptor: BorrowedFd<'_> = descriptor.as_fd();
        // systemd would let go of a socket that reports an error, which is none of its business.
        let never_poll = NotifyState::Custom("FDPOLL=0");
        let request = [NotifyState::FdStore, NotifyState::FdName(name), never_poll];
        let told = sd_notify::notify_with_fds(&request, &[descriptor]);
        self.note(told, "be asked to keep a socket")
    }

    /// Asks the service manager to let go of what it keeps under a name.
    pub fn remove(self, name: &str) {
        let request = [NotifyState::FdStoreRemove, NotifyState::FdName(name)];
        self.note(
            sd_notify::notify(&request),
            "be asked to let go of a socket",
        );
    }

    fn note(self, told: std::io::Result<()>, what: &str) -> bool {
        if let Err(error) = &told {
            log::warn!("the service manager (NOTIFY_SOCKET) cannot {what}: {error}");
        }
        self.is_there && told.is_ok()
    }
}

/// The name of a socket in the store: its address and the shard that has it. Colons, which systemd
/// has another use for, become dots, as does what is not ASCII.
pub fn name_of(address: &str, shard: usize) -> String {
    let safe = |c: char| match c {
        ' '..='~' if c != ':' => c,
        _ => '.',
    };
    let shard = format!("/{shard}");
    let room = NAME_BYTES_MAX - STORED.len() - shard.len();
    let address: String = address.chars().map(safe).take(room).collect();
    format!("{STORED}{address}{shard}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_address_and_shard_in_what_systemd_takes() {
        assert_eq!(name_of("udp://[::1]:8125", 3), "store/udp.//[..1].8125/3");
        assert_eq!(name_of("unix:/run/\u{e9}\n", 0), "store/unix./run/../0");
        assert_eq!(name_of(&"x".repeat(300), 12).len(), NAME_BYTES_MAX);
    }
}
