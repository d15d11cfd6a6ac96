//! Wires the stages and runs them: the one file that knows all. Start, wait, drain, stop.

mod background;
mod control;
mod drops_note;
mod heritage;
mod listening;
mod management;
mod outlets;
mod reload;
mod rules;
mod shards;
mod streams;

use std::ffi::CString;
use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::disk;
use crate::flusher::{Ended, Flusher, Message, Outlet, StateFile, StateFiles, Status};
use crate::format::Encoding;
use crate::io::{IoHandle, Signal};
use crate::kernel::{self, Selection};
use crate::management::ShownSettings;
use crate::metric::SetHash;
use crate::repeat;
use crate::service::Manager;
use crate::sink::SinkAddress;
use crate::sink::backlog::SpoolLimits;
use crate::snapshot::Merger;
use crate::telemetry::OwnWords;
use crate::transport::{self, Bound, SocketFile};
use background::PidFile;
use control::Control;
use heritage::Heritage;
use listening::Listening;
use management::Management;
pub use reload::Process;
use reload::Reloader;
use streams::Streams;

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

    fn of_setting(message: String) -> StartError {
        StartError {
            message,
            is_setting: true,
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

/// How long the removal of the pid file may take when all else is done.
const PID_FILE_PATIENCE: Duration = Duration::from_secs(1);

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
/// that was started this returns as soon as the other one receives. At SIGHUP it asks the process
/// for its configuration again.
///
/// # Errors
/// If it could not start. Nothing was received then.
pub fn run(config: &Config, process: &mut dyn Process) -> Result<(), StartError> {
    // Messages name whole paths. In a directory that was removed meanwhile relative ones lead nowhere
    // in any case.
    let directory = std::env::current_dir().unwrap_or_default();
    if let Some(title) = &config.title {
        call_process(title);
    }
    let config = &config.clone().in_directory(&directory);
    let outlets = outlets::choose(config)?;
    let mut state_files = StateFiles::default();
    let state_file = rules::state_file(config, &mut state_files);
    // What usually fails at start comes before the daemon leaves the terminal.
    let selection = kernel::select(config.engine).map_err(StartError::new)?;
    let (heritage, mut inherited) = Heritage::take(config.state_file.as_deref())?;
    // These first: what nobody else has a use for is where lines come in.
    let management = Management::bind(config, &mut inherited)?;
    let liveness = streams::bind_liveness(config, &mut inherited)?;
    let addresses = heritage::addresses(config, &inherited);
    let bound = transport::bind_or_inherit(
        &addresses,
        config.shards,
        config.receive_buffer_bytes,
        &mut inherited,
    )
    .map_err(StartError::new)?;
    // There are as many as sockets were handed over; limits are divided by that.
    let config = &Config {
        shards: bound.shards.len(),
        ..config.clone()
    };
    let repeated_to = repeat::resolve(&config.repeat, &bound.addresses).map_err(StartError::new)?;
    let streams = Streams::bind(&addresses, liveness, &mut inherited)?;
    heritage.close(inherited);
    let control = Control::bind(config)?;
    let launcher = match config.daemonize {
        true => match background::detach()? {
            Some(launcher) => Some(launcher),
            None => {
                streams.leave();
                control.leave();
                return Ok(());
            }
        },
        false => None,
    };
    let started = PidFile::create_in_time(config.pid_file.clone()).and_then(|pid_file| {
        let bound = (bound, streams, management, control, heritage);
        match start_stages(config, outlets, bound, &repeated_to, &selection, state_file) {
            Ok(stages) => Ok((stages, pid_file)),
            Err(error) => {
                pid_file.remove(Instant::now() + disk::PATIENCE);
                Err(error)
            }
        }
    });
    match (&started, launcher) {
        (Ok(_), Some(launcher)) => launcher.started(),
        (Err(error), Some(launcher)) => launcher.failed(error),
        (_, None) => {}
    }
    let (mut stages, pid_file) = started?;
    stages.heritage.started();
    let shown = stages.shown.clone();
    let reloader = Reloader::new(process, directory, config.clone(), shown, state_files);
    let until = stages.wait(reloader);
    // Last, as whoever waits for this may start the next daemon. A disk that works answers at once, and
    // one that hangs has been waited for.
    pid_file.remove(until.max(Instant::now() + PID_FILE_PATIENCE));
    log::info!("stopped");
    Ok(())
}

/// Shows the process under this name; on Linux that is the name of its first thread.
fn call_process(title: &str) {
    let name = CString::new(title).expect("a title is printable");
    if let Err(error) = rustix::thread::set_name(&name) {
        log::debug!("cannot call the process {title}: {error}");
    }
}

/// Where lines and commands come in, and what of it outlives the process.
type Inlets = (Bound, Streams, Management, Control, Heritage);

/// What runs.
struct Stages {
    flusher: JoinHandle<Ended>,
    heritage: Heritage,
    io: IoHandle,
    messages: mpsc::Sender<Message>,
    event: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    shown: ShownSettings,
    /// To be removed at the end.
    control: Option<SocketFile>,
}

/// What the main thread hears of while the daemon runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// A signal to read the configuration again.
    HungUp,
    /// A signal to stop.
    Stopping,
    /// The flusher has answered, and says how things are.
    Lives(String),
    /// The flusher has gone over to what was read.
    Reloaded,
    /// The last flush is over.
    FlusherEnded,
}

impl Stages {
    /// Waits until the flusher has ended and the sinks have delivered; reads the configuration again
    /// meanwhile, each time it is asked to, and tells the service manager how things are. Returns up to
    /// when disks are waited for.
    fn wait(mut self, mut reloader: Reloader<'_>) -> Instant {
        let (io, messages, event) = (&mut self.io, &self.messages, &self.event);
        let mut manager = Manager::here();
        manager.ready();
        loop {
            let told = match manager.until_next_beat(reloader.interval()) {
                None => self.events.recv().map_err(RecvTimeoutError::from),
                Some(wait) => self.events.recv_timeout(wait),
            };
            match told {
                Ok(Event::HungUp) => {
                    manager.reloading();
                    reloader.hung_up(io, messages, event);
                    if reloader.is_settled() {
                        manager.ready();
                    }
                }
                Ok(Event::Reloaded) => {
                    reloader.reloaded(io, messages, event);
                    self.heritage.follow(reloader.state_file());
                    if reloader.is_settled() {
                        manager.ready();
                    }
                }
                Ok(Event::Stopping) => manager.stopping(),
                Ok(Event::Lives(status)) => manager.lives(&status),
                Ok(Event::FlusherEnded) => break,
                Err(RecvTimeoutError::Timeout) => {
                    manager.begin_beat();
                    ask_for_life(messages, event);
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("there is a sender here too"),
            }
        }
        let ended = self.flusher.join().expect("a panic ends the process");
        // The flusher counts on a sender for as long as it runs. It has told the shards to stop and
        // has taken what they had; one that does not answer must not hold up the end.
        drop(self.messages);
        let note = self.heritage.leave_drops(&ended.drops_counted);
        // The disk has the time of the sinks, and one that hangs is waited for once.
        let until = Instant::now() + disk::PATIENCE;
        self.io.close_and_wait(DELIVERY_PATIENCE);
        if let Some(file) = ended.state_file {
            file.wait_for_last(until);
        }
        note.wait(until);
        if let Some(file) = self.control {
            // The thread that answers there ends with the process.
            file.remove();
        }
        until
    }
}

/// Asks the flusher, in its own thread, how things are. Of one that hangs no answer comes.
fn ask_for_life(messages: &mpsc::Sender<Message>, events: &mpsc::Sender<Event>) {
    let events = events.clone();
    let visit = move |_: &mut Merger, status: &Status| {
        let queued: u64 = status.sinks.iter().map(|sink| sink.lines_queued).sum();
        let dropped: u64 = status.sinks.iter().map(|sink| sink.lines_dropped).sum();
        let refused = status.refused_count;
        // If nobody listens the daemon is about to end.
        let _ = events.send(Event::Lives(format!(
            "receiving; {refused} lines refused, {queued} points wait for sinks, {dropped} lost"
        )));
    };
    // As above.
    let _ = messages.send(Message::Visit(Box::new(visit)));
}

/// Starts all threads.
fn start_stages(
    config: &Config,
    outlets: Vec<(SinkAddress, Encoding)>,
    (bound, mut streams, management, control, mut heritage): Inlets,
    repeated_to: &[SocketAddr],
    selection: &Selection,
    mut state_file: Option<StateFile>,
) -> Result<Stages, StartError> {
    let (messages, inbox) = mpsc::channel();
    let (addresses, encodings): (Vec<_>, Vec<_>) = outlets.into_iter().unzip();
    let (event, events) = mpsc::channel();
    // All that may hang is asked beside each other: the sockets are bound, and what comes meanwhile has
    // to fit into their buffers.
    let until = Instant::now() + disk::PATIENCE;
    heritage.begin_reading();
    if let Some(file) = &mut state_file {
        file.begin_opening().map_err(StartError::new)?;
    }
    let mut io = prepare_io(config, addresses, messages.clone(), event.clone())?;
    let outlets = outlets_of(&io, encodings);
    let listening = Listening::of(&bound, &streams);
    // Before anything is received: the shards hash members of sets as an earlier process did.
    let set_hash = match &mut state_file {
        Some(file) => {
            file.wait_until_open(until).map_err(StartError::new)?;
            file.set_hash().clone()
        }
        None => SetHash::new(),
    };
    heritage.read(until);
    // No disk can make the start fail any more, which would have sent from a spool and sends again.
    io.deliver();
    // Behind most of what can make a start fail, lest sockets that nobody reads are kept.
    heritage.leave(&bound, &mut streams, &management);
    let set_keys = set_hash.keys();
    let basis = shards::basis(config, set_hash);
    let latecomers = heritage.latecomers(&bound);
    let mut links = shards::start(
        config,
        heritage.with_drops(bound),
        latecomers,
        repeated_to,
        selection,
        &basis,
        &messages,
    )?;
    links.extend(streams.start(config, links.len(), &basis, &messages)?);
    let shown = management.start(&messages)?;
    let control = control.start(config, &messages)?;
    // Whoever reads that it listens may send, and may send signals.
    listening.log(config, selection);
    for address in repeated_to {
        log::info!("every UDP datagram is repeated to udp://{address}");
    }
    let delay = rules::live_delay(config);
    if !delay.is_zero() {
        log::info!("spread: Graphite sinks are sent a slot {delay:?} after its end");
    }
    let flusher = Flusher::new(rules::of_flusher(config, state_file), links, inbox, outlets)
        .hashing_sets_with(set_keys);
    let ended = event.clone();
    let flusher = thread::Builder::new()
        .name("flusher".to_owned())
        .spawn(move || {
            let left = flusher.run();
            ended
                .send(Event::FlusherEnded)
                .expect("the main thread waits for it");
            left
        })
        .map_err(|error| StartError::new(format!("cannot start the flusher: {error}")))?;
    if config.own_metrics == OwnWords::Etsy {
        // Scripts around etsy's statsd wait for these words.
        log::info!("server is up");
    }
    Ok(Stages {
        flusher,
        heritage,
        io,
        messages,
        event,
        events,
        shown,
        control,
    })
}

fn prepare_io(
    config: &Config,
    sinks: Vec<SinkAddress>,
    messages: mpsc::Sender<Message>,
    events: mpsc::Sender<Event>,
) -> Result<IoHandle, StartError> {
    let mut is_stopping = false;
    let on_signal = move |signal| {
        if signal == Signal::HungUp {
            // If nobody listens the daemon is about to end.
            let _ = events.send(Event::HungUp);
            return;
        }
        if is_stopping {
            log::warn!("{signal:?} again: already stopping");
            return;
        }
        is_stopping = true;
        log::info!("{signal:?}: flushing a last time");
        // As above.
        let _ = events.send(Event::Stopping);
        // If the flusher has ended, the daemon is stopping already.
        let _ = messages.send(Message::Stop);
    };
    crate::io::prepare(&io_settings(config, sinks), Some(Box::new(on_signal)))
        .map_err(|error| StartError::new(format!("cannot start the io thread: {error}")))
}

fn io_settings(config: &Config, sinks: Vec<SinkAddress>) -> crate::io::Settings {
    let queue_bytes = config.queue_bytes as u64;
    let mut settings = crate::io::Settings::new(sinks, queue_bytes, config.flush_interval);
    settings.spool = crate::io::Spool {
        folder: config.spool.clone(),
        limits: SpoolLimits {
            bytes_max: config.spool_bytes as u64,
            age_max_s: config.spool_age.as_secs(),
        },
    };
    settings.command_patience.run = config.command_timeout;
    settings.live_delay = rules::live_delay(config);
    settings
}

/// The sinks that run, each with its format.
fn outlets_of(io: &IoHandle, encodings: Vec<Encoding>) -> Vec<Outlet> {
    let outlets = io.sinks().iter().cloned().zip(encodings);
    let outlets = outlets.map(|(sink, encoding)| Outlet { sink, encoding });
    outlets.collect()
}
