//! A round that looks at what a counter costs in memory: resident size after a flush with many
//! counters, less the size without any, less the bytes of their names.

use std::io;
use std::thread;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::figure::Figure;
use crate::load::{COUNTER_NAME_BYTES, Limit, Pace, Pool, Progress, Sender};
use crate::peers::{Contestant, Settings};

/// Slow enough for every daemon that keeps up with anything.
const RATE: f64 = 5_000.0;
/// What else a daemon still does after its last line, such as giving memory back.
const REST: Duration = Duration::from_millis(300);

/// Runs a round of one contestant with the counters of a pool, each of which is there once.
///
/// # Errors
/// The daemon does not start or ends before its time, or the traffic cannot be sent.
pub(crate) fn run(
    contestant: &Contestant,
    settings: &Settings,
    core: usize,
    pool: &Pool,
) -> io::Result<Vec<(Figure, f64)>> {
    let daemon = Daemon::start(contestant, settings, core)?;
    thread::sleep(settings.flush + REST);
    let empty_bytes = daemon.process().resident_bytes()?;
    let mut sender = Sender::open(pool, daemon.address(), 1)?;
    let limit = Limit {
        datagrams: pool.len(),
        duration: Duration::MAX,
    };
    Pace::even(RATE).run(&mut sender, limit, &Progress::default())?;
    let sent = sender.totals();
    let delivered = daemon.settle(&sent, settings.flush)?;
    thread::sleep(REST);
    let full_bytes = daemon.process().resident_bytes()?;
    let series = sent.lines as f64;
    let beyond_name = (full_bytes as f64 - empty_bytes as f64) / series - COUNTER_NAME_BYTES as f64;
    Ok(vec![
        (Figure::BytesPerSeries, beyond_name),
        (Figure::ResidentMib, full_bytes as f64 / (1 << 20) as f64),
        (Figure::DeliveredPercent, 100.0 * delivered.share),
    ])
}
