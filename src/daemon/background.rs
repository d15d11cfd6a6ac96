//! Leaves the terminal, and writes down under which process id.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use fork::Fork;

use super::StartError;

/// Goes on in a background process of its own session, with no terminal and no standard streams;
/// the process that was started exits with 0. No thread may run yet.
pub(super) fn detach() -> Result<(), StartError> {
    let failed = |error| StartError::new(format!("cannot go into the background: {error}"));
    // Errors up to here were written to the terminal; from here on they go to the log.
    match fork::daemon(false, false).map_err(failed)? {
        Fork::Parent(_) => std::process::exit(0),
        Fork::Child => Ok(()),
    }
}

/// A file that holds the process id as long as the daemon runs.
#[derive(Debug)]
pub(super) struct PidFile(Option<(PathBuf, File)>);

impl PidFile {
    /// Opens the file, if one is asked for, before the process id is known.
    pub(super) fn create(path: Option<&Path>) -> Result<PidFile, StartError> {
        let Some(path) = path else {
            return Ok(PidFile(None));
        };
        let failed = |error| {
            StartError::new(format!(
                "cannot write the pid file {}: {error}",
                path.display()
            ))
        };
        // The daemon leaves its directory.
        let path = std::path::absolute(path).map_err(failed)?;
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&path)
            .map_err(failed)?;
        Ok(PidFile(Some((path, file))))
    }

    /// Writes this process's id.
    pub(super) fn write(&mut self) -> Result<(), StartError> {
        let Some((path, file)) = &mut self.0 else {
            return Ok(());
        };
        writeln!(file, "{}", std::process::id()).map_err(|error| {
            StartError::new(format!(
                "cannot write the pid file {}: {error}",
                path.display()
            ))
        })
    }
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
