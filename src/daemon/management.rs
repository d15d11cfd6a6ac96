//! Starts the management console, if there is an address for it.

use std::net::TcpListener;
use std::sync::mpsc;

use super::StartError;
use crate::config::Config;
use crate::flusher::{Door, Message};
use crate::management::{self, ShownSettings};
use crate::transport;

/// Where the console listens, and what it shows of the configuration.
pub(super) struct Management {
    listeners: Vec<TcpListener>,
    shown: ShownSettings,
}

impl Management {
    pub(super) fn bind(config: &Config) -> Result<Management, StartError> {
        let listeners = config.management.as_ref().map(transport::bind_tcp);
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

    /// Starts the thread, and says where it listens.
    pub(super) fn start(
        self,
        messages: &mpsc::Sender<Message>,
    ) -> Result<ShownSettings, StartError> {
        if self.listeners.is_empty() {
            return Ok(self.shown);
        }
        for address in self.listeners.iter().filter_map(|it| it.local_addr().ok()) {
            log::info!("management console at tcp://{address}");
        }
        let door = Door::new(messages.clone());
        management::start(self.listeners, self.shown.clone(), door)
            .map_err(|error| StartError::new(format!("cannot start the console: {error}")))?;
        Ok(self.shown)
    }
}
