//! Opens the file, on its thread: finds out whether it can be written, and reads it at a start. What cannot
//! be read is set aside, so that somebody may look at it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::State;
use crate::disk::{self, may_pass};

/// What a file is when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// Whether it can be written.
    pub(super) writable: io::Result<()>,
    /// What an earlier process left there.
    pub(super) found: Option<Found>,
    /// Whether something lies there that could not be read, though it may be of use.
    pub(super) is_unread: bool,
}

/// A state that was read, and how old it was then.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) state: State,
    pub(super) age: Duration,
}

/// Opens a file to write it. Nobody asks for what lies there.
pub(super) fn open_to_write(path: &Path) -> Opened {
    Opened {
        writable: disk::can_be_replaced(path),
        found: None,
        is_unread: false,
    }
}

/// Opens a file, and reads it unless it can never be written. It may have any age if `age_max` is zero.
pub(super) fn open(path: &Path, age_max: Duration) -> Opened {
    let mut opened = open_to_write(path);
    if opened
        .writable
        .as_ref()
        .is_err_and(|error| !may_pass(error))
    {
        return opened;
    }
    tell_of_unread_before(path);
    match read_with_time(path) {
        Ok((bytes, modified)) => opened.found = understand(path, bytes, modified, age_max),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            // A folder is none of ours; it cannot be replaced, and each attempt says so.
            opened.is_unread = error.kind() != io::ErrorKind::IsADirectory;
            log::warn!(
                "cannot read {}: {error}; gauges begin anew, and a slot that was cut in two loses its first \
                 part",
                path.display()
            );
        }
    }
    opened
}

fn tell_of_unread_before(path: &Path) {
    let aside = unread(path);
    if fs::symlink_metadata(&aside).is_ok() {
        log::warn!(
            "{} lies there: a state that an earlier process could not read. It stays, and no other is kept, \
             until somebody removes it or, while ringstat is stopped, gives it back its name",
            aside.display()
        );
    }
}

fn understand(
    path: &Path,
    bytes: Vec<u8>,
    modified: SystemTime,
    age_max: Duration,
) -> Option<Found> {
    let shown = path.display();
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

/// Gives a file that nobody could read another name, before it is written over. One that is not there is no
/// loss, and one that was set aside before stays: it has what this one began without.
pub(super) fn set_unread_aside(path: &Path) -> io::Result<()> {
    let aside = unread(path);
    match rename_to_free_name(path, &aside) {
        Ok(()) => log::warn!(
            "{} could not be read; it is now {}, and a new one is written",
            path.display(),
            aside.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => log::warn!(
            "{} could not be read and is written over, as {} is kept, which is older",
            path.display(),
            aside.display()
        ),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Renames a file unless something has the new name.
fn rename_to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // NFS knows no such flag. Nobody but us gives this name.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
            Err(error) => Err(error),
        },
        renamed => Ok(renamed?),
    }
}

/// The name of a file that nobody could read.
pub(super) fn unread(path: &Path) -> PathBuf {
    disk::with_ending(path, ".unread")
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
