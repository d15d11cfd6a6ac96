//! A round that looks at one flush of many counters that were flushed before: its CPU time for
//! each line, how long it takes until all lines have arrived, and whether datagrams have to wait
//! meanwhile.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::figure::Figure;
use crate::load::{Limit, Pace, Pool, Progress, Sender, Shape};
use crate::peers::{Contestant, Settings};

/// Slow enough for every daemon that keeps up with anything.
const RATE: f64 = 5_000.0;
/// Datagrams a second during the flush, to see whether they are taken.
const TRICKLE_RATE: f64 = 1_000.0;
/// A flush has begun when the daemon has computed so much more than the trickle asks for.
const WORK: Duration = Duration::from_millis(2);
const LOOK: Duration = Duration::from_millis(1);

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
    let mut sender = Sender::open(pool, daemon.address(), 1)?;
    let limit = Limit {
        datagrams: pool.len(),
        duration: Duration::MAX,
    };
    Pace::even(RATE).run(&mut sender, limit, &Progress::default())?;
    // The first flush, with all the names that are new, is over when its lines are there.
    let new = sender.totals();
    let began = Instant::now();
    while !daemon.delivered(&new).is_exact && began.elapsed() < settings.flush * 5 {
        thread::sleep(settings.flush / 20);
    }
    Pace::even(RATE).run(&mut sender, limit, &Progress::default())?;
    let sent = sender.totals();

    let gauges = Pool::new(Shape::gauge(), 1);
    let mut trickle = Sender::open(&gauges, daemon.address(), 1)?;
    let progress = Progress::default();
    let limit = Limit {
        datagrams: u64::MAX,
        duration: settings.flush * 5,
    };
    let pace = Pace::even(TRICKLE_RATE);
    let (watched, load) = thread::scope(|scope| {
        let load = scope.spawn(|| pace.run(&mut trickle, limit, &progress));
        let watched = watch(&daemon, settings, || daemon.delivered(&sent).is_exact);
        progress.stop();
        (watched, load.join().expect("a load does not panic"))
    });
    load?;
    watched
}

/// Watches a daemon from now, when all counters are in its receive buffer at the least, until
/// `is_done`.
fn watch(
    daemon: &Daemon<'_>,
    settings: &Settings,
    is_done: impl Fn() -> bool,
) -> io::Result<Vec<(Figure, f64)>> {
    let process = daemon.process();
    thread::sleep(settings.flush / 20);
    // What the trickle alone costs.
    let (trickle_began, trickle_cpu) = (Instant::now(), process.cpu_time()?);
    thread::sleep(settings.flush / 10);
    let trickle_part =
        (process.cpu_time()? - trickle_cpu).as_secs_f64() / trickle_began.elapsed().as_secs_f64();

    let lines_before = daemon.received().lines;
    let (mut at, mut cpu) = (Instant::now(), process.cpu_time()?);
    let mut flush_began = None;
    let mut queue_bytes = 0;
    let mut moved = at;
    let mut pause_longest = Duration::ZERO;
    let watch_began = at;
    while !is_done() && watch_began.elapsed() < settings.flush * 4 {
        thread::sleep(LOOK);
        let now = Instant::now();
        let queue = daemon.queue();
        if queue.bytes == 0 || queue.bytes < queue_bytes {
            moved = now;
        }
        queue_bytes = queue.bytes;
        pause_longest = pause_longest.max(now - moved);
        if flush_began.is_none() {
            let cpu_now = process.cpu_time()?;
            if cpu_now - cpu > WORK + (now - at).mul_f64(trickle_part) {
                flush_began = Some(at);
            } else if now - at > WORK * 2 {
                (at, cpu) = (now, cpu_now);
            }
        }
    }
    let received = daemon.received();
    let lines = (received.lines - lines_before) as f64;
    let began = flush_began.unwrap_or(watch_began);
    let ended = received.last.unwrap_or(began);
    let elapsed = ended.saturating_duration_since(began);
    let cpu = (process.cpu_time()? - cpu).as_secs_f64();
    let of_flush = cpu - began.elapsed().as_secs_f64() * trickle_part;
    Ok(vec![
        (Figure::NsPerOutputLine, of_flush * 1e9 / lines),
        (Figure::FlushMs, elapsed.as_secs_f64() * 1e3),
        (Figure::FlushLines, lines),
        (Figure::PauseMs, pause_longest.as_secs_f64() * 1e3),
    ])
}
