//! Waits in an event loop until a descriptor can be read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that the running tokio event loop watches. It is never handed out to be changed:
/// the loop knows it by its number, which must mean the same for as long as it is watched.
#[derive(Debug)]
pub struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// Begins to watch.
    ///
    /// # Errors
    /// EPERM for what cannot be waited for because it can always be read, such as a file; the
    /// descriptor comes back.
    pub fn new(descriptor: OwnedFd) -> Result<Watched, (OwnedFd, io::Error)> {
        // SAFETY: an `OwnedFd` stays open until it is dropped, and its number does not change. The
        // loop forgets the number before `AsyncFd` drops it, and this type gives no access by which
        // it could be replaced meanwhile.
        let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        watched.map(Watched).map_err(|error| error.into_parts())
    }

    /// Tries whenever there may be something to read, until it succeeds or fails with anything else
    /// than `WouldBlock`.
    ///
    /// # Errors
    /// That of the attempt, or of the event loop.
    pub async fn when_readable<T>(
        &self,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(outcome) = ready.try_io(|descriptor| attempt(descriptor.as_fd())) {
                return outcome;
            }
        }
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
