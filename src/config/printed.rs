//! Turns a configuration into the settings that give it again, and into a file of them.

use std::path::PathBuf;

use super::control::Control;
use super::management::Management;
use super::prefix::{PathText, Prefix};
use super::values::{
    Count, DatagramSize, FilePath, FlushInterval, LogLevel, Percent, Percents, RelativeError, Size,
    StatisticName, Time, Title,
};
use super::{Config, Settings};

impl Config {
    /// The configuration as a file that gives the same one again.
    #[must_use]
    pub fn to_toml(&self) -> String {
        Settings::from(self).to_toml()
    }
}

impl Settings {
    /// The settings that are given, as a file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are strings, numbers and arrays")
    }
}

/// The settings that give this configuration.
impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let text = |text: &Option<String>| text.clone().map(PathText);
        // One key where three would say the same.
        let same_idle =
            config.idle_counters == config.idle_timers && config.idle_counters == config.idle_sets;
        let unless_same = |idle| Some(idle).filter(|_| !same_idle);
        let statistics = config.timer_statistics.iter().cloned().map(StatisticName);
        let path = |path: &PathBuf| FilePath(path.to_string_lossy().into_owned());
        Self {
            bind: Some(config.bind.clone()),
            max_connections: Some(Count(config.max_connections)),
            liveness: config.liveness.clone(),
            management: config.management.clone().map(|at| Management(Some(at))),
            // Set, it would have to be there.
            control: Some(config.control.clone()).filter(|control| *control != Control::Default),
            shards: Some(Count(config.shards)),
            pin: Some(config.pin),
            engine: Some(config.engine),
            max_wait: Some(Time(config.max_wait)),
            receive_buffer: Some(Size(config.receive_buffer_bytes)),
            max_datagram: Some(DatagramSize(config.max_datagram_bytes)),
            repeat: Some(config.repeat.clone()),
            sink: Some(config.sinks.clone()),
            queue_bytes: Some(Size(config.queue_bytes)),
            spread: Some(config.spread),
            spool: config.spool.as_ref().map(path),
            spool_bytes: Some(Size(config.spool_bytes)),
            spool_age: Some(Time(config.spool_age)),
            command_timeout: Some(Time(config.command_timeout)),
            flush: Some(FlushInterval(config.flush_interval)),
            align: Some(config.align),
            naming: Some(config.naming),
            prefix: Some(Prefix(config.prefix.clone())),
            counter_prefix: text(&config.counter_prefix),
            timer_prefix: text(&config.timer_prefix),
            gauge_prefix: text(&config.gauge_prefix),
            set_prefix: text(&config.set_prefix),
            kv_prefix: text(&config.kv_prefix),
            suffix: Some(Prefix(config.suffix.clone())),
            counter_counts: Some(config.counter_counts),
            extended_counters: Some(config.extended_counters),
            percent: Some(vec![Percents(config.percents.clone())]),
            timer_statistics: Some(statistics.collect()),
            histogram: Some(config.histograms.clone()),
            weighted_timers: Some(config.weighted_timers),
            tags: Some(config.tags),
            idle: Some(config.idle_counters).filter(|_| same_idle),
            idle_counters: unless_same(config.idle_counters),
            idle_timers: unless_same(config.idle_timers),
            idle_sets: unless_same(config.idle_sets),
            idle_gauges: Some(config.idle_gauges),
            own_prefix: Some(Prefix(config.own_prefix.clone().unwrap_or_default())),
            own_metrics: Some(config.own_metrics),
            own_namespace: Some(Prefix(config.own_namespace.clone())),
            input_counter: text(&config.input_counter),
            max_series: Some(Count(config.max_series)),
            deny: Some(config.deny.clone()),
            quota: Some(config.quotas.clone()).filter(|quotas| !quotas.is_empty()),
            max_memory: Some(Size(config.max_memory_bytes)),
            max_timer_values: Some(Count(config.max_timer_values)),
            timer_error: Some(RelativeError(config.timer_error)),
            max_set_values: Some(Count(config.max_set_values)),
            set_error: Some(RelativeError(config.set_error)),
            state_file: config.state_file.as_ref().map(path),
            state_age: Some(Time(config.state_age)),
            pid_file: config.pid_file.as_ref().map(path),
            daemonize: Some(config.daemonize),
            log: config.log.as_ref().map(path),
            syslog: config.syslog,
            log_level: Some(LogLevel(config.log_level)),
            log_lines: Some(config.log_lines),
            name_counts: config.name_counts.map(Time),
            name_counts_percent: Some(Percent(config.name_counts_percent)),
            name_counts_file: config.name_counts_file.as_ref().map(path),
            title: config.title.clone().map(Title),
            verbose: config.verbose,
        }
    }
}
