//! bioyino: one thread of each kind, as it has one core. Its receive buffer is that of
//! net.core.rmem_default.

use std::fs;
use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, SPACES, Stop, free_tcp_port};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "bioyino",
    program: Program::Installed("bioyino"),
    command,
    reading: Reading {
        separators: SPACES,
        values: Values::OfInterval,
        counters: Paths::Around("service.counter.", ""),
        timers: Paths::Around("service.timer.", ".count"),
    },
    // It parses when 64 KiB are together, or when a datagram comes after a while.
    nudge: Nudge::Datagram,
    stop: Stop::Terminate,
};

fn command(place: &Place<'_>) -> io::Result<Command> {
    // With fewer than four threads for aggregation it may lock up, as its documentation says.
    let configuration = format!(
        "verbosity-console = \"warn\"\n\
         n-threads = 1\n\
         p-threads = 1\n\
         w-threads = 1\n\
         a-threads = 4\n\
         task-queue-size = 65536\n\
         start-as-leader = true\n\
         stats-interval = 0\n\
         consensus = \"none\"\n\
         [carbon]\n\
         address = \"127.0.0.1:{}\"\n\
         interval = {}\n\
         chunks = 1\n\
         [network]\n\
         listen = \"127.0.0.1:{port}\"\n\
         peer-listen = \"127.0.0.1:{}\"\n\
         mgmt-listen = \"127.0.0.1:{port}\"\n\
         bufsize = 1500\n\
         multimessage = false\n\
         async-sockets = 1\n\
         greens = 1\n\
         buffer-flush-time = 100\n\
         buffer-flush-length = 65536\n\
         snapshot-interval = 500\n\
         nodes = []\n\
         [metrics]\n\
         consistent-parsing = true\n\
         [naming.default]\n\
         destination = \"name\"\n",
        place.graphite_port,
        place.settings.flush.as_millis(),
        free_tcp_port()?,
        port = place.udp_port,
    );
    let path = place.folder.join("bioyino.toml");
    fs::write(&path, configuration)?;
    let mut command = Command::new(place.program);
    command.arg("--config").arg(path);
    Ok(command)
}
