//! Leaves the terminal, and writes down under which process id.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};

use fork::Fork;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::StartError;

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
            // Only the background process returns from this.
            fork::daemon(false, false).map_err(failed)?;
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
/// file that an earlier daemon left behind is known from one in use.
#[derive(Debug)]
pub(super) struct PidFile(Option<(PathBuf, File)>);

impl PidFile {
    /// Writes this process's id, if a file is asked for, in the place of what an earlier daemon
    /// left.
    pub(super) fn create(path: Option<PathBuf>) -> Result<PidFile, StartError> {
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
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(in_use(&path, &mut file)),
            Err(error) => return Err(failed(error.into())),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(PidFile(Some((path, file))))
    }
}

fn in_use(path: &Path, file: &mut File) -> StartError {
    let mut holder = String::new();
    // It is there to help; without it the message still says what to do.
    let _ = file.read_to_string(&mut holder);
    StartError::new(format!(
        "the pid file {} belongs to a daemon that runs, process {}; stop that one first, or give \
         this one a pid file of its own",
        path.display(),
        holder.trim()
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
        if let Some((path, _)) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            log::warn!("cannot remove the pid file {}: {error}", path.display());
        }
    }
}
