//! Starts the thread that reads streams, if there is anything for it to read.

use std::net::TcpListener;
use std::sync::mpsc;

use super::StartError;
use crate::config::Config;
use crate::flusher::{Message, ShardLink};
use crate::io::Backend;
use crate::kernel::{EngineChoice, Waker};
use crate::shard::ShardSettings;
use crate::streams::{self, StreamSettings};
use crate::transport::{self, BoundStreams};

/// What is listened on beside UDP.
pub(super) struct Streams {
    bound: BoundStreams,
    liveness: Vec<TcpListener>,
}

impl Streams {
    pub(super) fn bind(config: &Config) -> Result<Streams, StartError> {
        let bound = transport::bind_streams(&config.bind).map_err(StartError::new)?;
        let liveness = config.liveness.as_ref();
        let liveness = liveness.map(transport::bind_tcp).transpose();
        Ok(Streams {
            bound,
            liveness: liveness.map_err(StartError::new)?.unwrap_or_default(),
        })
    }

    /// To be called in a process that goes away while another one goes on: the files of sockets
    /// belong to that one.
    pub(super) fn leave(self) {
        for (_, file) in self.bound.unix {
            file.leave();
        }
        for (_, file) in self.bound.datagrams {
            file.leave();
        }
    }

    /// What is listened on, as lines for the log.
    pub(super) fn lines(&self) -> Vec<String> {
        let bound = self.bound.addresses.iter();
        let bound = bound.map(|address| format!("listening on {address}"));
        let liveness = self.liveness.iter().filter_map(|socket| {
            let address = socket.local_addr().ok()?;
            Some(format!("says YES on tcp://{address}"))
        });
        bound.chain(liveness).collect()
    }

    /// Starts the thread as the last of the shards, and waits until it listens.
    pub(super) fn start(
        self,
        config: &Config,
        shard: usize,
        basis: &ShardSettings,
        messages: &mpsc::Sender<Message>,
    ) -> Result<Option<ShardLink>, StartError> {
        if self.bound.is_empty() && self.liveness.is_empty() {
            return Ok(None);
        }
        let failed = |error| StartError::new(format!("cannot read streams: {error}"));
        let waker = Waker::new().map_err(failed)?;
        let (commands, inbox) = mpsc::channel();
        let settings = StreamSettings {
            shard: ShardSettings {
                shard,
                ..basis.clone()
            },
            bound: self.bound,
            liveness: self.liveness,
            connections_max: config.max_connections,
            max_datagram_bytes: config.max_datagram_bytes,
            backend: backend(config.engine),
        };
        let messages = messages.clone();
        let hand_over = move |hand_over| {
            // Whoever took the flusher down takes us down too.
            let _ = messages.send(Message::HandOver(Box::new(hand_over)));
        };
        streams::start(settings, waker.clone(), inbox, hand_over).map_err(failed)?;
        Ok(Some(ShardLink { commands, waker }))
    }
}

/// What `engine` means here: whoever asks for one gets it.
fn backend(choice: EngineChoice) -> Option<Backend> {
    match choice {
        EngineChoice::Auto => None,
        EngineChoice::IoUring => Some(Backend::Uring),
        EngineChoice::Recvmmsg => Some(Backend::Tokio),
    }
}
