//! A round without traffic: what a daemon keeps in memory, and how often it wakes.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::figure::Figure;
use crate::peers::{Contestant, Settings};

const LOOK: Duration = Duration::from_millis(10);

/// Runs a round of one contestant over so many flush intervals, and one more, so that there is a
/// whole one between two flushes.
///
/// # Errors
/// The daemon does not start or ends before its time.
pub(crate) fn run(
    contestant: &Contestant,
    settings: &Settings,
    core: usize,
    intervals: u32,
) -> io::Result<Vec<(Figure, f64)>> {
    let intervals = intervals + 1;
    let daemon = Daemon::start(contestant, settings, core)?;
    // What a start and a first flush leave behind is not idleness.
    thread::sleep(settings.flush.mul_f64(1.5));
    let process = daemon.process();
    let began = Instant::now();
    let cpu_before = process.cpu_time()?;
    let switches_before = process.context_switches()?;
    let mut switches = switches_before;
    let mut quiet_since = began;
    let mut quiet_longest = Duration::ZERO;
    while began.elapsed() < settings.flush * intervals {
        thread::sleep(LOOK);
        let now = process.context_switches()?;
        if now != switches {
            switches = now;
            quiet_since = Instant::now();
        }
        quiet_longest = quiet_longest.max(quiet_since.elapsed());
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = process.cpu_time()? - cpu_before;
    let per_flush = (switches - switches_before) as f64 / f64::from(intervals);
    Ok(vec![
        (
            Figure::ResidentMib,
            process.resident_bytes()? as f64 / (1 << 20) as f64,
        ),
        (Figure::SwitchesPerFlush, per_flush),
        (Figure::QuietMs, quiet_longest.as_secs_f64() * 1e3),
        (Figure::CpuPercent, 100.0 * cpu.as_secs_f64() / seconds),
    ])
}
