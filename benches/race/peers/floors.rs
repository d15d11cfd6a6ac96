//! The three floors: this bench again, as a process of its own.

use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, SPACES, Stop};
use crate::graphite::{Paths, Reading, Values};

/// A floor sends nothing to Graphite.
const READING: Reading = Reading {
    separators: SPACES,
    values: Values::OfInterval,
    counters: Paths::One(""),
    timers: Paths::One(""),
};

const fn floor(name: &'static str, command: fn(&Place<'_>) -> io::Result<Command>) -> Profile {
    Profile {
        name,
        program: Program::Bench,
        command,
        reading: READING,
        nudge: Nudge::Needless,
        stop: Stop::EmptyDatagram,
    }
}

pub(super) const RECVMMSG: Profile =
    floor("floor-recvmmsg", |place| Ok(command(place, "recvmmsg")));
pub(super) const SLEEP: Profile = floor("floor-sleep", |place| Ok(command(place, "sleep")));
pub(super) const IO_URING: Profile =
    floor("floor-io_uring", |place| Ok(command(place, "io_uring")));

fn command(place: &Place<'_>, kind: &str) -> Command {
    let settings = place.settings;
    let mut command = Command::new(place.program);
    command
        .args(["floor", kind])
        .arg(format!("--bind=127.0.0.1:{}", place.udp_port))
        .arg(format!("--max-wait={}us", settings.max_wait.as_micros()))
        .arg(format!(
            "--receive-buffer={}",
            settings.receive_buffer_bytes
        ));
    command
}
