//! statsite 0.8: streams each flush to a command's standard input, here a copy to our listener.

use std::fs;
use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, Stop};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "statsite",
    program: Program::Installed("statsite"),
    command,
    reading: Reading {
        separators: [b'|', b'|'],
        values: Values::OfInterval,
        counters: Paths::Around("counts.service.counter.", ""),
        timers: Paths::Around("timers.service.timer.", ".count"),
    },
    nudge: Nudge::Needless,
    stop: Stop::Terminate,
};

fn command(place: &Place<'_>) -> io::Result<Command> {
    let bench = std::env::current_exe()?;
    let configuration = format!(
        "[statsite]\n\
         port = 0\n\
         udp_port = {}\n\
         bind_address = 127.0.0.1\n\
         udp_rcvbuf = {}\n\
         flush_interval = {}\n\
         log_level = WARN\n\
         daemonize = 0\n\
         pid_file = {}\n\
         stream_cmd = exec {} forward 127.0.0.1:{}\n",
        place.udp_port,
        place.settings.receive_buffer_bytes,
        place.settings.flush_s(),
        place.folder.join("statsite.pid").display(),
        bench.display(),
        place.graphite_port,
    );
    let path = place.folder.join("statsite.conf");
    fs::write(&path, configuration)?;
    let mut command = Command::new(place.program);
    command.arg("-f").arg(path);
    Ok(command)
}
