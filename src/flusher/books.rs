//! Keeps the ledger: ends the record of a slot when the next one ends, and says what does not balance.

use super::Outlet;
use crate::ledger::{Input, Ledger, Output, Record};
use crate::naming::FlushTime;
use crate::sink::{Counters, SinkHandle};
use crate::telemetry::FlushCounts;

/// The sinks of the ledger's open record, in the order of its outputs: after a reload the daemon may
/// have others.
#[derive(Debug, Default)]
pub(super) struct Books(Vec<SinkHandle>);

impl Books {
    /// Ends the record of the slot before. `told` are the counters of the outlets at this moment.
    /// Returns whether it balances.
    pub(super) fn close(&self, ledger: &mut Ledger, outlets: &[Outlet], told: &[Counters]) -> bool {
        let imbalances = ledger.close(&self.counters(outlets, told));
        if !imbalances.is_empty() {
            let end_unix_s = ledger.records().next_back().map(|last| last.end_unix_s);
            let all: Vec<String> = imbalances.iter().map(ToString::to_string).collect();
            log::error!(
                "the slot that ended at {} does not balance: {}; this is a fault of ringstat's: \
                 please report it with what `ringstat ledger` prints",
                end_unix_s.unwrap_or_default(),
                all.join("; ")
            );
        }
        imbalances.is_empty()
    }

    /// Begins the record of a slot. `told` are the counters of the outlets before they got anything of
    /// it, `points` how much each of them got since. Of a slot that a restart cut in two `counts` are of
    /// the rest, as the first part is on the ledger of the process before.
    pub(super) fn open(
        &mut self,
        ledger: &mut Ledger,
        time: FlushTime,
        counts: &FlushCounts,
        outlets: &[Outlet],
        told: &[Counters],
        points: &[u64],
    ) {
        self.0 = outlets.iter().map(|outlet| outlet.sink.clone()).collect();
        let outputs = self.0.iter().zip(points);
        let outputs = outputs.map(|(sink, &points)| Output::new(sink.name(), points));
        let record = Record {
            end_unix_s: time.end_unix_s,
            length_s: time.length_s,
            input: Input::of(counts),
            points_not_finite: counts.points_not_finite,
            outputs: outputs.collect(),
        };
        ledger.open(record, told.to_vec());
    }

    /// Brings the ledger up to date. `told` are the counters of the outlets at this moment.
    pub(super) fn refresh(&self, ledger: &mut Ledger, outlets: &[Outlet], told: &[Counters]) {
        ledger.refresh(&self.counters(outlets, told));
    }

    /// The counters of the open record's sinks. Those of an outlet are taken from what is told, as the
    /// next record goes on from there.
    fn counters(&self, outlets: &[Outlet], told: &[Counters]) -> Vec<Counters> {
        let now = self.0.iter().map(|sink| {
            let mut known = outlets.iter().zip(told);
            let known = known.find(|(outlet, _)| outlet.sink.is(sink));
            known.map_or_else(|| sink.counters(), |(_, counters)| *counters)
        });
        now.collect()
    }
}
