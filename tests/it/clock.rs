//! A process that is stopped for a while, a flush that takes too long, and a clock that is set while the
//! daemon runs.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::SystemTime;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use tempfile::TempDir;

use crate::support::daemon::{Daemon, command};
use crate::support::graphite::Graphite;
use crate::support::points::{OWN, Points};
use crate::support::udp::ReceiveQueue;
use crate::support::{poll, skip};

const COUNT: &str = "stats.counters.sent.count";
const RATE: &str = "stats.counters.sent.rate";

fn now_unix_s() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("it is after 1970").as_secs()
}

/// Goal: no sample is lost, no point comes twice, and a slot that is missing was counted. Method: own
/// metrics are in every slot.
fn assert_slots_are_accounted_for(points: &Points) {
    let times = points.times(&format!("{OWN}.datagrams"));
    let ends: BTreeSet<u64> = times.iter().copied().collect();
    assert_eq!(ends.len(), times.len(), "each slot once: {times:?}");
    let (first, last) = (ends.first().expect("slots"), ends.last().expect("slots"));
    let missing = last - first + 1 - ends.len() as u64;
    assert_eq!(
        points.own_sum("flush.skipped_slots"),
        missing as f64,
        "{times:?}"
    );
    points.assert_input_balances();
}

/// The lengths that rates were divided by, of slots in which something was sent.
fn lengths_s(points: &Points) -> Vec<(u64, f64)> {
    let sent = points.of(COUNT).filter(|point| point.value > 0.0);
    let lengths = sent.map(|point| {
        let mut of_slot = points.of(RATE);
        let rate = of_slot.find(|rate| rate.time_unix_s == point.time_unix_s);
        let rate = rate.expect("a rate beside the count").value;
        (point.time_unix_s, point.value / rate)
    });
    lengths.collect()
}

/// Goal: a process that was stopped for more than two intervals loses nothing, says which slots it has no
/// points of, and divides by the time that it was. Method: SIGSTOP and SIGCONT, samples before, meanwhile
/// and after.
#[test]
fn of_a_process_that_was_stopped_the_slots_are_joined() {
    let graphite = Graphite::start();
    let mut daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -f 1 --max-wait 0 -s {}",
        graphite.sink()
    ));
    let sender = daemon.sender();
    sender.send("sent:1|c");
    graphite.wait_for_sum(COUNT, 1.0);
    daemon.pause();
    let paused_unix_s = now_unix_s();
    sender.send("sent:300|c");
    poll("three slots to end", || {
        (now_unix_s() > paused_unix_s + 3).then_some(())
    });
    daemon.resume();
    graphite.wait_for_sum(COUNT, 301.0);
    sender.send("sent:10|c");
    graphite.wait_for_sum(COUNT, 311.0);
    assert_eq!(daemon.stop(), Some(0));
    let points = graphite.points_to_end();
    assert_eq!(points.sum(COUNT), 311.0);
    assert_slots_are_accounted_for(&points);
    assert!(points.own_sum("flush.skipped_slots") >= 1.0);
    let joined = points.of(COUNT).find(|point| point.value == 300.0);
    let joined = joined.expect("all that came meanwhile is in one slot");
    let lengths = lengths_s(&points);
    let length = lengths.iter().find(|(end, _)| *end == joined.time_unix_s);
    assert!(length.expect("its length").1 > 2.0, "{lengths:?}");
}

/// A core that we may run on, and its number.
fn one_core() -> (CpuSet, usize) {
    let all = sched_getaffinity(None).expect("a thread has cores");
    let number = (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core));
    let number = number.expect("a thread has a core");
    let mut one = CpuSet::new();
    one.set(number);
    (one, number)
}

/// Goal: a flush that takes longer than the interval doubles no point and hides no slot. Method: a daemon with
/// many series, and with the lowest priority on a core of which somebody else wants all, until it says that
/// it missed a slot; samples before, meanwhile and after.
#[test]
fn of_a_flush_that_takes_longer_than_the_interval_no_slot_is_missing_or_double() {
    const SERIES: usize = 300_000;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let is_ours = |line: &str| line.starts_with(OWN) || line.starts_with("stats.counters.sent.");
    let graphite = Graphite::of_some(listener, is_ours);
    let (core, number) = one_core();
    let mut command = Command::new("nice");
    command.args(["-n", "19", "taskset", "-c", &number.to_string()]);
    command.arg(env!("CARGO_BIN_EXE_ringstat"));
    let arguments = format!(
        "-b 127.0.0.1:0 -f 1 --shards 1 --receive-buffer 4MiB --own-prefix {OWN} -s {}",
        graphite.sink()
    );
    command.args(arguments.split(' '));
    let mut daemon = Daemon::spawn_with_control(command);
    let queue = ReceiveQueue::of(&daemon);
    let sender = daemon.sender();
    let series = (0..SERIES).step_by(40).map(|first| {
        let lines = (first..first + 40).map(|number| format!("series.of.many.{number}:1|c\n"));
        lines.collect::<String>()
    });
    sender.send_all(&queue, series);
    sender.send("sent:1|c");
    graphite.wait_for_sum(COUNT, 1.0);
    let is_over = AtomicBool::new(false);
    let mut sent = 1.0;
    thread::scope(|scope| {
        scope.spawn(|| {
            sched_setaffinity(None, &core).expect("it is one of ours");
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        // Ends the thread above also where this one fails.
        let _end = OnDrop(|| is_over.store(true, Ordering::Relaxed));
        while graphite.points().own_sum("flush.skipped_slots") == 0.0 {
            assert!(sent < 3_000.0, "no flush was slow enough");
            sender.send("sent:10|c");
            sent += 10.0;
            let flushes = |points: &Points| points.own_values("datagrams").len();
            let before = flushes(&graphite.points());
            graphite.wait_for("a flush", |points| flushes(points) > before);
        }
    });
    sender.send("sent:100|c");
    sent += 100.0;
    graphite.wait_for_sum(COUNT, sent);
    assert_eq!(daemon.stop(), Some(0));
    let points = graphite.points_to_end();
    assert_eq!(points.sum(COUNT), sent);
    assert_slots_are_accounted_for(&points);
    assert_eq!(points.own_sum("flush.repeated_slots"), 0.0);
    assert_eq!(points.own_sum("kernel_drops"), 0.0);
    // What a rate was divided by is the time that the slots took together.
    for (end, length) in lengths_s(&points) {
        assert!(length < 60.0, "{length} s up to {end}");
    }
}

/// Does something at the end of a block, however that ends.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A daemon whose clock a test sets, by what libfaketime reads in a file.
struct Rig {
    graphite: Graphite,
    daemon: Daemon,
    folder: TempDir,
}

impl Rig {
    /// None where libfaketime is missing.
    fn start() -> Option<Rig> {
        let Some(library) = faketime() else {
            skip("libfaketime is not installed");
            return None;
        };
        let graphite = Graphite::start();
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut command = command(&format!(
            "-b 127.0.0.1:0 -f 1 --own-prefix {OWN} -s {}",
            graphite.sink()
        ));
        set_clock(&folder, 0);
        command.env("LD_PRELOAD", library);
        command.env("FAKETIME_TIMESTAMP_FILE", folder.path().join("clock"));
        command.env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let rig = Rig {
            graphite,
            daemon: Daemon::spawn_with_control(command),
            folder,
        };
        rig.pass_slots(2);
        Some(rig)
    }

    /// Sends in so many slots, and waits for the points of each.
    fn pass_slots(&self, count: u64) {
        let sender = self.daemon.sender();
        for _ in 0..count {
            let before = self.graphite.points().sum(COUNT);
            sender.send("sent:12|c");
            self.graphite.wait_for_sum(COUNT, before + 12.0);
        }
    }

    /// Lets the clock be so far from the true one.
    fn set_clock(&self, offset_s: i64) {
        set_clock(&self.folder, offset_s);
    }

    fn stop(mut self) -> Points {
        let before = self.graphite.points().sum(COUNT);
        assert_eq!(self.daemon.stop(), Some(0));
        let points = self.graphite.points_to_end();
        assert_eq!(points.sum(COUNT), before);
        points
    }
}

/// Writes the file anew, in one step.
fn set_clock(folder: &TempDir, offset_s: i64) {
    let (file, aside) = (folder.path().join("clock"), folder.path().join("aside"));
    fs::write(&aside, format!("{offset_s:+}\n")).expect("a file");
    fs::rename(aside, file).expect("a file");
}

fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists())
}

/// Goal: a clock that is set back a little makes no point come twice and no rate wrong. Method: five
/// seconds back, in the middle of traffic.
#[test]
fn a_clock_that_goes_back_a_little_makes_a_slot_longer() {
    let Some(rig) = Rig::start() else { return };
    rig.set_clock(-5);
    rig.pass_slots(3);
    let points = rig.stop();
    assert_slots_are_accounted_for(&points);
    assert_eq!(points.own_sum("flush.repeated_slots"), 0.0);
    let longest = lengths_s(&points)
        .iter()
        .map(|(_, s)| *s)
        .fold(0.0, f64::max);
    assert!((3.0..60.0).contains(&longest), "{longest} s");
}

/// Goal: a clock that is set forward leaves slots out, says how many, and makes no rate wrong. Method: an
/// hour forward.
#[test]
fn a_clock_that_goes_forward_leaves_slots_out_and_counts_them() {
    let Some(rig) = Rig::start() else { return };
    rig.set_clock(3_600);
    rig.pass_slots(3);
    let log = rig.daemon.log.now().join("\n");
    assert!(log.contains("the clock went forward by 3600"), "{log}");
    let points = rig.stop();
    assert_slots_are_accounted_for(&points);
    assert!(points.own_sum("flush.skipped_slots") >= 3_590.0);
    for (end, length) in lengths_s(&points) {
        assert!(length < 60.0, "{length} s up to {end}");
    }
}

/// Goal: a clock that was an hour ahead and is put right does not stop flushes, and what may come twice is
/// counted. Method: an hour back.
#[test]
fn a_clock_that_goes_back_far_is_followed() {
    let Some(rig) = Rig::start() else { return };
    rig.set_clock(-3_600);
    rig.pass_slots(3);
    let now_unix_s = now_unix_s();
    let log = rig.daemon.log.now().join("\n");
    assert!(log.contains("the clock went back by 3600"), "{log}");
    let points = rig.stop();
    let times = points.times(COUNT);
    let last = *times.last().expect("slots");
    assert!(last.abs_diff(now_unix_s - 3_600) < 60, "{times:?}");
    let earlier = times.iter().filter(|time| **time < now_unix_s - 1_800);
    let repeated = points.own_sum("flush.repeated_slots");
    assert!(repeated >= 3.0 && repeated >= earlier.count() as f64 - 1.0);
    for (end, length) in lengths_s(&points) {
        assert!(length < 60.0, "{length} s up to {end}");
    }
}
