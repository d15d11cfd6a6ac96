//! Waits for the signals that stop the daemon.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_local;

/// Why the daemon is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: a service manager, or `kill`.
    Terminated,
    /// SIGINT: Ctrl-C.
    Interrupted,
}

/// Catches signals from now on, in tasks of the running `LocalSet`. SIGHUP is caught too, as its
/// usual effect would end the daemon without a last flush.
pub(super) fn watch(mut on_stop: Box<dyn FnMut(Stop) + Send>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // Not kept: it lasts as long as the thread.
    drop(spawn_local(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => on_stop(Stop::Terminated),
                _ = interrupt.recv() => on_stop(Stop::Interrupted),
                _ = hangup.recv() => log::info!(
                    "SIGHUP is ignored: the configuration is not read again; restart the daemon"
                ),
            }
        }
    }));
    Ok(())
}
