//! The bounded queue between the flusher and one sink: pushing never waits for the sink.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::backlog::{Backlog, Found, Loaded, Loss, Next, Order, Sent, SpoolLimits, Written};
use super::spooler::{Job, SpoolLink};
use super::{Counters, DropReason, LastSlot, Part};

mod losses;
mod state;

use state::{State, WRITE_AGAIN_AFTER, unix_s};

/// A sink's queue. The flusher pushes; one consumer takes, either a task ([`Queue::take`]) or a
/// thread ([`Queue::take_blocking`]), and says after each part what became of it.
#[derive(Debug)]
pub struct Queue {
    name: String,
    state: Mutex<State>,
    /// For a consumer that is a task. It holds one permit, so a change between a look at the
    /// state and the wait is not missed.
    changed: Notify,
    /// For threads: a consumer that waits for a part, and whoever waits for the end.
    changed_blocking: Condvar,
}

impl Queue {
    /// An empty queue of at most `bytes_max` bytes; `name` is what log lines call the sink.
    pub fn new(name: String, order: Order, bytes_max: u64) -> Queue {
        Queue {
            name,
            state: Mutex::new(State::new(Backlog::new(order, bytes_max))),
            changed: Notify::new(),
            changed_blocking: Condvar::new(),
        }
    }

    /// What log lines call the sink.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts of a slot begin to come. If a part of it came before, from the process before, and it
    /// comes whole now, it takes the place of what waits of that.
    pub fn begin_slot(&self, comes_again: bool) {
        let mut state = self.lock();
        state.in_slot = true;
        state.comes_again = comes_again;
        state.backlog.begin_slot(Instant::now());
    }

    /// The slot is whole: no further part of it comes. While the sink is down it goes to the spool at
    /// once.
    pub fn end_slot(&self) {
        let mut state = self.lock();
        state.in_slot = false;
        if state.is_down {
            state.spill();
        }
        self.settle(state);
    }

    /// Hands a part of a slot over; never waits. The parts of a slot come in their order, none
    /// between them. With the first part of a slot older ones go to the spool. When the queue is
    /// full, all of it goes there, or the oldest parts are dropped, counted, and at most once a
    /// minute logged. A part without bytes is for a command, which is started for every slot. Behind
    /// others that wait it is left out: what takes no room in the queue must not wait there in any
    /// number.
    pub fn push(&self, part: Part) {
        let mut state = self.lock();
        if part.size_bytes() == 0 && state.backlog.waiting_count() > 0 {
            return;
        }
        state.counters.lines_pushed += part.lines;
        if state.refuses {
            (state.counters).drop_lines(DropReason::OutputGone, part.lines);
            return;
        }
        let begins = part.index == 0;
        if begins && std::mem::take(&mut state.comes_again) {
            state.counters.lines_superseded += state.backlog.supersede(part.end_unix_s);
        }
        state.backlog.push(part);
        if begins {
            state.drop_over_limits();
            state.spill();
        }
        state.make_room();
        self.settle(state);
    }

    /// The counters, all of one moment.
    pub fn counters(&self) -> Counters {
        let state = self.lock();
        Counters {
            lines_queued: state.backlog.lines(),
            bytes_queued: state.backlog.bytes(),
            lines_spooled: state.backlog.lines_in_files(),
            bytes_spooled: state.backlog.bytes_in_files(),
            lines_doubtful: state.backlog.unrepeated_lines(),
            ..state.counters
        }
    }

    /// No part comes after this. What waits is no longer paced.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.in_slot = false;
        state.backlog.stop_pacing();
        drop(state);
        self.notify();
    }

    /// Whether [`Queue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether the queue is closed and nothing is left in it.
    pub fn is_finished(&self) -> bool {
        let state = self.lock();
        state.closed && state.backlog.is_empty()
    }

    /// Waits for [`Queue::close`]. For the consumer only; may be dropped at any await.
    pub async fn closed(&self) {
        while !self.is_closed() {
            self.changed.notified().await;
        }
    }

    /// The next part when its time has come, or `None` when the queue is closed and empty. May be
    /// dropped at any await without losing a part.
    pub async fn take(&self) -> Option<Part> {
        loop {
            let due = match self.look(State::next) {
                Look::Ready(Next::Send(part)) => return Some(part),
                Look::Ready(Next::WaitUntil(due)) => Some(due),
                Look::Ready(Next::Idle | Next::Load(_)) => None,
                Look::Ended => return None,
            };
            self.wait(due).await;
        }
    }

    /// Waits until [`Queue::take`] would return at once, and takes nothing. Returns false when
    /// the queue is closed and empty.
    pub async fn wait_for_part(&self) -> bool {
        loop {
            let due = match self.look(State::due) {
                Look::Ready(Some(due)) if due <= Instant::now() => return true,
                Look::Ready(due) => due,
                Look::Ended => return false,
            };
            self.wait(due).await;
        }
    }

    /// Whether [`Queue::take`] would return a part at once. While parts of a slot come, waits for the
    /// next one or for its end.
    pub async fn goes_on(&self) -> bool {
        loop {
            // Asked first: of a slot that has ended all parts are there.
            let in_slot = self.lock().in_slot;
            if self.has_due_part() {
                return true;
            }
            if !in_slot {
                return false;
            }
            self.changed.notified().await;
        }
    }

    fn has_due_part(&self) -> bool {
        match self.look(State::due) {
            Look::Ready(due) => due.is_some_and(|due| due <= Instant::now()),
            Look::Ended => false,
        }
    }

    /// As [`Queue::take`], for a consumer that is a thread.
    pub fn take_blocking(&self) -> Option<Part> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.closed && state.backlog.is_empty() {
                return None;
            }
            let timeout = match state.next(now) {
                Next::Send(part) => return Some(part),
                Next::WaitUntil(due) => due - now,
                Next::Idle | Next::Load(_) => Duration::MAX,
            };
            let waited = self.changed_blocking.wait_timeout(state, timeout);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The part taken last was written whole. Returns it if it may have to be repeated.
    pub fn sent(&self) -> Option<Sent> {
        let mut state = self.lock();
        if state.over {
            return None;
        }
        state.is_down = false;
        let delivery = state.backlog.sent();
        state.counters.lines_sent += delivery.lines;
        state.counters.bytes_sent += delivery.bytes;
        state.send_jobs();
        drop(state);
        self.changed_blocking.notify_all();
        delivery.sent
    }

    /// A part was written whole, which took so long.
    pub fn count_write(&self, part: &Part, took: Duration) {
        let last = &mut self.lock().counters.last_slot;
        if part.index == 0 {
            *last = LastSlot::default();
        }
        last.written_unix_s = unix_s();
        last.took += took;
        last.size_bytes += part.size_bytes();
    }

    /// A connection could not be made, or broke: until something is sent, slots go to the spool as
    /// soon as they are whole.
    pub fn count_failure(&self) {
        let mut state = self.lock();
        state.counters.last_failure_unix_s = unix_s();
        state.is_down = true;
        state.spill();
        self.settle(state);
    }

    /// The part taken last was not written whole: it is queued again.
    pub fn cut_off(&self) {
        let mut state = self.lock();
        if !state.over {
            state.counters.lines_superseded += state.backlog.cut_off();
        }
    }

    /// The part taken last is given up: it is counted as dropped.
    pub fn give_up(&self) {
        let mut state = self.lock();
        if state.over {
            return;
        }
        let lines = state.backlog.give_up();
        (state.counters).drop_lines(DropReason::NotTaken, lines);
        state.send_jobs();
        drop(state);
        self.changed_blocking.notify_all();
    }

    /// How many parts wait, the one on its way not counted.
    pub fn waiting_count(&self) -> usize {
        self.lock().backlog.waiting_count()
    }

    /// The part's connection ended in doubt: it is sent again, see [`Backlog::repeat`].
    pub fn repeat(&self, sent: Sent, loss: Loss) {
        let mut state = self.lock();
        if !state.over {
            state.backlog.repeat(sent, loss);
        }
    }

    /// The sink is gone for good: drops and counts what waits and all that is pushed after.
    pub fn refuse(&self) {
        let mut state = self.lock();
        state.refuses = true;
        let lines: u64 = state.backlog.clear().iter().map(|part| part.lines).sum();
        (state.counters).drop_lines(DropReason::OutputGone, lines);
        drop(state);
        self.notify();
    }

    /// A connection was made, not the first one.
    pub fn count_reconnect(&self) {
        self.lock().counters.reconnects += 1;
    }

    /// Waits until nothing is left or `deadline` has come; for threads.
    pub fn wait_until_empty(&self, deadline: Instant) {
        let mut state = self.lock();
        while !state.backlog.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed_blocking.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Slots go to this spool from now on.
    pub(super) fn attach_spool(&self, spool: SpoolLink) {
        self.lock().spool = Some(spool);
    }

    /// What the spool holds of an earlier run, and how many files of it are damaged.
    pub(super) fn spool_found(&self, found: &[Found], damaged: u64) {
        let mut state = self.lock();
        state.counters.spool_damaged += damaged;
        state.counters.lines_pushed += state.backlog.found(found);
        state.drop_over_limits();
        self.settle(state);
    }

    /// The spool has written what it was asked to, or failed to: then it stays in memory.
    pub(super) fn spool_written(&self, result: Option<Written>) {
        let mut state = self.lock();
        state.backlog.written(result);
        if result.is_none() {
            state.counters.spool_errors += 1;
            state.backlog.stop_spilling();
        }
        if let Some(spool) = &mut state.spool {
            let again = Instant::now() + WRITE_AGAIN_AFTER;
            spool.write_from = result.is_none().then_some(again);
        }
        state.drop_over_limits();
        state.write_next();
        state.make_room();
        self.settle(state);
    }

    /// The spool has read what it was asked to. What it cannot read is lost, be it because a file is
    /// damaged.
    pub(super) fn spool_loaded(&self, loaded: Option<Loaded>, is_damaged: bool) {
        let mut state = self.lock();
        if loaded.is_none() {
            state.counters.spool_damaged += u64::from(is_damaged);
            state.counters.spool_errors += u64::from(!is_damaged);
        }
        let lines = state.backlog.loaded(loaded);
        state.lose(DropReason::Unreadable, lines);
        self.settle(state);
    }

    /// To be called when the consumer's time is over: hands what is left to the spool, whose thread
    /// ends when it has written that. What it has not written in time is lost: see
    /// [`Queue::give_up_rest`].
    pub fn end(&self) {
        let mut state = self.lock();
        state.over = true;
        state.counters.lines_superseded += state.backlog.stop();
        state.spill();
        if let Some(spool) = &state.spool {
            spool.ask(Job::End);
        }
    }

    /// Drops and counts what is in memory, and tells of all that was dropped before and not told of.
    pub fn give_up_rest(&self) {
        let mut state = self.lock();
        let lines = state.backlog.clear().iter().map(|part| part.lines).sum();
        (state.counters).drop_lines(DropReason::AtTheEnd, lines);
        let untold = state.losses.take_rest();
        state.to_tell.extend(untold);
        self.settle(state);
    }

    /// Holds this much and takes slots in this order from now on. What does not fit any more goes
    /// the way of what is pushed to a full queue.
    pub fn change(&self, bytes_max: u64, order: Order) {
        let mut state = self.lock();
        state.backlog.change(order, bytes_max);
        state.make_room();
        self.settle(state);
    }

    /// The spool holds at most this much from now on.
    pub fn limit_spool(&self, limits: SpoolLimits) {
        let mut state = self.lock();
        if let Some(spool) = &mut state.spool {
            spool.limits = limits;
        }
        state.drop_over_limits();
        self.settle(state);
    }

    /// The newest slot waits so long from now on, see [`Backlog::set_live_delay`].
    pub fn set_live_delay(&self, delay: Duration) {
        self.lock().backlog.set_live_delay(delay);
    }

    /// Tells whoever waits, and the log, of what has changed.
    fn settle(&self, mut state: MutexGuard<'_, State>) {
        state.send_jobs();
        let to_tell = std::mem::take(&mut state.to_tell);
        drop(state);
        self.notify();
        for (reason, lines) in to_tell {
            losses::tell(reason, &self.name, lines);
        }
    }

    fn look<T>(&self, decide: impl FnOnce(&mut State, Instant) -> T) -> Look<T> {
        let mut state = self.lock();
        if state.closed && state.backlog.is_empty() {
            return Look::Ended;
        }
        Look::Ready(decide(&mut state, Instant::now()))
    }

    async fn wait(&self, due: Option<Instant>) {
        match due {
            Some(due) => tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.changed.notified() => {}
            },
            None => self.changed.notified().await,
        }
    }

    fn notify(&self) {
        self.changed.notify_one();
        self.changed_blocking.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it is held is a bug that ends the process in release builds.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Look<T> {
    Ready(T),
    Ended,
}

#[cfg(test)]
mod tests;
