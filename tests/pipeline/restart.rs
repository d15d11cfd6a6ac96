//! A restart in mid-slot: what outlives it goes through the text of a state file into shards and a
//! merger of another process.

use std::time::Duration;

use ringstat::flusher::state::{Head, SlotText, State, StateText};
use ringstat::metric::SetHash;
use ringstat::shard::ShardCounts;
use ringstat::snapshot::Partial;

use super::{Plan, Shards};
use crate::model::Output;

/// Datagrams, each with the socket that it comes from.
type Datagrams = [(usize, Vec<u8>)];

impl Shards {
    /// As an interval, with a restart between each two parts of it.
    pub fn interval_in_parts(
        &mut self,
        parts: &[&Datagrams],
        length_s: f64,
        end_unix_s: u64,
    ) -> Output {
        let (last, before) = parts.split_last().expect("a part");
        let mut counts = ShardCounts::default();
        let mut begun = None;
        for part in before {
            counts.merge(&self.merge_part(begun.take(), part).0);
            begun = Some(self.restart(length_s, end_unix_s));
        }
        let (of_last, intervals) = self.merge_part(begun, last);
        counts.merge(&of_last);
        self.output(&counts, intervals, length_s, end_unix_s)
    }

    fn merge_part(
        &mut self,
        begun: Option<Partial>,
        part: &Datagrams,
    ) -> (ShardCounts, Vec<(usize, ringstat::metric::Interval)>) {
        let (counts, mut intervals) = self.take(part);
        match begun {
            Some(begun) => self.merger.merge_whole(begun, &mut intervals),
            None => self.merger.merge(&intervals),
        }
        (counts, intervals)
    }

    /// Goes on in another process. Returns what came before in the slot.
    fn restart(&mut self, length_s: f64, end_unix_s: u64) -> Partial {
        let end = Duration::from_secs(end_unix_s);
        let mut text = StateText::new(Head {
            written: end,
            end,
            interval: Duration::from_secs_f64(self.interval_s),
        });
        for series in self.merger.lasting(true) {
            text.series(&series);
        }
        let length = Duration::from_secs_f64(length_s);
        let mut slot = SlotText::new(end, length, Some(self.plan.set_hash.keys()));
        self.merger.pieces(|name, piece| slot.piece(name, &piece));
        let state = State::read(text.finish(Some(slot)), Duration::ZERO);
        let mut state = state.expect("what was written can be read");
        let slot = state.slot.take().expect("it was written");
        let keys = slot.keys.expect("they were written");
        let mut after = Shards::planned(Plan {
            set_hash: SetHash::with(&keys).expect("the same keys"),
            ..self.plan.clone()
        });
        for series in state.series() {
            after.merger.restore(&series);
        }
        // How many came into being is not kept.
        after.merged_series = u64::MAX / 2;
        *self = after;
        slot.part
    }
}
