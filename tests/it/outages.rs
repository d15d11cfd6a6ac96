//! Sinks that are away, hang, or end connections in the middle: what went in comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use socket2::SockRef;

use crate::support::daemon::Daemon;
use crate::support::graphite::{Graphite, ReservedPort, name_of, sink_of};
use crate::support::points::Points;
use crate::support::udp::ReceiveQueue;
use crate::support::{DEADLINE, poll, skip};

/// The counter that the tests add up.
pub(crate) const SENT: &str = "stats.counters.sent.count";

/// A daemon with short slots, a spool, and what it flushes on its standard output, too.
pub(crate) fn daemon(sink: &str, spool: &Path) -> Daemon {
    Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1 --shards 1 --idle none -s {sink} -s console: --spool {}",
        spool.display()
    ))
}

/// Sends 1,000 samples of 1 and waits until `total` of them are flushed.
pub(crate) fn send_slot(daemon: &Daemon, total: f64) {
    let sender = daemon.sender();
    for _ in 0..100 {
        sender.send("sent:1|c\n".repeat(10));
    }
    daemon.wait_for_sum(SENT, total);
}

/// The slots in the files of a sink's spool, as `zstdcat` would show them, by time stamp.
pub(crate) fn spooled_slots(spool: &Path, port: u16) -> BTreeMap<u64, Points> {
    let files = fs::read_dir(spool_of_sink(spool, port));
    let files = files.into_iter().flatten().flatten();
    let slots = files.filter_map(|file| {
        let name = file.file_name().into_string().expect("a name of ours");
        let end_unix_s = name.strip_suffix(".zst")?.parse().ok()?;
        // A file that goes meanwhile counts no more.
        let text = zstd::decode_all(fs::File::open(file.path()).ok()?).ok()?;
        let text = String::from_utf8(text).expect("lines of text");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        Some((end_unix_s, Points::parse(&lines)))
    });
    slots.collect()
}

/// The folder of a sink in a spool.
pub(crate) fn spool_of_sink(spool: &Path, port: u16) -> PathBuf {
    spool.join(format!("graphite-127.0.0.1-{port}"))
}

/// The sum of a path in the files of a sink's spool.
pub(crate) fn spooled_sum(spool: &Path, port: u16, path: &str) -> f64 {
    let slots = spooled_slots(spool, port);
    slots.values().map(|points| points.sum(path)).sum()
}

pub(crate) fn wait_for_spooled(spool: &Path, port: u16, sum: f64) {
    poll("all to be on disk", || {
        (spooled_sum(spool, port, SENT) == sum).then_some(())
    });
}

/// Goal: an outage loses nothing, and leaves nothing behind. Method: three slots while connections are
/// refused; then a server listens.
#[test]
fn an_outage_is_bridged_by_the_spool() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let mut daemon = daemon(&sink_of(number), folder.path());
    for slot in 1..=3 {
        send_slot(&daemon, 1000.0 * f64::from(slot));
    }
    wait_for_spooled(folder.path(), number, 3000.0);
    let graphite = port.listen();
    graphite.wait_for_sum(SENT, 3000.0);
    send_slot(&daemon, 4000.0);
    graphite.wait_for_kept("all", |kept| kept.sum(SENT) == 4000.0);
    daemon.ledger().assert_balanced();
    assert_eq!(daemon.stop(), Some(0));
    let printed = Points::parse(&daemon.out.to_end());
    printed.assert_sink_balances(&name_of(number));
    assert_eq!(
        printed.own_sum(&format!("sink.{}.dropped_lines", name_of(number))),
        0.0
    );
}

/// Goal: what is flushed in an outage survives a crash. Method: two slots while connections are refused,
/// SIGKILL, and a new daemon when the server is there.
#[test]
fn a_crash_in_an_outage_loses_no_slot() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let mut killed = daemon(&sink_of(number), folder.path());
    for slot in 1..=2 {
        send_slot(&killed, 1000.0 * f64::from(slot));
    }
    wait_for_spooled(folder.path(), number, 2000.0);
    killed.signal(Signal::KILL);
    assert_eq!(killed.wait(), None);
    let mut restarted = daemon(&sink_of(number), folder.path());
    restarted.log.wait_for_text("wait in its spool");
    let graphite = port.listen();
    graphite.wait_for_kept("all", |kept| kept.sum(SENT) == 2000.0);
    restarted.ledger().assert_balanced();
    assert_eq!(restarted.stop(), Some(0));
    assert_eq!(spooled_sum(folder.path(), number, SENT), 0.0);
}

/// The values of many counters, enough for a slot that no kernel holds in its buffers.
pub(crate) const SERIES: u32 = 20_000;

pub(crate) fn send_series(daemon: &Daemon) {
    let datagrams = (0..SERIES).step_by(25).map(|first| {
        let lines = (first..first + 25).map(|n| format!("{NAMED}{n:06}:1|c\n"));
        lines.collect::<String>()
    });
    let queue = ReceiveQueue::of(daemon);
    daemon.sender().send_all(&queue, datagrams);
}

/// What the names of the series begin with.
pub(crate) const NAMED: &str = "a.long.name.of.series.";

/// Waits until each series was delivered `times` times. A point that is delivered again, because nobody
/// knew whether it had arrived, is the same line.
fn wait_for_series(graphite: &Graphite, times: u32) {
    let path = format!("stats.counters.{NAMED}");
    let expected = usize::try_from(SERIES * times).expect("a small number");
    graphite.lines.wait_for("all series", |lines| {
        let ours = lines
            .iter()
            .filter(|line| line.starts_with(&path) && line.contains(".count 1 "));
        // Those that come twice are looked for when there may be enough.
        let may_suffice = ours.clone().count() >= expected;
        let has_all = may_suffice && ours.collect::<BTreeSet<_>>().len() == expected;
        has_all.then_some(())
    });
}

/// Goal: a connection that is cut in the middle of a write tears no line and loses none. Method: two peers
/// read the start of a large slot, to the middle of a line, and reset the connection; the third reads.
#[test]
fn a_connection_cut_in_the_middle_of_a_write_loses_no_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let number = listener.local_addr().expect("it is bound").port();
    let mut daemon = daemon(&sink_of(number), folder.path());
    let accept = || listener.accept().expect("a connection").0;
    let mut first = accept();
    send_series(&daemon);
    let cut = |connection: &mut TcpStream, bytes: usize| {
        connection.read_exact(&mut vec![0; bytes]).expect("bytes");
        // Closed with more to read it is reset.
        poll("more to read", || {
            connection.peek(&mut [0; 1]).ok().filter(|size| *size == 1)
        });
    };
    cut(&mut first, 300_007);
    drop(first);
    let mut second = accept();
    cut(&mut second, 500_003);
    drop(second);
    let graphite = Graphite::of(listener);
    // What the peers had read is sent again with the rest: nobody knows what of it they kept.
    wait_for_series(&graphite, 1);
    daemon.ledger().assert_balanced();
    assert_eq!(daemon.stop(), Some(0));
    let printed = Points::parse(&daemon.out.to_end());
    printed.assert_sink_balances(&name_of(number));
}

/// Goal: nothing is written into a connection that the peer has closed for its part. Method: it says that
/// nothing more comes from it and reads on: it gets the end, and the slot goes to the next connection.
#[test]
fn a_half_closed_connection_is_left_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let number = listener.local_addr().expect("it is bound").port();
    let mut daemon = daemon(&sink_of(number), folder.path());
    let mut half_closed = listener.accept().expect("a connection").0;
    half_closed.shutdown(Shutdown::Write).expect("it stands");
    half_closed.set_read_timeout(Some(DEADLINE)).expect("time");
    let mut read = Vec::new();
    half_closed.read_to_end(&mut read).expect("an end in time");
    // The slot of the daemon's start may have been before.
    let own_only = String::from_utf8(read).expect("text");
    assert!(!own_only.contains(SENT));
    let graphite = Graphite::of(listener);
    send_slot(&daemon, 1000.0);
    graphite.wait_for_kept("all", |kept| kept.sum(SENT) == 1000.0);
    assert_eq!(daemon.stop(), Some(0));
}

/// Goal: a server that hangs holds up neither another sink nor reception, and gets everything in the end.
/// Method: one accepts and never reads while large slots come; it goes, ends its connection, and a new
/// one takes its place.
#[test]
fn a_server_that_hangs_harms_no_other_sink_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = Graphite::start();
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a port");
    SockRef::from(&hanging)
        .set_recv_buffer_size(64 << 10)
        .expect("an option");
    let number = hanging.local_addr().expect("it is bound").port();
    let sinks = format!("{} -s {}", sink_of(number), good.sink());
    let mut daemon = daemon(&sinks, folder.path());
    let held = hanging.accept().expect("a connection").0;
    for slot in 1..=3 {
        send_series(&daemon);
        wait_for_series(&good, slot);
    }
    assert!(daemon.ledger().sink(&name_of(number)).spooled > 0);
    // Its end is a reset, as there is much that it has not read.
    drop(held);
    let graphite = Graphite::of(hanging);
    wait_for_series(&graphite, 3);
    let ledger = daemon.ledger();
    ledger.assert_balanced();
    assert_eq!(ledger.sink(&name_of(number)).dropped, 0);
    assert_eq!(daemon.stop(), Some(0));
    let points = good.points_to_end();
    points.assert_sink_balances(&name_of(number));
    points.assert_sink_balances(&good.name());
}

/// Goal: whoever has the spool can send it by hand. Method: the bytes of a file, decompressed, are what
/// Graphite takes: lines with the time stamp that the file is named after.
#[test]
fn a_file_of_the_spool_is_named_after_its_slot() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let mut daemon = daemon(&sink_of(number), folder.path());
    send_slot(&daemon, 1000.0);
    wait_for_spooled(folder.path(), number, 1000.0);
    assert_eq!(daemon.stop(), Some(0));
    let files = fs::read_dir(spool_of_sink(folder.path(), number));
    let mut slots = 0_u32;
    for file in files.expect("the folder of the sink").flatten() {
        let name = file.file_name().into_string().expect("a name");
        let Some(end_unix_s) = name.strip_suffix(".zst") else {
            assert_eq!(name, ".lock");
            continue;
        };
        let text = match zstd::decode_all(fs::File::open(file.path()).expect("a file")) {
            Ok(text) => String::from_utf8(text).expect("text"),
            Err(error) => panic!("{name}: {error}"),
        };
        let ends = |line: &str| line.rsplit(' ').next() == Some(end_unix_s);
        assert!(text.ends_with('\n') && text.lines().all(ends), "{name}");
        slots += 1;
    }
    assert!(slots > 0);
}

/// The bytes of all files of a sink's spool.
fn spooled_bytes(spool: &Path, port: u16) -> u64 {
    let files = fs::read_dir(spool_of_sink(spool, port));
    let files = files.into_iter().flatten().flatten();
    files
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum()
}

/// What was sent is what the server has in the end and what was in slots that were dropped: each of them has
/// one point of [`SENT`]. Returns the ends of the slots that are missing, and of those that are not.
fn assert_dropped_slots_are_what_is_missing(
    daemon: &mut Daemon,
    graphite: &Graphite,
) -> [BTreeSet<u64>; 2] {
    daemon.wait_for_ledger("an empty spool", |ledger| {
        let sink = ledger.sink(&graphite.name());
        sink.spooled + sink.queued == 0
    });
    let printed = daemon.stop_in_place();
    let name = graphite.name();
    printed.assert_sink_balances(&name);
    let all: BTreeSet<u64> = printed.times(SENT).into_iter().collect();
    let kept = graphite.points_to_end();
    let here: BTreeSet<u64> = kept.times(SENT).into_iter().collect();
    assert!(here.is_subset(&all), "{here:?} of {all:?}");
    let missing: BTreeSet<u64> = all.difference(&here).copied().collect();
    assert!(
        !missing.is_empty() && !here.is_empty(),
        "{here:?} of {all:?}"
    );
    let lost = printed.0.iter();
    let lost = lost.filter(|point| missing.contains(&point.time_unix_s));
    let (lost, told) = (
        lost.count() as f64,
        printed.own_sum(&format!("sink.{name}.dropped_lines")),
    );
    assert_eq!(told, lost, "lines of the slots {missing:?}");
    [missing, here]
}

/// Goal: a spool takes no more disk than it may; the oldest slots go, counted. Method: slots with names that
/// do not compress, in an outage, until some have gone; then a server listens.
#[test]
fn a_spool_that_is_full_drops_the_oldest_slots_and_counts_them() {
    const BYTES_MAX: u64 = 100_000;
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let sink = format!("{}?spool_bytes={BYTES_MAX}", sink_of(number));
    let mut daemon = daemon(&sink, folder.path());
    let mut slots = 0_u32;
    let mut highest = 0;
    while daemon.ledger().sink(&name_of(number)).dropped == 0 {
        let sender = daemon.sender();
        for series in 0..400_u64 {
            let name = (series + 1_000 * u64::from(slots)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let name = format!("{name:016x}.{:016x}", name.wrapping_mul(name | 1));
            sender.send(format!("{name}:1|c\nsent:1|c"));
        }
        slots += 1;
        daemon.wait_for_sum(SENT, f64::from(400 * slots));
        highest = highest.max(spooled_bytes(folder.path(), number));
        assert!(slots < 40, "{highest} bytes in the spool");
    }
    daemon
        .log
        .wait_for_text("its spool is full: dropped the oldest");
    // One that is being written comes on top.
    assert!(highest < 2 * BYTES_MAX, "{highest}");
    let graphite = port.listen();
    let [missing, here] = assert_dropped_slots_are_what_is_missing(&mut daemon, &graphite);
    assert!(missing.last() < here.first(), "{missing:?} and {here:?}");
}

/// Goal: a slot that has been in the spool for too long is dropped, counted. Method: slots in an outage, until
/// the first has gone; then a server listens.
#[test]
fn slots_that_are_too_old_for_the_spool_are_dropped_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let mut daemon = daemon(&format!("{}?spool_age=3s", sink_of(number)), folder.path());
    let mut slots = 0_u32;
    while daemon.ledger().sink(&name_of(number)).dropped == 0 {
        slots += 1;
        send_slot(&daemon, 1000.0 * f64::from(slots));
        assert!(slots < 40, "none is too old");
    }
    assert!(slots > 2, "they may be there for three seconds");
    daemon.log.wait_for_text("were in its spool for too long");
    let graphite = port.listen();
    // Some more may be too old before there is a connection.
    while graphite.kept().values(SENT).is_empty() {
        slots += 1;
        send_slot(&daemon, 1000.0 * f64::from(slots));
        assert!(slots < 80, "there is no connection");
    }
    assert_dropped_slots_are_what_is_missing(&mut daemon, &graphite);
}

/// Goal: whoever has the spool can send it by hand. Method: a daemon that is stopped in an outage; the files
/// it leaves go to a server through a pipe of the shell.
#[test]
fn a_spool_is_replayed_by_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let mut daemon = daemon(&sink_of(number), folder.path());
    for slot in 1..=2 {
        send_slot(&daemon, 1000.0 * f64::from(slot));
    }
    let printed = daemon.stop_in_place();
    let graphite = port.listen();
    let script = format!(
        "zstdcat {}/graphite-127.0.0.1-{number}/*.zst > /dev/tcp/127.0.0.1/{number}",
        folder.path().display()
    );
    let which = Command::new("zstdcat")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if which.is_err() {
        return skip("zstdcat of the package zstd is missing");
    }
    let status = Command::new("bash").args(["-c", &script]).status();
    assert!(status.expect("bash is there").success());
    let replayed = graphite.points_to_end();
    assert_eq!(replayed.sum(SENT), 2_000.0);
    // All that went to the other sink, but for what each of them alone is told at a stop.
    let paths = |points: &Points| -> BTreeSet<(String, u64)> {
        points
            .0
            .iter()
            .map(|it| (it.path.clone(), it.time_unix_s))
            .collect()
    };
    assert_eq!(paths(&replayed), paths(&printed));
}
