//! A link that is cut between the daemon and its server, and mended again.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::outages::SENT;
use crate::support::daemon::Daemon;
use crate::support::graphite::Graphite;
use crate::support::link::{Link, SERVER};
use crate::support::points::{OWN, Points};

/// A daemon at one end of a link, and a server at the other.
struct Rig {
    daemon: Daemon,
    graphite: Graphite,
    link: Link,
    folder: TempDir,
    sent: f64,
}

impl Rig {
    /// None where no namespace can be made.
    fn start() -> Option<Rig> {
        let link = Link::new()?;
        let graphite = Graphite::of(link.listen());
        let folder = tempfile::tempdir().expect("a folder");
        // What comes over a socket in the file system comes from any network.
        let arguments = format!(
            "-b 127.0.0.1:0 -b unixgram:{} -f 1 --shards 1 --idle none --own-prefix {OWN} \
             -s graphite://{SERVER}:{} -s console:",
            socket(&folder).display(),
            graphite.port
        );
        let command = link.command(env!("CARGO_BIN_EXE_ringstat"), &arguments);
        let daemon = Daemon::spawn_with_control(command);
        Some(Rig {
            daemon,
            graphite,
            link,
            folder,
            sent: 0.0,
        })
    }

    /// Sends 1,000 samples, in lines that are as many points as a packet does not hold, and waits until they
    /// are flushed.
    fn pass_slot(&mut self) {
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.connect(socket(&self.folder)).expect("it listens");
        for number in 0..1_000 {
            let lines = format!("sent:1|c\nseries.{number}:1|c");
            sender.send(lines.as_bytes()).expect("it is read");
        }
        self.sent += 1_000.0;
        self.daemon.wait_for_sum(SENT, self.sent);
    }

    /// Waits until the server has all points of all slots, and stops. Returns what was printed.
    fn finish(mut self) -> Points {
        let name = self.sink();
        for number in [0, 999] {
            let path = format!("stats.counters.series.{number}.count");
            self.graphite.wait_for_kept("all points", |kept| {
                kept.sum(SENT) == self.sent && kept.sum(&path) == self.sent / 1_000.0
            });
        }
        let sink = self.daemon.ledger().sink(&name);
        assert_eq!(sink.dropped, 0, "{sink:?}");
        let printed = self.daemon.stop_in_place();
        printed.assert_sink_balances(&name);
        printed
    }

    /// The name of the sink in own metrics.
    fn sink(&self) -> String {
        format!(
            "graphite_{}_{}",
            SERVER.replace('.', "_"),
            self.graphite.port
        )
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("datagrams")
}

/// Goal: a link that is away for some seconds costs nothing. Method: cut between two slots, three slots
/// meanwhile, mended; then one more slot.
#[test]
fn a_link_that_is_cut_for_some_slots_loses_none() {
    let Some(mut rig) = Rig::start() else { return };
    rig.pass_slot();
    rig.link.cut();
    for _ in 0..3 {
        rig.pass_slot();
    }
    let waits = rig.daemon.ledger().sink(&rig.sink());
    rig.link.mend();
    rig.pass_slot();
    rig.finish();
    assert!(waits.dropped == 0, "{waits:?}");
}

/// Goal: a connection over a link that stays away is given up, and what nobody acknowledged is sent again
/// over the next one. Method: cut, slots until the kernel has ended the connection (TCP_USER_TIMEOUT, half a
/// minute), mended.
#[test]
#[ignore = "it takes a minute or more; .ci/run has it"]
fn a_link_that_stays_cut_ends_the_connection_and_loses_no_slot() {
    let Some(mut rig) = Rig::start() else { return };
    rig.pass_slot();
    rig.link.cut();
    let ends = format!("{SERVER}:{} is down", rig.graphite.port);
    while !rig.daemon.log.now().iter().any(|line| line.contains(&ends)) {
        rig.pass_slot();
        assert!(rig.sent < 100_000.0, "the connection still stands");
    }
    assert!(rig.sent > 2_000.0, "it is not given up at once");
    rig.link.mend();
    rig.pass_slot();
    let sink = rig.sink();
    let printed = rig.finish();
    let reconnects = printed.own_sum(&format!("sink.{sink}.reconnects"));
    assert!(reconnects >= 1.0, "{reconnects}");
}
