//! Starts the management console, if there is an address for it.

use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;

use super::StartError;
use crate::config::Config;
use crate::flusher::{Door, Message};
use crate::management::{self, ShownSettings};
use crate::transport::{self, Inherited, Listener};

/// Where the console listens, and what it shows of the configuration.
pub(super) struct Management {
    listeners: Vec<Listener<TcpListener>>,
    shown: ShownSettings,
}

impl Management {
    pub(super) fn bind(
        config: &Config,
        inherited: &mut Inherited,
    ) -> Result<Management, StartError> {
        let address = config.management.as_ref();
        let listeners = address.map(|address| transport::bind_tcp(address, inherited));
        let listeners = listeners.transpose().map_err(|error| {
            StartError::new(format!("{error}; management = \"none\" does without it"))
        })?;
        let shown = ShownSettings::default();
        shown.set(config.listing());
        Ok(Management {
            listeners: listeners.unwrap_or_default(),
            shown,
        })
    }

    /// Shows each socket of ours with its address to somebody who may keep it.
    pub(super) fn leave_to(&self, keep: impl Fn(&str, BorrowedFd<'_>) -> bool) {
        for listener in &self.listeners {
            if !listener.is_inherited {
                keep(&listener.address, listener.socket.as_fd());
            }
        }
    }

    /// Starts the thread, and says where it listens.
    pub(super) fn start(
        self,
        messages: &mpsc::Sender<Message>,
    ) -> Result<ShownSettings, StartError> {
        if self.listeners.is_empty() {
            return Ok(self.shown);
        }
        for listener in &self.listeners {
            log::info!("management console at {}", listener.address);
        }
        let door = Door::new(messages.clone());
        let listeners = self.listeners.into_iter().map(|it| it.socket).collect();
        management::start(listeners, self.shown.clone(), door)
            .map_err(|error| StartError::new(format!("cannot start the console: {error}")))?;
        Ok(self.shown)
    }
}
