//! Lays settings from one source over those from another.

use super::Settings;

/// The first of two settings that was given, for each field: the compiler asks for all of them.
macro_rules! first_given {
    ($settings:ident, $fallback:ident: $($field:ident)*) => {
        Settings {
            $($field: $settings.$field.or($fallback.$field),)*
            verbose: match $settings.verbose {
                0 => $fallback.verbose,
                given => given,
            },
        }
    };
}

impl Settings {
    /// These settings, and where they say nothing, those of `fallback`.
    #[must_use]
    #[rustfmt::skip]
    pub fn or(self, fallback: Self) -> Self {
        first_given! { self, fallback:
            bind
            max_connections
            liveness
            management
            control
            shards
            pin
            engine
            max_wait
            receive_buffer
            max_datagram
            repeat
            sink
            queue_bytes
            spread
            spool
            spool_bytes
            spool_age
            command_timeout
            flush
            align
            naming
            prefix
            counter_prefix
            timer_prefix
            gauge_prefix
            set_prefix
            kv_prefix
            suffix
            counter_counts
            extended_counters
            percent
            timer_statistics
            histogram
            weighted_timers
            tags
            idle
            idle_counters
            idle_timers
            idle_sets
            idle_gauges
            own_prefix
            own_metrics
            own_namespace
            input_counter
            max_series
            deny
            quota
            max_memory
            max_timer_values
            timer_error
            max_set_values
            set_error
            state_file
            state_age
            pid_file
            daemonize
            log
            syslog
            log_level
            log_lines
            name_counts
            name_counts_percent
            name_counts_file
            title
        }
    }
}
