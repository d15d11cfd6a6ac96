//! What a flush leaves to the process after this one.

use std::time::Duration;

use super::Flusher;
use super::schedule::Due;
use super::state::{Head, Slot, SlotText, StateFile, StateText};
use crate::telemetry::SlotCounts;

/// The state of a slot that is open when the daemon stops.
pub(super) struct OpenSlot {
    series: StateText,
    slot: SlotText,
}

impl Flusher {
    /// What is to be kept of a slot of this length that goes on in the next process, if it is to be
    /// kept. To be asked in front of the summaries: behind them what expires with the slot is gone.
    pub(super) fn open_slot(&self, due: Due, length: Duration) -> Option<OpenSlot> {
        self.settings.state_file.as_ref()?;
        let mut slot = SlotText::new(due.end, length, self.set_keys);
        self.merger.pieces(|name, piece| slot.piece(name, &piece));
        Some(OpenSlot {
            series: self.state_text(due, true),
            slot,
        })
    }

    /// Counts what a state costs that was read too late: the first part of a slot whose end is flushed
    /// here, too.
    pub(super) fn miss_late_state(&mut self, due: Due) {
        let first_end = *self.first_end.get_or_insert(due.end);
        let files = [&mut self.left_state_file, &mut self.settings.state_file];
        let slot = files
            .into_iter()
            .flatten()
            .find_map(|file| file.take_late()?.slot);
        self.left_state_file.take_if(|file| !file.is_being_read());
        let Some(slot) = slot else {
            return;
        };
        let Slot { end, length, .. } = slot;
        let interval = self.settings.interval;
        let is_stamped_here = end.abs_diff(due.end).as_nanos() % interval.as_nanos() == 0;
        // One that has not begun is of a clock that was set back since.
        let has_begun = end.saturating_sub(due.end) <= length.max(interval);
        if end >= first_end && is_stamped_here && has_begun {
            self.slots_halved += 1;
            log::error!(
                "of the slot up to {} Graphite keeps only what this process got: its first part, of the \
                 process before, was read too late (the disk of the state file)",
                end.as_secs()
            );
        }
    }

    /// Has the state file written, if it is time to, or if a slot goes on in the next process.
    pub(super) fn keep_state(&mut self, due: Due, open: Option<OpenSlot>, totals: &SlotCounts) {
        if let Some(OpenSlot { series, mut slot }) = open {
            slot.counts(totals);
            if let Some(file) = &mut self.settings.state_file {
                file.write(series.finish(Some(slot)));
            }
            return;
        }
        let file = self.settings.state_file.as_mut();
        if file.is_some_and(StateFile::is_due) {
            let state = self.state_text(due, false).finish(None);
            if let Some(file) = &mut self.settings.state_file {
                file.write(state);
            }
        }
    }

    fn state_text(&self, due: Due, is_open: bool) -> StateText {
        let mut text = StateText::new(Head {
            written: self.clock.now().wall,
            end: due.end,
            interval: self.settings.interval,
        });
        for series in self.merger.lasting(is_open) {
            text.series(&series);
        }
        text
    }
}
