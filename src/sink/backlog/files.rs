//! The backlog's part in files: which slots are written, when they are read, and when they go.

use std::time::Instant;

use super::shelf::Shelved;
use super::{Backlog, Entry, FOUND, Order, Origin};
use crate::sink::Part;

/// What is to be done with the file of a slot. Jobs are done in their order.
#[derive(Debug)]
pub enum SpoolJob {
    /// Write these parts to the end of the file, which there may be already; then say
    /// [`Backlog::written`].
    Write {
        /// Names the file.
        end_unix_s: u64,
        /// In their order.
        parts: Vec<Part>,
    },
    /// Remove the file.
    Remove {
        /// Names it.
        end_unix_s: u64,
    },
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Names the file.
    pub end_unix_s: u64,
    /// Where the part begins.
    pub offset: u64,
    /// All parts from there on, as one.
    pub all: bool,
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The lines of the part, or of all.
    pub lines: u64,
    /// Its bytes.
    pub bytes: bytes::Bytes,
    /// Where the next one begins; none if this was the last.
    pub next: Option<u64>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it begins in the file.
    pub offset: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// A file that was there at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Names it.
    pub end_unix_s: u64,
    /// Its lines.
    pub lines: u64,
    /// Its size.
    pub bytes: u64,
    /// Where its first part begins.
    pub offset: u64,
}

/// What files may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Together, in bytes.
    pub bytes_max: u64,
    /// How long after its end a slot is worth sending, in seconds.
    pub age_max_s: u64,
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Loading {
    end_unix_s: u64,
    pub(super) since: Instant,
    /// It was not removed meanwhile.
    is_wanted: bool,
}

/// A slot whose parts are being written.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) end_unix_s: u64,
    number: u64,
}

impl Backlog {
    /// Slots that are older than the newest are to be written to files, or all that there are.
    pub fn spill(&mut self, the_newest_too: bool) {
        self.spill_below = self.live() + u64::from(the_newest_too);
    }

    /// No slot is to be written to a file for now.
    pub fn stop_spilling(&mut self) {
        self.spill_below = 0;
    }

    /// Whether a slot is being written.
    pub fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }

    /// Makes a job of the oldest slot that is to be written, if there is one. What of it waits may still
    /// be sent until it is written.
    pub fn begin_write(&mut self) -> bool {
        let below = self.spill_below;
        // What has no bytes is for a command, which is started for it: no file can do that.
        let is_for_file = |entry: &Entry| match entry.origin {
            Origin::Pushed | Origin::Repeated => {
                entry.number < below && !entry.is_written && entry.part.size_bytes() > 0
            }
            Origin::Spooled | Origin::InFile => false,
        };
        let Some(oldest) = self.waiting.iter().find(|entry| is_for_file(entry)) else {
            return false;
        };
        let (number, end_unix_s) = (oldest.number, oldest.part.end_unix_s);
        let mut parts = Vec::new();
        for entry in &mut self.waiting {
            if (entry.number, entry.part.end_unix_s) == (number, end_unix_s) && is_for_file(entry) {
                entry.is_written = true;
                parts.push(entry.part.clone());
                if entry.origin == Origin::Pushed {
                    self.writing_bytes += entry.part.size_bytes();
                }
            }
        }
        self.writing.push_back(Writing { end_unix_s, number });
        self.jobs.push(SpoolJob::Write { end_unix_s, parts });
        true
    }

    /// The slot whose turn it was is in its file, or could not be written and stays in memory.
    ///
    /// # Panics
    /// If none was being written.
    pub fn written(&mut self, result: Option<Written>) {
        let writing = self.writing.pop_front().expect("a slot is being written");
        let is_of_it = |entry: &Entry| {
            let slot = (entry.number, entry.part.end_unix_s);
            slot == (writing.number, writing.end_unix_s) && entry.is_written
        };
        // What is on its way stays in memory until it is there.
        if let Some(mut entry) = self.on_its_way.take() {
            if is_of_it(&entry) {
                self.unmark(&mut entry);
            }
            self.on_its_way = Some(entry);
        }
        let (mut lines, mut first_index) = (0, None);
        for mut entry in std::mem::take(&mut self.waiting) {
            if !is_of_it(&entry) {
                self.waiting.push_back(entry);
            } else if result.is_none() {
                self.unmark(&mut entry);
                self.waiting.push_back(entry);
            } else {
                self.forget(&entry);
                first_index.get_or_insert(entry.part.index);
                if entry.origin == Origin::Pushed {
                    lines += entry.part.lines;
                }
            }
        }
        let end_unix_s = writing.end_unix_s;
        let before = self.shelf.get(end_unix_s).copied();
        match result {
            None => self.remove_if_done(end_unix_s),
            // All of it was sent meanwhile, or a newer one is sent instead.
            Some(_) if before.is_none() && first_index.is_none() => {
                if self.writing.iter().all(|it| it.end_unix_s != end_unix_s) {
                    self.jobs.push(SpoolJob::Remove { end_unix_s });
                }
            }
            Some(Written { offset, bytes }) => {
                let unread_before = before.and_then(|file| file.unread_from);
                let unread_from = unread_before.or(first_index.map(|_| offset));
                let file = Shelved {
                    number: before.map_or(writing.number, |file| file.number),
                    lines: before.map_or(0, |file| file.lines) + lines,
                    bytes,
                    unread_from,
                    parts_in_memory: before.map_or(0, |file| file.parts_in_memory),
                    is_begun: before.is_some_and(|file| file.is_begun),
                };
                self.shelf.set(end_unix_s, file);
                if unread_before.is_none() && unread_from.is_some() {
                    self.insert_file(end_unix_s, file.number, first_index.unwrap_or_default());
                }
                self.remove_if_done(end_unix_s);
            }
        }
    }

    fn unmark(&mut self, entry: &mut Entry) {
        entry.is_written = false;
        if entry.origin == Origin::Pushed {
            self.writing_bytes -= entry.part.size_bytes();
        }
    }

    fn insert_file(&mut self, end_unix_s: u64, number: u64, index: u32) {
        let part = Part {
            end_unix_s,
            index,
            lines: 0,
            chunks: Vec::new(),
        };
        self.insert(Entry::new(number, part, Origin::InFile));
    }

    /// Takes files that were there at the start: older than all that is pushed. Returns their lines.
    pub fn found(&mut self, files: &[Found]) -> u64 {
        let mut lines = 0;
        for found in files {
            let file = Shelved {
                number: FOUND,
                lines: found.lines,
                bytes: found.bytes,
                unread_from: Some(found.offset),
                parts_in_memory: 0,
                is_begun: false,
            };
            self.shelf.set(found.end_unix_s, file);
            self.insert_file(found.end_unix_s, FOUND, 0);
            lines += found.lines;
        }
        let newest = files.iter().map(|found| found.end_unix_s).max();
        // A disk may answer late. What was pushed by then came last.
        self.last_end_unix_s = self.last_end_unix_s.or(newest);
        lines
    }

    /// Notes that a file is read from where that ended last.
    pub(super) fn begin_load(&mut self, end_unix_s: u64, now: Instant) -> Load {
        let file = self.shelf.get(end_unix_s).copied();
        let file = file.expect("it is on the shelf until it is sent");
        self.loading = Some(Loading {
            end_unix_s,
            since: now,
            is_wanted: true,
        });
        let is_begun = true;
        self.shelf.set(end_unix_s, Shelved { is_begun, ..file });
        Load {
            end_unix_s,
            offset: file.unread_from.expect("it waits to be read"),
            all: self.order == Order::Arrival,
        }
    }

    /// What was to be read is here, or cannot be read: then what was still to be sent of the file is
    /// lost. Returns the lines of that.
    ///
    /// # Panics
    /// If nothing was to be read.
    pub fn loaded(&mut self, result: Option<Loaded>) -> u64 {
        let loading = self.loading.take().expect("a file is being read");
        let end_unix_s = loading.end_unix_s;
        let Some(file) = self.shelf.get(end_unix_s).copied() else {
            return 0;
        };
        let of_file =
            |entry: &Entry| entry.origin == Origin::InFile && entry.part.end_unix_s == end_unix_s;
        let Some(at) = self.waiting.iter().position(of_file) else {
            return 0;
        };
        if !loading.is_wanted {
            return 0;
        }
        let Some(loaded) = result else {
            self.waiting.remove(at);
            return self.shelf.remove(end_unix_s).map_or(0, |file| file.lines);
        };
        self.shelf.set(
            end_unix_s,
            Shelved {
                unread_from: loaded.next,
                parts_in_memory: file.parts_in_memory + 1,
                ..file
            },
        );
        let rest = &mut self.waiting[at];
        let (number, index) = (rest.number, rest.part.index);
        rest.part.index += 1;
        if loaded.next.is_none() {
            self.waiting.remove(at);
        }
        let part = Part {
            end_unix_s,
            index,
            lines: loaded.lines,
            chunks: vec![loaded.bytes],
        };
        self.insert(Entry::new(number, part, Origin::Spooled));
        0
    }

    /// A part from a file is sent or given up. Returns how many of its lines are not counted yet.
    pub(super) fn delivered(&mut self, part: &Part) -> u64 {
        let Some(mut file) = self.shelf.get(part.end_unix_s).copied() else {
            return 0;
        };
        file.parts_in_memory = file.parts_in_memory.saturating_sub(1);
        // A file may hold lines that were sent before it was written.
        let lines = match file.unread_from.is_none() && file.parts_in_memory == 0 {
            true => file.lines,
            false => part.lines.min(file.lines),
        };
        file.lines -= lines;
        self.shelf.set(part.end_unix_s, file);
        self.remove_if_done(part.end_unix_s);
        lines
    }

    /// Removes a file of which all is sent, unless more is being written to it.
    fn remove_if_done(&mut self, end_unix_s: u64) {
        let file = self.shelf.get(end_unix_s);
        let is_done =
            file.is_some_and(|file| file.unread_from.is_none() && file.parts_in_memory == 0);
        let grows = self.writing.iter().any(|it| it.end_unix_s == end_unix_s);
        if is_done && !grows {
            self.remove_file(end_unix_s);
        }
    }

    /// Removes a file, and returns the lines that were still to be sent.
    pub(super) fn remove_file(&mut self, end_unix_s: u64) -> u64 {
        let Some(file) = self.shelf.remove(end_unix_s) else {
            return 0;
        };
        self.waiting
            .retain(|entry| entry.origin != Origin::InFile || entry.part.end_unix_s != end_unix_s);
        if let Some(loading) = &mut self.loading {
            loading.is_wanted &= loading.end_unix_s != end_unix_s;
        }
        self.jobs.push(SpoolJob::Remove { end_unix_s });
        file.lines
    }

    /// Removes the oldest files until the rest keeps to the limits; what is being sent stays. Returns
    /// how many lines were too old, and how many too many.
    pub fn drop_over_limits(&mut self, limits: SpoolLimits, now_unix_s: u64) -> (u64, u64) {
        let (mut too_old, mut too_many) = (0, 0);
        while let Some(oldest) = self.shelf.oldest_unused() {
            if oldest.saturating_add(limits.age_max_s) < now_unix_s {
                too_old += self.remove_file(oldest);
            } else if self.shelf.bytes() > limits.bytes_max {
                too_many += self.remove_file(oldest);
            } else {
                break;
            }
        }
        (too_old, too_many)
    }

    /// Lines that are still to be sent from files.
    pub fn lines_in_files(&self) -> u64 {
        self.shelf.lines()
    }

    /// The size of all files.
    pub fn bytes_in_files(&self) -> u64 {
        self.shelf.bytes()
    }

    /// What is to be done with files, in this order.
    pub fn take_jobs(&mut self) -> Vec<SpoolJob> {
        std::mem::take(&mut self.jobs)
    }
}

#[cfg(test)]
mod tests;
