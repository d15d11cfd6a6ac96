//! What each stage is told of the configuration.

use crate::config::Config;
use crate::flusher::{FlusherSettings, StateFile};
use crate::metric::Limits;
use crate::naming::Naming;
use crate::telemetry::{OwnLines, OwnWords};

/// The flusher's part.
pub(super) fn of_flusher(config: &Config, state_file: Option<StateFile>) -> FlusherSettings {
    FlusherSettings {
        interval: config.flush_interval,
        align: config.align,
        max_wait: config.max_wait,
        naming: Naming::new(config.naming, &config.percents, &config.prefix),
        idle_rules: config.naming.idle_rules(
            config.flush_interval,
            config.idle_counters,
            config.idle_gauges,
        ),
        limits: limits(config),
        weighted_timers: config.weighted_timers,
        own: config.own_prefix.as_ref().map(|prefix| OwnLines {
            words: OwnWords::Ringstat,
            dialect: config.naming,
            prefix: prefix.clone(),
            namespace: String::new(),
            suffix: String::new(),
        }),
        state_file,
    }
}

/// The limits of each table.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        max_series: config.max_series,
        max_timer_values: config.max_timer_values,
        max_set_values: config.max_set_values,
    }
}
