//! The event loop under the sinks: tokio-uring, or plain tokio where io_uring is blocked.

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
pub(super) enum Runtime {
    Uring(tokio_uring::Runtime),
    Tokio(tokio::runtime::Runtime),
}

impl Runtime {
    /// The back end that is wanted, or io_uring, and tokio where that is blocked.
    pub(super) fn new(wanted: Option<Backend>) -> io::Result<Runtime> {
        match wanted {
            Some(Backend::Uring) => uring_runtime(),
            Some(Backend::Tokio) => tokio_runtime(),
            None => match uring_runtime() {
                Ok(runtime) => {
                    log::info!("connections of sinks are driven by io_uring");
                    Ok(runtime)
                }
                Err(error) => {
                    log::info!(
                        "connections of sinks are driven by epoll, which does the same here: \
                         io_uring is not to be had: {error}"
                    );
                    tokio_runtime()
                }
            },
        }
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            Runtime::Uring(_) => Backend::Uring,
            Runtime::Tokio(_) => Backend::Tokio,
        }
    }

    /// Runs a future that may spawn local tasks.
    pub(super) fn block_on(&self, future: impl Future<Output = ()>) {
        match self {
            Runtime::Uring(runtime) => runtime.block_on(future),
            Runtime::Tokio(runtime) => LocalSet::new().block_on(runtime, future),
        }
    }
}

fn uring_runtime() -> io::Result<Runtime> {
    let mut ring = tokio_uring::uring_builder();
    // Completions are looked at when the loop turns anyway: no interrupt is needed for them.
    ring.setup_coop_taskrun();
    let mut builder = tokio_uring::builder();
    builder.entries(RING_ENTRIES).uring_builder(&ring);
    // Not `Builder::start`, which panics where io_uring is blocked.
    tokio_uring::Runtime::new(&builder).map(Runtime::Uring)
}

fn tokio_runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(Runtime::Tokio)
}

/// Two operations per sink are under way at most.
const RING_ENTRIES: u32 = 256;
