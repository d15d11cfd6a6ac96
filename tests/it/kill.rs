//! What a kill costs, to the sample: what was taken since the last flush, and nothing of what came before or
//! behind.

use std::fs;

use rustix::process::Signal;

use crate::activation::manager::Manager;
use crate::activation::{ringstat, shared_sockets};
use crate::outages::{SENT, wait_for_spooled};
use crate::support::daemon::Daemon;
use crate::support::engines::engines;
use crate::support::graphite::{Graphite, ReservedPort};
use crate::support::kept::Kept;
use crate::support::points::{OWN, Points};
use crate::support::poll;
use crate::support::udp::ReceiveQueue;

const LEVEL: &str = "stats.gauges.level";

/// Goal: SIGKILL costs what was taken since the last flush, and nothing else: not what was flushed, to a server
/// or to the spool of one that is away, nor what came since, and no level that was flushed. Method: sockets that a
/// service manager holds; samples that are flushed; a slot without end, by SIGHUP, and samples that are taken
/// in it; SIGKILL; samples before the successor starts, and when it runs.
#[test]
fn a_kill_costs_what_was_taken_since_the_last_flush_and_nothing_else() {
    const FLUSHED: usize = 1_000;
    const TAKEN: usize = 700;
    const BEHIND: usize = 300;
    for engine in engines() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (works, away) = (Graphite::start(), ReservedPort::new());
        let mut manager = Manager::start();
        for socket in shared_sockets(2) {
            manager.hold("ringstat.socket", socket);
        }
        let write = |flush_s: u32| {
            let settings = format!(
                "flush = {flush_s}\nalign = false\nidle = 'none'\nengine = '{engine}'\n\
                 own_prefix = '{OWN}'\nsink = ['{}', '{}', 'console:']\nspool = {:?}\nstate_file = {:?}\n",
                works.sink(),
                away.sink(),
                path("spool"),
                path("state"),
            );
            fs::write(path("settings.toml"), settings).expect("a file");
        };
        let start = || {
            let arguments = format!("--config {}", path("settings.toml").display());
            Daemon::spawn_with_control(manager.command(ringstat(), &arguments))
        };
        write(1);
        let mut killed = start();
        let queue = ReceiveQueue::of(&killed);
        // More than one, so that each of the two sockets gets some.
        let senders = [(); 8].map(|()| killed.sender());
        let send = |count: usize| {
            for (number, sender) in (0..count).zip(senders.iter().cycle()) {
                sender.send_all(&queue, [format!("sent:1|c\nof.{}:1|c", number % 10)]);
            }
        };
        // Before all others over this socket: where they are it is.
        senders[0].send("level:5|g");
        send(FLUSHED);
        works.wait_for_sum(SENT, FLUSHED as f64);
        wait_for_spooled(&path("spool"), away.port, FLUSHED as f64);
        // A disk may take its time.
        poll("the level in the state file", || {
            let text = fs::read_to_string(path("state")).ok()?;
            text.contains(" 5.0 level\n").then_some(())
        });

        write(1_000);
        killed.signal(Signal::HUP);
        killed.log.wait_for_text("configuration 2 in use");
        senders[0].send("level:9|g");
        send(TAKEN);
        queue.wait_until_empty();
        killed.signal(Signal::KILL);
        assert_eq!(killed.wait(), None);
        senders[0].send("level:+1|g");
        send(BEHIND);
        write(1);
        let successor = start();
        let away = away.listen();
        send(BEHIND);
        let sum = (FLUSHED + 2 * BEHIND) as f64;
        for server in [&works, &away] {
            server.wait_for_sum(SENT, sum);
        }
        let ledger = successor.wait_for_ledger("an empty spool", |ledger| {
            let sink = ledger.sink(&away.name());
            sink.sent > 0 && sink.spooled + sink.queued == 0
        });
        ledger.assert_balanced();
        let printed = successor.stop_and_read();

        // All that there will ever be: each sample once.
        let datagrams = format!("{OWN}.datagrams");
        let last = printed.times(&datagrams).last().copied();
        for server in [&works, &away] {
            let points = server.wait_for("the last slot", |points| {
                points.times(&datagrams).last().copied() == last
            });
            assert_eq!(points.sum(&datagrams), sum + 2.0, "{engine}");
            assert_eq!(points.own_sum("kernel_drops"), 0.0, "{engine}");
            assert_eq!(points.sum(SENT), sum, "{engine}");
            assert_eq!(of_series(&points), [sum / 10.0; 10], "{engine}");
            let mut levels = Kept::of(&points).values(LEVEL);
            levels.dedup();
            assert_eq!(levels, [5.0, 6.0], "{engine}");
        }
    }
}

/// The sums of the ten series among which the samples are dealt out.
fn of_series(points: &Points) -> [f64; 10] {
    std::array::from_fn(|number| points.sum(&format!("stats.counters.of.{number}.count")))
}
