//! Starts the shards: a thread for each, which opens its engine and receives.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::{StartError, rules};
use crate::config::Config;
use crate::flusher::{Message, ShardLink};
use crate::kernel::{self, Engine, Latecomers, ReceiveSettings, Selection, Waker};
use crate::metric::SetHash;
use crate::shard::{Command, Shard, ShardSettings};

/// What all shards have in common. The number is that of the first.
pub(super) fn basis(config: &Config, set_hash: SetHash) -> ShardSettings {
    let rules = rules::of_shards(config);
    ShardSettings {
        shard: 0,
        rules: rules.input,
        limits: rules.limits,
        set_hash,
        refused_lines_max: rules.refused_lines_max,
        brakes: rules.brakes,
        epoch: Instant::now(),
        tap: rules.tap,
    }
}

/// What a shard receives from.
pub(super) struct ShardSockets {
    pub(super) sockets: Vec<UdpSocket>,
    /// For each socket what the kernel had dropped of it before.
    pub(super) drops: Vec<(u64, u32)>,
}

/// Starts one thread for each group of sockets, and waits until all receive.
pub(super) fn start(
    config: &Config,
    sockets: Vec<ShardSockets>,
    latecomers: Latecomers,
    repeat: &[SocketAddr],
    selection: &Selection,
    basis: &ShardSettings,
    messages: &mpsc::Sender<Message>,
) -> Result<Vec<ShardLink>, StartError> {
    let cpus = match config.pin {
        true => kernel::allowed_cpus(),
        false => Vec::new(),
    };
    let (started, starts) = mpsc::channel();
    let mut links = Vec::new();
    for (shard, ShardSockets { sockets, drops }) in sockets.into_iter().enumerate() {
        let waker = Waker::new().map_err(|error| {
            StartError::new(format!("cannot make a waker for shard {shard}: {error}"))
        })?;
        let (commands, inbox) = mpsc::channel();
        let seed = ShardSeed {
            settings: ShardSettings {
                shard,
                ..basis.clone()
            },
            sockets,
            repeat: repeat.to_vec(),
            waker: waker.clone(),
            selection: selection.clone(),
            receive: ReceiveSettings {
                choice: config.engine,
                max_wait: config.max_wait,
                max_datagram_bytes: config.max_datagram_bytes,
                latecomers,
            },
            cpu: (!cpus.is_empty()).then(|| cpus[shard % cpus.len()]),
        };
        let (started, messages) = (started.clone(), messages.clone());
        // Not joined: the flusher hears from each of them when it ends.
        thread::Builder::new()
            .name(format!("shard-{shard}"))
            .spawn(move || seed.grow(&inbox, &started, &messages))
            .map_err(|error| StartError::new(format!("cannot start shard {shard}: {error}")))?;
        links.push(ShardLink {
            commands,
            waker,
            drops,
        });
    }
    for _ in &links {
        let start = starts.recv().expect("each shard says how its start went");
        start.map_err(|error| StartError::new(format!("cannot receive: {error}")))?;
    }
    Ok(links)
}

/// What a shard's thread begins with.
struct ShardSeed {
    settings: ShardSettings,
    sockets: Vec<UdpSocket>,
    repeat: Vec<SocketAddr>,
    waker: Waker,
    selection: Selection,
    receive: ReceiveSettings,
    cpu: Option<usize>,
}

impl ShardSeed {
    /// Opens the engine in this thread, because a ring belongs to the thread that made it, and
    /// receives until the flusher says to stop.
    fn grow(
        self,
        inbox: &mpsc::Receiver<Command>,
        started: &mpsc::Sender<io::Result<()>>,
        messages: &mpsc::Sender<Message>,
    ) {
        let shard = self.settings.shard;
        if let Some(cpu) = self.cpu
            && let Err(error) = kernel::pin_to(cpu)
        {
            log::warn!("cannot pin shard {shard} to CPU {cpu}: {error}; it runs unpinned");
        }
        let engine = Engine::open(self.sockets, self.waker, &self.selection, &self.receive);
        let (engine, opened) = match engine {
            Ok(engine) => (Some(engine), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // If nobody listens, another shard has failed and the process is about to end.
        let _ = started.send(opened);
        let Some(engine) = engine else { return };
        let hand_over = |hand_over| {
            // As above: whoever took the flusher down takes us down too.
            let _ = messages.send(Message::HandOver(Box::new(hand_over)));
        };
        let shard_itself = Shard::new(self.settings).repeating_to(&self.repeat);
        if let Err(error) = shard_itself.run(engine, inbox, hand_over) {
            // Going on without this shard would lose its share of the traffic in silence.
            log::error!("shard {shard} cannot receive any more: {error}");
            std::process::exit(1);
        }
    }
}
