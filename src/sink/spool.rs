//! Slots in files: what a sink could not take in time waits on disk, also across a restart.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Part;
use super::address::{Place, SinkAddress};
use super::backlog::{Found, Load, Loaded, Written};

pub mod file;

use file::{BlockWriter, Framing, HEAD_BYTES, Head, read_blocks};

/// The files of one sink, in a folder of their own: one for each slot, named `END.zst` after the slot's
/// time stamp. A file has this name only once it is whole and on disk.
pub struct Spool {
    folder: PathBuf,
    framing: Framing,
    writer: BlockWriter,
    /// Held for as long as the spool is in use.
    _lock: File,
}

/// What a folder held when it was opened.
#[derive(Debug, Default)]
pub struct Contents {
    /// Slots that wait, oldest first.
    pub found: Vec<Found>,
    /// How many damaged files were set aside.
    pub damaged: u64,
}

impl Spool {
    /// Opens the folder, makes it if it is missing, and finds the slots of an earlier run. What is no
    /// whole slot is set aside.
    ///
    /// # Errors
    /// If the folder cannot be made, read, or written to, or if another daemon uses it: each would
    /// write over the files of the other.
    pub fn open(folder: &Path, framing: Framing) -> io::Result<(Spool, Contents)> {
        // Names and values are nobody else's business.
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700).create(folder)?;
        let lock = open_private(&folder.join(".lock"))?;
        // A file system that knows no locks is taken at its word.
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(io::Error::other(
                "another daemon, or the sink that this one shall replace, has its spool there",
            ));
        }
        let spool = Spool {
            folder: folder.to_owned(),
            framing,
            writer: BlockWriter::new()?,
            _lock: lock,
        };
        let mut contents = Contents::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') && name.ends_with(".new") {
                // The process was killed while it wrote it.
                fs::remove_file(&path)?;
            }
            let Some(end_unix_s) = parse_name(&name) else {
                continue;
            };
            match File::open(&path).and_then(|mut file| read_head(&mut file)) {
                Ok(head) => contents.found.push(Found {
                    end_unix_s,
                    lines: head.lines,
                    bytes: head.bytes,
                    offset: HEAD_BYTES,
                }),
                Err(error) if is_damage(&error) => {
                    log::warn!("{}: {error}; it is set aside", path.display());
                    spool.set_aside(end_unix_s)?;
                    contents.damaged += 1;
                }
                Err(error) => return Err(error),
            }
        }
        contents.found.sort_by_key(|found| found.end_unix_s);
        Ok((spool, contents))
    }

    /// Writes parts to the end of the file of a slot, whether or not there is one. All of them are on
    /// disk then, or none.
    ///
    /// # Errors
    /// If that fails; a file that was there before stays as it was.
    pub fn write(&mut self, end_unix_s: u64, parts: &[Part]) -> io::Result<Written> {
        let written = self.write_aside(end_unix_s, parts);
        if written.is_err() {
            // What there is of it would take up the room that may have been missing.
            let _ = fs::remove_file(self.aside(end_unix_s));
        }
        written
    }

    fn write_aside(&mut self, end_unix_s: u64, parts: &[Part]) -> io::Result<Written> {
        let (aside, path) = (self.aside(end_unix_s), self.path(end_unix_s));
        let mut file = open_private(&aside)?;
        let mut head = Head::default();
        head.write(&mut file)?;
        head.bytes = HEAD_BYTES;
        match File::open(&path) {
            Ok(mut before) => {
                head = read_head(&mut before)?;
                before.seek(SeekFrom::Start(HEAD_BYTES))?;
                io::copy(&mut before, &mut file)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let offset = head.bytes;
        for part in parts {
            head.bytes += self.writer.write(&mut file, part)?;
            head.lines += part.lines;
        }
        file.seek(SeekFrom::Start(0))?;
        head.write(&mut file)?;
        file.sync_all()?;
        fs::rename(aside, path)?;
        // The name is on disk only once the folder is.
        File::open(&self.folder)?.sync_all()?;
        let bytes = head.bytes;
        Ok(Written { offset, bytes })
    }

    /// Reads a part, or all that follow; the file stays.
    ///
    /// # Errors
    /// If it cannot be read; see [`is_damage`].
    pub fn read(&self, load: Load) -> io::Result<Loaded> {
        let mut file = File::open(self.path(load.end_unix_s))?;
        let bytes = read_head(&mut file)?.bytes;
        let blocks = read_blocks(&mut file, bytes, load.offset, self.framing, load.all)?;
        Ok(Loaded {
            lines: blocks.lines,
            bytes: blocks.bytes,
            next: blocks.next,
        })
    }

    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn remove(&self, end_unix_s: u64) -> io::Result<()> {
        match fs::remove_file(self.path(end_unix_s)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives a damaged file another name, under which it is left alone.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn set_aside(&self, end_unix_s: u64) -> io::Result<()> {
        let path = self.path(end_unix_s);
        let mut damaged = path.clone().into_os_string();
        damaged.push(".damaged");
        fs::rename(path, damaged)
    }

    fn path(&self, end_unix_s: u64) -> PathBuf {
        self.folder.join(format!("{end_unix_s}.zst"))
    }

    fn aside(&self, end_unix_s: u64) -> PathBuf {
        self.folder.join(format!(".{end_unix_s}.zst.new"))
    }
}

/// Whether an error means that what a file holds is no slot, or not a whole one.
pub fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    matches!(error.kind(), InvalidData | UnexpectedEof)
}

/// The name of a sink's folder in a spool: the same for as long as the sink's address is.
pub fn folder_name(address: &SinkAddress) -> String {
    let scheme = address.kind.scheme();
    let name = match &address.place {
        Place::Server { host, port } => format!("{scheme}-{host}-{port}"),
        Place::Output => scheme.to_owned(),
        // The command itself may hold a password, or be longer than a name may be.
        Place::Command(command) => {
            format!("{scheme}-{:016x}", file::checksum_of(command.as_bytes()))
        }
    };
    name.replace(':', "_")
}

/// How many files of a sink lie in a spool in the form that it had before: `NAME.*.slot`, with the
/// sink's name in own metrics.
pub fn count_of_old_form(spool: &Path, name: &str) -> usize {
    let is_old = |entry: fs::DirEntry| {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        let rest = file.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".slot"))
    };
    // A folder that cannot be read is told of when it is used.
    let entries = fs::read_dir(spool).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().is_file())
        .map(is_old)
        .filter(|is_old| *is_old)
        .count()
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}

fn read_head(file: &mut File) -> io::Result<Head> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file"));
    }
    Head::read(file, metadata.len())
}

/// The time stamp of a slot's file; nothing else is touched.
fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".zst")?;
    let number: u64 = digits.parse().ok()?;
    // As we write it: not `+1` or `01`.
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests;
