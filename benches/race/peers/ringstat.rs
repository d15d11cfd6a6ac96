//! ringstat, with each of its engines.

use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, SPACES, Stop};
use crate::graphite::{Paths, Reading, Values};

const fn ringstat(name: &'static str, command: fn(&Place<'_>) -> io::Result<Command>) -> Profile {
    Profile {
        name,
        program: Program::Ours(env!("CARGO_BIN_EXE_ringstat")),
        command,
        // The beginnings hold for the naming etsy and for gstatsd.
        reading: Reading {
            separators: SPACES,
            values: Values::OfInterval,
            counters: Paths::Around("stats_counts.service.counter.", ""),
            timers: Paths::Around("stats.timers.service.timer.", ".count"),
        },
        nudge: Nudge::Needless,
        stop: Stop::Terminate,
    }
}

pub(super) const IO_URING: Profile =
    ringstat("ringstat-io_uring", |place| Ok(command(place, "io_uring")));
pub(super) const RECVMMSG: Profile =
    ringstat("ringstat-recvmmsg", |place| Ok(command(place, "recvmmsg")));

fn command(place: &Place<'_>, engine: &str) -> Command {
    let settings = place.settings;
    let naming = if settings.short_naming {
        "gstatsd"
    } else {
        "etsy-legacy"
    };
    let mut command = Command::new(place.program);
    command
        .arg(format!("--bind=127.0.0.1:{}", place.udp_port))
        .arg(format!(
            "--sink=graphite://127.0.0.1:{}",
            place.graphite_port
        ))
        .arg(format!("--flush={}ms", settings.flush.as_millis()))
        .arg(format!("--engine={engine}"))
        .arg(format!("--naming={naming}"))
        .arg(format!("--max-wait={}us", settings.max_wait.as_micros()))
        .arg(format!(
            "--receive-buffer={}",
            settings.receive_buffer_bytes
        ))
        // A series more or less must not matter.
        .arg(format!("--max-series={}", 2 * settings.series_max))
        .args(["--shards=1", "--align=false", "--own-prefix="]);
    command
}
