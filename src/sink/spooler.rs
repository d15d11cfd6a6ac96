//! Moves parts of slots between a sink's queue and its spool, on a thread of its own: neither the flusher
//! nor the io thread may wait for a disk.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Part;
use super::Queue;
use super::spool::{Spool, SpoolKey, SpoolSize};

/// What a queue asks its spool for.
#[derive(Debug)]
pub(super) enum Job {
    /// Write a part that the queue gave up.
    Write(Part),
    /// Read the oldest part into the queue.
    Load,
    /// This part was delivered.
    Remove(SpoolKey),
    /// Hold at most so many bytes.
    Resize(u64),
    /// The sink ends.
    End,
}

/// Starts the thread; it ends after [`Queue::end`].
///
/// # Errors
/// If the system gives no thread.
pub fn start(queue: Arc<Queue>, spool: Spool) -> io::Result<JoinHandle<()>> {
    let (jobs, ask) = mpsc::channel();
    queue.attach_spool(jobs, spool.size());
    let spooler = Spooler {
        queue,
        spool,
        loaded: None,
        told: None,
    };
    thread::Builder::new()
        .name("spool".to_owned())
        .spawn(move || spooler.run(&ask))
}

struct Spooler {
    queue: Arc<Queue>,
    spool: Spool,
    /// The part that the queue has read and not yet delivered.
    loaded: Option<SpoolKey>,
    /// When a log line last told of a failure.
    told: Option<Instant>,
}

impl Spooler {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Write(part) => self.write(&part),
                Job::Load => self.load(),
                Job::Remove(key) => self.remove(key),
                Job::Resize(bytes_max) => self.spool.resize(bytes_max),
                Job::End => return,
            }
        }
    }

    fn write(&mut self, part: &Part) {
        let bytes = part.size_bytes();
        let lost = match self.spool.write(part, self.loaded) {
            Ok(removed) => {
                if removed.lines > 0 {
                    self.tell("it is full: dropped the oldest; a larger spool_bytes holds more");
                }
                removed
            }
            Err(error) => {
                self.tell(&format!("cannot write: {error}; dropped a part of a slot"));
                SpoolSize {
                    lines: part.lines,
                    bytes,
                }
            }
        };
        self.queue.spool_written(bytes, lost);
    }

    fn load(&mut self) {
        let Some(key) = self.spool.oldest() else {
            self.queue.spool_loaded(None);
            return;
        };
        match self.spool.read(key) {
            Ok(part) => {
                self.loaded = Some(key);
                self.queue.spool_loaded(Some((key, part)));
            }
            Err(error) => {
                self.tell(&format!("cannot read: {error}; dropped a part of a slot"));
                // A file that can be neither read nor removed was told of already.
                let lost = self.spool.forget(key);
                self.queue.spool_written(0, lost);
                self.queue.spool_loaded(None);
            }
        }
    }

    fn remove(&mut self, key: SpoolKey) {
        self.loaded = None;
        if let Err(error) = self.spool.remove(key) {
            self.tell(&format!(
                "cannot remove a file: {error}; it is sent again after a restart"
            ));
        }
    }

    fn tell(&mut self, what: &str) {
        if self.told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
            self.told = Some(Instant::now());
            log::error!(
                "sink {}: the spool in {}: {what}",
                self.queue.name(),
                self.spool.folder().display()
            );
        }
    }
}

/// The least time between two log lines about a spool.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How a queue sees its spool.
#[derive(Debug)]
pub(super) struct SpoolLink {
    jobs: mpsc::Sender<Job>,
    /// What is in files or handed over to be written.
    pub(super) size: SpoolSize,
    /// Bytes handed over and not yet written: a slow disk must not make memory grow.
    handed_bytes: u64,
    /// A part was asked for and is not yet delivered.
    loading: bool,
}

impl SpoolLink {
    pub(super) fn new(jobs: mpsc::Sender<Job>, found: SpoolSize) -> SpoolLink {
        SpoolLink {
            jobs,
            size: found,
            handed_bytes: 0,
            loading: false,
        }
    }

    /// Hands a part over unless that makes more than `handed_bytes_max` bytes.
    ///
    /// # Errors
    /// The part, where it is not taken.
    pub(super) fn hand_over(&mut self, part: Part, handed_bytes_max: u64) -> Result<(), Part> {
        let bytes = part.size_bytes();
        if bytes > handed_bytes_max.saturating_sub(self.handed_bytes) {
            return Err(part);
        }
        self.handed_bytes += bytes;
        self.size.lines += part.lines;
        self.size.bytes += bytes;
        self.ask(Job::Write(part));
        Ok(())
    }

    /// Asks for the oldest part if there is one and none is asked for already. Returns whether
    /// there is one.
    pub(super) fn ask_for_oldest(&mut self) -> bool {
        if self.size.lines > 0 && !self.loading {
            self.loading = true;
            self.ask(Job::Load);
        }
        self.loading
    }

    /// Bytes were written or not; these were lost.
    pub(super) fn written(&mut self, bytes: u64, lost: SpoolSize) {
        self.handed_bytes -= bytes;
        self.subtract(lost);
    }

    /// No part came of what was asked for.
    pub(super) fn loaded_nothing(&mut self) {
        self.loading = false;
    }

    /// The part that was asked for is delivered.
    pub(super) fn delivered(&mut self, key: SpoolKey, part: &Part) {
        self.loading = false;
        self.subtract(SpoolSize {
            lines: part.lines,
            bytes: part.size_bytes(),
        });
        self.ask(Job::Remove(key));
    }

    pub(super) fn resize(&self, bytes_max: u64) {
        self.ask(Job::Resize(bytes_max));
    }

    pub(super) fn end(&self) {
        self.ask(Job::End);
    }

    fn subtract(&mut self, size: SpoolSize) {
        self.size.lines -= size.lines;
        self.size.bytes -= size.bytes;
    }

    fn ask(&self, job: Job) {
        // The thread is gone only after `End`, when nothing matters any more.
        let _ = self.jobs.send(job);
    }
}
