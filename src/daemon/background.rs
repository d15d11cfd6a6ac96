//! Leaves the terminal, and writes down under which process id.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use fork::Fork;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::StartError;
use crate::disk::{self, DiskThread, SILENCE};

/// The process that was started, as the daemon in the background sees it: it waits to hear how the
/// start went, and ends with the exit code and the message of that.
#[derive(Debug)]
pub(super) struct Launcher(PipeWriter);

/// Goes on in a background process of its own session, with no terminal and no standard streams.
/// Returns None in the process that was started, when the other one receives. No thread may run
/// yet.
pub(super) fn detach() -> Result<Option<Launcher>, StartError> {
    let failed = |error| StartError::new(format!("cannot go into the background: {error}"));
    let (outcome, launcher) = io::pipe().map_err(failed)?;
    match fork::fork().map_err(failed)? {
        Fork::Parent(_) => {
            // The pipe ends when no process has its other side.
            drop(launcher);
            wait_for(outcome).map(|()| None)
        }
        Fork::Child => {
            drop(outcome);
            // Only the background process returns from this. It stays in its directory, as statsite's
            // commands may name files there.
            fork::daemon(true, false).map_err(failed)?;
            Ok(Some(Launcher(launcher)))
        }
    }
}

/// Waits until the daemon receives, or has ended and said why.
fn wait_for(mut outcome: PipeReader) -> Result<(), StartError> {
    let mut text = String::new();
    // Half a message is better than none.
    let _ = outcome.read_to_string(&mut text);
    match text.as_str() {
        STARTED => Ok(()),
        "" => Err(StartError::new(
            "the daemon ended at its start; its log may say why (--log FILE)",
        )),
        reason => Err(StartError::new(reason)),
    }
}

/// What is told to the launcher when all went well; no reason is as short.
const STARTED: &str = "\n";

impl Launcher {
    /// All threads run.
    pub(super) fn started(self) {
        self.tell(STARTED);
    }

    /// The daemon is about to end.
    pub(super) fn failed(self, error: &StartError) {
        log::error!("{error}");
        self.tell(&error.to_string());
    }

    fn tell(mut self, text: &str) {
        // Somebody may have ended the process that waits, which is no reason for us to end.
        let _ = self.0.write_all(text.as_bytes());
    }
}

/// A file that holds the process id as long as the daemon runs. It is locked as long, so that a
/// second daemon of ours knows it from what an earlier one left behind; other daemons' files are
/// known by the process that they name.
#[derive(Debug)]
pub(super) struct PidFile(Option<(PathBuf, File)>);

impl PidFile {
    /// As [`PidFile::create`] on a thread, as the disk may hang: then there is none, as a daemon without a
    /// pid file is better than none at all.
    pub(super) fn create_in_time(path: Option<PathBuf>) -> Result<PidFile, StartError> {
        let Some(path) = path else {
            return Ok(PidFile(None));
        };
        let shown = path.display().to_string();
        let asked = DiskThread::new("pid-file").ask(|| PidFile::create(Some(path)));
        let asked = asked.map_err(|error| {
            StartError::new(format!(
                "cannot write the pid file {shown}: no thread: {error}"
            ))
        })?;
        asked
            .wait(Instant::now() + disk::PATIENCE)
            .unwrap_or_else(|| {
                log::warn!(
                    "cannot write the pid file {shown}: {SILENCE}; there is none while this process runs, so \
                     that a second daemon is not noticed by it (`mount` tells what is mounted there)"
                );
                Ok(PidFile(None))
            })
    }

    /// Removes it, or leaves it where it is on a disk that does not answer by this time.
    pub(super) fn remove(self, until: Instant) {
        let Some((path, _)) = &self.0 else {
            return;
        };
        let shown = path.display().to_string();
        // Without a thread it is dropped here, which removes it as well.
        if let Ok(removed) = DiskThread::new("pid-file").ask(|| drop(self))
            && removed.wait(until).is_none()
        {
            log::warn!(
                "cannot remove the pid file {shown}: {SILENCE}; it stays, and the next daemon takes it over"
            );
        }
    }

    /// Writes this process's id, if a file is asked for, in the place of what an earlier daemon
    /// left.
    fn create(path: Option<PathBuf>) -> Result<PidFile, StartError> {
        let Some(path) = path else {
            return Ok(PidFile(None));
        };
        let failed = |error| cannot_write(&path, error);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let is_locked = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => false,
            Err(Errno::WOULDBLOCK) => true,
            Err(error) => return Err(failed(error.into())),
        };
        let left = Left::read(&mut file);
        let process = left.process.filter(|&process| is_locked || runs(process));
        if is_locked || process.is_some() {
            return Err(in_use(&path, process));
        }
        if !left.text.is_empty() {
            log::info!(
                "taking over the pid file {}, which holds {:?} and names no other process that runs",
                path.display(),
                left.text
            );
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(PidFile(Some((path, file))))
    }
}

/// What somebody wrote into a pid file.
struct Left {
    /// The text without white space around it, cut where it is longer than any process id.
    text: String,
    process: Option<Pid>,
}

impl Left {
    /// A file that cannot be read names nobody.
    fn read(file: &mut File) -> Left {
        let mut bytes = Vec::new();
        // What was read before an error counts as well.
        let _ = file.take(PID_FILE_SIZE_BYTES_MAX).read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        let number = text
            .split_whitespace()
            .next()
            .and_then(|id| id.parse().ok());
        // kill takes what is below 1 for groups of processes.
        let process = number.filter(|&id: &i32| id > 0).and_then(Pid::from_raw);
        Left { text, process }
    }
}

/// More than any process id takes.
const PID_FILE_SIZE_BYTES_MAX: u64 = 32;

/// Whether this is a process that runs, and not this one: in a container each start may have the
/// same id.
fn runs(process: Pid) -> bool {
    process != rustix::process::getpid()
        && match test_kill_process(process) {
            // It runs as another user.
            Ok(()) | Err(Errno::PERM) => true,
            Err(_) => false,
        }
}

fn in_use(path: &Path, process: Option<Pid>) -> StartError {
    let holder = match process {
        Some(process) => format!("process {process}, which runs"),
        None => "a daemon that runs".to_owned(),
    };
    StartError::new(format!(
        "the pid file {} belongs to {holder}; stop that one first, or give this one a pid file of \
         its own (--pid-file FILE); if that is no StatsD daemon, remove the file",
        path.display(),
    ))
}

fn cannot_write(path: &Path, error: io::Error) -> StartError {
    StartError::new(format!(
        "cannot write the pid file {}: {error}",
        path.display()
    ))
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let Some((path, _)) = &self.0 else {
            return;
        };
        // By its name, as somebody may have put another file there.
        let removed = File::open(path).and_then(|mut file| {
            let left = Left::read(&mut file);
            if left.process != Some(rustix::process::getpid()) {
                log::warn!(
                    "the pid file {} holds {:?} in place of our process id; it stays",
                    path.display(),
                    left.text
                );
                return Ok(());
            }
            fs::remove_file(path)
        });
        if let Err(error) = removed {
            log::warn!("cannot remove the pid file {}: {error}", path.display());
        }
    }
}
