//! A slot that a restart cut in two. The process before this one has sent the first part under the
//! slot's stamp; the flush here that has this stamp sends both parts merged to sinks that keep the last
//! point of a path and time, and the rest to sinks that add up. That is the first flush, unless the flush
//! interval has become shorter.

use std::time::Duration;

use super::schedule::{Moment, Schedule};
use super::state::{Slot, State};
use super::{Flusher, FlusherSettings, Outlet, Outputs, refused_note, write_series};
use crate::metric::Interval;
use crate::naming::FlushTime;
use crate::snapshot::{Lasting, Merger};
use crate::telemetry::{FlushCounts, SlotCounts};

/// The slot that goes on here.
pub(super) struct Cut {
    pub(super) slot: Slot,
    /// For the rest alone, if there is a sink for it.
    rest: Option<Merger>,
    /// Others were flushed before it.
    is_late: bool,
}

/// What a flush of both parts changes for those behind it.
pub(super) struct Sent {
    /// All sinks, of which those that add up have got their points.
    pub(super) outlets: Vec<Outlet>,
    /// How they got them; without sinks if none of them adds up.
    rest: Outputs,
    /// What own metrics counted in the first part.
    pub(super) counts: SlotCounts,
}

impl Cut {
    /// Takes over what the process before has left. None unless its last slot is still open. Where
    /// slots end anywhere they end as they did there, if the last one goes on.
    pub(super) fn take_over(
        mut state: State,
        settings: &FlusherSettings,
        (schedule, now): (&mut Schedule, Moment),
        merger: &mut Merger,
        rest: Option<Merger>,
    ) -> Option<Cut> {
        let slot = state.slot.take();
        if let Some(slot) = &slot
            && !settings.align
            && state.head.interval == settings.interval
        {
            schedule.go_on_to(slot.end);
        }
        let first_end = schedule.next(now);
        let gone = first_end.saturating_sub(state.head.end);
        let restore = |merger: &mut Merger| {
            for series in state.series() {
                let silent = series.silent.saturating_add(gone);
                let name = [series.name.path, series.name.tags].concat();
                // The rules of names may have changed since.
                if settings.input_rules.could_make(&name) {
                    merger.restore(&Lasting { silent, ..series });
                }
            }
        };
        restore(merger);
        // Of one that ends earlier no point is sent here, so what was sent of it stays as it is.
        // One that has not begun is of a clock that was set back since.
        let slot = slot.filter(|slot| {
            let length = slot.length.max(state.head.interval);
            slot.end >= first_end && slot.end.saturating_sub(now.wall) <= length
        })?;
        let rest = rest.map(|mut rest| {
            restore(&mut rest);
            rest
        });
        Some(Cut {
            slot,
            rest,
            is_late: false,
        })
    }

    /// Whether the flush of a slot with this end has the stamp of this one.
    fn is_due(&self, end: Duration, interval: Duration) -> bool {
        let shares_second = end.as_secs() == self.slot.end.as_secs();
        let is_last_of_second = end > self.slot.end || interval >= Duration::from_secs(1);
        end == self.slot.end || shares_second && is_last_of_second
    }

    /// A slot before it was flushed.
    fn pass_over(&mut self, intervals: &[(usize, Interval)]) {
        // What shards say once, such as the name of a series, the flush of the rest must know.
        if let Some(rest) = &mut self.rest {
            rest.merge(intervals);
            rest.summaries(|_, _, _| {});
        }
        if !self.is_late {
            // They have moved on from these levels since.
            self.slot.part.drop_gauges();
            self.is_late = true;
        }
    }
}

impl Sent {
    /// How many points each sink got of this slot, in the order of the outlets; `whole` handed it over
    /// to those that do not add up.
    pub(super) fn handed_over(&self, whole: &Outputs) -> Vec<u64> {
        let both = [&self.rest, whole];
        let points = |outlet: &Outlet| {
            let mut known = both.into_iter().flat_map(|outputs| {
                let outlets = outputs.outlets().iter();
                outlets.zip(outputs.handed_over())
            });
            known.find(|(known, _)| known.sink.is(&outlet.sink))
        };
        let points = |outlet| points(outlet).map_or(0, |(_, points)| points);
        self.outlets.iter().map(points).collect()
    }
}

impl Flusher {
    /// The slot that was cut in two, if it is flushed now, with this end. One that never was has lost
    /// nothing: no point with its stamp was sent here.
    pub(super) fn take_cut(
        &mut self,
        end: Duration,
        intervals: &[(usize, Interval)],
    ) -> Option<Cut> {
        let mut cut = self.cut.take()?;
        if cut.is_due(end, self.settings.interval) {
            return Some(cut);
        }
        if end < cut.slot.end {
            cut.pass_over(intervals);
            self.cut = Some(cut);
        }
        None
    }

    /// Both parts of a slot that is not over yet are not merged any more, for this reason. The next
    /// flush counts it.
    pub(super) fn give_up_cut(&mut self, reason: &str) {
        if let Some(cut) = self.cut.take() {
            self.slots_halved += 1;
            log::warn!(
                "of the slot up to {} Graphite keeps only what this process got: its first part, of the \
                 process before, is given up, as {reason} in the midst of it, after the flush interval was \
                 made shorter",
                cut.slot.end.as_secs()
            );
        }
    }

    /// Sends the rest to the sinks that add up, and merges both parts for the others, which are the
    /// only ones in use then.
    pub(super) fn merge_both_parts(
        &mut self,
        cut: Cut,
        intervals: &mut Vec<(usize, Interval)>,
        mut counts: FlushCounts,
        time: FlushTime,
    ) -> Sent {
        let outlets = self.outputs.outlets().to_vec();
        let all = outlets.iter().cloned();
        let (adding, others): (Vec<_>, Vec<_>) = all.partition(|outlet| outlet.sink.adds_up());
        let mut outputs = Outputs::new(adding);
        if let Some(mut rest) = cut.rest {
            outputs.begin(time.end_unix_s);
            rest.merge(intervals);
            let inputs = counts.shards.inputs();
            let settings = &self.settings;
            write_series(settings, &mut rest, &mut counts, inputs, time, &mut outputs);
            // What it remembers of the flush it shall remember of the whole.
            if let Some(mut telemetry) = self.telemetry.clone() {
                let slot = &mut SlotCounts::default();
                let mut out = outputs.without_screen();
                let naming = &settings.naming;
                telemetry.write(&counts, &self.told, naming, time, slot, &mut out);
            }
            outputs.finish(&refused_note(&counts.shards.refusals));
        }
        self.outputs = Outputs::new(others);
        self.outputs.begin_again(time.end_unix_s);
        self.merger.merge_whole(cut.slot.part, intervals);
        Sent {
            outlets,
            rest: outputs,
            counts: cut.slot.counts,
        }
    }
}
