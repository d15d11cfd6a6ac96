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
            shards
            pin
            engine
            max_wait
            receive_buffer
            max_datagram
            sink
            queue_bytes
            flush
            align
            naming
            prefix
            percent
            weighted_timers
            tags
            idle
            idle_gauges
            own_prefix
            max_series
            max_timer_values
            max_set_values
            state_file
            pid_file
            daemonize
            log
            log_level
        }
    }
}
