//! One thread for each state file, however often the settings leave it and come back to it: two would
//! write to the same file beside it, and the second would not know that what lies there is unread.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::StateFile;
use super::opening::{self, Opened};
use crate::disk::{self, Answer, DiskThread};

/// The state files of this process: those in use, and those that are not any more while their disk hangs.
#[derive(Debug, Default)]
pub struct StateFiles(Vec<Weak<FileOnDisk>>);

impl StateFiles {
    /// A state file, which need not exist yet, and how old it may be to be read; zero for any age.
    pub fn at(&mut self, path: PathBuf, age_max: Duration) -> StateFile {
        self.0.retain(|file| file.strong_count() > 0);
        let mut known = self.0.iter().filter_map(Weak::upgrade);
        let file = known.find(|file| file.path == path);
        let file = file.unwrap_or_else(|| {
            let file = Arc::new(FileOnDisk::new(path));
            self.0.push(Arc::downgrade(&file));
            file
        });
        StateFile::new(file, age_max)
    }
}

/// A path and the only thread that reads and writes there. Each job holds this, so that it is known for
/// as long as one hangs.
#[derive(Debug)]
pub(super) struct FileOnDisk {
    pub(super) path: PathBuf,
    disk: Mutex<DiskThread>,
    /// Whether what lies there may be of use, and nobody could read it: it is not written over. The thread
    /// takes it back when it has set the file aside.
    is_unread: AtomicBool,
}

impl FileOnDisk {
    fn new(path: PathBuf) -> FileOnDisk {
        FileOnDisk {
            path,
            disk: Mutex::new(DiskThread::new("state")),
            is_unread: AtomicBool::new(false),
        }
    }

    /// Has a job done behind those before it.
    pub(super) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&FileOnDisk) -> T + Send + 'static,
    ) -> io::Result<Answer<T>> {
        let file = Arc::clone(self);
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        disk.ask(move || job(&file))
    }

    /// What lies there will not have been read in time.
    pub(super) fn gave_up_reading(&self) {
        self.is_unread.store(true, Ordering::Relaxed);
    }

    /// Opens it, and reads it if it is no older than this. To be asked for as a job.
    pub(super) fn open(&self, age_max: Duration) -> Opened {
        let opened = opening::open(&self.path, age_max);
        if opened.is_unread {
            self.is_unread.store(true, Ordering::Relaxed);
        }
        opened
    }

    /// Puts a state in the place of what lies there, which is kept if it is unread. The new one is on the
    /// disk by then: one that is full must not leave us with none. To be asked for as a job.
    pub(super) fn replace(&self, state: &[u8]) -> io::Result<()> {
        disk::write_beside(&self.path, state)?;
        if self.is_unread.load(Ordering::Relaxed) {
            opening::set_unread_aside(&self.path)?;
            self.is_unread.store(false, Ordering::Relaxed);
        }
        disk::put_in_place(&self.path)
    }
}

#[cfg(test)]
mod tests;
