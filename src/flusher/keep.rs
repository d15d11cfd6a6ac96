//! What a flush leaves to the process after this one.

use std::time::Duration;

use super::Flusher;
use super::schedule::Due;
use super::state::{Head, SlotText, StateFile, StateText};
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

    /// Has the state file written, if it is time to, or if a slot goes on in the next process.
    pub(super) fn keep_state(&mut self, due: Due, open: Option<OpenSlot>, totals: &SlotCounts) {
        if let Some(OpenSlot { series, mut slot }) = open {
            slot.counts(totals);
            if let Some(file) = &mut self.settings.state_file {
                file.write_last(series.finish(Some(slot)));
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
