//! netdata with everything off but statsd and the Graphite exporter. Its receive buffer is that
//! of net.core.rmem_default.

use std::fs;
use std::io;
use std::process::Command;

use super::{Nudge, Place, Profile, Program, SPACES, Stop};
use crate::graphite::{Paths, Reading, Values};

pub(super) const PROFILE: Profile = Profile {
    name: "netdata",
    program: Program::Installed("netdata"),
    command,
    reading: Reading {
        separators: SPACES,
        // Its counters never fall back to 0, and its timers have no count.
        values: Values::LinesSinceStart,
        counters: Paths::One("netdata.race.netdata.statsd_events.counters"),
        timers: Paths::One("netdata.race.netdata.statsd_events.timers"),
    },
    nudge: Nudge::Needless,
    stop: Stop::Terminate,
};

/// A chart of netdata's takes many KB; a series beyond these is counted but has none.
const CHARTS_MAX: u64 = 100_000;

fn command(place: &Place<'_>) -> io::Result<Command> {
    let folder = place.folder.display();
    for name in ["etc", "cache", "lib", "log", "plugins"] {
        fs::create_dir(place.folder.join(name))?;
    }
    let etc = place.folder.join("etc");
    // Without this file it tells its makers that it was started.
    fs::write(etc.join(".opt-out-from-anonymous-statistics"), "")?;
    let flush_s = place.settings.flush_s();
    let charts = (2 * place.settings.series_max).min(CHARTS_MAX);
    let configuration = format!(
        "[global]\n\
         hostname = race\n\
         run as user = root\n\
         OOM score = keep\n\
         process scheduling policy = keep\n\
         [directories]\n\
         config = {folder}/etc\n\
         stock config = {folder}/etc\n\
         cache = {folder}/cache\n\
         lib = {folder}/lib\n\
         log = {folder}/log\n\
         plugins = {folder}/plugins\n\
         [db]\n\
         mode = ram\n\
         retention = 60\n\
         update every = {flush_s}\n\
         [logs]\n\
         debug = none\n\
         error = {folder}/log/error.log\n\
         access = none\n\
         health = none\n\
         [web]\n\
         mode = none\n\
         [health]\n\
         enabled = no\n\
         [ml]\n\
         enabled = no\n\
         [registry]\n\
         enabled = no\n\
         [plugins]\n\
         timex = no\n\
         idlejitter = no\n\
         proc = no\n\
         diskspace = no\n\
         cgroups = no\n\
         tc = no\n\
         netdata monitoring = yes\n\
         netdata monitoring extended = no\n\
         enable running new plugins = no\n\
         statsd = yes\n\
         [statsd]\n\
         bind to = udp:127.0.0.1:{}\n\
         update every (flushInterval) = {flush_s}\n\
         udp messages to process at once = 100\n\
         create private charts for metrics matching = *\n\
         max private charts hard limit = {charts}\n\
         private charts memory mode = ram\n\
         private charts history = 60\n",
        place.udp_port,
    );
    fs::write(etc.join("netdata.conf"), configuration)?;
    let exporting = format!(
        "[exporting:global]\n\
         enabled = yes\n\
         update every = {flush_s}\n\
         send configured labels = no\n\
         send automatic labels = no\n\
         [graphite:race]\n\
         enabled = yes\n\
         destination = tcp:127.0.0.1:{}\n\
         data source = as collected\n\
         prefix = netdata\n\
         hostname = race\n\
         update every = {flush_s}\n\
         buffer on failures = 10\n\
         timeout ms = 2000\n\
         send names instead of ids = yes\n\
         send charts matching = statsd_* netdata.statsd_*\n\
         send hosts matching = *\n",
        place.graphite_port,
    );
    fs::write(etc.join("exporting.conf"), exporting)?;
    let mut command = Command::new(place.program);
    command.arg("-D").arg("-c").arg(etc.join("netdata.conf"));
    Ok(command)
}
