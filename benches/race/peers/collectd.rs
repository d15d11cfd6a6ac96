//! collectd with its plugins statsd and write_graphite. Its receive buffer is that of
//! net.core.rmem_default.

use std::fs;
use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, SPACES, Stop};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "collectd",
    program: Program::Installed("collectd"),
    command,
    reading: Reading {
        separators: SPACES,
        values: Values::OfInterval,
        counters: Paths::Around("race.statsd.count-service.counter.", ""),
        timers: Paths::Around("race.statsd.gauge-service.timer.", "-count"),
    },
    // The Graphite plugin keeps what does not fill a frame until it is told to write.
    nudge: Nudge::Signal,
    stop: Stop::Terminate,
};

fn command(place: &Place<'_>) -> io::Result<Command> {
    let folder = place.folder.display();
    // Idle series are forgotten, as they would be sent for ever.
    let configuration = format!(
        "Hostname \"race\"\n\
         FQDNLookup false\n\
         BaseDir \"{folder}\"\n\
         PIDFile \"{folder}/collectd.pid\"\n\
         Interval {}\n\
         Timeout 2\n\
         ReadThreads 1\n\
         WriteThreads 1\n\
         CollectInternalStats false\n\
         LoadPlugin statsd\n\
         <Plugin statsd>\n\
         \x20 Host \"127.0.0.1\"\n\
         \x20 Port \"{}\"\n\
         \x20 DeleteCounters true\n\
         \x20 DeleteTimers true\n\
         \x20 DeleteGauges true\n\
         \x20 DeleteSets true\n\
         \x20 CounterSum true\n\
         \x20 TimerLower true\n\
         \x20 TimerUpper true\n\
         \x20 TimerSum true\n\
         \x20 TimerCount true\n\
         \x20 TimerPercentile 90.0\n\
         </Plugin>\n\
         LoadPlugin write_graphite\n\
         <Plugin write_graphite>\n\
         \x20 <Node \"race\">\n\
         \x20   Host \"127.0.0.1\"\n\
         \x20   Port \"{}\"\n\
         \x20   Protocol \"tcp\"\n\
         \x20   StoreRates false\n\
         \x20   AlwaysAppendDS false\n\
         \x20   EscapeCharacter \"_\"\n\
         \x20   PreserveSeparator true\n\
         \x20 </Node>\n\
         </Plugin>\n",
        place.settings.flush_s(),
        place.udp_port,
        place.graphite_port,
    );
    let path = place.folder.join("collectd.conf");
    fs::write(&path, configuration)?;
    let mut command = Command::new(place.program);
    command.arg("-f").arg("-C").arg(path);
    Ok(command)
}
