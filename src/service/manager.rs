//! Tells the service manager how the daemon fares.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager, if one wants to be told (`Type=notify` or `notify-reload`).
#[derive(Debug)]
pub struct Manager {
    is_there: bool,
    /// How often it wants to hear that the daemon lives: half of `WatchdogSec=`.
    watchdog: Option<Duration>,
    last_beat: Instant,
}

impl Manager {
    /// The service manager that started this process.
    pub fn here() -> Manager {
        Manager {
            is_there: std::env::var_os("NOTIFY_SOCKET").is_some(),
            watchdog: sd_notify::watchdog_enabled().map(|within| within / 2),
            last_beat: Instant::now(),
        }
    }

    /// The daemon receives, or goes on by the configuration that it has read.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The configuration is read again; to be followed by [`Manager::ready`].
    pub fn reloading(&self) {
        // Without the time systemd takes the word for that of an earlier reload.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => log::warn!("the service manager is not told of the reload: {error}"),
        }
    }

    /// The daemon flushes a last time and ends.
    pub fn stopping(&self) {
        let status = NotifyState::Status("flushing a last time");
        self.tell(&[NotifyState::Stopping, status]);
    }

    /// The flusher has answered: the daemon lives.
    pub fn lives(&self, status: &str) {
        let status = NotifyState::Status(status);
        match self.watchdog {
            Some(_) => self.tell(&[NotifyState::Watchdog, status]),
            None => self.tell(&[status]),
        }
    }

    /// How long from now on until the flusher is to be asked again, if it is: as often as the
    /// watchdog wants it, and once in an interval for the status.
    pub fn until_next_beat(&self, interval: Duration) -> Option<Duration> {
        let every = self.watchdog.map_or(interval, |beat| beat.min(interval));
        let due = self.last_beat + every;
        self.is_there
            .then(|| due.saturating_duration_since(Instant::now()))
    }

    /// The flusher is asked now.
    pub fn begin_beat(&mut self) {
        self.last_beat = Instant::now();
    }

    fn tell(&self, words: &[NotifyState<'_>]) {
        if !self.is_there {
            return;
        }
        if let Err(error) = sd_notify::notify(words) {
            log::warn!("cannot tell the service manager (NOTIFY_SOCKET): {error}");
        }
    }
}
