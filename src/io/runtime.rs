//! The event loop under connections: tokio-uring, or plain tokio where io_uring is blocked.

use std::future::Future;
use std::io;

use tokio::task::LocalSet;

/// What drives the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// tokio-uring.
    Uring,
    /// tokio with epoll.
    Tokio,
}

/// An event loop of either back end.
pub struct Runtime(Loop);

enum Loop {
    Uring(tokio_uring::Runtime),
    Tokio(tokio::runtime::Runtime),
}

impl Runtime {
    /// The back end that is wanted, or io_uring, and tokio where that is blocked. `of_what` names
    /// in the log what it drives; `operations_max` may be under way at a time.
    ///
    /// # Errors
    /// If it cannot be had, or none of both.
    pub fn new(wanted: Option<Backend>, of_what: &str, operations_max: u32) -> io::Result<Runtime> {
        let chosen = match wanted {
            Some(Backend::Uring) => uring_runtime(operations_max)?,
            Some(Backend::Tokio) => tokio_runtime()?,
            None => match uring_runtime(operations_max) {
                Ok(runtime) => {
                    log::info!("connections of {of_what} are driven by io_uring");
                    runtime
                }
                Err(error) => {
                    log::info!(
                        "connections of {of_what} are driven by epoll, which does the same here: \
                         io_uring is not to be had: {error}"
                    );
                    tokio_runtime()?
                }
            },
        };
        Ok(Runtime(chosen))
    }

    /// Which one it is.
    pub fn backend(&self) -> Backend {
        match self.0 {
            Loop::Uring(_) => Backend::Uring,
            Loop::Tokio(_) => Backend::Tokio,
        }
    }

    /// Runs a future that may spawn local tasks.
    pub fn block_on(&self, future: impl Future<Output = ()>) {
        match &self.0 {
            Loop::Uring(runtime) => runtime.block_on(future),
            Loop::Tokio(runtime) => LocalSet::new().block_on(runtime, future),
        }
    }
}

fn uring_runtime(operations_max: u32) -> io::Result<Loop> {
    let mut ring = tokio_uring::uring_builder();
    // Completions are looked at when the loop turns anyway: no interrupt is needed for them.
    ring.setup_coop_taskrun();
    let mut builder = tokio_uring::builder();
    // The kernel has room for the completions of twice as many.
    let entries = operations_max.next_power_of_two().min(RING_ENTRIES_MAX);
    builder.entries(entries).uring_builder(&ring);
    // Not `Builder::start`, which panics where io_uring is blocked.
    tokio_uring::Runtime::new(&builder).map(Loop::Uring)
}

fn tokio_runtime() -> io::Result<Loop> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(Loop::Tokio)
}

/// The most that the kernel gives a ring (IORING_MAX_ENTRIES).
const RING_ENTRIES_MAX: u32 = 32_768;
