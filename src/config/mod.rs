//! The settings of the daemon, checked: what is in a [`Config`] can be relied on.

pub mod file;
pub mod gstatsd;
pub mod prefix;
mod relations;
mod settings;
mod text;
pub mod values;

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use log::LevelFilter;

use crate::kernel::EngineChoice;
use crate::naming::Dialect;
use crate::sink::SinkAddress;
use crate::snapshot::Idle;
use crate::transport::BindAddress;
use prefix::{HostLabel, Prefix};
pub use settings::Settings;
use values::{Count, DatagramSize, FilePath, FlushInterval, LogLevel, Percents, Size, Time};

/// Everything that the daemon was told, with defaults filled in, each value and their relations
/// checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where to listen; not empty, no address twice.
    pub bind: Vec<BindAddress>,
    /// How many shards: at least 1.
    pub shards: usize,
    /// Whether each shard is bound to a CPU of its own.
    pub pin: bool,
    /// What takes datagrams off the kernel.
    pub engine: EngineChoice,
    /// How long a batch may be awaited; at most the flush interval, 0: not at all.
    pub max_wait: Duration,
    /// What to ask of the kernel for each socket; at least `max_datagram_bytes`, at most 1 GiB.
    pub receive_buffer_bytes: usize,
    /// The longest datagram that is taken whole: 1 to 65,507.
    pub max_datagram_bytes: usize,

    /// Where points go, no sink twice. Empty if none was given: the console then, where the
    /// standard output is worth it.
    pub sinks: Vec<SinkAddress>,
    /// How much each sink may keep while its server is away; at least 1.
    pub queue_bytes: usize,

    /// The flush interval: 1 ms to 1 day, and at least 1 s with a Graphite sink.
    pub flush_interval: Duration,
    /// Whether flushes are at wall-clock multiples of the interval.
    pub align: bool,
    /// Whose paths and arithmetic the points follow.
    pub naming: Dialect,
    /// What goes before the name of every series: safe in a Graphite path, no dot at its ends.
    /// Empty: nothing.
    pub prefix: String,
    /// Percentiles in the order given: finite, not 0, -100 to 100, none twice.
    pub percents: Vec<f64>,
    /// Whether a timer's sample rate counts in all its statistics.
    pub weighted_timers: bool,
    /// Whether tags are kept.
    pub tags: bool,
    /// What becomes of silent counters, timers and sets.
    pub idle: Idle,
    /// What becomes of silent gauges.
    pub idle_gauges: Idle,
    /// Where the daemon's own metrics go, made like `prefix`; None: they are not sent.
    pub own_prefix: Option<String>,

    /// Most series in a shard, all types together; at least 1.
    pub max_series: usize,
    /// Most timer values in a shard and interval; at least 1.
    pub max_timer_values: usize,
    /// Most members that a set keeps exactly; at least 1.
    pub max_set_values: usize,

    /// Where gauges' levels outlive a restart.
    pub state_file: Option<PathBuf>,
    /// Where the process id is written.
    pub pid_file: Option<PathBuf>,
    /// Whether to go into the background.
    pub daemonize: bool,
    /// Where the log goes; None: the standard error.
    pub log: Option<PathBuf>,
    /// From which level on messages are logged, `verbose` included.
    pub log_level: LevelFilter,
    /// How often -v was given: from 1 on a sample of the refused lines is logged.
    pub verbose: u8,
}

/// What defaults depend on besides the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What `{host}` in a prefix stands for.
    pub host: HostLabel,
    /// How many CPUs this process may use; at least 1.
    pub cpu_count: usize,
}

impl Machine {
    /// Asks the kernel.
    #[must_use]
    pub fn here() -> Self {
        let name = rustix::system::uname();
        Self {
            host: HostLabel::new(&name.nodename().to_string_lossy()),
            cpu_count: thread::available_parallelism().map_or(1, NonZero::get),
        }
    }
}

/// More shards by default would cost memory and batches; one takes what most machines receive.
const DEFAULT_SHARD_COUNT_MAX: usize = 4;

/// Each wait begins with cold caches, so that fewer of them make parsing cheaper too: with 10,000
/// packed datagrams a second, batches of 20 ms cost 0.8 times those of 5 ms in all, with 2,000
/// a second 0.65 times. The default receive buffer has room for twice that wait.
const DEFAULT_MAX_WAIT: Duration = Duration::from_millis(20);

impl Config {
    /// Fills in the defaults and checks how the settings fit together.
    ///
    /// # Errors
    /// A message that names the settings that do not.
    pub fn new(settings: Settings, machine: &Machine) -> Result<Self, String> {
        let naming = settings.naming.unwrap_or_default();
        let (idle, idle_gauges) = default_idle(naming);
        let flush_interval = settings
            .flush
            .map_or(Duration::from_secs(10), |FlushInterval(interval)| interval);
        let log_level = settings
            .log_level
            .map_or(LevelFilter::Info, |LogLevel(level)| level);
        let prefix = settings.prefix.unwrap_or_default().expand(&machine.host)?;
        let own_prefix = settings
            .own_prefix
            .unwrap_or_else(|| default_own_prefix(naming))
            .expand(&machine.host)?;
        let config = Self {
            bind: listed_once(settings.bind).unwrap_or_else(|| vec![BindAddress::default()]),
            shards: settings.shards.map_or(
                machine.cpu_count.clamp(1, DEFAULT_SHARD_COUNT_MAX),
                |Count(count)| count,
            ),
            pin: settings.pin.unwrap_or(false),
            engine: settings.engine.unwrap_or_default(),
            max_wait: settings
                .max_wait
                .map_or(default_max_wait(flush_interval), |Time(time)| time),
            receive_buffer_bytes: settings
                .receive_buffer
                .map_or(32 << 20, |Size(bytes)| bytes),
            max_datagram_bytes: settings
                .max_datagram
                .map_or(65_507, |DatagramSize(bytes)| bytes),
            sinks: listed_once(settings.sink).unwrap_or_default(),
            queue_bytes: settings.queue_bytes.map_or(256 << 20, |Size(bytes)| bytes),
            flush_interval,
            align: settings.align.unwrap_or(naming.aligns_flushes()),
            naming,
            prefix,
            percents: settings
                .percent
                .map_or_else(|| vec![90.0], distinct_percents),
            weighted_timers: settings.weighted_timers.unwrap_or(false),
            tags: settings.tags.unwrap_or(naming.keeps_tags()),
            idle: settings.idle.unwrap_or(idle),
            idle_gauges: settings.idle_gauges.unwrap_or(idle_gauges),
            own_prefix: Some(own_prefix).filter(|prefix| !prefix.is_empty()),
            max_series: settings.max_series.map_or(1_000_000, |Count(count)| count),
            max_timer_values: settings
                .max_timer_values
                .map_or(4_000_000, |Count(count)| count),
            max_set_values: settings.max_set_values.map_or(4_096, |Count(count)| count),
            state_file: settings.state_file.map(|FilePath(path)| path.into()),
            pid_file: settings.pid_file.map(|FilePath(path)| path.into()),
            daemonize: settings.daemonize.unwrap_or(false),
            log: settings.log.map(|FilePath(path)| path.into()),
            log_level: log_level.max(level_of(settings.verbose)),
            verbose: settings.verbose,
        };
        relations::check(&config)?;
        Ok(config)
    }

    /// The configuration as a file that gives the same one again.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(&Settings::from(self)).expect("settings are strings, numbers and arrays")
    }
}

/// The settings that give this configuration.
impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let path = |path: &PathBuf| FilePath(path.to_string_lossy().into_owned());
        Self {
            bind: Some(config.bind.clone()),
            shards: Some(Count(config.shards)),
            pin: Some(config.pin),
            engine: Some(config.engine),
            max_wait: Some(Time(config.max_wait)),
            receive_buffer: Some(Size(config.receive_buffer_bytes)),
            max_datagram: Some(DatagramSize(config.max_datagram_bytes)),
            sink: Some(config.sinks.clone()),
            queue_bytes: Some(Size(config.queue_bytes)),
            flush: Some(FlushInterval(config.flush_interval)),
            align: Some(config.align),
            naming: Some(config.naming),
            prefix: Some(Prefix(config.prefix.clone())),
            percent: Some(vec![Percents(config.percents.clone())]),
            weighted_timers: Some(config.weighted_timers),
            tags: Some(config.tags),
            idle: Some(config.idle),
            idle_gauges: Some(config.idle_gauges),
            own_prefix: Some(Prefix(config.own_prefix.clone().unwrap_or_default())),
            max_series: Some(Count(config.max_series)),
            max_timer_values: Some(Count(config.max_timer_values)),
            max_set_values: Some(Count(config.max_set_values)),
            state_file: config.state_file.as_ref().map(path),
            pid_file: config.pid_file.as_ref().map(path),
            daemonize: Some(config.daemonize),
            log: config.log.as_ref().map(path),
            log_level: Some(LogLevel(config.log_level)),
            verbose: config.verbose,
        }
    }
}

/// A flush waits half an interval for a shard, which answers between two batches.
fn default_max_wait(flush_interval: Duration) -> Duration {
    DEFAULT_MAX_WAIT.min(flush_interval / 4)
}

/// How silent series are reported by default: other types, gauges.
fn default_idle(naming: Dialect) -> (Idle, Idle) {
    match naming {
        Dialect::Etsy | Dialect::EtsyLegacy => (Idle::After(Duration::from_secs(300)), Idle::Never),
        Dialect::Gstatsd => (Idle::Quiet, Idle::Quiet),
    }
}

fn default_own_prefix(naming: Dialect) -> Prefix {
    Prefix(if naming.has_own_metrics() {
        "ringstat.{host}".to_owned()
    } else {
        String::new()
    })
}

/// The list without repetitions; None if it is empty, which says no more than no list.
fn listed_once<T: PartialEq>(list: Option<Vec<T>>) -> Option<Vec<T>> {
    let mut once = Vec::new();
    for item in list? {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    Some(once).filter(|once| !once.is_empty())
}

fn distinct_percents(lists: Vec<Percents>) -> Vec<f64> {
    let percents = lists.into_iter().flat_map(|Percents(list)| list).collect();
    listed_once(Some(percents)).unwrap_or_default()
}

fn level_of(verbose: u8) -> LevelFilter {
    match verbose {
        0 => LevelFilter::Off,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}

#[cfg(test)]
mod tests;
