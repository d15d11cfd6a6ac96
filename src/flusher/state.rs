//! Keeps the levels of gauges over a restart, in a file of text: a heading, then a line with level
//! and name for each gauge.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::metric::NAME_BYTES_MAX;
use crate::snapshot::Merger;

/// The file's first line: what it is, and its version.
const HEADING: &str = "ringstat gauges 1";

/// How often levels are written while the daemon runs. It writes them at its end in any case.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Where gauges' levels outlive a restart.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// How old it may be to be read; zero for any age.
    age_max: Duration,
    saved: Instant,
}

impl StateFile {
    /// A file that need not exist yet.
    pub fn new(path: PathBuf, age_max: Duration) -> StateFile {
        StateFile {
            path,
            age_max,
            saved: Instant::now(),
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails where the levels could not be written, so that this is not found out a minute later.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn check(&self) -> Result<(), String> {
        let beside = beside(&self.path);
        File::create(&beside)
            .and_then(|_| fs::remove_file(&beside))
            .map_err(|error| {
                format!(
                    "cannot write {}, which is needed beside the state file: {error}",
                    beside.display()
                )
            })
    }

    /// Reads the levels, if there are any. What cannot be read is logged and left out.
    pub(super) fn load(&self, merger: &mut Merger) {
        if let Some(age) = self.too_old() {
            log::warn!(
                "{} is not read, as it was written {} s ago and state_age is {} s; all gauges begin \
                 anew",
                self.path.display(),
                age.as_secs(),
                self.age_max.as_secs()
            );
            return;
        }
        match fs::read_to_string(&self.path) {
            Ok(text) => match restore(&text, merger) {
                Ok(count) => log::info!("read {count} gauges from {}", self.path.display()),
                Err(error) => log::warn!(
                    "{}: {error}; the gauges from there on begin anew",
                    self.path.display()
                ),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => log::warn!(
                "cannot read {}: {error}; all gauges begin anew",
                self.path.display()
            ),
        }
    }

    /// The age of a file that is not to be read any more.
    fn too_old(&self) -> Option<Duration> {
        if self.age_max.is_zero() {
            return None;
        }
        let written = fs::metadata(&self.path).and_then(|file| file.modified());
        let age = written.ok()?.elapsed().unwrap_or_default();
        (age > self.age_max).then_some(age)
    }

    /// Writes the levels if it is time to, or if this is the last flush.
    pub(super) fn save(&mut self, merger: &Merger, is_last: bool) {
        if !is_last && self.saved.elapsed() < SAVE_EVERY {
            return;
        }
        self.saved = Instant::now();
        if let Err(error) = write(&self.path, merger) {
            log::error!(
                "cannot write {}: {error}; gauges would begin anew after a restart",
                self.path.display()
            );
        }
    }
}

/// Writes beside the file and puts it in place when it is complete.
fn write(path: &Path, merger: &Merger) -> io::Result<()> {
    let beside = beside(path);
    let mut file = BufWriter::new(File::create(&beside)?);
    writeln!(file, "{HEADING}")?;
    for (name, level) in merger.levels() {
        write!(file, "{level:?} ")?;
        file.write_all(name.path)?;
        file.write_all(name.tags)?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?.sync_all()?;
    fs::rename(&beside, path)
}

/// What is written before it takes the place of the file.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    beside.into()
}

fn restore(text: &str, merger: &mut Merger) -> Result<usize, String> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADING) {
        return Err(format!("its first line is not {HEADING:?}"));
    }
    let mut count = 0;
    for line in lines {
        let gauge = line.split_once(' ').and_then(|(level, name)| {
            let level = level.parse::<f64>().ok().filter(|level| level.is_finite());
            let is_safe = (1..=NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_graphic());
            Some((level?, name)).filter(|_| is_safe)
        });
        let Some((level, name)) = gauge else {
            return Err(format!("line {} is no level and name", count + 2));
        };
        merger.restore_level(name.as_bytes(), level);
        count += 1;
    }
    Ok(count)
}
