//! The state file: what outlives a restart. Read at start; written behind a flush, beside the file and
//! on a thread of its own, and put in place when it is complete.

mod reading;
mod text;
mod writing;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

pub use reading::{Slot, State};
pub use text::{Head, SlotText, StateText, seal};

use crate::metric::SetHash;
use writing::Writing;

/// Where gauges, the clocks of silent series and a slot that was cut in two outlive a restart.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// How old it may be to be read; zero for any age.
    age_max: Duration,
    /// What was found at start, until it is taken.
    found: Option<State>,
    set_hash: SetHash,
    writing: Writing,
    next_write: Instant,
}

/// Written as fast as this on average, a small state is written at each flush and a large one less
/// often: a disk has better things to do.
const PACE_BYTES_PER_S: u64 = 1 << 20;

/// How long the last flush waits for the file, and before it for one that is being written.
const LAST_WRITE_PATIENCE: Duration = Duration::from_secs(3);

impl StateFile {
    /// A file that need not exist yet.
    pub fn new(path: PathBuf, age_max: Duration) -> StateFile {
        StateFile {
            writing: Writing::new(path.clone()),
            path,
            age_max,
            found: None,
            set_hash: SetHash::new(),
            next_write: Instant::now(),
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails where the state can never be written, so that this is not found out at a flush. A disk that
    /// is full or read-only is told of in the log, and tried again behind each flush.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn check(&mut self) -> Result<(), String> {
        self.writing.check()
    }

    /// Reads what an earlier process left. What cannot be read is set aside, so that somebody may
    /// look at it, and all begins anew.
    pub fn read(&mut self) {
        let (bytes, modified) = match read_with_time(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                let path = self.path.display();
                log::warn!("cannot read {path}: {error}; gauges begin anew");
                return;
            }
        };
        let mut state = match State::read(bytes, since_1970(modified)) {
            Ok(state) => state,
            Err(reason) => return self.set_aside(&reason),
        };
        let path = self.path.display();
        let now = since_1970(SystemTime::now());
        // A time to come is as doubtful as one that is long gone.
        let age = now.abs_diff(state.head.written);
        if !self.age_max.is_zero() && age > self.age_max {
            log::warn!(
                "{path} is not read, as it was written {} s ago and state_age is {} s; gauges begin \
                 anew",
                age.as_secs(),
                self.age_max.as_secs()
            );
            return;
        }
        if let Some(slot) = &mut state.slot {
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
        log::info!("read {path}, written {} s ago", age.as_secs());
        self.found = Some(state);
    }

    fn set_aside(&self, reason: &str) {
        let mut aside = self.path.as_os_str().to_owned();
        aside.push(".damaged");
        let aside = PathBuf::from(aside);
        let path = self.path.display();
        match fs::rename(&self.path, &aside) {
            Ok(()) => log::warn!(
                "{path}: {reason}; it is now {}, and gauges begin anew",
                aside.display()
            ),
            Err(error) => log::warn!(
                "{path}: {reason}; it cannot be renamed to {} ({error}) and will be written over, \
                 and gauges begin anew",
                aside.display()
            ),
        }
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

    /// Writes the last state, and waits for it.
    pub(super) fn write_last(&mut self, state: Vec<u8>) {
        self.writing.write_last(state, LAST_WRITE_PATIENCE);
    }
}

fn read_with_time(path: &Path) -> io::Result<(Vec<u8>, SystemTime)> {
    let modified = fs::metadata(path)?.modified()?;
    Ok((fs::read(path)?, modified))
}

/// A time before 1970 is as good as 1970.
fn since_1970(time: SystemTime) -> Duration {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

#[cfg(test)]
mod tests;
