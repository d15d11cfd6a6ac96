//! gostatsd, Atlassian's: one reader, one parser, one worker, as it has one core.

use std::fs;
use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, SPACES, Stop};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "gostatsd",
    program: Program::Installed("gostatsd"),
    command,
    reading: Reading {
        separators: SPACES,
        values: Values::OfInterval,
        counters: Paths::Around("stats.counters.service.counter.", ".count"),
        timers: Paths::Around("stats.timers.service.timer.", ".count"),
    },
    nudge: Nudge::Needless,
    stop: Stop::Terminate,
};

fn command(place: &Place<'_>) -> io::Result<Command> {
    let configuration = format!(
        "metrics-addr = \"127.0.0.1:{}\"\n\
         flush-interval = \"{}ms\"\n\
         expiry-interval = \"0\"\n\
         backends = [\"graphite\"]\n\
         max-readers = 1\n\
         max-parsers = 1\n\
         max-workers = 1\n\
         receive-batch-size = 50\n\
         statser-type = \"null\"\n\
         ignore-host = true\n\
         [graphite]\n\
         address = \"127.0.0.1:{}\"\n\
         mode = \"basic\"\n",
        place.udp_port,
        place.settings.flush.as_millis(),
        place.graphite_port,
    );
    let path = place.folder.join("gostatsd.toml");
    fs::write(&path, configuration)?;
    let mut command = Command::new(place.program);
    command.arg("--config-path").arg(path);
    Ok(command)
}
