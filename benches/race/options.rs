//! The command line.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use ringstat::kernel::allowed_cpus;

use crate::choice::{Choice, Heat};
use crate::floor::{self, FloorOptions};
use crate::load::command::LoadOptions;
use crate::peers::{self, Contestant, Given};
use crate::race::{Cores, Course};
use crate::scenario::Scenario;
use crate::units::parse_duration;

/// Races ringstat, floors and other StatsD daemons under the same traffic
#[derive(Debug, Parser)]
#[command(name = "race", subcommand_negates_reqs = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) tool: Option<Tool>,
    /// What to race
    #[arg(value_enum)]
    choices: Vec<Choice>,
    /// Rounds, in each of which everyone runs once
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Race only these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where a daemon is that is not on PATH: statsite=/path/to/statsite; repeatable
    #[arg(long, value_parser = Given::parse)]
    peer: Vec<Given>,
    /// Flush interval of all daemons, in whole seconds for most
    #[arg(long, value_parser = parse_duration, default_value = "2s")]
    flush: Duration,
    /// Flush intervals that are measured, after one that is not
    #[arg(long, default_value_t = 2)]
    intervals: u32,
    /// How long ringstat and the floors let datagrams gather
    #[arg(long, value_parser = parse_duration, default_value = "5ms")]
    max_wait: Duration,
    /// UDP receive buffer to ask for, in bytes; net.core.rmem_max unless given, at most 32 MiB
    #[arg(long)]
    receive_buffer: Option<usize>,
    /// Source sockets, which take turns
    #[arg(long, default_value_t = 1)]
    sockets: usize,
    /// Write values, picture and page into benches/record, in place of those that are there
    #[arg(long)]
    pub(crate) record: bool,
    /// Core of the daemon; the second one that we may use unless given
    #[arg(long)]
    daemon_core: Option<usize>,
    /// Core of the sender and the Graphite server; the first one unless given
    #[arg(long)]
    sender_core: Option<usize>,
    /// Check that everything works, for a second; no peers, no figures
    #[arg(long)]
    test: bool,
    /// Cargo adds this to `cargo bench`, and not to `cargo test`
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

/// Parts of the race as commands of their own.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Send traffic of a stated shape to any StatsD daemon, and print its exact totals
    Load(LoadOptions),
    /// Receive datagrams and throw them away, until an empty one comes
    Floor(FloorOptions),
    /// Copy the standard input to a TCP connection
    Forward {
        /// Where to
        to: SocketAddr,
    },
}

impl Options {
    /// What to race: packed traffic unless something else is named.
    pub(crate) fn heats(&self) -> Vec<Heat> {
        if self.choices.is_empty() {
            return Choice::One(Scenario::Packed).heats();
        }
        self.choices
            .iter()
            .flat_map(|choice| choice.heats())
            .collect()
    }

    /// Whether nothing is to be measured: by `--test`, or under `cargo test --benches`.
    pub(crate) fn is_test(&self) -> bool {
        self.test || (!self.bench && self.choices.is_empty())
    }

    pub(crate) fn course(&self) -> Course {
        Course {
            rounds: self.rounds,
            flush: self.flush,
            intervals: self.intervals,
            receive_buffer_bytes: self.receive_buffer.unwrap_or_else(receive_buffer_max),
            max_wait: self.max_wait,
            cores: self.cores(),
            sockets: self.sockets,
        }
    }

    pub(crate) fn cores(&self) -> Cores {
        let allowed = allowed_cpus();
        let second = allowed.get(1).unwrap_or_else(|| {
            eprintln!("daemon and sender share the only core, and both cost more for it");
            &allowed[0]
        });
        Cores {
            daemon: self.daemon_core.unwrap_or(*second),
            sender: self.sender_core.unwrap_or(allowed[0]),
        }
    }

    /// Everyone who is there and wanted.
    pub(crate) fn contestants(&self) -> Vec<Contestant> {
        let mut contestants = peers::present(&self.peer);
        if self.is_test() {
            contestants.retain(Contestant::is_ours);
        }
        if !self.only.is_empty() {
            contestants.retain(|contestant| self.only.iter().any(|name| name == contestant.name()));
        }
        if let Some(error) = floor::io_uring_fault() {
            eprintln!("no io_uring here, so it does not take part: {error}");
            contestants.retain(|contestant| !contestant.name().ends_with("io_uring"));
        }
        contestants
    }
}

/// What every daemon may have without a privilege. ringstat could force more.
fn receive_buffer_max() -> usize {
    const ENOUGH_BYTES: usize = 32 << 20;
    let text = fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
    text.trim()
        .parse()
        .unwrap_or(ENOUGH_BYTES)
        .min(ENOUGH_BYTES)
}
