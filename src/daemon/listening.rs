//! Says in the log where the daemon listens, and how.

use std::net::SocketAddr;

use super::streams::Streams;
use crate::config::Config;
use crate::kernel::{self, Selection};
use crate::transport::Bound;

/// What there is to say of the sockets once they are in use.
pub(super) struct Listening {
    addresses: Vec<SocketAddr>,
    streams: Vec<String>,
    receive_buffer_bytes: usize,
    warning: Option<String>,
}

impl Listening {
    pub(super) fn of(bound: &Bound, streams: &Streams) -> Listening {
        Listening {
            addresses: bound.addresses.clone(),
            streams: streams.lines(),
            receive_buffer_bytes: bound.receive_buffer_bytes,
            warning: bound.warning.clone(),
        }
    }

    pub(super) fn log(&self, config: &Config, selection: &Selection) {
        for address in &self.addresses {
            let plural = if config.shards == 1 { "" } else { "s" };
            log::info!(
                "listening on udp://{address}, {} shard{plural}",
                config.shards
            );
        }
        for line in &self.streams {
            log::info!("{line}");
        }
        if self.addresses.is_empty() {
            return;
        }
        log::info!("{}", selection.line);
        if let Some(warning) = &self.warning {
            log::warn!("{warning}");
        }
        let held = self.receive_buffer_bytes / kernel::SMALL_DATAGRAM_BYTES;
        let wait = kernel::bounded_wait(self.receive_buffer_bytes, config.max_wait);
        log::info!(
            "each receive buffer of {} bytes holds {held} small datagrams; batches gather for \
             {wait:?}",
            self.receive_buffer_bytes
        );
        if wait < config.max_wait {
            log::warn!(
                "max_wait = {:?} is shortened to {wait:?}, or a burst could overflow the receive \
                 buffer while a batch gathers; a larger receive_buffer allows more",
                config.max_wait
            );
        }
    }
}
