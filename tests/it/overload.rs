//! More than there is room for: the emergency brake, memory, and queues that overflow.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::daemon::{Daemon, command};
use crate::support::engines::engines;
use crate::support::graphite::Graphite;
use crate::support::points::{OWN, Points};
use crate::support::udp::ReceiveQueue;

/// A daemon with a file of settings that a test writes anew.
struct Rig {
    folder: TempDir,
    daemon: Daemon,
    graphite: Graphite,
    queue: ReceiveQueue,
}

impl Rig {
    fn start(settings: &str) -> Rig {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let graphite = Graphite::start();
        fs::write(folder.path().join("settings.toml"), settings).expect("a file");
        let arguments = format!("-b 127.0.0.1:0 -f 1 --own-prefix {OWN}");
        let mut command = command(&format!("{arguments} -s {}", graphite.sink()));
        command.current_dir(folder.path());
        command.args(["--config", "settings.toml"]);
        let daemon = Daemon::spawn_with_control(command);
        let queue = ReceiveQueue::of(&daemon);
        Rig {
            folder,
            daemon,
            graphite,
            queue,
        }
    }

    /// Writes the file anew and waits until it is in use as the configuration of this number.
    fn reload(&self, settings: &str, generation: usize) {
        fs::write(self.folder.path().join("settings.toml"), settings).expect("a file");
        self.daemon.signal(Signal::HUP);
        let in_use = format!("configuration {generation} in use");
        self.daemon.log.wait_for_text(&in_use);
    }

    fn send(&self, lines: impl IntoIterator<Item = String>) {
        self.daemon.sender().send_all(&self.queue, lines);
    }

    /// Waits until the daemon has told of so many lines.
    fn wait_for_lines(&self, count: f64) {
        let what = format!("{count} lines");
        self.graphite
            .wait_for(&what, |points| points.own_sum("lines") == count);
    }

    /// Stops, and returns all points. What came in balances in each of their slots.
    fn finish(mut self) -> Points {
        assert_eq!(self.daemon.stop(), Some(0));
        let points = self.graphite.points_to_end();
        points.assert_input_balances();
        assert_eq!(points.own_sum("kernel_drops"), 0.0);
        points
    }
}

/// Goal: a flood of names is stopped while the daemon runs, without harm to the others, and can be let
/// go again. Method: the same lines before, between and after two SIGHUPs; each line is counted as a
/// sample or as refused by the rule.
#[test]
fn what_is_denied_at_sighup_stops_at_the_end_of_the_slot() {
    let rig = Rig::start("shards = 2");
    let lines = || (0..300).map(|number| format!("app.debug.{}:1|c\napp.ok:1|c", number % 3));
    rig.send(lines());
    rig.wait_for_lines(600.0);
    rig.send(lines());
    rig.reload("shards = 2\ndeny = ['app.debug.*']", 2);
    for _ in 0..2 {
        rig.send(lines());
    }
    rig.wait_for_lines(2_400.0);
    // Their silence would be told as 0 for five minutes, but they are gone.
    rig.graphite.wait_for("two slots without them", |points| {
        let of = |path: &str| points.times(path).into_iter().max();
        of("stats.counters.app.ok.count") > of("stats.counters.app.debug.1.count").map(|it| it + 1)
    });
    rig.reload("shards = 2", 3);
    rig.send(lines());
    rig.wait_for_lines(3_000.0);
    let points = rig.finish();
    assert_eq!(points.sum("stats.counters.app.ok.count"), 1_500.0);
    let debug = |number: usize| points.sum(&format!("stats.counters.app.debug.{number}.count"));
    let recorded: f64 = [0, 1, 2].map(debug).iter().sum();
    let denied = points.own_sum("denied.app_debug__");
    assert_eq!(recorded + denied, 1_500.0);
    // What was under way when the slot ended may be on either side of it.
    assert!((600.0..=900.0).contains(&denied), "{denied}");
    assert_eq!(points.own_sum("refused.denied"), denied);
}

/// Goal: there are never more series than a quota allows, over all shards together, and those that are
/// there go on. Method: names without end from many sockets, so that several shards see them.
#[test]
fn a_quota_holds_over_all_shards_and_known_series_go_on() {
    const QUOTA: f64 = 50.0;
    // Flushes, for shards to move their parts to where names come.
    const ROUNDS_MAX: usize = 40;
    let rig = Rig::start("shards = 2\nquota.'app.*' = 50\n");
    let (mut names, mut there) = (0.0, BTreeSet::new());
    for round in 0..ROUNDS_MAX {
        for socket in 0..4 {
            let lines = |number| format!("app.{round}.{socket}.{number}:1|c\nknown:1|c");
            rig.send((0..100).map(lines));
            names += 100.0;
        }
        rig.wait_for_lines(2.0 * names);
        there = counters_of_app(&rig.graphite.points());
        if there.len() as f64 == QUOTA {
            break;
        }
    }
    assert_eq!(there.len() as f64, QUOTA, "all of it is used");
    // A flush tells all shards what it found; the next one comes behind that.
    rig.send(["tick:1|c".to_owned()]);
    rig.wait_for_lines(2.0 * names + 1.0);
    // From other sockets, which may lead to the other shard.
    for _ in 0..8 {
        rig.send(there.iter().map(|path| {
            let name = path.strip_prefix("stats.counters.").expect("it begins so");
            format!("{}:1|c", name.strip_suffix(".count").expect("it ends so"))
        }));
    }
    rig.wait_for_lines(2.0 * names + 1.0 + 8.0 * QUOTA);
    let points = rig.finish();
    assert_eq!(counters_of_app(&points), there);
    let of_app: f64 = there.iter().map(|path| points.sum(path)).sum();
    assert_eq!(of_app, 9.0 * QUOTA, "each once, and then eight times");
    assert_eq!(points.sum("stats.counters.known.count"), names);
    assert_eq!(points.own_sum("over_quota.app__"), names - QUOTA);
    assert_eq!(points.own_sum("refused.quota"), names - QUOTA);
    let told = points.own_values("quota_series.app__");
    assert!(told.iter().all(|&count| count <= QUOTA), "{told:?}");
}

/// The paths of counters below `app.`.
fn counters_of_app(points: &Points) -> BTreeSet<String> {
    let paths = points.0.iter().map(|point| &point.path);
    let of_app = paths.filter(|path| path.starts_with("stats.counters.app."));
    of_app
        .filter(|path| path.ends_with(".count"))
        .cloned()
        .collect()
}

/// Goal: a client that makes up names takes no more than it may, and harms no other. Method: a small
/// `max_memory`, many more names than fit; each line is a sample or refused, and the process stays
/// below the bound that README states.
#[test]
fn names_without_end_stay_within_max_memory() {
    const NAMES: usize = 200_000;
    const BYTES_MAX: usize = 32 << 20;
    let rig = Rig::start(&format!(
        "shards = 1\nmax_memory = {BYTES_MAX}\nreceive_buffer = '4MiB'\nqueue_bytes = '8MiB'"
    ));
    rig.send(["known:1|c".to_owned()]);
    rig.wait_for_lines(1.0);
    let before = resident_bytes(&rig.daemon);
    let datagram = |from: usize| {
        let lines =
            (from..from + 20).map(|number| format!("made.up.name.of.a.client.{number}:1|c"));
        lines.collect::<Vec<_>>().join("\n")
    };
    rig.send((0..NAMES).step_by(20).map(datagram));
    rig.send((0..100).map(|_| "known:1|c".to_owned()));
    rig.wait_for_lines(101.0 + NAMES as f64);
    let grown = resident_bytes(&rig.daemon).saturating_sub(before);
    let points = rig.finish();
    assert_eq!(points.sum("stats.counters.known.count"), 101.0);
    let refused = points.own_sum("refused.memory_limit");
    assert_eq!(points.own_sum("samples") + refused, 101.0 + NAMES as f64);
    assert!(refused > 0.0 && refused < NAMES as f64, "{refused}");
    // Chunks on their way to the sink, and its queue, come on top.
    let bound = BYTES_MAX + (8 << 20) + (16 << 20);
    assert!(grown < bound, "{grown} bytes for {BYTES_MAX}");
}

/// Goal: where more series come than there may be, those that are known go on untouched, each line is a sample
/// or refused by its reason, and memory stays bounded; so with names that are too long. Method: a table of
/// 2,000 series of which 500 come in each slot, between 20,000 names that are new and as many long ones.
#[test]
fn known_series_go_on_in_a_full_table_and_beside_names_that_are_too_long() {
    const KNOWN: usize = 500;
    const NEW: usize = 20_000;
    const ROUNDS: usize = 4;
    // So often that they come in each slot, however slow the machine is.
    const KNOWN_EVERY: usize = 1_000;
    let rig = Rig::start("shards = 1\nmax_series = 2000\nreceive_buffer = '4MiB'");
    let known = || (0..KNOWN).map(|number| format!("known.{number}:1|c\nknown.{number}:3|ms"));
    rig.send(known());
    let mut lines = 2.0 * KNOWN as f64;
    rig.wait_for_lines(lines);
    let before = resident_bytes(&rig.daemon);
    for round in 0..ROUNDS {
        for first in (0..NEW).step_by(KNOWN_EVERY) {
            rig.send((first..first + KNOWN_EVERY).map(|number| {
                let long = "l".repeat(300 + number % 800);
                format!("made.up.{round}.{number}:1|c\n{long}.{number}:1|c")
            }));
            rig.send(known());
            lines += 2.0 * (KNOWN_EVERY + KNOWN) as f64;
        }
        rig.wait_for_lines(lines);
    }
    let grown = resident_bytes(&rig.daemon).saturating_sub(before);
    let points = rig.finish();
    let rounds = (ROUNDS * NEW / KNOWN_EVERY + 1) as f64;
    for number in 0..KNOWN {
        let counted = points.sum(&format!("stats.counters.known.{number}.count"));
        assert_eq!(counted, rounds, "known.{number}");
        let summed = points.sum(&format!("stats.timers.known.{number}.sum"));
        assert_eq!(summed, 3.0 * rounds, "known.{number}");
    }
    let full = points.own_sum("refused.series_limit");
    let long = points.own_sum("refused.segment_too_long") + points.own_sum("refused.name_too_long");
    assert_eq!(points.own_sum("samples") + full + long, lines);
    assert_eq!(long, (ROUNDS * NEW) as f64);
    assert!(full > 0.0 && points.own_sum("series.refused") == full);
    assert!(grown < 24 << 20, "{grown} bytes for 2,000 series");
}

/// Goal: timers and sets past their limits cost precision and no memory, and harm no series beside them.
/// Method: far more values and members than are kept; counts, sums and extremes are exact, the number of
/// members is within five times the error that README states.
#[test]
fn timers_and_sets_past_their_limits_stay_exact_in_what_they_promise() {
    const VALUES: u32 = 400_000;
    const MEMBERS: u32 = 100_000;
    let rig = Rig::start(
        "shards = 1\nmax_timer_values = 1000\nmax_set_values = 100\nreceive_buffer = '4MiB'",
    );
    rig.send(["known:1|c\nfew:5|ms\nfew:7|ms\npair:a|s\npair:b|s".to_owned()]);
    rig.wait_for_lines(5.0);
    let before = resident_bytes(&rig.daemon);
    let lines = (0..VALUES).step_by(100).map(|first| {
        let values = (first..first + 100).map(|number| format!(":{}", number % 1_000 + 1));
        format!("many{}|ms", values.collect::<String>())
    });
    rig.send(lines);
    rig.send((0..MEMBERS).step_by(40).map(|first| {
        let members = (first..first + 40).map(|number| format!("crowd:{number}|s"));
        members.collect::<Vec<_>>().join("\n")
    }));
    rig.send(["known:1|c".to_owned()]);
    let lines = 6.0 + f64::from(VALUES / 100 + MEMBERS);
    rig.wait_for_lines(lines);
    let grown = resident_bytes(&rig.daemon).saturating_sub(before);
    let points = rig.finish();
    assert_eq!(points.sum("stats.counters.known.count"), 2.0);
    assert_eq!(points.sum("stats.timers.few.sum"), 12.0);
    assert_eq!(points.sum("stats.sets.pair.count"), 2.0);
    assert_eq!(points.sum("stats.timers.many.count"), f64::from(VALUES));
    let sum = f64::from(VALUES / 1_000) * 500_500.0;
    assert_eq!(points.sum("stats.timers.many.sum"), sum);
    // They may have come in two slots, of which each counts its own members.
    let estimates = points.values("stats.sets.crowd.count");
    let members: f64 = estimates.iter().sum();
    let error = (members - f64::from(MEMBERS)).abs() / f64::from(MEMBERS);
    assert!(error < 5.0 * 0.016, "{estimates:?}");
    assert!(points.own_sum("timers.folded") > 0.0 && points.own_sum("sets.estimated") > 0.0);
    assert_eq!(points.own_sum_of_all("refused."), 0.0);
    assert!(grown < 24 << 20, "{grown} bytes");
}

/// Goal: one broken client that makes up a hundred names in each slot is named in the log, not more often than
/// once a minute, while its names come and go within a table that is bounded. Method: two minutes and a half of
/// it; in the first all series are new, and nobody is blamed.
#[test]
#[ignore = "it takes a minute or more; .ci/run has it"]
fn a_client_that_makes_up_names_in_each_slot_is_named_once_a_minute() {
    const TOLD: &str = "series growth in the last minute";
    let rig = Rig::start("shards = 1\nmax_series = 20000\nidle = '10s'");
    let began = Instant::now();
    let mut slots = 0;
    let mut lines = 0.0;
    let mut settled_bytes = None;
    while began.elapsed() < Duration::from_secs(150) {
        let new = (0..100).map(|number| format!("broken.client.{slots}.{number}:1|c\nknown:1|c"));
        rig.send(new);
        lines += 200.0;
        slots += 1;
        rig.wait_for_lines(lines);
        if settled_bytes.is_none() && began.elapsed() > Duration::from_secs(30) {
            settled_bytes = Some(resident_bytes(&rig.daemon));
        }
    }
    let minutes = began.elapsed().as_secs() / 60;
    let log = rig.daemon.log.now();
    let told: Vec<&String> = log.iter().filter(|line| line.contains(TOLD)).collect();
    assert!(!told.is_empty() && told.len() as u64 <= minutes, "{told:?}");
    assert!(told[0].contains("broken.client.* +"), "{told:?}");
    let grown = resident_bytes(&rig.daemon) - settled_bytes.expect("half a minute is over");
    assert!(grown < 8 << 20, "{grown} bytes");
    let points = rig.finish();
    assert_eq!(points.sum("stats.counters.known.count"), lines / 2.0);
    assert_eq!(points.own_sum("samples"), lines);
    assert!(points.own_sum("series.expired") > 0.0);
}

/// The resident memory of the daemon, in bytes.
fn resident_bytes(daemon: &Daemon) -> usize {
    let status = fs::read_to_string(daemon.proc_path("status")).expect("the daemon lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.expect("Linux tells it").split_whitespace().next();
    1024 * kibibytes
        .expect("a number")
        .parse::<usize>()
        .expect("a number")
}

/// Goal: more datagrams than fit into a receive buffer are counted one by one, the flushes stay on time
/// and the log says what to do. Method: a daemon that is paused twice while they come.
#[test]
fn what_the_kernel_drops_is_counted_and_told_with_what_helps() {
    let daemon = Daemon::start(
        "-b 127.0.0.1:0 -f 0.2 --shards 1 --receive-buffer 64KiB --max-datagram 1024",
    );
    let sender = daemon.sender();
    let mut sent = 0.0;
    for _ in 0..2 {
        daemon.pause();
        for _ in 0..3_000 {
            sender.send("flood:1|c");
        }
        sent += 3_000.0;
        daemon.resume();
        daemon.wait_for("all datagrams to be accounted for", |points| {
            points.own_sum("datagrams") + points.own_sum("kernel_drops") == sent
        });
    }
    let line = daemon.log.wait_for_text("the kernel dropped");
    assert!(
        line.contains("shard 0") && line.contains("receive_buffer"),
        "{line}"
    );
    let points = daemon.stop_and_read();
    points.assert_input_balances();
    let counted = points.sum("stats.counters.flood.count");
    assert_eq!(counted + points.own_sum("kernel_drops"), sent);
}

/// What a flood sends at most, if nobody ends it.
const FLOOD_COUNT_MAX: u64 = 5_000_000;

/// USER_HZ, in which the kernel tells of times, on all architectures that we build for.
const TICKS_PER_S: f64 = 100.0;

/// The time that the process has run on all cores, in seconds.
fn cpu_s(daemon: &Daemon) -> f64 {
    let stat = fs::read_to_string(daemon.proc_path("stat")).expect("the daemon lives");
    let (_, behind_name) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_S
}

/// Goal: more traffic than a core can take is lost in the kernel only, counted one by one; flushes stay on
/// time, and one shard takes no more than its core. Method: a sender that nothing holds back, with as many
/// lines in a datagram as fit, for three slots; then delivered and dropped against sent.
#[test]
fn flushes_stay_on_time_under_more_than_a_core_can_take() {
    const FLUSH_MS: f64 = 2_000.0;
    for engine in engines() {
        let daemon = Daemon::start(&format!(
            "-b 127.0.0.1:0 -f 2 --shards 1 --receive-buffer 64KiB --engine {engine}"
        ));
        let lines: Vec<String> = (0..80).map(|n| format!("flood.{n}:{n}:1|ms")).collect();
        let datagram = lines.join("\n");
        let sender = daemon.sender();
        let (sent, enough) = (AtomicU64::new(0), AtomicBool::new(false));
        let (cores, late_ms) = thread::scope(|scope| {
            scope.spawn(|| {
                while !enough.load(Ordering::SeqCst)
                    && sent.load(Ordering::SeqCst) < FLOOD_COUNT_MAX
                {
                    sender.send(&datagram);
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            });
            let (began, cpu_before_s) = (Instant::now(), cpu_s(&daemon));
            let points = daemon.wait_for("three slots", |points| {
                points.own_values("datagrams").len() >= 3
            });
            let cores = (cpu_s(&daemon) - cpu_before_s) / began.elapsed().as_secs_f64();
            enough.store(true, Ordering::SeqCst);
            (cores, points.own_values("flush.late_ms"))
        });
        let sent = sent.load(Ordering::SeqCst) as f64;
        let ledger = daemon.wait_for_ledger("all datagrams", |ledger| {
            (ledger.delivered() + ledger.dropped()) as f64 == sent
        });
        assert!(ledger.dropped() > 0, "{engine}: it takes {sent} datagrams");
        let points = daemon.stop_and_read();
        let delivered = points.own_sum("datagrams");
        assert_eq!(delivered + points.own_sum("kernel_drops"), sent, "{engine}");
        assert_eq!(points.own_sum("samples"), 160.0 * delivered, "{engine}");
        let counted = points.sum("stats.timers.flood.7.count");
        assert_eq!(counted, 2.0 * delivered, "{engine}");
        // Where others want the cores, too, the flusher waits for one now and then, but misses no slot.
        let average_ms = late_ms.iter().sum::<f64>() / late_ms.len() as f64;
        assert!(average_ms < FLUSH_MS / 2.0, "{engine}: {late_ms:?}");
        assert_eq!(points.own_sum("flush.skipped_slots"), 0.0, "{engine}");
        assert!(cores < 1.5, "{engine}: {cores} cores");
    }
}

/// Goal: empty datagrams and garbage are counted one by one, and good lines between them are taken.
/// Method: some of each kind of rubbish, with a good line behind each.
#[test]
fn rubbish_is_counted_and_harms_no_line_beside_it() {
    let rig = Rig::start("shards = 1");
    let rubbish: [&[u8]; 6] = [
        b"",
        b"\n\n\n",
        b"\xff\xfe\x00",
        b"::::|||",
        b"a:1",
        b"a|c:1",
    ];
    let sender = rig.daemon.sender();
    for _ in 0..200 {
        sender.send_all(&rig.queue, rubbish);
        sender.send_all(&rig.queue, ["good:1|c"]);
    }
    rig.graphite.wait_for("all datagrams", |points| {
        points.own_sum("datagrams") == 1_400.0
    });
    let points = rig.finish();
    assert_eq!(points.sum("stats.counters.good.count"), 200.0);
    assert_eq!(points.own_sum("datagrams.skipped"), 200.0);
    assert_eq!(points.own_sum_of_all("refused."), 800.0);
}

/// Goal: a flood of empty datagrams, each of which ends a receive of io_uring, takes no call for each. Method:
/// a flood with a good line now and then, and the calls that receiving it took.
#[test]
fn a_flood_of_empty_datagrams_takes_few_calls_and_no_line() {
    const EMPTY: usize = 20_000;
    const EVERY: usize = 100;
    for engine in engines() {
        let rig = Rig::start(&format!("shards = 1\nengine = \"{engine}\""));
        let flood = (0..EMPTY).map(|number| match number % EVERY {
            0 => "good:1|c",
            _ => "",
        });
        rig.daemon.sender().send_all(&rig.queue, flood);
        rig.graphite.wait_for("all datagrams", |points| {
            points.own_sum("datagrams") == EMPTY as f64
        });
        let points = rig.finish();
        let good = (EMPTY / EVERY) as f64;
        assert_eq!(points.sum("stats.counters.good.count"), good, "{engine}");
        let enters = points.own_sum("receive.enters");
        assert!(enters < EMPTY as f64 / 4.0, "{engine}: {enters}");
    }
}
