//! What each stage is told of the configuration.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::flusher::{FlusherSettings, NameLogRules, StateFile, StateFiles};
use crate::metric::{Brakes, InputRules, Limits, SetPrecision};
use crate::naming::{Heads, Naming, NamingSettings};
use crate::shard::ShardRules;
use crate::tap::TapRules;
use crate::telemetry::OwnLines;
use crate::transport::BindAddress;

/// Refused lines that each shard keeps of an interval to be logged, if that is asked for.
const REFUSED_LINES_LOGGED_MAX: usize = 8;

/// Where levels outlive a restart.
pub(super) fn state_file(config: &Config, files: &mut StateFiles) -> Option<StateFile> {
    let path = config.state_file.clone()?;
    Some(files.at(path, config.state_age))
}

/// The flusher's part.
pub(super) fn of_flusher(config: &Config, state_file: Option<StateFile>) -> FlusherSettings {
    FlusherSettings {
        interval: config.flush_interval,
        align: config.align,
        max_wait: config.max_wait,
        naming: Naming::new(&naming_settings(config)),
        idle_rules: config
            .naming
            .idle_rules(config.flush_interval, config.idle_times()),
        input_rules: input_rules(config),
        limits: limits(config),
        weighted_timers: config.weighted_timers,
        input_counter: config.input_counter.clone(),
        own: config.own_prefix.as_ref().map(|prefix| OwnLines {
            words: config.own_metrics,
            dialect: config.naming,
            prefix: prefix.clone(),
            namespace: config.own_namespace.clone(),
            suffix: config.suffix.clone(),
        }),
        brakes: brakes(config),
        state_file,
        name_log: config.name_counts.map(|every| NameLogRules {
            every,
            percent: config.name_counts_percent,
            path: config.name_counts_file.clone(),
            names_max: config.max_series,
        }),
    }
}

fn naming_settings(config: &Config) -> NamingSettings {
    NamingSettings {
        percents: config.percents.clone(),
        prefix: config.prefix.clone(),
        heads: Heads {
            counter: config.counter_prefix.clone(),
            timer: config.timer_prefix.clone(),
            gauge: config.gauge_prefix.clone(),
            set: config.set_prefix.clone(),
            key_value: config.kv_prefix.clone(),
        },
        suffix: config.suffix.clone(),
        counter_counts: config.counter_counts,
        extended_counters: config.extended_counters,
        timer_statistics: config.timer_statistics.clone(),
        histograms: config.histograms.clone(),
        dialect: config.naming,
    }
}

/// What the shards may be told anew.
pub(super) fn of_shards(config: &Config) -> ShardRules {
    ShardRules {
        input: input_rules(config),
        limits: limits(config),
        refused_lines_max: match config.verbose {
            0 => 0,
            _ => REFUSED_LINES_LOGGED_MAX,
        },
        max_wait: config.max_wait,
        tap: TapRules {
            logs_lines: config.log_lines,
            names_max: config.name_counts.map_or(0, |_| config.max_series),
        },
        brakes: brakes(config),
    }
}

/// How long a Graphite sink waits with the slot of a flush.
pub(super) fn live_delay(config: &Config) -> Duration {
    // With its domain, as hosts of two domains may share the first label.
    let name = rustix::system::uname();
    let host = name.nodename().to_string_lossy();
    config.spread.delay(&host, config.flush_interval)
}

fn brakes(config: &Config) -> Arc<Brakes> {
    let (deny, quotas) = (config.deny.clone(), config.quotas.clone());
    Arc::new(Brakes::new(deny, quotas, table_count(config)))
}

/// A table for each shard, and one for what does not come by UDP.
fn table_count(config: &Config) -> usize {
    let is_udp = |address: &BindAddress| matches!(address, BindAddress::Udp(_));
    let has_streams = !config.bind.iter().all(is_udp) || config.liveness.is_some();
    config.shards + usize::from(has_streams)
}

fn input_rules(config: &Config) -> InputRules {
    config
        .naming
        .input_rules(config.tags, config.weighted_timers)
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_series: config.max_series,
        max_memory_bytes: config.max_memory_bytes / table_count(config),
        max_timer_values: config.max_timer_values,
        timer_error: config.timer_error,
        max_set_values: config.max_set_values,
        set_precision: SetPrecision::for_error(config.set_error),
    }
}
