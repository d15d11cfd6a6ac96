//! `ringstat compare`: stands in for Graphite before two daemons that get the same traffic, and says
//! what they make of it differently. A program of its own beside the daemon.
//!
//! It takes Graphite's text protocol. Points are brought together by slot and path; `drift` has the
//! rule by which a sample that one daemon counted a slot later is told from a difference, `known`
//! the differences that are meant.

mod comparison;
mod drift;
mod kind;
mod known;
mod listen;
mod point;
mod report;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::config::values::{FlushInterval, Time};
use comparison::{Comparison, Rules, Side};

/// Compare what two daemons send to Graphite for the same traffic.
///
/// It listens in Graphite's place, once for each daemon. When the time is over, or at Ctrl-C, it
/// prints what differs. The exit code is 0 if nothing does but for a known reason, 1 if something
/// does, if nothing could be judged or paths were left out, and 2 if the command line is wrong.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "ringstat compare", version, max_term_width = 100)]
pub struct Arguments {
    /// Where the old daemon sends its points: [host]:port, or a port of 127.0.0.1
    #[arg(long, value_name = "ADDRESS")]
    old: ListenAddress,

    /// Where the new daemon sends its points
    #[arg(long, value_name = "ADDRESS")]
    new: ListenAddress,

    /// How long to compare
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    duration: Time,

    /// The flush interval of both daemons
    #[arg(long, value_name = "TIME", default_value = "10s")]
    interval: FlushInterval,

    /// How far two values may be apart, relative to the larger one
    #[arg(long, value_name = "NUMBER", default_value = "1e-9", value_parser = tolerance)]
    tolerance: f64,

    /// Leave out paths that begin like this; repeatable. What the daemons say of themselves is left
    /// out anyhow
    #[arg(long, value_name = "PREFIX")]
    ignore: Vec<String>,

    /// How many paths to list of a kind
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,

    /// The most paths to remember, at about 300 bytes each
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    max_paths: u32,
}

/// What the daemons say of themselves, under the names that they have unless told otherwise.
const OWN_METRICS: [&str; 6] = [
    "ringstat.",
    "statsd.",
    "stats.statsd.",
    "stats_counts.statsd.",
    "stats.counters.statsd.",
    "stats.gauges.statsd.timestamp_lag",
];

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListenAddress(String);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", text));
        let host = if host.is_empty() { "[::]" } else { host };
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
        if !is_port || is_bare_ipv6 || host.contains(char::is_whitespace) {
            return Err("an address is [host]:port or a port, such as 127.0.0.1:2103".to_owned());
        }
        Ok(ListenAddress(format!("{host}:{port}")))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let sensible = number.filter(|number| (0.0..1.0).contains(number));
    sensible.ok_or_else(|| "a tolerance is a number from 0 to below 1".to_owned())
}

/// Compares until the time is over or a signal says so. What differs goes to `out`, progress and
/// mistakes go to `progress`. Returns the exit code.
#[must_use]
pub fn run(arguments: &Arguments, out: &mut impl Write, progress: &mut impl Write) -> u8 {
    let compared = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))
        .and_then(|runtime| {
            let compare = compare(arguments, progress);
            LocalSet::new().block_on(&runtime, compare)
        });
    let report = match compared {
        Ok(comparison) => report::report(&comparison, arguments.limit),
        Err(message) => {
            // The exit code says enough if nobody reads this.
            let _ = writeln!(progress, "ringstat compare: {message}");
            return WRONG_USAGE;
        }
    };
    // Whoever closed the pipe has read enough.
    let _ = out.write_all(report.text.as_bytes());
    u8::from(!report.is_equal)
}

/// The exit code where nothing was compared, because an address was wrong.
const WRONG_USAGE: u8 = 2;

/// How often it tells how far it is: each so many flush intervals, but at least once a minute.
const PROGRESS_SLOTS: u32 = 3;
const PROGRESS_MAX: Duration = Duration::from_secs(60);

async fn compare(arguments: &Arguments, progress: &mut impl Write) -> Result<Comparison, String> {
    let FlushInterval(interval) = arguments.interval;
    let own = OWN_METRICS.iter().map(|prefix| (*prefix).to_owned());
    let comparison = Rc::new(RefCell::new(Comparison::new(Rules {
        interval_s: interval.as_secs_f64(),
        tolerance: arguments.tolerance,
        ignored: own.chain(arguments.ignore.iter().cloned()).collect(),
        paths_max: arguments.max_paths as usize,
    })));
    let sides = [
        ("old", &arguments.old, Side::Old),
        ("new", &arguments.new, Side::New),
    ];
    for (name, address, side) in sides {
        let bind = async {
            let listener = TcpListener::bind(&address.0).await?;
            let local = listener.local_addr()?;
            io::Result::Ok((listener, local))
        };
        let bound = bind.await;
        let (listener, local) = bound.map_err(|error| format!("--{name} {address}: {error}"))?;
        say(progress, &format!("waiting for {name} on {local}"));
        drop(tokio::task::spawn_local(listen::serve(
            listener,
            side,
            Rc::clone(&comparison),
        )));
    }
    let signals = signal(SignalKind::interrupt()).and_then(|interrupt| {
        let terminate = signal(SignalKind::terminate())?;
        Ok((interrupt, terminate))
    });
    let (mut interrupt, mut terminate) =
        signals.map_err(|error| format!("cannot catch signals: {error}"))?;
    let Time(duration) = arguments.duration;
    let (start, end) = (Instant::now(), tokio::time::sleep(duration));
    tokio::pin!(end);
    let mut ticks = tokio::time::interval((interval * PROGRESS_SLOTS).min(PROGRESS_MAX));
    ticks.tick().await;
    loop {
        tokio::select! {
            () = &mut end => break,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = ticks.tick() => say(progress, &far(&comparison.borrow(), start.elapsed(), duration)),
        }
    }
    // The tasks of connections keep the other owners; none runs any more.
    let rules = comparison.borrow().rules().clone();
    let mut comparison = comparison.replace(Comparison::new(rules));
    comparison.finish();
    Ok(comparison)
}

fn far(comparison: &Comparison, elapsed: Duration, duration: Duration) -> String {
    let [old, new] = comparison.counts.map(|counts| counts.points);
    format!(
        "{} of {}: {} slots compared, {} paths, {} differ; {old} points from old, {new} from new",
        Time(Duration::from_secs(elapsed.as_secs())),
        Time(duration),
        comparison.slots(),
        comparison.paths.len(),
        report::differing(comparison),
    )
}

/// Progress is worth nothing to somebody who does not read it.
fn say(progress: &mut impl Write, line: &str) {
    let _ = writeln!(progress, "{line}");
}

#[cfg(test)]
mod tests;
