//! Slots in files: what a sink could not take in time waits on disk, also across a restart.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Part;

/// Names one part of a slot in the spool; the order is that of the slots and of their parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpoolKey {
    /// The end of the slot, in seconds since 1970.
    pub end_unix_s: u64,
    /// In the order in which the parts of one second came.
    pub number: u64,
    /// The place of the part in its slot.
    pub index: u32,
}

/// What one file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolSize {
    /// Lines of text, or tuples in pickles.
    pub lines: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// The files of one sink in a folder that other sinks may share. A file is named
/// `SINK.END.NUMBER.INDEX.LINES.slot` and holds the bytes of a part of a slot; it has this name only
/// once it is whole and on disk.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    sink: String,
    bytes_max: u64,
    files: BTreeMap<SpoolKey, SpoolSize>,
    bytes: u64,
    number_next: u64,
    /// Held for as long as the spool is in use.
    _lock: File,
}

impl Spool {
    /// Opens the folder, makes it if it is missing, and finds the slots of an earlier run. `sink`
    /// is the sink's name in own metrics: it has no dots.
    ///
    /// # Errors
    /// If the folder cannot be made, read, or written to, or if another daemon uses it for a sink of
    /// the same name: each would write over the files of the other.
    pub fn open(folder: &Path, sink: &str, bytes_max: u64) -> io::Result<Spool> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(format!("{sink}.lock")))?;
        // A file system that knows no locks is taken at its word.
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(io::Error::other(
                "another daemon, or the sink that this one shall replace, has a spool of this name there",
            ));
        }
        let mut spool = Spool {
            folder: folder.to_owned(),
            sink: sink.to_owned(),
            bytes_max,
            files: BTreeMap::new(),
            bytes: 0,
            number_next: 0,
            _lock: lock,
        };
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Some((key, lines)) = spool.parse_name(&entry.file_name().to_string_lossy()) else {
                continue;
            };
            let bytes = entry.metadata()?.len();
            spool.number_next = spool.number_next.max(key.number + 1);
            spool.insert(key, SpoolSize { lines, bytes });
        }
        // Fails now rather than in the outage that the spool is for.
        File::create(spool.temporary())?;
        fs::remove_file(spool.temporary())?;
        Ok(spool)
    }

    /// Writes a part to disk and returns what was removed, oldest first, to keep to the limit:
    /// perhaps the part itself. The part `keep` stays.
    ///
    /// # Errors
    /// If the file cannot be written; then nothing of it stays.
    pub fn write(&mut self, part: &Part, keep: Option<SpoolKey>) -> io::Result<SpoolSize> {
        let key = SpoolKey {
            end_unix_s: part.end_unix_s,
            number: self.number_next,
            index: part.index,
        };
        let size = SpoolSize {
            lines: part.lines,
            bytes: part.size_bytes(),
        };
        let written = self.write_file(key, part);
        if written.is_err() {
            // What there is of it would take up the room that may have been missing.
            let _ = fs::remove_file(self.temporary());
        }
        written?;
        self.number_next += 1;
        self.insert(key, size);
        let mut removed = SpoolSize::default();
        while self.bytes > self.bytes_max {
            let oldest = self.files.iter().find(|(key, _)| Some(**key) != keep);
            let Some((&key, &size)) = oldest else {
                break;
            };
            // A file that stays is found at the next start; its part is given up now.
            let _ = self.remove(key);
            removed.lines += size.lines;
            removed.bytes += size.bytes;
        }
        Ok(removed)
    }

    /// Holds at most so many bytes from the next [`Spool::write`] on.
    pub fn resize(&mut self, bytes_max: u64) {
        self.bytes_max = bytes_max;
    }

    /// The oldest part.
    pub fn oldest(&self) -> Option<SpoolKey> {
        self.files.first_key_value().map(|(key, _)| *key)
    }

    /// Reads a part; its file stays.
    ///
    /// # Errors
    /// If the file cannot be read, or changed its size: half a part would tear a line.
    pub fn read(&self, key: SpoolKey) -> io::Result<Part> {
        let size = self.files.get(&key).copied().unwrap_or_default();
        let bytes = fs::read(self.path(key, size.lines))?;
        if bytes.len() as u64 != size.bytes {
            return Err(io::Error::other("somebody changed the file"));
        }
        Ok(Part {
            end_unix_s: key.end_unix_s,
            index: key.index,
            lines: size.lines,
            chunks: vec![bytes.into()],
        })
    }

    /// Removes a part, and says what it held.
    ///
    /// # Errors
    /// If the file is there and cannot be removed; it is forgotten nevertheless.
    pub fn remove(&mut self, key: SpoolKey) -> io::Result<SpoolSize> {
        let size = self.forget(key);
        match fs::remove_file(self.path(key, size.lines)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(size),
        }
    }

    /// Leaves a file that cannot be read alone from now on, and says what it should hold.
    pub fn forget(&mut self, key: SpoolKey) -> SpoolSize {
        let size = self.files.remove(&key).unwrap_or_default();
        self.bytes -= size.bytes;
        size
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What all files hold.
    pub fn size(&self) -> SpoolSize {
        SpoolSize {
            lines: self.files.values().map(|size| size.lines).sum(),
            bytes: self.bytes,
        }
    }

    fn write_file(&self, key: SpoolKey, part: &Part) -> io::Result<()> {
        let mut file = File::create(self.temporary())?;
        for chunk in &part.chunks {
            file.write_all(chunk)?;
        }
        file.sync_all()?;
        fs::rename(self.temporary(), self.path(key, part.lines))?;
        // The name is on disk only once the folder is.
        File::open(&self.folder)?.sync_all()
    }

    fn insert(&mut self, key: SpoolKey, size: SpoolSize) {
        self.bytes += size.bytes;
        self.files.insert(key, size);
    }

    fn temporary(&self) -> PathBuf {
        self.folder.join(format!("{}.new", self.sink))
    }

    fn path(&self, key: SpoolKey, lines: u64) -> PathBuf {
        let SpoolKey {
            end_unix_s,
            number,
            index,
        } = key;
        let sink = &self.sink;
        self.folder.join(format!(
            "{sink}.{end_unix_s:010}.{number:06}.{index}.{lines}.slot"
        ))
    }

    /// The part that a file of this sink holds, and how many lines.
    fn parse_name(&self, name: &str) -> Option<(SpoolKey, u64)> {
        let rest = name.strip_prefix(&self.sink)?.strip_prefix('.')?;
        let mut parts = rest.strip_suffix(".slot")?.split('.');
        let end_unix_s = parts.next()?.parse().ok()?;
        let number = parts.next()?.parse().ok()?;
        let index = parts.next()?.parse().ok()?;
        let lines = parts.next()?.parse().ok()?;
        let key = SpoolKey {
            end_unix_s,
            number,
            index,
        };
        parts.next().is_none().then_some((key, lines))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn slot(end_unix_s: u64) -> Part {
        Part {
            end_unix_s,
            index: 0,
            lines: 10,
            chunks: vec![Bytes::from(vec![b'a'; 60]), Bytes::from(vec![b'b'; 40])],
        }
    }

    fn keep_none(spool: &mut Spool, end_unix_s: u64) -> SpoolSize {
        spool.write(&slot(end_unix_s), None).expect("it is written")
    }

    #[test]
    fn slots_survive_a_restart_oldest_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), "one", 1000).expect("it opens");
        for end in [20, 10, 20] {
            keep_none(&mut spool, end);
        }
        let other = Spool::open(folder.path(), "one_2", 1000).expect("it opens");
        assert_eq!(other.oldest(), None, "one sink's files are not another's");
        let size = spool.size();
        let taken = Spool::open(folder.path(), "one", 1000).expect_err("it is in use");
        assert!(taken.to_string().contains("another daemon"), "{taken}");
        drop(spool);
        let mut again = Spool::open(folder.path(), "one", 1000).expect("it opens");
        assert_eq!(again.size(), size);
        let mut ends = Vec::new();
        while let Some(key) = again.oldest() {
            let read = again.read(key).expect("it is there");
            assert_eq!((read.lines, read.size_bytes()), (10, 100));
            assert_eq!(read.chunks.concat(), slot(0).chunks.concat());
            ends.push(read.end_unix_s);
            again.remove(key).expect("it can be removed");
        }
        assert_eq!(ends, [10, 20, 20]);
        assert_eq!(again.size(), SpoolSize::default());
        let entries = fs::read_dir(folder.path()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names: Vec<_> = names.map(|name| name.into_string()).collect();
        assert!(
            names.iter().flatten().all(|name| name.ends_with(".lock")),
            "{names:?}"
        );
    }

    #[test]
    fn the_oldest_files_make_room_but_not_the_one_in_use() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), "one", 250).expect("it opens");
        keep_none(&mut spool, 1);
        keep_none(&mut spool, 2);
        let in_use = spool.oldest();
        let removed = spool.write(&slot(3), in_use).expect("it is written");
        assert_eq!((removed.lines, removed.bytes), (10, 100));
        assert_eq!(spool.oldest(), in_use);
        assert_eq!(spool.size().bytes, 200);
    }

    #[test]
    fn a_file_that_was_changed_is_not_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(folder.path(), "one", 250).expect("it opens");
        keep_none(&mut spool, 1);
        let key = spool.oldest().expect("a slot");
        fs::write(spool.path(key, 10), "half").expect("a file");
        assert!(spool.read(key).is_err());
        assert_eq!(spool.forget(key).lines, 10);
        assert_eq!(spool.size(), SpoolSize::default());
    }

    #[test]
    fn half_a_file_is_no_slot() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("one.new"), "half").expect("a file");
        fs::write(folder.path().join("one.x.slot"), "strange").expect("a file");
        let spool = Spool::open(folder.path(), "one", 250).expect("it opens");
        assert_eq!(spool.oldest(), None);
    }
}
