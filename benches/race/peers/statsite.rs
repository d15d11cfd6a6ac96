//! statsite 0.8: streams each flush to a command's standard input, here a copy to our listener.

use std::fs;
use std::io;
use std::process::Command;

use super::{Place, Profile, Program, Stop};
use crate::graphite::{Paths, Reading};

pub(super) const PROFILE: Profile = Profile {
    name: "statsite",
    program: Program::Installed("statsite"),
    command,
    reading: Reading {
        separator: b'|',
        counter_sum: Paths {
            begin: "counts.service.counter.",
            end: "",
        },
        timer_count: Paths {
            begin: "timers.service.timer.",
            end: ".count",
        },
    },
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
