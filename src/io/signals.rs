//! Waits for the signals that stop the daemon, or let it read its configuration again.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_local;

/// What the daemon is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: a service manager, or `kill`. To stop.
    Terminated,
    /// SIGINT: Ctrl-C. To stop.
    Interrupted,
    /// SIGHUP: to read the configuration again.
    HungUp,
}

/// Catches signals from now on, in tasks of the running `LocalSet`.
pub(super) fn watch(mut on_signal: Box<dyn FnMut(Signal) + Send>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // Not kept: it lasts as long as the thread.
    drop(spawn_local(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => on_signal(Signal::Terminated),
                _ = interrupt.recv() => on_signal(Signal::Interrupted),
                _ = hangup.recv() => on_signal(Signal::HungUp),
            }
        }
    }));
    Ok(())
}
