//! What the log says at a stop of all that was lost, which own metrics cannot say any more.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::outages::SENT;
use crate::support::daemon::Daemon;
use crate::support::engines::engines;
use crate::support::graphite::{ReservedPort, sink_of};
use crate::support::points::Points;
use crate::support::{DEADLINE, poll};

/// The number before or behind a text in a line of the log; None if the text is not there.
fn number_before(line: &str, text: &str) -> Option<u64> {
    let (before, _) = line.split_once(text)?;
    before.rsplit(' ').next()?.parse().ok()
}

fn number_behind(line: &str, text: &str) -> Option<u64> {
    let (_, behind) = line.split_once(text)?;
    let end = behind.find(|char: char| !char.is_ascii_digit());
    behind[..end.unwrap_or(behind.len())].parse().ok()
}

/// What a daemon that has stopped says of the lines for a sink.
#[derive(Debug)]
pub(crate) struct Account {
    lines: u64,
    sent: u64,
    pub(crate) lost: u64,
    /// Of those that were lost, the ones that the queue had no room for.
    queue_full: u64,
    /// Of those that were sent.
    doubtful: u64,
    /// Those that errors in the log tell of.
    pub(crate) told: u64,
}

impl Account {
    pub(crate) fn of(log: &[String], sink: &str) -> Account {
        // A longer port may begin like it.
        let of_sink = |line: &&String| {
            let (_, behind) = line.split_once(&format!("sink {sink}")).unwrap_or_default();
            behind.starts_with([' ', ':', '?'])
        };
        let all: Vec<&String> = log.iter().filter(of_sink).collect();
        let ends: Vec<&&String> = all.iter().filter(|it| it.contains(" ends: ")).collect();
        let [end] = ends[..] else {
            panic!("a line for each sink: {log:#?}");
        };
        let errors = all.iter().filter(|line| line.contains(" ERROR"));
        let told = errors.filter_map(|line| {
            let dropped = number_behind(line, ": dropped the oldest ");
            dropped.or_else(|| number_behind(line, ": lost "))
        });
        Account {
            lines: number_behind(end, " ends: of ").expect("it has them"),
            sent: number_before(end, " were sent").expect("it has them"),
            lost: number_before(end, " were lost (").unwrap_or_default(),
            queue_full: number_behind(end, "queue_full ").unwrap_or_default(),
            doubtful: number_before(end, " of those sent are in doubt").unwrap_or_default(),
            told: told.sum(),
        }
    }
}

/// Reads one connection after the other, each with a slot, until so many samples are there.
fn read_slots(listener: &TcpListener, samples: f64) -> Points {
    let mut points = Points::default();
    listener.set_nonblocking(true).expect("it is ours");
    while points.sum(SENT) < samples {
        let (mut connection, _) = poll("a connection", || listener.accept().ok());
        connection.set_nonblocking(false).expect("it is ours");
        connection
            .set_read_timeout(Some(DEADLINE))
            .expect("a timeout that is not zero");
        let mut text = String::new();
        connection.read_to_string(&mut text).expect("lines");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        points.0.extend(Points::parse(&lines).0);
    }
    points
}

/// Goal: what sinks lose at a stop is told to the line, so that samples in are samples out and what was
/// told. Method: a server that goes after some slots, one that never was, and one with room for little, none
/// of them with a spool, beside the standard output, which gets all.
#[test]
fn what_dead_sinks_lose_at_a_stop_is_told_to_the_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let goes = sink_of(listener.local_addr().expect("it is bound").port());
    let (never, cramped) = (ReservedPort::new(), ReservedPort::new());
    let mut daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1 --shards 1 --idle none -s console: -s {goes}?connection=flush \
         -s {} -s {}?queue_bytes=12000",
        never.sink(),
        cramped.sink()
    ));
    let send = |count: u32| (0..count).for_each(|_| daemon.sender().send("sent:1|c"));
    send(700);
    let arrived = read_slots(&listener, 700.0);
    drop(listener);
    for total in [1_000.0, 1_300.0] {
        send(300);
        daemon.wait_for_sum(SENT, total);
    }
    send(30);
    let printed = daemon.stop_in_place();
    assert_eq!(printed.sum(SENT), 1_330.0);
    let log = daemon.log.now();
    let account = |sink: &str| Account::of(&log, sink);
    let lines = printed.0.len() as u64;

    let of_output = account("console:");
    assert_eq!((of_output.lines, of_output.sent), (lines, lines));
    assert_eq!(of_output.told, 0, "{of_output:?}");

    let of_never = account(&never.sink());
    assert_eq!(
        (of_never.lines, of_never.sent, of_never.lost, of_never.told),
        (lines, 0, lines, lines)
    );
    let of_cramped = account(&cramped.sink());
    assert_eq!((of_cramped.lines, of_cramped.sent), (lines, 0));
    assert_eq!((of_cramped.lost, of_cramped.told), (lines, lines));
    assert!((1..lines).contains(&of_cramped.queue_full), "{log:#?}");

    let of_goes = account(&goes);
    assert_eq!(of_goes.lines, lines);
    assert_eq!(of_goes.lines, of_goes.sent + of_goes.lost, "{of_goes:?}");
    // None is in doubt, unless the next connection stood already when the server went.
    let missing_lines = of_goes.lost + of_goes.doubtful;
    assert_eq!(arrived.0.len() as u64, lines - missing_lines, "{of_goes:?}");
    assert_eq!(of_goes.told, missing_lines, "{of_goes:?}");
    let here: BTreeSet<u64> = arrived.0.iter().map(|point| point.time_unix_s).collect();
    let mut missing = printed;
    missing.0.retain(|point| !here.contains(&point.time_unix_s));
    assert_eq!(missing.0.len() as u64, missing_lines, "{here:?}");
    assert_eq!(arrived.sum(SENT) + missing.sum(SENT), 1_330.0);
}

/// What the log tells of drops of the kernel's.
fn drops_told(log: &[String]) -> u64 {
    let told = log.iter();
    let told = told.filter_map(|line| number_behind(line, ": the kernel dropped "));
    told.sum()
}

/// Goal: drops of the kernel's are told of once a minute, and at a stop those that were not yet, the ones of
/// the last interval with them. Method: a tiny receive buffer, and a daemon that is paused three times while
/// more comes than fits; it is told to stop in the last pause.
#[test]
fn at_a_stop_the_log_tells_of_all_that_the_kernel_dropped() {
    const FLOOD: u64 = 4_000;
    for engine in engines() {
        let mut daemon = Daemon::start(&format!(
            "-b 127.0.0.1:0 -f 0.2 --shards 2 --engine {engine} --receive-buffer 64KiB \
             --max-datagram 1024"
        ));
        let senders = [(); 8].map(|()| daemon.sender());
        let flood = || {
            daemon.pause();
            for number in 0..FLOOD as usize {
                senders[number % senders.len()].send("flood:1|c");
            }
        };
        for round in 1..=2 {
            flood();
            daemon.resume();
            daemon.wait_for_ledger("all datagrams", |ledger| {
                ledger.delivered() + ledger.dropped() == round * FLOOD
            });
        }
        let told = drops_told(&daemon.log.now());
        let dropped = daemon.ledger().dropped();
        assert!(0 < told && told < dropped, "{engine}: {told} of {dropped}");
        daemon.assert_slots_balance();
        flood();
        daemon.signal(Signal::TERM);
        daemon.resume();
        let points = daemon.wait_and_read();
        points.assert_input_balances();
        let counted = points.sum("stats.counters.flood.count");
        let at_last = 3 * FLOOD - counted as u64;
        assert!(at_last > dropped, "{engine}: some fell at the end");
        assert_eq!(points.own_sum("kernel_drops"), at_last as f64, "{engine}");
        let log = daemon.log.now();
        assert_eq!(drops_told(&log), at_last, "{engine}: {log:#?}");
    }
}
