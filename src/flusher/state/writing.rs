//! Writes the state on a thread for each time, one at a time: a disk that hangs holds up no flush.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use crate::disk::{beside, may_pass, replace_file, try_beside};

/// Writes one file again and again.
#[derive(Debug)]
pub(super) struct Writing {
    path: PathBuf,
    /// How the write that is under way will have gone.
    under_way: Option<Receiver<io::Result<()>>>,
    /// When it began.
    began: Instant,
    is_failing: bool,
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
            under_way: None,
            began: Instant::now(),
            is_failing: false,
        }
    }

    /// Fails where nothing can ever be written. Says in the log if it is the disk that fails.
    pub(super) fn check(&mut self) -> Result<(), String> {
        match try_beside(&self.path) {
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
                beside(&self.path).display()
            )),
        }
    }

    /// Whether nothing is being written. Says in the log how the last write went, if that is new.
    pub(super) fn is_idle(&mut self) -> bool {
        let Some(under_way) = &self.under_way else {
            return true;
        };
        match under_way.try_recv() {
            Ok(written) => self.ended(written),
            Err(TryRecvError::Empty) => {
                if self.began.elapsed() > PATIENCE {
                    self.failed("the disk does not answer");
                }
                return false;
            }
            Err(TryRecvError::Disconnected) => unreachable!("a panic ends the process"),
        }
        true
    }

    /// Begins to write, if nothing is being written.
    pub(super) fn begin(&mut self, state: Vec<u8>) {
        if !self.is_idle() {
            return;
        }
        let (done, under_way) = mpsc::channel();
        let path = self.path.clone();
        let thread = thread::Builder::new().name("state".to_owned());
        let started = thread.spawn(move || {
            // If nobody listens the daemon has given up waiting.
            let _ = done.send(replace_file(&path, &state));
        });
        match started {
            Ok(_) => (self.under_way, self.began) = (Some(under_way), Instant::now()),
            Err(error) => self.failed(&format!("no thread: {error}")),
        }
    }

    /// Writes a last time, and waits until that is done, or for so long.
    pub(super) fn write_last(&mut self, state: Vec<u8>, patience: Duration) {
        self.wait(patience);
        self.begin(state);
        self.wait(patience);
    }

    fn wait(&mut self, patience: Duration) {
        let Some(under_way) = &self.under_way else {
            return;
        };
        match under_way.recv_timeout(patience) {
            Ok(written) => self.ended(written),
            Err(RecvTimeoutError::Timeout) => self.failed("the disk does not answer"),
            Err(RecvTimeoutError::Disconnected) => unreachable!("a panic ends the process"),
        }
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
