//! The backlog's turns: which part goes next, and when it may.

use std::time::{Duration, Instant};

use super::files::Load;
use super::{Backlog, Entry, Order};
use crate::sink::Part;

/// What to do now.
#[derive(Debug)]
pub enum Next {
    /// Send this part; then say [`Backlog::sent`] or [`Backlog::cut_off`].
    Send(Part),
    /// Read this, and say [`Backlog::loaded`]; it may be time for it then.
    Load(Load),
    /// Parts wait, but none may go before this time.
    WaitUntil(Instant),
    /// Nothing waits, or only for the disk.
    Idle,
}

impl Backlog {
    /// The newest slot waits for so long after its flush began, so that many hosts do not send at one
    /// moment. It does not where it would fill more than half of the queue, as what does not fit is
    /// lost. Only with [`Order::LiveFirst`].
    pub fn set_live_delay(&mut self, delay: Duration) {
        self.live_delay = delay;
    }

    /// A flush begins, of which parts may come.
    pub fn begin_slot(&mut self, now: Instant) {
        self.flush_began = Some(now);
    }

    /// The part to send at `now`, or the file to read, if it is time for one.
    ///
    /// # Panics
    /// If a part is on its way already.
    pub fn next(&mut self, now: Instant) -> Next {
        assert!(self.on_its_way.is_none(), "one part at a time");
        match self.due(now) {
            None => return Next::Idle,
            Some(due) if due > now => return Next::WaitUntil(due),
            Some(_) => {}
        }
        let (at, _) = self.select(now).expect("something is due");
        if !self.waiting[at].is_in_memory() {
            return Next::Load(self.begin_load(self.waiting[at].part.end_unix_s, now));
        }
        let entry = self.waiting.remove(at).expect("it was selected");
        match self.order {
            Order::Arrival => {}
            Order::LiveFirst { .. } if entry.number == self.live() => {
                if self
                    .last_live
                    .is_none_or(|(_, number)| number != entry.number)
                {
                    self.last_live = Some((now, entry.number));
                }
                self.old_under_way = None;
            }
            Order::LiveFirst { .. } => {
                if !self.continues_old(&entry) {
                    self.last_old = Some(now);
                }
                self.old_under_way = Some(Part {
                    chunks: Vec::new(),
                    ..entry.part
                });
            }
        }
        let part = entry.part.clone();
        self.on_its_way = Some(entry);
        Next::Send(part)
    }

    /// When the next part may go: `now` at the earliest, never if nothing waits or what waits is being
    /// read.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        self.select(now).map(|(_, due)| due)
    }

    /// The place of what goes next, and when it may.
    fn select(&self, now: Instant) -> Option<(usize, Instant)> {
        // What is in files at the end stays there. A disk that does not answer must not hold up what
        // is in memory.
        let hangs = |since: Instant| now.saturating_duration_since(since) >= DISK_PATIENCE;
        let no_files = !self.paced || self.loading.as_ref().is_some_and(|it| hangs(it.since));
        let may_go = |entry: &Entry| entry.is_in_memory() || !no_files;
        // What is being read already is waited for.
        let is_ready = |at: &usize| self.waiting[*at].is_in_memory() || self.loading.is_none();
        match self.order {
            Order::Arrival => {
                let first = self.waiting.iter().position(may_go);
                first.filter(is_ready).map(|at| (at, now))
            }
            Order::LiveFirst { flush_interval } => {
                let live = self.live();
                let from = self.waiting.partition_point(|entry| entry.number < live);
                let newest = self.waiting.iter().skip(from).position(may_go);
                let newest = newest.map(|at| from + at).filter(is_ready);
                let oldest = self.waiting.iter().take(from).position(may_go);
                let oldest = oldest.filter(is_ready);
                // While the live slot waits for its time, old ones need not. At the same time it goes
                // first.
                let newest = newest.map(|at| (at, self.live_due(now)));
                let oldest = oldest.map(|at| (at, self.old_due(at, now, flush_interval)));
                newest.into_iter().chain(oldest).min_by_key(|(_, due)| *due)
            }
        }
    }

    /// When the newest slot may go.
    fn live_due(&self, now: Instant) -> Instant {
        let waits = self.paced && self.bytes <= self.bytes_max / 2;
        let due = self.live_due.filter(|_| waits);
        due.map_or(now, |due| due.max(now))
    }

    /// When an older part may go.
    fn old_due(&self, at: usize, now: Instant, flush_interval: Duration) -> Instant {
        if !self.paced || self.continues_old(&self.waiting[at]) {
            return now;
        }
        // Counted from where a slot began: a sink that needs more than half an interval
        // for one slot would otherwise never come to the old ones.
        let after_old = self.last_old.map(|began| began + flush_interval);
        let after_live = self.last_live.map(|(began, _)| began + flush_interval / 2);
        now.max(after_old.max(after_live).unwrap_or(now))
    }

    /// Whether an entry is of the old slot that is under way, so that it does not wait for its time.
    fn continues_old(&self, entry: &Entry) -> bool {
        let under_way = self.old_under_way.as_ref();
        under_way.is_some_and(|under_way| entry.part.continues(under_way))
    }
}

/// For how long the disk may read a part before others that are in memory go first.
pub(super) const DISK_PATIENCE: Duration = Duration::from_secs(10);
