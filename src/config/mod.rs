//! The settings of the daemon, checked: what is in a [`Config`] can be relied on.

mod changes;
pub mod control;
mod defaults;
pub mod etsy;
pub mod facility;
pub mod file;
pub mod foreign;
pub mod gstatsd;
mod ini;
mod layers;
pub mod management;
pub mod prefix;
mod printed;
pub mod python_statsite;
mod quotas;
mod relations;
mod settings;
pub mod statsite;
mod text;
pub mod values;

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use log::LevelFilter;

use crate::kernel::EngineChoice;
use crate::metric::{Pattern, Quota};
use crate::naming::{Dialect, ExtendedCounters, Histogram};
use crate::repeat::RepeatAddress;
use crate::sink::{SinkAddress, Spread};
use crate::snapshot::{Idle, IdleTimes};
use crate::telemetry::OwnWords;
use crate::transport::{BindAddress, LivenessAddress, ManagementAddress};
pub use changes::Change;
use control::Control;
use facility::Facility;
use prefix::HostLabel;
pub use settings::Settings;

/// Everything that the daemon was told, with defaults filled in, each value and their relations
/// checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where to listen; not empty, no address twice.
    pub bind: Vec<BindAddress>,
    /// How many connections may be open at a time: at least 1.
    pub max_connections: usize,
    /// Where each connection is told that the daemon lives.
    pub liveness: Option<LivenessAddress>,
    /// Where commands are answered.
    pub management: Option<ManagementAddress>,
    /// Where it is asked what became of its slots.
    pub control: Control,
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
    /// Where each datagram goes besides, none twice.
    pub repeat: Vec<RepeatAddress>,

    /// Where points go, no sink twice. Empty if none was given: the console then, where the
    /// standard output is worth it.
    pub sinks: Vec<SinkAddress>,
    /// How much each sink may keep while its server is away; at least 1.
    pub queue_bytes: usize,
    /// The share of the flush interval over which hosts send.
    pub spread: Spread,
    /// Where slots go that sinks cannot take in time; each sink has a folder there.
    pub spool: Option<PathBuf>,
    /// What the spool of each sink may take; at least 1.
    pub spool_bytes: usize,
    /// How long after its end a slot is worth sending; at least 1 s.
    pub spool_age: Duration,
    /// How long a command may take for the points of a flush; above 0.
    pub command_timeout: Duration,

    /// The flush interval: 1 ms to 1 day, and at least 1 s with a Graphite sink.
    pub flush_interval: Duration,
    /// Whether flushes are at wall-clock multiples of the interval.
    pub align: bool,
    /// Whose paths and arithmetic the points follow.
    pub naming: Dialect,
    /// What goes before the name of every series: safe in a Graphite path, no dot at its ends.
    /// Empty: nothing.
    pub prefix: String,
    /// What goes before names of counters instead of the naming's own text, its dot included.
    pub counter_prefix: Option<String>,
    /// The same for timers.
    pub timer_prefix: Option<String>,
    /// The same for gauges.
    pub gauge_prefix: Option<String>,
    /// The same for sets.
    pub set_prefix: Option<String>,
    /// The same for key-values.
    pub kv_prefix: Option<String>,
    /// What goes behind the statistic of every path, made like `prefix`. Empty: nothing.
    pub suffix: String,
    /// Whether a counter's sum is sent beside its rate.
    pub counter_counts: bool,
    /// Whether counters are sent as a count and a rate.
    pub extended_counters: ExtendedCounters,
    /// Percentiles in the order given: finite, not 0, -100 to 100, none twice.
    pub percents: Vec<f64>,
    /// The statistics of timers that are sent, in the words of the naming; empty: all.
    pub timer_statistics: Vec<String>,
    /// Bins of timers; all of the kind that the naming has.
    pub histograms: Vec<Histogram>,
    /// Whether a timer's sample rate counts in all its statistics.
    pub weighted_timers: bool,
    /// Whether tags are kept.
    pub tags: bool,
    /// What becomes of silent counters.
    pub idle_counters: Idle,
    /// What becomes of silent timers.
    pub idle_timers: Idle,
    /// What becomes of silent sets.
    pub idle_sets: Idle,
    /// What becomes of silent gauges.
    pub idle_gauges: Idle,
    /// Where the daemon's own metrics go, made like `prefix`; None: they are not sent.
    pub own_prefix: Option<String>,
    /// In whose words own metrics are.
    pub own_metrics: OwnWords,
    /// What goes before `own_prefix` in etsy's words, made like `prefix`.
    pub own_namespace: String,
    /// The name of a counter of all samples received; not empty.
    pub input_counter: Option<String>,

    /// Most series in a shard, all types together; at least 1.
    pub max_series: usize,
    /// Names that no series may have; none twice.
    pub deny: Vec<Pattern>,
    /// How many series may have names of a pattern; no pattern twice, in the order of patterns.
    pub quotas: Vec<Quota>,
    /// What all tables and what is merged of them may take, in bytes.
    pub max_memory_bytes: usize,
    /// Most timer values in a shard and interval; at least 1.
    pub max_timer_values: usize,
    /// The relative error of percentiles beyond that; 0.0001 to 0.5.
    pub timer_error: f64,
    /// Most members that a set keeps exactly; at least 1.
    pub max_set_values: usize,
    /// The relative standard error of a set's count beyond that; 0.0021 to 0.26.
    pub set_error: f64,

    /// Where gauges' levels outlive a restart.
    pub state_file: Option<PathBuf>,
    /// How old that file may be to be read; 0: any age.
    pub state_age: Duration,
    /// Where the process id is written.
    pub pid_file: Option<PathBuf>,
    /// Whether to go into the background.
    pub daemonize: bool,
    /// Where the log goes, `-` for the standard output; None: the standard error.
    pub log: Option<PathBuf>,
    /// As which facility the log goes to syslog; not beside `log`.
    pub syslog: Option<Facility>,
    /// From which level on messages are logged, `verbose` included.
    pub log_level: LevelFilter,
    /// Whether every line is logged as it comes.
    pub log_lines: bool,
    /// How often the number of lines of each name is written; None: never.
    pub name_counts: Option<Duration>,
    /// How many of the names are written, the busiest, in percent: 0 to 100.
    pub name_counts_percent: f64,
    /// Where they are appended to; None: the standard output.
    pub name_counts_file: Option<PathBuf>,
    /// What process and messages to syslog are called; None: as the program was started.
    pub title: Option<String>,
    /// How often -v was given: from 1 on a sample of the refused lines is logged.
    pub verbose: u8,
}

impl Config {
    /// What becomes of silent series, by type.
    #[must_use]
    pub fn idle_times(&self) -> IdleTimes {
        IdleTimes {
            counters: self.idle_counters,
            timers: self.idle_timers,
            sets: self.idle_sets,
            gauges: self.idle_gauges,
        }
    }
}

/// What defaults depend on besides the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What `{host}` in a prefix stands for.
    pub host: HostLabel,
    /// How many CPUs this process may use; at least 1.
    pub cpu_count: usize,
}

impl Config {
    /// Whether the log goes to the standard output.
    #[must_use]
    pub fn logs_to_output(&self) -> bool {
        self.log
            .as_ref()
            .is_some_and(|path| path.as_os_str() == "-")
    }

    /// Whether what goes to syslog goes to the standard error as well, wherever that leads: statsite
    /// does so (LOG_PERROR) unless it leaves it for the background.
    #[must_use]
    pub fn logs_to_error_too(&self) -> bool {
        self.syslog.is_some() && self.naming == Dialect::Statsite && !self.daemonize
    }
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

#[cfg(test)]
mod tests;
