//! What is done with the file at a start, on its thread: it is tried, and read. What cannot be read is set
//! aside, so that somebody may look at it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::State;
use crate::disk::{self, may_pass};

/// What a file is when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// Whether it can be written.
    pub(super) tried: io::Result<()>,
    /// What an earlier process left there.
    pub(super) found: Option<Found>,
}

/// A state that was read, and how old it was then.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) state: State,
    pub(super) age: Duration,
}

/// Tries a file, and reads it unless it can never be written. It may have any age if `age_max` is zero.
pub(super) fn open(path: &Path, age_max: Duration) -> Opened {
    let tried = disk::try_beside(path);
    let found = match &tried {
        Err(error) if !may_pass(error) => None,
        Ok(()) | Err(_) => read(path, age_max),
    };
    Opened { tried, found }
}

fn read(path: &Path, age_max: Duration) -> Option<Found> {
    let shown = path.display();
    let (bytes, modified) = match read_with_time(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            log::warn!("cannot read {shown}: {error}; gauges begin anew");
            return None;
        }
    };
    let state = match State::read(bytes, since_1970(modified)) {
        Ok(state) => state,
        Err(reason) => {
            set_damaged_aside(path, &reason);
            return None;
        }
    };
    // A time to come is as doubtful as one that is long gone.
    let age = since_1970(SystemTime::now()).abs_diff(state.head.written);
    if !age_max.is_zero() && age > age_max {
        log::warn!(
            "{shown} is not read, as it was written {} s ago and state_age is {} s; gauges begin anew",
            age.as_secs(),
            age_max.as_secs()
        );
        return None;
    }
    Some(Found { state, age })
}

fn set_damaged_aside(path: &Path, reason: &str) {
    let (aside, path_shown) = (disk::with_ending(path, ".damaged"), path.display());
    match fs::rename(path, &aside) {
        Ok(()) => log::warn!(
            "{path_shown}: {reason}; it is now {}, and gauges begin anew",
            aside.display()
        ),
        Err(error) => log::warn!(
            "{path_shown}: {reason}; it cannot be renamed to {} ({error}) and will be written over, \
             and gauges begin anew",
            aside.display()
        ),
    }
}

/// Gives a file that was not read in time another name, before it is written over. One that is not there
/// is no loss.
pub(super) fn set_unread_aside(path: &Path) -> io::Result<()> {
    let aside = disk::with_ending(path, UNREAD);
    match fs::rename(path, &aside) {
        Ok(()) => log::warn!(
            "{} was not read in time; it is now {}, and a new one is written",
            path.display(),
            aside.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What the name of a file ends with that was not read in time.
pub(super) const UNREAD: &str = ".unread";

fn read_with_time(path: &Path) -> io::Result<(Vec<u8>, SystemTime)> {
    let modified = fs::metadata(path)?.modified()?;
    Ok((fs::read(path)?, modified))
}

/// A time before 1970 is as good as 1970.
fn since_1970(time: SystemTime) -> Duration {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}
