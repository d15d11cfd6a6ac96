//! The three floors: this bench again, as a process of its own.

use std::io;
use std::process::Command;

use super::{Place, Profile, Program, Stop};
use crate::graphite::{Paths, Reading};

/// A floor sends nothing to Graphite.
const READING: Reading = Reading {
    separator: b' ',
    counter_sum: Paths { begin: "", end: "" },
    timer_count: Paths { begin: "", end: "" },
};

const fn floor(name: &'static str, command: fn(&Place<'_>) -> io::Result<Command>) -> Profile {
    Profile {
        name,
        program: Program::Bench,
        command,
        reading: READING,
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
