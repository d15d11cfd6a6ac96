//! Writes how many lines came for each name, the busiest first, now and then.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::metric::InputRules;
use crate::tap::NameCounts;

/// When and where names are written.
#[derive(Clone, Debug, PartialEq)]
pub struct NameLogRules {
    /// How often; at the first flush after this.
    pub every: Duration,
    /// How many of all names, in percent.
    pub percent: f64,
    /// The file to append to; None for the standard output.
    pub path: Option<PathBuf>,
    /// How many names are counted.
    pub names_max: usize,
}

/// What was counted since it was written last.
#[derive(Debug)]
pub(super) struct NameLog {
    rules: NameLogRules,
    names: NameCounts,
    began: Instant,
    /// A file may be slow, and flushes do not wait for it.
    writer: Option<JoinHandle<()>>,
}

impl NameLog {
    pub(super) fn new(rules: NameLogRules) -> NameLog {
        NameLog {
            rules,
            names: NameCounts::default(),
            began: Instant::now(),
            writer: None,
        }
    }

    /// What it goes by.
    pub(super) fn rules(&self) -> &NameLogRules {
        &self.rules
    }

    /// Adds what the shards counted in a slot, and writes if it is time to.
    pub(super) fn add(&mut self, slot: Vec<NameCounts>, rules: &InputRules, end_unix_s: u64) {
        for names in slot {
            self.names.merge(names, rules, self.rules.names_max);
        }
        let writes = self.writer.as_ref().is_some_and(|it| !it.is_finished());
        if self.began.elapsed() < self.rules.every || writes {
            return;
        }
        self.began = Instant::now();
        let names = std::mem::take(&mut self.names);
        let rules = self.rules.clone();
        let writer = thread::Builder::new().name("names".to_owned());
        self.writer = writer
            .spawn(move || append(&names, &rules, end_unix_s))
            .inspect_err(|error| log::warn!("cannot start a thread to write names: {error}"))
            .ok();
    }
}

/// Writes names, and logs why that cannot be done.
fn append(names: &NameCounts, rules: &NameLogRules, end_unix_s: u64) {
    let written = match &rules.path {
        Some(path) => append_to(path, names, rules.percent, end_unix_s),
        None => write(io::stdout().lock(), names, rules.percent, end_unix_s),
    };
    if let Err(error) = written {
        let path = rules.path.as_deref().unwrap_or(Path::new("stdout"));
        log::warn!("cannot write names to {}: {error}", path.display());
    }
}

fn append_to(path: &Path, names: &NameCounts, percent: f64, end_unix_s: u64) -> io::Result<()> {
    // Names may hold what clients did not mean to send.
    let mut private = File::options();
    let private = private.append(true).create(true).mode(0o640);
    write(private.open(path)?, names, percent, end_unix_s)
}

fn write(out: impl Write, names: &NameCounts, percent: f64, end_unix_s: u64) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for (name, count) in names.busiest(percent) {
        writeln!(
            out,
            "{end_unix_s} count={count} key={}",
            name.escape_ascii()
        )?;
    }
    if names.rest() > 0 {
        writeln!(out, "{end_unix_s} count={} others", names.rest())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_of_names_is_not_for_everybody() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("names");
        append_to(&path, &NameCounts::default(), 100.0, 1).expect("it is written");
        let mode = std::fs::metadata(&path).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o027, 0, "{:o}", mode.mode());
    }
}
