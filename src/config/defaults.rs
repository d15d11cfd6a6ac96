//! Fills in what was not set, and has the result checked.

use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use super::management::Management;
use super::prefix::{PathText, Prefix};
use super::values::{
    Count, DatagramSize, FilePath, FlushInterval, LogLevel, Percent, Percents, RelativeError, Size,
    StatisticName, Time, Title,
};
use super::{Config, Machine, Settings, relations};
use crate::metric::Quota;
use crate::naming::Dialect;
use crate::snapshot::Idle;
use crate::telemetry::OwnWords;
use crate::transport::BindAddress;

/// More shards by default would cost memory and batches; one takes what most machines receive.
const DEFAULT_SHARD_COUNT_MAX: usize = 4;

/// Each wait begins with cold caches, so that fewer of them make parsing cheaper too: with 10,000
/// packed datagrams a second, batches of 20 ms cost 0.8 times those of 5 ms in all, with 2,000
/// a second 0.65 times. The default receive buffer has room for twice that wait.
const DEFAULT_MAX_WAIT: Duration = Duration::from_millis(20);

/// A reboot, an upgrade or a crash at night is over within an hour; after a longer outage clients
/// have begun anew, too.
const DEFAULT_STATE_AGE: Duration = Duration::from_secs(3_600);

impl Config {
    /// Fills in the defaults and checks how the settings fit together.
    ///
    /// # Errors
    /// A message that names the settings that do not.
    pub fn new(settings: Settings, machine: &Machine) -> Result<Self, String> {
        let naming = settings.naming.unwrap_or_default();
        let own_metrics = settings.own_metrics.unwrap_or_default();
        let (idle, idle_gauges) = default_idle(naming);
        let idle = settings.idle.unwrap_or(idle);
        let flush_interval = settings
            .flush
            .map_or(Duration::from_secs(10), |FlushInterval(interval)| interval);
        let log_level = settings
            .log_level
            .map_or(LevelFilter::Info, |LogLevel(level)| level);
        let prefix = settings.prefix.unwrap_or_default().expand(&machine.host)?;
        let own_prefix = settings
            .own_prefix
            .unwrap_or_else(|| default_own_prefix(naming, own_metrics))
            .expand(&machine.host)?;
        let suffix = settings.suffix.unwrap_or_default().expand(&machine.host)?;
        let config = Self {
            bind: listed_once(settings.bind).unwrap_or_else(|| vec![BindAddress::default()]),
            max_connections: settings.max_connections.map_or(1_024, |Count(count)| count),
            liveness: settings.liveness,
            management: settings.management.and_then(|Management(at)| at),
            control: settings.control.unwrap_or_default(),
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
            repeat: listed_once(settings.repeat).unwrap_or_default(),
            sinks: listed_once(settings.sink).unwrap_or_default(),
            queue_bytes: settings.queue_bytes.map_or(256 << 20, |Size(bytes)| bytes),
            spread: settings.spread.unwrap_or_default(),
            spool: settings.spool.map(|FilePath(path)| path.into()),
            spool_bytes: settings.spool_bytes.map_or(1 << 30, |Size(bytes)| bytes),
            spool_age: settings
                .spool_age
                .map_or(Duration::from_secs(7 * 86_400), |Time(time)| time),
            command_timeout: settings
                .command_timeout
                .map_or(default_command_timeout(flush_interval), |Time(time)| time),
            flush_interval,
            align: settings.align.unwrap_or(naming.aligns_flushes()),
            naming,
            prefix,
            counter_prefix: settings.counter_prefix.map(|PathText(text)| text),
            timer_prefix: settings.timer_prefix.map(|PathText(text)| text),
            gauge_prefix: settings.gauge_prefix.map(|PathText(text)| text),
            set_prefix: settings.set_prefix.map(|PathText(text)| text),
            kv_prefix: settings.kv_prefix.map(|PathText(text)| text),
            suffix,
            counter_counts: settings.counter_counts.unwrap_or(true),
            extended_counters: settings.extended_counters.unwrap_or_default(),
            percents: settings
                .percent
                .map_or_else(|| naming.percents(), distinct_percents),
            timer_statistics: listed_once(settings.timer_statistics)
                .unwrap_or_default()
                .into_iter()
                .map(|StatisticName(name)| name)
                .collect(),
            histograms: settings.histogram.unwrap_or_default(),
            weighted_timers: settings.weighted_timers.unwrap_or(false),
            tags: settings.tags.unwrap_or(naming.keeps_tags()),
            idle_counters: settings.idle_counters.unwrap_or(idle),
            idle_timers: settings.idle_timers.unwrap_or(idle),
            idle_sets: settings.idle_sets.unwrap_or(idle),
            idle_gauges: settings.idle_gauges.unwrap_or(idle_gauges),
            own_prefix: Some(own_prefix).filter(|prefix| !prefix.is_empty()),
            own_metrics,
            own_namespace: settings
                .own_namespace
                .unwrap_or_else(|| Prefix(DEFAULT_OWN_NAMESPACE.to_owned()))
                .expand(&machine.host)?,
            input_counter: settings.input_counter.map(|PathText(text)| text),
            max_series: settings.max_series.map_or(1_000_000, |Count(count)| count),
            deny: listed_once(settings.deny).unwrap_or_default(),
            quotas: in_order(settings.quota),
            max_memory_bytes: settings.max_memory.map_or(8 << 30, |Size(bytes)| bytes),
            max_timer_values: settings
                .max_timer_values
                .map_or(4_000_000, |Count(count)| count),
            timer_error: settings
                .timer_error
                .map_or(0.005, |RelativeError(ratio)| ratio),
            max_set_values: settings.max_set_values.map_or(4_096, |Count(count)| count),
            set_error: settings
                .set_error
                .map_or(0.0163, |RelativeError(ratio)| ratio),
            state_file: settings.state_file.map(|FilePath(path)| path.into()),
            state_age: settings
                .state_age
                .map_or(DEFAULT_STATE_AGE, |Time(age)| age),
            pid_file: settings.pid_file.map(|FilePath(path)| path.into()),
            daemonize: settings.daemonize.unwrap_or(false),
            log: settings.log.map(|FilePath(path)| path.into()),
            syslog: settings.syslog,
            log_level: log_level.max(level_of(settings.verbose)),
            log_lines: settings.log_lines.unwrap_or(false),
            name_counts: settings.name_counts.map(|Time(time)| time),
            name_counts_percent: settings
                .name_counts_percent
                .map_or(100.0, |Percent(percent)| percent),
            name_counts_file: settings
                .name_counts_file
                .map(|FilePath(path)| PathBuf::from(path))
                .filter(|path| path.as_os_str() != "-"),
            title: settings.title.map(|Title(title)| title),
            verbose: settings.verbose,
        };
        relations::check(&config)?;
        Ok(config)
    }
}

/// A flush waits half an interval for a shard, which answers between two batches.
fn default_max_wait(flush_interval: Duration) -> Duration {
    DEFAULT_MAX_WAIT.min(flush_interval / 4)
}

/// A command that is slower than the flushes would fall behind for ever; with short intervals one
/// that is slow to start gets the time for it.
fn default_command_timeout(flush_interval: Duration) -> Duration {
    flush_interval.max(Duration::from_secs(10))
}

/// How silent series are reported by default: other types, gauges.
fn default_idle(naming: Dialect) -> (Idle, Idle) {
    match naming {
        Dialect::Etsy | Dialect::EtsyLegacy => (Idle::After(Duration::from_secs(300)), Idle::Never),
        Dialect::Gstatsd | Dialect::Statsite | Dialect::PythonStatsite => {
            (Idle::Quiet, Idle::Quiet)
        }
    }
}

fn default_own_prefix(naming: Dialect, own_metrics: OwnWords) -> Prefix {
    let prefix = match own_metrics {
        OwnWords::Etsy => "statsd",
        OwnWords::Ringstat if naming.has_own_metrics() => "ringstat.{host}",
        OwnWords::Ringstat => "",
    };
    Prefix(prefix.to_owned())
}

/// etsy's globalPrefix, as it comes and in its legacy namespace.
pub(super) const DEFAULT_OWN_NAMESPACE: &str = "stats";

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

/// A file's table has no order, so none counts.
fn in_order(quotas: Option<Vec<Quota>>) -> Vec<Quota> {
    let mut quotas = listed_once(quotas).unwrap_or_default();
    quotas.sort();
    quotas
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
