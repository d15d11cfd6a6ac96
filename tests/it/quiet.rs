//! No trouble at all, which is what the faults are held against.

use crate::support::daemon::Daemon;
use crate::support::engines::engines;
use crate::support::graphite::Graphite;
use crate::support::udp::{ReceiveQueue, Sender};

/// Goal: every sample is in a database in the end, once. Method: senders on several sockets, two shards,
/// several slots, a stop in order; values as a database keeps them.
#[test]
fn every_sample_is_kept_once() {
    for engine in engines() {
        let graphite = Graphite::start();
        // A database has one value for each second, so no slot may be shorter.
        let mut daemon = Daemon::start(&format!(
            "-b 127.0.0.1:0 -f 1 --shards 2 --engine {engine} -s {}",
            graphite.sink()
        ));
        let queue = ReceiveQueue::of(&daemon);
        let senders: Vec<Sender> = (0..4).map(|_| daemon.sender()).collect();
        for slot in 1..=3 {
            for sender in &senders {
                sender.send_all(&queue, (0..1_000).map(|_| "sent:1|c\nsent:2|c"));
            }
            graphite.wait_for_kept("all that was sent", |kept| {
                kept.sum("stats.counters.sent.count") == f64::from(slot * 12_000)
            });
        }
        let ledger = daemon.wait_for_ledger("all lines to be sent", |ledger| {
            let sink = ledger.sink(&graphite.name());
            ledger.samples() == 24_000 && sink.queued == 0
        });
        ledger.assert_balanced();
        assert_eq!(
            (ledger.delivered(), ledger.dropped()),
            (12_000, 0),
            "{engine}"
        );
        assert_eq!(ledger.sink(&graphite.name()).dropped, 0, "{engine}");
        assert_eq!(daemon.stop(), Some(0));
        let points = graphite.points_to_end();
        assert_eq!(
            points.sum("stats.counters.sent.count"),
            36_000.0,
            "{engine}"
        );
        assert_eq!(points.own_sum("kernel_drops"), 0.0, "{engine}");
        points.assert_input_balances();
        points.assert_sink_balances(&graphite.name());
    }
}
