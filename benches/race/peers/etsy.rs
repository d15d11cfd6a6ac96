//! etsy's statsd: a script for Node, whose settings are JavaScript.

use std::fs;
use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, SPACES, Stop};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "etsy",
    program: Program::Installed("statsd"),
    command,
    reading: Reading {
        separators: SPACES,
        values: Values::OfInterval,
        counters: Paths::Around("stats_counts.service.counter.", ""),
        timers: Paths::Around("stats.timers.service.timer.", ".count"),
    },
    nudge: Nudge::Needless,
    stop: Stop::Terminate,
};

fn command(place: &Place<'_>) -> io::Result<Command> {
    // Its own UDP server leaves the receive buffer as it is; a server may be given by its path.
    let server = format!(
        "exports.start = function (config, received) {{\n\
         \x20 const options = {{ type: 'udp4', recvBufferSize: {} }};\n\
         \x20 const socket = require('dgram').createSocket(options);\n\
         \x20 socket.on('message', received);\n\
         \x20 socket.bind(config.port, config.address);\n\
         \x20 return true;\n\
         }};\n",
        place.settings.receive_buffer_bytes
    );
    let server_path = place.folder.join("server.js");
    fs::write(&server_path, server)?;
    let configuration = format!(
        "{{\n\
         \x20 servers: [{{ server: '{}', address: '127.0.0.1', port: {port} }}],\n\
         \x20 mgmt_address: '127.0.0.1',\n\
         \x20 mgmt_port: {port},\n\
         \x20 backends: ['./backends/graphite'],\n\
         \x20 graphiteHost: '127.0.0.1',\n\
         \x20 graphitePort: {},\n\
         \x20 flushInterval: {},\n\
         \x20 deleteIdleStats: true,\n\
         \x20 automaticConfigReload: false\n\
         }}\n",
        server_path.display(),
        place.graphite_port,
        place.settings.flush.as_millis(),
        port = place.udp_port,
    );
    let path = place.folder.join("etsy.js");
    fs::write(&path, configuration)?;
    let mut command = Command::new("node");
    // Enough for some millions of series.
    command.arg("--max-old-space-size=16384");
    command.arg(place.program).arg(path);
    Ok(command)
}
