//! veneur: has no Graphite sink; what comes nearest sends `name:value|type|#tags` by TCP.

use std::fs;
use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, Stop};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "veneur",
    program: Program::Installed("veneur"),
    command,
    reading: Reading {
        separators: [b':', b'|'],
        values: Values::OfInterval,
        counters: Paths::Around("service.counter.", ""),
        timers: Paths::Around("service.timer.", ".count"),
    },
    nudge: Nudge::Needless,
    stop: Stop::Terminate,
};

fn command(place: &Place<'_>) -> io::Result<Command> {
    // It ends at once without an HTTP address, and takes no Graphite address that is a number.
    // Its own statistics go to a port where nobody listens.
    let configuration = format!(
        "statsd_listen_addresses:\n\
         \x20 - udp://127.0.0.1:{port}\n\
         interval: \"{}ms\"\n\
         num_workers: 1\n\
         num_readers: 1\n\
         num_span_workers: 1\n\
         read_buffer_size_bytes: {}\n\
         metric_max_length: 4096\n\
         synchronize_with_interval: false\n\
         omit_empty_hostname: true\n\
         hostname: \"\"\n\
         http_address: \"127.0.0.1:{port}\"\n\
         stats_address: \"127.0.0.1:9\"\n\
         percentiles: [0.9]\n\
         aggregates: [\"min\", \"max\", \"count\"]\n\
         features:\n\
         \x20 diagnostics_metrics_enabled: false\n\
         metric_sinks:\n\
         \x20 - kind: prometheus\n\
         \x20   name: prometheus\n\
         \x20   config:\n\
         \x20     repeater_address: localhost:{}\n\
         \x20     network_type: tcp\n",
        place.settings.flush.as_millis(),
        place.settings.receive_buffer_bytes,
        place.graphite_port,
        port = place.udp_port,
    );
    let path = place.folder.join("veneur.yaml");
    fs::write(&path, configuration)?;
    let mut command = Command::new(place.program);
    command.arg("-f").arg(path);
    Ok(command)
}
