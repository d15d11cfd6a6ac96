//! The state file: what outlives a restart. Read at start; written behind a flush, beside the file and
//! on a thread of its own, and put in place when it is complete.

mod files;
mod opening;
mod reading;
mod text;
mod writing;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use files::StateFiles;
pub use reading::{Slot, State};
pub use text::{Head, SlotText, StateText, seal};

use crate::disk::Answer;
use crate::metric::SetHash;
use files::FileOnDisk;
use opening::{Found, Opened};
use writing::Writing;

/// Where gauges, the clocks of silent series and a slot that was cut in two outlive a restart.
#[derive(Debug)]
pub struct StateFile {
    /// How old it may be to be read; zero for any age.
    age_max: Duration,
    /// What the disk has not answered yet.
    opening: Option<Opening>,
    /// What was found at start, until it is taken.
    found: Option<State>,
    set_hash: SetHash,
    writing: Writing,
    next_write: Instant,
}

/// That a file is opened, and maybe read.
#[derive(Debug)]
struct Opening {
    answer: Answer<Opened>,
    is_to_be_read: bool,
}

/// Written as fast as this on average, a small state is written at each flush and a large one less
/// often: a disk has better things to do.
const PACE_BYTES_PER_S: u64 = 1 << 20;

impl StateFile {
    fn new(file: Arc<FileOnDisk>, age_max: Duration) -> StateFile {
        StateFile {
            age_max,
            opening: None,
            found: None,
            set_hash: SetHash::new(),
            writing: Writing::new(file),
            next_write: Instant::now(),
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        self.writing.path()
    }

    /// Begins to open the file, which shows whether it can be written, and to read what an earlier process
    /// left.
    ///
    /// # Errors
    /// A message that names the file, if the system gives no thread.
    pub fn begin_opening(&mut self) -> Result<(), String> {
        let asked = self.writing.begin_opening(self.age_max);
        self.begin(asked, true)
    }

    /// Begins to open the file to write it. Nobody asks for what lies there.
    ///
    /// # Errors
    /// As of [`StateFile::begin_opening`].
    pub fn begin_opening_to_write(&mut self) -> Result<(), String> {
        let asked = self.writing.begin_opening_to_write();
        self.begin(asked, false)
    }

    fn begin(
        &mut self,
        asked: io::Result<Answer<Opened>>,
        is_to_be_read: bool,
    ) -> Result<(), String> {
        let answer = asked.map_err(|error| {
            format!("cannot open {}: no thread: {error}", self.path().display())
        })?;
        self.opening = Some(Opening {
            answer,
            is_to_be_read,
        });
        Ok(())
    }

    /// Waits for what was begun, up to this time. Fails where the state can never be written, so that
    /// this is not found out at a flush. A disk that is full, read-only or silent is told of in the log, and
    /// tried again behind each flush; then all begins anew, as it does if what was read is of no use.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn wait_until_open(&mut self, until: Instant) -> Result<(), String> {
        let Some(opening) = self.opening.take() else {
            return Ok(());
        };
        let Some(opened) = opening.answer.wait(until) else {
            self.writing.gave_up_opening(opening.is_to_be_read);
            self.opening = Some(opening);
            return Ok(());
        };
        self.writing.opened(opened.writable)?;
        self.found = opened.found.map(|found| self.make_use_of(found));
        Ok(())
    }

    fn make_use_of(&mut self, Found { mut state, age }: Found) -> State {
        if let Some(slot) = &mut state.slot {
            let path = self.writing.path().display();
            match slot.keys.as_ref().and_then(SetHash::with) {
                Some(hash) => self.set_hash = hash,
                None => {
                    log::warn!(
                        "{path}: the members of sets are hashed in another way than here; those of \
                         the slot that was cut in two are left out"
                    );
                    slot.part.drop_sets();
                }
            }
            let left_out = slot.part.left_out();
            if left_out > 0 {
                log::error!(
                    "{path}: {left_out} series of the slot that was cut in two have no room; what \
                     the process before took in of them is only in what it sent"
                );
            }
        }
        let path = self.writing.path().display();
        log::info!("read {path}, written {} s ago", age.as_secs());
        state
    }

    /// What the members of sets are to be hashed with, so that those of a slot that was cut in two are
    /// known again.
    pub fn set_hash(&self) -> &SetHash {
        &self.set_hash
    }

    /// What was found at start, once.
    pub(super) fn take_found(&mut self) -> Option<State> {
        self.found.take()
    }

    /// What was found too late to go on from, once: the disk had not answered in time, and does now.
    pub(super) fn take_late(&mut self) -> Option<State> {
        let opened = self.opening.as_ref()?.answer.now()?;
        self.opening = None;
        self.writing.opened_late(opened.writable);
        opened.found.map(|found| found.state)
    }

    /// Whether something may be found too late still.
    pub(super) fn is_being_read(&self) -> bool {
        let opening = self.opening.as_ref();
        opening.is_some_and(|opening| opening.is_to_be_read)
    }

    /// Whether a state is to be written behind this flush.
    pub(super) fn is_due(&mut self) -> bool {
        Instant::now() >= self.next_write && self.writing.is_idle()
    }

    /// Begins to write a state.
    pub(super) fn write(&mut self, state: Vec<u8>) {
        let pause_ms = state.len() as u64 * 1_000 / PACE_BYTES_PER_S;
        self.next_write = Instant::now() + Duration::from_millis(pause_ms);
        self.writing.begin(state);
    }

    /// Waits for the last state, which was begun to be written, up to this time.
    pub fn wait_for_last(mut self, until: Instant) {
        self.writing.wait_for_last(until);
    }
}

#[cfg(test)]
mod tests;
