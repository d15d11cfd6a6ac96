//! What lies in a sink's files: how much of each is still to be sent.

use std::collections::BTreeMap;

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shelved {
    /// The number of its slot.
    pub(super) number: u64,
    /// Lines that were not sent yet; what is sent again is not among them.
    pub(super) lines: u64,
    /// The size of the file.
    pub(super) bytes: u64,
    /// Where the rest begins that was not read yet; none if all was.
    pub(super) unread_from: Option<u64>,
    /// Parts that were read and are not sent.
    pub(super) parts_in_memory: u32,
    /// Something of it was read.
    pub(super) is_begun: bool,
}

/// All files of a sink, by their time stamps.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    files: BTreeMap<u64, Shelved>,
    lines: u64,
    bytes: u64,
}

impl Shelf {
    pub(super) fn get(&self, end_unix_s: u64) -> Option<&Shelved> {
        self.files.get(&end_unix_s)
    }

    /// Puts a file there, or what became of it.
    pub(super) fn set(&mut self, end_unix_s: u64, file: Shelved) {
        self.remove(end_unix_s);
        self.lines += file.lines;
        self.bytes += file.bytes;
        self.files.insert(end_unix_s, file);
    }

    pub(super) fn remove(&mut self, end_unix_s: u64) -> Option<Shelved> {
        let file = self.files.remove(&end_unix_s)?;
        self.lines -= file.lines;
        self.bytes -= file.bytes;
        Some(file)
    }

    /// The oldest file of which nothing is in use, and its time stamp.
    pub(super) fn oldest_unused(&self) -> Option<u64> {
        let unused = self.files.iter().filter(|(_, file)| !file.is_begun);
        let oldest = unused.min_by_key(|(end_unix_s, file)| (file.number, **end_unix_s))?;
        Some(*oldest.0)
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
