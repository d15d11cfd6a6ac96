//! The command line of gstatsd, which ringstat takes when it is started under that name.

use clap::ArgAction::{Append, Count as Counted, Version};
use clap::Parser;

use super::prefix::Prefix;
use super::values::{FlushInterval, Percents};
use super::{Settings, text};
use crate::naming::Dialect;
use crate::sink::SinkAddress;
use crate::sink::address::SinkKind;
use crate::transport::BindAddress;

/// Takes StatsD lines by UDP, adds them up and sends the result to Graphite, as gstatsd does.
#[derive(Debug, Parser)]
// As with gstatsd, the last of several -f counts, and a long option may be shortened.
#[command(
    name = "gstatsd",
    version = concat!("(ringstat ", env!("CARGO_PKG_VERSION"), ")"),
    disable_version_flag = true,
    args_override_self = true,
    infer_long_args = true
)]
#[command(
    after_help = "This is ringstat under the name gstatsd; ringstat --help has more options."
)]
pub struct Arguments {
    /// Listen on [host]:port; without a host, on every address [default: :8125]
    #[arg(short, long, value_name = "BIND_ADDR", value_parser = text::parse::<BindAddress>)]
    bind: Option<BindAddress>,

    /// Send points to this Graphite server, [host]:port or port; repeatable, at least one
    #[arg(short, long, value_name = "SINK", value_parser = graphite_text, action = Append)]
    sink: Vec<SinkAddress>,

    /// Log more; -vv logs most
    #[arg(short, action = Counted)]
    verbose: u8,

    /// Flush interval, in seconds [default: 10]
    #[arg(short, long, value_name = "INTERVAL", value_parser = text::parse::<FlushInterval>)]
    flush: Option<FlushInterval>,

    /// Put this before the name of every series [default: none]
    #[arg(short = 'x', long, value_name = "PREFIX", value_parser = text::parse::<Prefix>)]
    prefix: Option<Prefix>,

    /// Percentile of timers to report [default: 90]
    #[arg(short, long, value_name = "PERCENT", value_parser = text::parse::<Percents>)]
    percent: Option<Percents>,

    /// Go into the background
    #[arg(short = 'D', long)]
    daemonize: bool,

    /// Print version
    #[arg(long, action = Version)]
    version: (),
}

impl Arguments {
    /// What these options mean among ringstat's settings.
    ///
    /// # Errors
    /// A message if there is no sink: gstatsd does not start without one.
    pub fn into_settings(self) -> Result<Settings, String> {
        if self.sink.is_empty() {
            return Err(
                "gstatsd needs at least one Graphite server to send to, such as -s 2003 \
                        (port 2003 on this machine) or -s graphite.example.net:2003"
                    .to_owned(),
            );
        }
        Ok(Settings {
            bind: self.bind.map(|bind| vec![bind]),
            sink: Some(self.sink),
            flush: self.flush,
            naming: Some(Dialect::Gstatsd),
            prefix: self.prefix,
            percent: self.percent.map(|percents| vec![percents]),
            daemonize: Some(self.daemonize),
            verbose: self.verbose,
            ..Settings::default()
        })
    }
}

fn graphite_text(text: &str) -> Result<SinkAddress, String> {
    let sink: SinkAddress = text::parse(text)?;
    match sink.kind {
        SinkKind::GraphiteText => Ok(sink),
        SinkKind::GraphitePickle
        | SinkKind::Console
        | SinkKind::CommandText
        | SinkKind::CommandBinary
        | SinkKind::CommandPrefixedBinary => {
            Err("gstatsd sends Graphite's text only; the command ringstat has other sinks".into())
        }
    }
}
