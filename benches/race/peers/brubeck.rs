//! brubeck: sends Graphite text itself; its settings are JSON.

use std::fs;
use std::io;
use std::process::Command;

use serde_json::json;

use super::{Nudge, Place, Profile, Program, SPACES, Stop};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "brubeck",
    program: Program::Installed("brubeck"),
    command,
    reading: Reading {
        separators: SPACES,
        values: Values::OfInterval,
        counters: Paths::Around("service.counter.", ""),
        timers: Paths::Around("service.timer.", ".count"),
    },
    nudge: Nudge::Needless,
    stop: Stop::Terminate,
};

fn command(place: &Place<'_>) -> io::Result<Command> {
    let flush_s = place.settings.flush_s();
    // The table has 2^capacity places. A series that is silent for so many seconds is let go.
    let capacity = place
        .settings
        .series_max
        .next_power_of_two()
        .ilog2()
        .max(15);
    let configuration = json!({
        "server_name": "brubeck",
        "dumpfile": place.folder.join("brubeck.dump"),
        "capacity": capacity,
        "expire": 10 * flush_s,
        "backends": [{
            "type": "carbon",
            "address": "127.0.0.1",
            "port": place.graphite_port,
            "frequency": flush_s,
            "pickle": false,
        }],
        // With more than one message for each call it parses and logs those that the kernel did
        // not fill, which costs it more than it saves.
        "samplers": [{
            "type": "statsd",
            "address": "127.0.0.1",
            "port": place.udp_port,
            "workers": 1,
            "multisock": true,
            "multimsg": 1,
        }],
    });
    let path = place.folder.join("brubeck.json");
    fs::write(&path, configuration.to_string())?;
    let mut command = Command::new(place.program);
    command.args(["--log", "/dev/null", "--config"]).arg(path);
    Ok(command)
}
