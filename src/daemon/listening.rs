//! Says in the log where the daemon listens, and how.

use super::streams::Streams;
use crate::config::Config;
use crate::kernel::{self, Selection};
use crate::transport::{Bound, Origin};

/// What there is to say of the sockets once they are in use.
pub(super) struct Listening {
    datagrams: Vec<String>,
    streams: Vec<String>,
    receive_buffer_bytes: usize,
    warnings: Vec<String>,
}

impl Listening {
    pub(super) fn of(bound: &Bound, streams: &Streams) -> Listening {
        let places = bound.addresses.iter().zip(&bound.origins);
        let datagrams = places.zip(&bound.sockets_counts);
        let datagrams = datagrams.map(|((address, origin), count)| {
            let plural = if *count == 1 { "" } else { "s" };
            let from_where = match origin {
                Origin::Bound | Origin::AnyPort => "",
                Origin::Inherited => ", handed over",
            };
            format!("listening on udp://{address}, {count} shard{plural}{from_where}")
        });
        Listening {
            datagrams: datagrams.collect(),
            streams: streams.lines(),
            receive_buffer_bytes: bound.receive_buffer_bytes,
            warnings: bound.warnings.clone(),
        }
    }

    pub(super) fn log(&self, config: &Config, selection: &Selection) {
        for line in self.datagrams.iter().chain(&self.streams) {
            log::info!("{line}");
        }
        if self.datagrams.is_empty() {
            return;
        }
        log::info!("{}", selection.line);
        for warning in &self.warnings {
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
