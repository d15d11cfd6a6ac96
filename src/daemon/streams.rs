//! Starts the thread that reads streams, if there is anything for it to read.

use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;

use super::StartError;
use crate::config::Config;
use crate::flusher::{Message, ShardLink};
use crate::io::Backend;
use crate::kernel::{EngineChoice, Waker};
use crate::shard::ShardSettings;
use crate::streams::{self, StreamSettings};
use crate::transport::{self, BindAddress, BoundStreams, Inherited, Listener};

/// What is listened on beside UDP.
pub(super) struct Streams {
    bound: BoundStreams,
    liveness: Vec<Listener<TcpListener>>,
}

/// Binds where the daemon says that it lives.
pub(super) fn bind_liveness(
    config: &Config,
    inherited: &mut Inherited,
) -> Result<Vec<Listener<TcpListener>>, StartError> {
    let Some(address) = &config.liveness else {
        return Ok(Vec::new());
    };
    transport::bind_tcp(address, inherited).map_err(StartError::new)
}

impl Streams {
    pub(super) fn bind(
        addresses: &[BindAddress],
        liveness: Vec<Listener<TcpListener>>,
        inherited: &mut Inherited,
    ) -> Result<Streams, StartError> {
        let bound = transport::bind_streams(addresses, inherited).map_err(StartError::new)?;
        Ok(Streams { bound, liveness })
    }

    /// To be called in a process that goes away while another one goes on: the files of sockets
    /// belong to that one.
    pub(super) fn leave(mut self) {
        self.leave_to(|_, _| true);
    }

    /// Shows each socket of ours with its address to somebody who may keep it. The file of one that
    /// is kept stays.
    pub(super) fn leave_to(&mut self, keep: impl Fn(&str, BorrowedFd<'_>) -> bool) {
        for listener in self.bound.tcp.iter_mut().chain(&mut self.liveness) {
            leave(listener, &keep);
        }
        for listener in &mut self.bound.unix {
            leave(listener, &keep);
        }
        for listener in &mut self.bound.datagrams {
            leave(listener, &keep);
        }
    }

    /// What is listened on, as lines for the log.
    pub(super) fn lines(&self) -> Vec<String> {
        let bound = self.bound.addresses.iter();
        let bound = bound.map(|address| format!("listening on {address}"));
        let liveness = self.liveness.iter();
        let liveness = liveness.map(|listener| format!("says YES on {}", listener.address));
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
            liveness: self.liveness.into_iter().map(|it| it.socket).collect(),
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
        Ok(Some(ShardLink {
            commands,
            waker,
            drops: Vec::new(),
        }))
    }
}

/// Shows a socket to somebody who may keep it, unless there is such a one already.
fn leave<S: AsFd>(listener: &mut Listener<S>, keep: impl Fn(&str, BorrowedFd<'_>) -> bool) {
    if !listener.is_inherited
        && keep(&listener.address, listener.socket.as_fd())
        && let Some(file) = &mut listener.file
    {
        file.leave();
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
