//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Runs ringstat under traffic while sinks fail, the configuration changes and it is restarted
#[derive(Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Options {
    /// How long traffic comes
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Datagrams a second over UDP, of some 1,400 bytes each; take half of what `race` finds
    /// lossless
    #[arg(long, default_value_t = 2_000.0)]
    pub(crate) rate: f64,
    /// Lines a second over TCP, of all types
    #[arg(long, default_value_t = 1_000)]
    pub(crate) lines: u64,
    /// Series of each type over UDP
    #[arg(long, default_value_t = 200)]
    pub(crate) names: u64,
    /// Shards
    #[arg(long, default_value_t = 1)]
    pub(crate) shards: usize,
    /// Flush interval in seconds
    #[arg(long, default_value_t = 5)]
    pub(crate) flush: u64,
    /// What times and kinds of faults are drawn from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Keep the UDP sockets over restarts and hand them over, as a service manager does; traffic goes
    /// on meanwhile. Without it traffic waits for the new process
    #[arg(long)]
    pub(crate) hand_over: bool,
    /// The daemon to run, in place of the one that was built with this
    #[arg(long, default_value = env!("CARGO_BIN_EXE_ringstat"), hide_default_value = true)]
    pub(crate) ringstat: PathBuf,
    /// Write values, picture and page into benches/record
    #[arg(long)]
    pub(crate) record: bool,
    /// Check that everything works, for some seconds
    #[arg(long)]
    test: bool,
    /// Cargo adds this to `cargo bench`, and not to `cargo test`
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// How long traffic comes.
    pub(crate) fn duration(&self) -> Duration {
        match self.test {
            true => Duration::from_secs(8),
            false => Duration::from_secs_f64(self.minutes * 60.0),
        }
    }
}
