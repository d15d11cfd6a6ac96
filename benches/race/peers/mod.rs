//! Who takes part: how each daemon is configured, started, stopped and read.

mod bioyino;
mod brubeck;
mod collectd;
mod etsy;
mod floors;
mod gostatsd;
mod netdata;
mod ringstat;
mod statsite;
mod veneur;

use std::env;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::graphite::Reading;

/// What the race knows about a daemon.
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// Writes what configuration it needs and returns how to start it, in the foreground.
    pub(crate) command: fn(&Place<'_>) -> io::Result<Command>,
    pub(crate) reading: Reading,
    pub(crate) nudge: Nudge,
    pub(crate) stop: Stop,
}

impl Profile {
    fn is_ours(&self) -> bool {
        match self.program {
            Program::Ours(_) | Program::Bench => true,
            Program::Installed(_) => false,
        }
    }

    fn is_floor(&self) -> bool {
        self.stop == Stop::EmptyDatagram
    }
}

/// What makes a daemon hand on what it keeps back until more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nudge {
    /// It keeps nothing back.
    Needless,
    /// Another datagram.
    Datagram,
    /// SIGUSR1.
    Signal,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// Built together with this bench.
    Ours(&'static str),
    /// This bench itself.
    Bench,
    /// Found on PATH under this name, unless `--peer` says otherwise.
    Installed(&'static str),
}

/// How a daemon is brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// By SIGTERM.
    Terminate,
    /// By an empty datagram, after which it prints how many datagrams and bytes it got.
    EmptyDatagram,
}

/// Between path, value and time of Graphite's text.
const SPACES: [u8; 2] = [b' ', b' '];

/// Where a daemon runs and what is asked of it.
pub(crate) struct Place<'a> {
    pub(crate) program: &'a Path,
    /// A folder that is removed afterwards.
    pub(crate) folder: &'a Path,
    pub(crate) udp_port: u16,
    pub(crate) graphite_port: u16,
    pub(crate) settings: &'a Settings,
}

/// What is asked of every daemon, as far as it has a setting for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) flush: Duration,
    pub(crate) receive_buffer_bytes: usize,
    /// How long ringstat and the floors let datagrams gather.
    pub(crate) max_wait: Duration,
    /// Whether ringstat uses gstatsd's naming, which writes fewer lines.
    pub(crate) short_naming: bool,
    /// Series that a daemon must have room for.
    pub(crate) series_max: u64,
}

impl Settings {
    /// The flush interval for daemons that know whole seconds only.
    pub(crate) fn flush_s(&self) -> u64 {
        self.flush.as_secs().max(1)
    }
}

/// All profiles, in the order of the tables.
pub(crate) const PROFILES: [&Profile; 13] = [
    &floors::RECVMMSG,
    &floors::SLEEP,
    &floors::IO_URING,
    &ringstat::IO_URING,
    &ringstat::RECVMMSG,
    &statsite::PROFILE,
    &brubeck::PROFILE,
    &etsy::PROFILE,
    &gostatsd::PROFILE,
    &veneur::PROFILE,
    &bioyino::PROFILE,
    &netdata::PROFILE,
    &collectd::PROFILE,
];

/// The ringstat that the others are compared with.
pub(crate) const RINGSTAT: &str = ringstat::IO_URING.name;
/// ringstat with the other engine.
pub(crate) const RINGSTAT_RECVMMSG: &str = ringstat::RECVMMSG.name;
/// The floor that ringstat's engine is compared with.
pub(crate) const FLOOR: &str = floors::IO_URING.name;
pub(crate) const STATSITE: &str = statsite::PROFILE.name;
pub(crate) const BRUBECK: &str = brubeck::PROFILE.name;

/// A program given by hand: `statsite=/usr/local/bin/statsite`.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
}

impl Given {
    /// Reads `NAME=PATH`.
    ///
    /// # Errors
    /// A sentence that names what is known.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, program) = text.split_once('=').ok_or("NAME=PATH is wanted")?;
        let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        if !names.contains(&name) {
            return Err(format!(
                "no profile {name:?}; there are {}",
                names.join(", ")
            ));
        }
        Ok(Given {
            name: name.to_owned(),
            program: program.into(),
        })
    }
}

/// A profile and the program that was found for it.
pub(crate) struct Contestant {
    pub(crate) profile: &'static Profile,
    pub(crate) program: PathBuf,
}

impl Contestant {
    pub(crate) fn name(&self) -> &'static str {
        self.profile.name
    }

    /// Whether it is built from this repository.
    pub(crate) fn is_ours(&self) -> bool {
        self.profile.is_ours()
    }

    /// Whether it throws away what it receives.
    pub(crate) fn is_floor(&self) -> bool {
        self.profile.is_floor()
    }
}

/// Whether a contestant is built from this repository.
pub(crate) fn is_ours(name: &str) -> bool {
    profile(name).is_some_and(Profile::is_ours)
}

/// Whether a contestant throws away what it receives.
pub(crate) fn is_floor(name: &str) -> bool {
    profile(name).is_some_and(Profile::is_floor)
}

fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.into_iter().find(|profile| profile.name == name)
}

/// Everyone who is there, in the order of the tables.
pub(crate) fn present(given: &[Given]) -> Vec<Contestant> {
    let present = |profile: &&'static Profile| {
        let by_hand = given.iter().rfind(|given| given.name == profile.name);
        let program = match (by_hand, profile.program) {
            (Some(given), _) => given.program.clone(),
            (None, Program::Ours(path)) => path.into(),
            (None, Program::Bench) => env::current_exe().ok()?,
            (None, Program::Installed(name)) => on_path(name)?,
        };
        Some(Contestant { profile, program })
    };
    PROFILES.iter().filter_map(present).collect()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A TCP port that was free a moment ago, for what a daemon insists on listening to.
fn free_tcp_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
