//! A daemon's ledger as numbers, and whether they come out even.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde::Deserialize;

use super::daemon::{command, run};

/// The slots that a daemon keeps, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(pub(crate) Vec<Slot>);

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Slot {
    /// Its end in seconds since 1970.
    pub(crate) slot: u64,
    pub(crate) length_s: f64,
    pub(crate) balances: bool,
    pub(crate) imbalances: Vec<String>,
    pub(crate) datagrams: Datagrams,
    pub(crate) lines: Lines,
    pub(crate) samples: u64,
    /// By reason.
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) sinks: Vec<Sink>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Datagrams {
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) read: u64,
    pub(crate) empty: u64,
    pub(crate) truncated: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lines {
    pub(crate) read: u64,
    pub(crate) chained: u64,
    pub(crate) skipped: u64,
}

/// What became of the lines for a sink.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub(crate) struct Sink {
    pub(crate) name: String,
    pub(crate) points: u64,
    pub(crate) waited: u64,
    pub(crate) pushed: u64,
    pub(crate) sent: u64,
    pub(crate) queued: u64,
    pub(crate) spooled: u64,
    pub(crate) dropped: u64,
    pub(crate) superseded: u64,
}

impl Ledger {
    /// Asks the daemon at a control socket.
    ///
    /// # Panics
    /// If it does not answer. A ledger that does not balance is returned.
    pub(crate) fn read(control: &str) -> Ledger {
        let mut command = command("ledger --json --last 0 --control");
        command.arg(control).stdout(Stdio::piped());
        let ended = run(command);
        assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
        let slots = ended.out.lines();
        let slots = slots.map(|line| serde_json::from_str(line).expect("a slot"));
        Ledger(slots.collect())
    }

    /// The sum of a count over all slots.
    pub(crate) fn sum(&self, of: impl Fn(&Slot) -> u64) -> u64 {
        self.0.iter().map(of).sum()
    }

    /// Datagrams that the kernel delivered.
    pub(crate) fn delivered(&self) -> u64 {
        self.sum(|slot| slot.datagrams.delivered)
    }

    /// Datagrams that the kernel dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.sum(|slot| slot.datagrams.dropped)
    }

    pub(crate) fn samples(&self) -> u64 {
        self.sum(|slot| slot.samples)
    }

    /// How much was refused for a reason.
    pub(crate) fn refused(&self, reason: &str) -> u64 {
        self.sum(|slot| slot.refused.get(reason).copied().unwrap_or_default())
    }

    /// What became of all lines for a sink; what waits is that of the last slot.
    pub(crate) fn sink(&self, name: &str) -> Sink {
        let mut total = Sink {
            name: name.to_owned(),
            ..Sink::default()
        };
        for sink in self.0.iter().flat_map(|slot| &slot.sinks) {
            if sink.name == name {
                total.points += sink.points;
                total.pushed += sink.pushed;
                total.sent += sink.sent;
                total.dropped += sink.dropped;
                total.superseded += sink.superseded;
                (total.queued, total.spooled) = (sink.queued, sink.spooled);
            }
        }
        total
    }

    /// As [`Ledger::assert_each_balanced`], and there is one.
    pub(crate) fn assert_balanced(&self) {
        assert!(!self.0.is_empty(), "a slot has ended");
        self.assert_each_balanced();
    }

    /// Each slot balances, by the daemon's arithmetic and by ours, and goes on where the one before ended.
    pub(crate) fn assert_each_balanced(&self) {
        let mut waits_before: BTreeMap<&str, u64> = BTreeMap::new();
        for slot in &self.0 {
            let mut waits = BTreeMap::new();
            assert!(slot.balances, "{slot:#?}");
            assert_eq!(slot.datagrams.delivered, slot.datagrams.read, "{slot:#?}");
            let refused: u64 = slot.refused.values().sum();
            assert_eq!(
                slot.lines.read + slot.lines.chained,
                slot.samples + refused + slot.lines.skipped,
                "{slot:#?}"
            );
            for sink in &slot.sinks {
                assert_eq!(sink.points, sink.pushed, "{sink:?} of {slot:#?}");
                let waits_now = sink.queued + sink.spooled;
                assert_eq!(
                    sink.waited + sink.pushed,
                    sink.sent + waits_now + sink.dropped + sink.superseded,
                    "{sink:?} of {slot:#?}"
                );
                waits.insert(&*sink.name, waits_now);
                if let Some(waited) = waits_before.get(&*sink.name) {
                    assert_eq!(*waited, sink.waited, "{sink:?} of {slot:#?}");
                }
            }
            // A sink that was away for a slot begins anew.
            waits_before = waits;
        }
    }
}
