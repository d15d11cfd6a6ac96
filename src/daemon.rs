//! Wires the stages and runs them: the one file that knows all. Start, wait, drain, stop.

mod background;

use std::fmt;
use std::io::{self, IsTerminal};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::flusher::{Flusher, FlusherSettings, Message, Outlet, ShardLink, StateFile};
use crate::format::Encoding;
use crate::io::IoHandle;
use crate::kernel::{self, Engine, ReceiveSettings, Selection, Waker};
use crate::metric::{Limits, SetHash};
use crate::naming::Naming;
use crate::shard::{Shard, ShardSettings};
use crate::sink::{SinkAddress, address::SinkKind};
use crate::transport::{self, Bound};
use background::PidFile;

/// Why the daemon could not start. Its text names the address or file, the reason and what to do.
#[derive(Debug)]
pub struct StartError {
    message: String,
    is_setting: bool,
}

impl StartError {
    fn new(message: impl fmt::Display) -> StartError {
        StartError {
            message: message.to_string(),
            is_setting: false,
        }
    }

    /// The exit code: 2 if a setting is wrong, 1 for anything else.
    pub fn exit_code(&self) -> u8 {
        if self.is_setting { 2 } else { 1 }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// How long sinks may deliver what is queued when the daemon stops.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(5);

/// Refused lines that each shard keeps of an interval to be logged, if that is asked for.
const REFUSED_LINES_LOGGED_MAX: usize = 8;

/// From here on a panic in any thread ends the process. A thread that died alone would lose its
/// share of the traffic in silence. Release builds abort by themselves; this is for all others.
pub fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Runs until SIGTERM or SIGINT; returns when everything received is flushed and delivered, or
/// the time for it is over. A daemon that goes into the background does that there; in the process
/// that was started this returns as soon as the other one receives.
///
/// # Errors
/// If it could not start. Nothing was received then.
pub fn run(config: &Config) -> Result<(), StartError> {
    let outlets = choose_sinks(config)?;
    // A daemon in the background leaves its directory.
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
    let pid_file = absolute(&config.pid_file).map_err(StartError::new)?;
    let state_file = absolute(&config.state_file).map_err(StartError::new)?;
    let state_file = state_file.map(StateFile::new);
    // What usually fails at start comes before the daemon leaves its directory.
    let selection = kernel::select(config.engine).map_err(StartError::new)?;
    let bound = transport::bind(&config.bind, config.shards, config.receive_buffer_bytes)
        .map_err(StartError::new)?;
    // Only now, as the file may be that of a daemon which holds these addresses.
    if let Some(file) = &state_file {
        file.check().map_err(StartError::new)?;
    }
    let launcher = match config.daemonize {
        true => match background::detach()? {
            Some(launcher) => Some(launcher),
            None => return Ok(()),
        },
        false => None,
    };
    let started = PidFile::create(pid_file).and_then(|pid_file| {
        let stages = start_stages(config, outlets, bound, &selection, state_file)?;
        Ok((stages, pid_file))
    });
    match (&started, launcher) {
        (Ok(_), Some(launcher)) => launcher.started(),
        (Err(error), Some(launcher)) => launcher.failed(error),
        (_, None) => {}
    }
    let (stages, pid_file) = started?;
    stages.wait();
    drop(pid_file);
    Ok(())
}

/// What runs.
struct Stages {
    flusher: JoinHandle<()>,
    io: IoHandle,
    messages: mpsc::Sender<Message>,
}

impl Stages {
    /// Waits until the flusher has ended and the sinks have delivered.
    fn wait(self) {
        self.flusher.join().expect("a panic ends the process");
        // The flusher counts on a sender for as long as it runs. It has told the shards to stop and
        // has taken what they had; one that does not answer must not hold up the end.
        drop(self.messages);
        self.io.close_and_wait(DELIVERY_PATIENCE);
        log::info!("stopped");
    }
}

/// Starts all threads.
fn start_stages(
    config: &Config,
    outlets: Vec<(SinkAddress, Encoding)>,
    bound: Bound,
    selection: &Selection,
    state_file: Option<StateFile>,
) -> Result<Stages, StartError> {
    let (messages, inbox) = mpsc::channel();
    let (addresses, encodings): (Vec<_>, Vec<_>) = outlets.into_iter().unzip();
    let io = start_io(config, addresses, messages.clone())?;
    let outlets = io.sinks().iter().cloned().zip(encodings);
    let outlets = outlets.map(|(sink, encoding)| Outlet { sink, encoding });
    let outlets: Vec<Outlet> = outlets.collect();
    let listening = Listening::of(&bound);
    let links = start_shards(config, bound.shards, selection, &messages)?;
    // Whoever reads that it listens may send, and may send signals.
    listening.log(config, selection);
    let flusher = Flusher::new(flusher_settings(config, state_file), links, inbox, outlets);
    let flusher = thread::Builder::new()
        .name("flusher".to_owned())
        .spawn(|| flusher.run())
        .map_err(|error| StartError::new(format!("cannot start the flusher: {error}")))?;
    Ok(Stages {
        flusher,
        io,
        messages,
    })
}

/// The sinks and their formats: those that are set, or the console if it is worth it.
fn choose_sinks(config: &Config) -> Result<Vec<(SinkAddress, Encoding)>, StartError> {
    let on_console = || match io::stdout().is_terminal() {
        true => Encoding::Screen,
        false => Encoding::Text,
    };
    if config.sinks.is_empty() {
        let mut advice =
            "name a Graphite server with --sink HOST:2003 (sink = [\"HOST:2003\"] in a \
                          configuration file)"
                .to_owned();
        if !config.daemonize {
            if stdout_is_read() {
                return Ok(vec![(SinkAddress::console(), on_console())]);
            }
            advice += ", or ask for the standard output with --sink console:";
        }
        return Err(StartError {
            message: format!(
                "no sink is set, and nobody would read the standard output here; {advice}"
            ),
            is_setting: true,
        });
    }
    let encoding = |address: &SinkAddress| match address.kind {
        SinkKind::GraphiteText => Encoding::Text,
        SinkKind::GraphitePickle => Encoding::Pickle,
        SinkKind::Console => on_console(),
    };
    let sinks = config.sinks.iter();
    Ok(sinks
        .map(|address| (address.clone(), encoding(address)))
        .collect())
}

/// Whether the standard output leads to a terminal, a pipe or a file, and not to a service
/// manager's journal (a socket) or to /dev/null.
fn stdout_is_read() -> bool {
    if io::stdout().is_terminal() {
        return true;
    }
    let Ok(stdout) = std::fs::metadata("/proc/self/fd/1") else {
        return false;
    };
    stdout.is_file() || stdout.file_type().is_fifo()
}

/// What there is to say of the sockets once they are in use.
struct Listening {
    addresses: Vec<SocketAddr>,
    receive_buffer_bytes: usize,
    warning: Option<String>,
}

impl Listening {
    fn of(bound: &Bound) -> Listening {
        Listening {
            addresses: bound.addresses.clone(),
            receive_buffer_bytes: bound.receive_buffer_bytes,
            warning: bound.warning.clone(),
        }
    }

    fn log(&self, config: &Config, selection: &Selection) {
        for address in &self.addresses {
            let plural = if config.shards == 1 { "" } else { "s" };
            log::info!(
                "listening on udp://{address}, {} shard{plural}",
                config.shards
            );
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

fn start_io(
    config: &Config,
    sinks: Vec<SinkAddress>,
    messages: mpsc::Sender<Message>,
) -> Result<IoHandle, StartError> {
    let queue_bytes = config.queue_bytes as u64;
    let settings = crate::io::Settings::new(sinks, queue_bytes, config.flush_interval);
    let mut is_stopping = false;
    let on_stop = move |stop| {
        if is_stopping {
            log::warn!("{stop:?} again: already stopping");
            return;
        }
        is_stopping = true;
        log::info!("{stop:?}: flushing a last time");
        // If the flusher has ended, the daemon is stopping already.
        let _ = messages.send(Message::Stop);
    };
    crate::io::run(settings, Some(Box::new(on_stop)))
        .map_err(|error| StartError::new(format!("cannot start the io thread: {error}")))
}

fn flusher_settings(config: &Config, state_file: Option<StateFile>) -> FlusherSettings {
    FlusherSettings {
        interval: config.flush_interval,
        align: config.align,
        max_wait: config.max_wait,
        naming: Naming::new(config.naming, &config.percents, &config.prefix),
        idle_rules: config.naming.idle_rules(
            config.flush_interval,
            config.idle,
            config.idle_gauges,
        ),
        limits: limits(config),
        weighted_timers: config.weighted_timers,
        own_prefix: config.own_prefix.clone(),
        state_file,
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_series: config.max_series,
        max_timer_values: config.max_timer_values,
        max_set_values: config.max_set_values,
    }
}

/// Starts one thread for each group of sockets, and waits until all receive.
fn start_shards(
    config: &Config,
    sockets: Vec<Vec<UdpSocket>>,
    selection: &Selection,
    messages: &mpsc::Sender<Message>,
) -> Result<Vec<ShardLink>, StartError> {
    let cpus = match config.pin {
        true => kernel::allowed_cpus(),
        false => Vec::new(),
    };
    let (set_hash, epoch) = (SetHash::new(), Instant::now());
    let (started, starts) = mpsc::channel();
    let mut links = Vec::new();
    for (shard, sockets) in sockets.into_iter().enumerate() {
        let waker = Waker::new().map_err(|error| {
            StartError::new(format!("cannot make a waker for shard {shard}: {error}"))
        })?;
        let (commands, inbox) = mpsc::channel();
        let seed = ShardSeed {
            settings: ShardSettings {
                shard,
                rules: config
                    .naming
                    .input_rules(config.tags, config.weighted_timers),
                limits: limits(config),
                set_hash: set_hash.clone(),
                refused_lines_max: match config.verbose {
                    0 => 0,
                    _ => REFUSED_LINES_LOGGED_MAX,
                },
                epoch,
            },
            sockets,
            waker: waker.clone(),
            selection: selection.clone(),
            receive: ReceiveSettings {
                choice: config.engine,
                max_wait: config.max_wait,
                max_datagram_bytes: config.max_datagram_bytes,
            },
            cpu: (!cpus.is_empty()).then(|| cpus[shard % cpus.len()]),
        };
        let (started, messages) = (started.clone(), messages.clone());
        // Not joined: the flusher hears from each of them when it ends.
        thread::Builder::new()
            .name(format!("shard-{shard}"))
            .spawn(move || seed.grow(&inbox, &started, &messages))
            .map_err(|error| StartError::new(format!("cannot start shard {shard}: {error}")))?;
        links.push(ShardLink { commands, waker });
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
        inbox: &mpsc::Receiver<crate::shard::Command>,
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
        if let Err(error) = Shard::new(self.settings).run(engine, inbox, hand_over) {
            // Going on without this shard would lose its share of the traffic in silence.
            log::error!("shard {shard} cannot receive any more: {error}");
            std::process::exit(1);
        }
    }
}
