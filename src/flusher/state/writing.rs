//! Writes the state on a thread, one at a time: a disk that hangs holds up no flush.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::opening::{self, Opened};
use crate::disk::{self, Answer, DiskThread, SILENCE, may_pass};

/// One file and its thread, which reads it at most once and writes it again and again.
#[derive(Debug)]
pub(super) struct Writing {
    path: PathBuf,
    disk: DiskThread,
    /// How the write that is under way will have gone.
    under_way: Option<Answer<io::Result<()>>>,
    /// When it began.
    began: Instant,
    is_failing: bool,
    /// Whether what lies there may be of use, and nobody has read it: it is not written over. The thread
    /// takes it back when it has set the file aside.
    is_unread: Arc<AtomicBool>,
}

/// A write that takes longer is told of in the log.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a file that cannot be written costs.
const LOST: &str = "after a restart gauges would go on from an older state, and a slot that is cut in two \
                    would lose a part";

impl Writing {
    pub(super) fn new(path: PathBuf) -> Writing {
        Writing {
            path,
            disk: DiskThread::new("state"),
            under_way: None,
            began: Instant::now(),
            is_failing: false,
            is_unread: Arc::default(),
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to try whether the file can be written.
    pub(super) fn begin_trying(&mut self) -> io::Result<Answer<Opened>> {
        let path = self.path.clone();
        self.disk.ask(move || Opened {
            tried: disk::try_beside(&path),
            found: None,
        })
    }

    /// Begins to read the file as well, if it is no older than this.
    pub(super) fn begin_opening(&mut self, age_max: Duration) -> io::Result<Answer<Opened>> {
        let path = self.path.clone();
        self.disk.ask(move || opening::open(&path, age_max))
    }

    /// Fails where nothing can ever be written. Says in the log if it is the disk that fails.
    pub(super) fn tried(&mut self, tried: io::Result<()>) -> Result<(), String> {
        match tried {
            Ok(()) => Ok(()),
            Err(error) if may_pass(&error) => {
                self.is_failing = true;
                log::warn!(
                    "cannot write {}: {error}; until that is over, {LOST}",
                    self.path.display()
                );
                Ok(())
            }
            Err(error) => Err(format!(
                "cannot write {}, which is needed beside the state file: {error}",
                disk::beside(&self.path).display()
            )),
        }
    }

    /// Nobody waits any more for the disk to answer. What lies in the file is kept if it was to be read.
    pub(super) fn gave_up_opening(&mut self, is_unread: bool) {
        self.is_failing = true;
        self.is_unread.store(is_unread, Ordering::Relaxed);
        let path = self.path.display();
        let unread = match is_unread {
            true => format!(
                "gauges begin anew, and a slot that was cut in two loses its first part; the file is \
                 renamed to {path}{} when the disk answers. ",
                opening::UNREAD
            ),
            false => String::new(),
        };
        log::warn!(
            "cannot open {path}: {SILENCE}; {unread}Until it does, {LOST} (`mount` tells what is \
             mounted there)"
        );
    }

    /// The disk has answered after all.
    pub(super) fn tried_late(&mut self, tried: io::Result<()>) {
        if let Err(reason) = self.tried(tried) {
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
            None if self.began.elapsed() > PATIENCE => self.failed(SILENCE),
            None => {}
        }
        self.under_way.is_none()
    }

    /// Begins to write, behind what is under way.
    pub(super) fn begin(&mut self, state: Vec<u8>) {
        let path = self.path.clone();
        let is_unread = Arc::clone(&self.is_unread);
        let asked = self.disk.ask(move || {
            if is_unread.load(Ordering::Relaxed) {
                opening::set_unread_aside(&path)?;
                is_unread.store(false, Ordering::Relaxed);
            }
            disk::replace_file(&path, &state)
        });
        match asked {
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
                log::info!("{} is written again", self.path.display());
            }
            Ok(()) => {}
            Err(error) => self.failed(&error.to_string()),
        }
    }

    /// Told once in a row.
    fn failed(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            log::error!("cannot write {}: {reason}; {LOST}", self.path.display());
        }
    }
}
