//! Writes the state on a thread, one at a time: a disk that hangs holds up no flush.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::files::FileOnDisk;
use super::opening::{self, Opened};
use crate::disk::{self, Answer, SILENCE, may_pass};

/// A file that is read at most once and written again and again.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) file: Arc<FileOnDisk>,
    /// How the write that is under way will have gone.
    under_way: Option<Answer<io::Result<()>>>,
    /// When it began.
    began: Instant,
    is_failing: bool,
}

/// A write that takes longer is told of in the log.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// What a file that cannot be written costs.
const LOST: &str = "after a restart gauges would go on from an older state, and a slot that is cut in two \
                    would lose a part";

impl Writing {
    pub(super) fn new(file: Arc<FileOnDisk>) -> Writing {
        Writing {
            file,
            under_way: None,
            began: Instant::now(),
            is_failing: false,
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Begins to open the file, of which nothing is to be read.
    pub(super) fn begin_opening_to_write(&self) -> io::Result<Answer<Opened>> {
        self.file.ask(|file| opening::open_to_write(&file.path))
    }

    /// Begins to open the file, and to read it if it is no older than this.
    pub(super) fn begin_opening(&self, age_max: Duration) -> io::Result<Answer<Opened>> {
        self.file.ask(move |file| file.open(age_max))
    }

    /// Fails where nothing can ever be written. Says in the log if it is the disk that fails.
    pub(super) fn opened(&mut self, writable: io::Result<()>) -> Result<(), String> {
        match writable {
            Ok(()) => Ok(()),
            Err(error) if may_pass(&error) => {
                self.is_failing = true;
                log::warn!(
                    "cannot write {}: {error}; until that is over, {LOST}",
                    self.path().display()
                );
                Ok(())
            }
            Err(error) => Err(format!(
                "cannot write {}, which is needed beside the state file: {error}",
                disk::beside(self.path()).display()
            )),
        }
    }

    /// Nobody waits any more for the disk to answer. What lies in the file is kept if it was to be read.
    pub(super) fn gave_up_opening(&mut self, is_to_be_read: bool) {
        self.is_failing = true;
        let path = self.path().display();
        let mut unread = String::new();
        if is_to_be_read {
            self.file.gave_up_reading();
            unread = format!(
                "gauges begin anew, and a slot that was cut in two loses its first part; the file is \
                 renamed to {} when the disk answers. ",
                opening::unread(self.path()).display()
            );
        }
        log::warn!(
            "cannot open {path}: {SILENCE}; {unread}Until it does, {LOST} (`mount` tells what is \
             mounted there)"
        );
    }

    /// The disk has answered after all.
    pub(super) fn opened_late(&mut self, writable: io::Result<()>) {
        if let Err(reason) = self.opened(writable) {
            log::error!("{reason}; {LOST}");
        }
    }

    /// Whether nothing is being written. Says in the log how the last write went, if that is new.
    pub(super) fn is_idle(&mut self) -> bool {
        let Some(under_way) = &self.under_way else {
            return true;
        };
        match under_way.now() {
            Some(written) => self.ended(written),
            None if self.began.elapsed() > SLOW_AFTER => self.failed(SILENCE),
            None => {}
        }
        self.under_way.is_none()
    }

    /// Begins to write, behind what is under way.
    pub(super) fn begin(&mut self, state: Vec<u8>) {
        match self.file.ask(move |file| file.replace(&state)) {
            Ok(answer) => (self.under_way, self.began) = (Some(answer), Instant::now()),
            Err(error) => self.failed(&format!("no thread: {error}")),
        }
    }

    /// Waits until the last write is done, or up to this time. Then nobody tries again, so that a failure is
    /// told of whatever was told before.
    pub(super) fn wait_for_last(&mut self, until: Instant) {
        let Some(under_way) = &self.under_way else {
            return;
        };
        let silence = || Err(io::Error::other(SILENCE));
        let written = under_way.wait(until).unwrap_or_else(silence);
        if written.is_err() {
            self.is_failing = false;
        }
        self.ended(written);
    }

    fn ended(&mut self, written: io::Result<()>) {
        self.under_way = None;
        match written {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                log::info!("{} is written again", self.path().display());
            }
            Ok(()) => {}
            Err(error) => self.failed(&error.to_string()),
        }
    }

    /// Told once in a row.
    fn failed(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            log::error!("cannot write {}: {reason}; {LOST}", self.path().display());
        }
    }
}
