//! What a queue holds under its lock, and what follows when that changes.

use std::time::{Duration, Instant, SystemTime};

use super::losses::Losses;
use crate::sink::backlog::{Backlog, Next};
use crate::sink::spooler::{Job, SpoolLink};
use crate::sink::{Counters, DropReason};

/// A queue without its signals.
#[derive(Debug)]
pub(super) struct State {
    pub(super) backlog: Backlog,
    pub(super) spool: Option<SpoolLink>,
    pub(super) counters: Counters,
    pub(super) closed: bool,
    pub(super) refuses: bool,
    /// The slot that is being pushed has not ended.
    pub(super) in_slot: bool,
    /// It takes the place of what waits with its time stamp.
    pub(super) comes_again: bool,
    /// The last connection failed, and nothing was sent since.
    pub(super) is_down: bool,
    /// The consumer's time is over: what it still says is of no account.
    pub(super) over: bool,
    pub(super) losses: Losses,
    /// What the log is to be told of once nobody is held up by it.
    pub(super) to_tell: Vec<(DropReason, u64)>,
}

impl State {
    pub(super) fn new(backlog: Backlog) -> State {
        State {
            backlog,
            spool: None,
            counters: Counters::default(),
            closed: false,
            refuses: false,
            in_slot: false,
            comes_again: false,
            is_down: false,
            over: false,
            losses: Losses::default(),
            to_tell: Vec::new(),
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        self.backlog.due(now)
    }

    /// What to do now. What is to be read is asked for already.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let next = self.backlog.next(now);
        if let (Next::Load(load), Some(spool)) = (&next, &self.spool) {
            spool.ask(Job::Load(*load));
        }
        next
    }

    /// Slots that are not delivered go to the spool, if it works: all but the newest, and that one,
    /// too, if the sink is down or the daemon ends.
    pub(super) fn spill(&mut self) {
        let is_outage = self.is_down && !self.in_slot;
        if self.spool_works() {
            self.backlog.spill(self.over || is_outage);
            self.write_next();
        }
    }

    pub(super) fn spool_works(&self) -> bool {
        let Some(spool) = &self.spool else {
            return false;
        };
        self.over || spool.write_from.is_none_or(|from| from <= Instant::now())
    }

    /// One slot is written at a time: it stays in memory until then. At the end there is no other time.
    pub(super) fn write_next(&mut self) {
        while (self.over || !self.backlog.is_writing()) && self.backlog.begin_write() {}
        self.send_jobs();
    }

    pub(super) fn send_jobs(&mut self) {
        for job in self.backlog.take_jobs() {
            if let Some(spool) = &self.spool {
                spool.ask(Job::Change(job));
            }
        }
    }

    /// Writes what is in memory to the spool if that is too much, or drops the oldest of it.
    pub(super) fn make_room(&mut self) {
        if self.backlog.has_excess() && !self.backlog.is_writing() && self.spool_works() {
            self.backlog.spill(true);
            self.write_next();
        }
        let given_up = self.backlog.give_up_excess();
        let lines = given_up.iter().map(|part| part.lines).sum();
        self.lose(DropReason::QueueFull, lines);
    }

    pub(super) fn drop_over_limits(&mut self) {
        if let Some(spool) = &self.spool {
            let (too_old, too_many) = self.backlog.drop_over_limits(spool.limits, unix_s());
            self.lose(DropReason::TooOld, too_old);
            self.lose(DropReason::SpoolFull, too_many);
        }
    }

    pub(super) fn lose(&mut self, reason: DropReason, lines: u64) {
        self.counters.drop_lines(reason, lines);
        let to_tell = self.losses.add(reason, lines, Instant::now());
        self.to_tell.extend(to_tell.map(|lines| (reason, lines)));
    }
}

/// The time, in seconds since 1970.
pub(super) fn unix_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock that shows a time before 1970 is as good as one that shows 1970.
    since.unwrap_or_default().as_secs()
}

/// How long nothing is written to a spool after that failed.
pub(super) const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(2);
