//! Moves slots between a sink's queue and its spool, on a thread of its own: neither the flusher nor the
//! io thread may wait for a disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SendError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::Queue;
use super::backlog::{Load, SpoolJob, SpoolLimits};
use super::spool::file::Framing;
use super::spool::{Spool, count_of_old_form, is_damage};
use crate::disk::{Answer, SILENCE, may_pass};

/// What a queue asks its spool for.
#[derive(Debug)]
pub(super) enum Job {
    /// Write or remove a file.
    Change(SpoolJob),
    /// Read a part.
    Load(Load),
    /// The sink ends.
    End,
}

/// Where a spool is, and what it may hold.
#[derive(Clone, Debug)]
pub struct SpoolPlace {
    /// The folder of this sink.
    pub folder: PathBuf,
    /// What the names of its files began with in an earlier version, which had one folder for all.
    pub name_before: String,
    /// What its bytes are made of.
    pub framing: Framing,
    /// What its files may take.
    pub limits: SpoolLimits,
}

/// The thread of a spool, seen from outside.
pub struct SpoolerHandle {
    sink: String,
    folder: PathBuf,
    /// Until it has come, or nobody waits for it any more.
    opened: Option<Answer<io::Result<()>>>,
    ended: Receiver<()>,
}

impl SpoolerHandle {
    /// Waits until its folder is open, or up to this time; whether the disk has answered. One that is full
    /// or read-only is told of in the log and tried again later.
    ///
    /// # Errors
    /// If the folder cannot be used at all.
    pub fn wait_for_folder(&mut self, until: Instant) -> io::Result<bool> {
        let Some(awaited) = &self.opened else {
            return Ok(true);
        };
        let Some(opened) = awaited.wait(until) else {
            return Ok(false);
        };
        self.opened = None;
        opened.map(|()| true).map_err(|error| {
            let folder = self.folder.display();
            let text = format!(
                "cannot use {folder} as a spool: {error}; the folder must be there for this daemon \
                 alone, and writable"
            );
            io::Error::new(error.kind(), text)
        })
    }

    /// Nobody waits for its folder any more: the log is told, now and of an error that comes later.
    pub fn give_up_folder(&mut self) {
        if self.opened.take().is_some() {
            log::warn!(
                "sink {}: its spool in {}: {SILENCE}; until it does, points are queued in memory only, \
                 and what waits there is not sent (`mount` tells what is mounted there)",
                self.sink,
                self.folder.display()
            );
        }
    }

    /// Waits until it has written everything behind [`Queue::end`]. A disk that hangs is left alone
    /// when the time is over.
    pub fn wait(&self, until: Instant) {
        // It never sends: an error means that it has ended, or that the time has.
        let left = until.saturating_duration_since(Instant::now());
        let _ = self.ended.recv_timeout(left);
    }
}

/// Starts the thread, which opens the folder; it ends after [`Queue::end`].
///
/// # Errors
/// If the system gives no thread.
pub fn start(queue: Arc<Queue>, place: SpoolPlace) -> io::Result<SpoolerHandle> {
    let (jobs, to_do) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let (open, opened) = Answer::awaited();
    queue.attach_spool(SpoolLink {
        jobs,
        limits: place.limits,
        write_from: None,
    });
    let sink = queue.name().to_owned();
    let folder = place.folder.clone();
    let mut spooler = Spooler {
        queue,
        place,
        spool: None,
        told_of_writing: None,
        told_of_reading: None,
        fails_since: None,
    };
    thread::Builder::new()
        .name("spool".to_owned())
        .spawn(move || {
            spooler.tell_of_old_form();
            let opened = spooler.open();
            let opened = opened.or_else(|error| {
                if !may_pass(&error) {
                    return Err(error);
                }
                spooler.tell_of_failed_write(&error);
                Ok(())
            });
            // Where nothing is ever written, nobody else would hear of an error that comes too late.
            if let Err(SendError(Err(error))) = open.send(opened) {
                spooler.tell_of_late_error(&error);
            }
            spooler.run(&to_do);
            drop(end);
        })?;
    Ok(SpoolerHandle {
        sink,
        folder,
        opened: Some(opened),
        ended,
    })
}

struct Spooler {
    queue: Arc<Queue>,
    place: SpoolPlace,
    /// None as long as the folder cannot be opened.
    spool: Option<Spool>,
    /// When log lines last told of failures.
    told_of_writing: Option<Instant>,
    told_of_reading: Option<Instant>,
    fails_since: Option<Instant>,
}

impl Spooler {
    /// Opens the folder, if it is not open, and tells the queue what it holds.
    fn open(&mut self) -> io::Result<()> {
        if self.spool.is_some() {
            return Ok(());
        }
        let (spool, contents) = Spool::open(&self.place.folder, self.place.framing)?;
        let lines: u64 = contents.found.iter().map(|found| found.lines).sum();
        if lines > 0 {
            log::info!(
                "sink {}: {lines} lines in {} files wait in its spool {} since an earlier run",
                self.queue.name(),
                contents.found.len(),
                self.place.folder.display()
            );
        }
        self.spool = Some(spool);
        self.queue.spool_found(&contents.found, contents.damaged);
        Ok(())
    }

    fn tell_of_old_form(&self) {
        let SpoolPlace {
            folder,
            name_before,
            ..
        } = &self.place;
        let shared = folder.parent().unwrap_or(Path::new("/"));
        let count = count_of_old_form(shared, name_before);
        if count > 0 {
            log::warn!(
                "sink {}: {count} files {name_before}.*.slot in {} are of an earlier version's spool; \
                 they are left alone and not sent",
                self.queue.name(),
                shared.display()
            );
        }
    }

    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Change(SpoolJob::Write { end_unix_s, parts }) => {
                    let opened = self.open();
                    let written = opened.and_then(|()| match &mut self.spool {
                        Some(spool) => spool.write(end_unix_s, &parts),
                        None => Err(io::ErrorKind::NotFound.into()),
                    });
                    // Memory is free before the queue counts on it.
                    drop(parts);
                    match written {
                        Ok(written) => {
                            self.tell_of_recovery();
                            self.queue.spool_written(Some(written));
                        }
                        Err(error) => {
                            self.tell_of_failed_write(&error);
                            self.queue.spool_written(None);
                        }
                    }
                }
                Job::Change(SpoolJob::Remove { end_unix_s }) => self.remove(end_unix_s),
                Job::Load(load) => self.load(load),
                Job::End => return,
            }
        }
    }

    fn load(&mut self, load: Load) {
        let Some(spool) = &self.spool else {
            self.queue.spool_loaded(None, false);
            return;
        };
        match spool.read(load) {
            Ok(loaded) => self.queue.spool_loaded(Some(loaded), false),
            Err(error) => {
                let is_damaged = is_damage(&error);
                let mut what = format!("cannot read {}.zst: {error}", load.end_unix_s);
                if is_damaged {
                    what += match spool.set_aside(load.end_unix_s) {
                        Ok(()) => "; it is set aside",
                        Err(_) => "; it is left alone",
                    };
                }
                if is_due(&mut self.told_of_reading) {
                    self.warn(&what);
                }
                self.queue.spool_loaded(None, is_damaged);
            }
        }
    }

    fn remove(&mut self, end_unix_s: u64) {
        let removed = self.spool.as_ref().map(|spool| spool.remove(end_unix_s));
        if let Some(Err(error)) = removed
            && is_due(&mut self.told_of_reading)
        {
            self.warn(&format!(
                "cannot remove {end_unix_s}.zst: {error}; it is sent again after a restart"
            ));
        }
    }

    /// The folder cannot be used, and the start, which would have failed, is over.
    fn tell_of_late_error(&mut self, error: &io::Error) {
        self.fails_since.get_or_insert_with(Instant::now);
        self.told_of_writing = Some(Instant::now());
        self.warn(&format!(
            "cannot use it: {error}; what waits there is not sent, and points are queued in memory only, \
             until it can be written to"
        ));
    }

    fn tell_of_failed_write(&mut self, error: &io::Error) {
        self.fails_since.get_or_insert_with(Instant::now);
        if is_due(&mut self.told_of_writing) {
            self.warn(&format!(
                "cannot write: {error}; until that is over, points are queued in memory only"
            ));
        }
    }

    fn tell_of_recovery(&mut self) {
        if let Some(since) = self.fails_since.take() {
            self.told_of_writing = None;
            log::info!(
                "sink {}: its spool takes slots again after {:.1} s",
                self.queue.name(),
                since.elapsed().as_secs_f64()
            );
        }
    }

    fn warn(&self, what: &str) {
        log::warn!(
            "sink {}: its spool in {}: {what}",
            self.queue.name(),
            self.place.folder.display()
        );
    }
}

/// Whether a log line is due; then it is the last one for a while.
fn is_due(told: &mut Option<Instant>) -> bool {
    let is_due = told.is_none_or(|told| told.elapsed() > TELL_EVERY);
    if is_due {
        *told = Some(Instant::now());
    }
    is_due
}

/// How a queue sees its spool.
#[derive(Debug)]
pub(super) struct SpoolLink {
    pub(super) jobs: Sender<Job>,
    pub(super) limits: SpoolLimits,
    /// Nothing is written before this time, because that failed.
    pub(super) write_from: Option<Instant>,
}

impl SpoolLink {
    pub(super) fn ask(&self, job: Job) {
        // The thread is gone only after `End`, when nothing matters any more.
        let _ = self.jobs.send(job);
    }
}

/// The least time between two log lines about a spool.
const TELL_EVERY: Duration = Duration::from_secs(60);
