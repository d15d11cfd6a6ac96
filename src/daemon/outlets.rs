//! Chooses where points go, and in which format.

use std::io::{self, IsTerminal};
use std::os::unix::fs::FileTypeExt;

use super::StartError;
use crate::config::Config;
use crate::format::Encoding;
use crate::sink::{SinkAddress, address::SinkKind};

/// The sinks and their formats: those that are set, or the console if it is worth it.
pub(super) fn choose(config: &Config) -> Result<Vec<(SinkAddress, Encoding)>, StartError> {
    let on_console = || match io::stdout().is_terminal() {
        true => Encoding::Screen,
        false => Encoding::Text,
    };
    if config.sinks.is_empty() {
        let mut advice =
            "name a Graphite server with --sink HOST:2003 (sink = [\"HOST:2003\"] in a \
                          configuration file)"
                .to_owned();
        if !config.daemonize {
            if stdout_is_read() {
                return Ok(vec![(SinkAddress::console(), on_console())]);
            }
            if !config.repeat.is_empty() {
                // It hands datagrams on, which is a purpose by itself.
                return Ok(Vec::new());
            }
            advice += ", or ask for the standard output with --sink console:";
        }
        return Err(StartError::of_setting(format!(
            "no sink is set, and nobody would read the standard output here; {advice}"
        )));
    }
    let encoding = |address: &SinkAddress| match address.kind {
        SinkKind::GraphiteText => Encoding::Text,
        SinkKind::GraphitePickle => Encoding::Pickle,
        SinkKind::Console => on_console(),
        SinkKind::CommandText => Encoding::Stream,
        SinkKind::CommandBinary => Encoding::Binary,
        SinkKind::CommandPrefixedBinary => Encoding::PrefixedBinary,
    };
    let sinks = config.sinks.iter();
    Ok(sinks
        .map(|address| (address.clone(), encoding(address)))
        .collect())
}

/// Whether the standard output leads to a terminal, a pipe or a file, and not to a service
/// manager's journal (a socket) or to /dev/null.
fn stdout_is_read() -> bool {
    if io::stdout().is_terminal() {
        return true;
    }
    let Ok(stdout) = std::fs::metadata("/proc/self/fd/1") else {
        return false;
    };
    stdout.is_file() || stdout.file_type().is_fifo()
}
