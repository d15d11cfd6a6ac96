//! Takes the sockets that the service manager hands over.

use std::os::fd::OwnedFd;

use listenfd::ListenFd;

/// A socket, as the service manager names it.
#[derive(Debug)]
pub struct Handed {
    /// What `FileDescriptorName=` of the socket unit or the store says; often the name of the unit.
    pub name: String,
    /// The socket, of a family and a type that we can use.
    pub socket: OwnedFd,
}

/// The families and types that there is a use for (AF_INET stands for AF_INET6, too).
const KINDS: [(i32, i32); 4] = [
    (libc::AF_INET, libc::SOCK_DGRAM),
    (libc::AF_INET, libc::SOCK_STREAM),
    (libc::AF_UNIX, libc::SOCK_STREAM),
    (libc::AF_UNIX, libc::SOCK_DGRAM),
];

/// Takes what was handed over to this process, once: the variables that tell of it are removed. No
/// thread may run yet.
///
/// # Errors
/// Names the descriptor that is of no use, and why.
pub fn handed_over() -> Result<Vec<Handed>, String> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut descriptors = ListenFd::from_env();
    let mut handed = Vec::new();
    for index in 0..descriptors.len() {
        let name = names.next().filter(|name| !name.is_empty());
        let name = name.unwrap_or("unknown").to_owned();
        let taken = KINDS.into_iter().find_map(|(family, socket_type)| {
            let taken = descriptors.take_custom(index, family, socket_type, "socket");
            taken.ok().flatten()
        });
        let Some(socket) = taken else {
            let number = index + 3;
            return Err(format!(
                "cannot use descriptor {number} ({name}) that the service manager hands over: it is \
                 no socket of UDP, of TCP, or of datagrams or connections in the file system; \
                 remove it from the socket unit"
            ));
        };
        handed.push(Handed { name, socket });
    }
    Ok(handed)
}
