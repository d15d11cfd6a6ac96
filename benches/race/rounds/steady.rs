//! A round at a fixed rate: what a daemon's CPU time is for each line and each datagram, flushes
//! included, and whether it accounts for all of them.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, Delivered};
use crate::figure::Figure;
use crate::load::{Limit, Pace, Pool, Progress, Sender, Totals};
use crate::peers::{Contestant, Settings};

/// What is sent, and when it is measured.
pub(crate) struct Steady<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) pace: Pace,
    pub(crate) sockets: usize,
    /// Traffic before the measurement, in which series are made and caches fill.
    pub(crate) warm_up: Duration,
    /// The measurement: whole flush intervals.
    pub(crate) window: Duration,
}

/// What a round has shown.
pub(crate) struct Outcome {
    pub(crate) values: Vec<(Figure, f64)>,
    pub(crate) sent: Totals,
    pub(crate) delivered: Delivered,
}

/// A daemon at a moment.
struct Look {
    at: Instant,
    cpu: Duration,
    sent: u64,
    output_lines: u64,
}

impl Look {
    fn at(daemon: &Daemon<'_>, progress: &Progress) -> io::Result<Self> {
        Ok(Look {
            at: Instant::now(),
            cpu: daemon.process().cpu_time()?,
            sent: progress.sent(),
            output_lines: daemon.received().lines,
        })
    }
}

/// Runs a round of one contestant.
///
/// # Errors
/// The daemon does not start or ends before its time, or the traffic cannot be sent.
pub(crate) fn run(
    contestant: &Contestant,
    settings: &Settings,
    core: usize,
    steady: &Steady<'_>,
) -> io::Result<Outcome> {
    let daemon = Daemon::start(contestant, settings, core)?;
    let mut sender = Sender::open(steady.pool, daemon.address(), steady.sockets)?;
    let progress = Progress::default();
    let cpu_at_start = daemon.process().cpu_time()?;
    let limit = Limit {
        datagrams: u64::MAX,
        duration: steady.warm_up + steady.window + Duration::from_secs(1),
    };
    let (looks, load) = thread::scope(|scope| {
        let load = scope.spawn(|| steady.pace.run(&mut sender, limit, &progress));
        let looks = (|| {
            thread::sleep(steady.warm_up);
            let before = Look::at(&daemon, &progress)?;
            thread::sleep(steady.window);
            Ok::<_, io::Error>((before, Look::at(&daemon, &progress)?))
        })();
        progress.stop();
        (looks, load.join().expect("a load does not panic"))
    });
    let (before, after) = looks?;
    load?;
    let sent = sender.totals();
    daemon.settle(&sent, settings.flush)?;
    // A daemon that falls behind works on after the traffic; that work is counted too.
    let cpu_of_all = daemon.process().cpu_time()? - cpu_at_start;
    let drops = daemon.queue().drops;
    let resident_bytes = daemon.process().resident_bytes()?;
    let delivered = daemon.stop(&sent)?;

    let pool = steady.pool;
    let in_window = pool.totals(after.sent).since(pool.totals(before.sent));
    let seconds = (after.at - before.at).as_secs_f64();
    let cpu_ns = (after.cpu - before.cpu).as_nanos() as f64;
    let lines = in_window.lines as f64;
    let datagrams = in_window.datagrams as f64;
    let mut values = vec![
        (Figure::NsPerLine, cpu_ns / lines),
        (Figure::NsPerDatagram, cpu_ns / datagrams),
        (
            Figure::NsPerDelivered,
            cpu_of_all.as_nanos() as f64 / (sent.lines as f64 * delivered.share),
        ),
        (Figure::DeliveredPercent, 100.0 * delivered.share),
        (Figure::Drops, drops as f64),
        (Figure::CpuPercent, cpu_ns / seconds / 1e7),
        (
            Figure::OutputLines,
            (after.output_lines - before.output_lines) as f64 / seconds,
        ),
        (
            Figure::ResidentMib,
            resident_bytes as f64 / (1 << 20) as f64,
        ),
    ];
    if let Some(rate) = steady.pace.rate {
        values.push((Figure::RatePercent, 100.0 * datagrams / seconds / rate));
    }
    Ok(Outcome {
        values,
        sent,
        delivered,
    })
}
