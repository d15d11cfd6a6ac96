//! The bounded queue between the flusher and one sink: pushing never waits for the sink.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use super::backlog::{Backlog, Delivery, Next, Order, Sent};
use super::spool::{SpoolKey, SpoolSize};
use super::spooler::{Job, SpoolLink};
use super::{Counters, LastSlot, Part};

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

#[derive(Debug)]
struct State {
    backlog: Backlog,
    spool: Option<SpoolLink>,
    counters: Counters,
    closed: bool,
    refuses: bool,
    /// The slot that is being pushed has not ended.
    in_slot: bool,
    /// The consumer's time is over: what it still says is of no account.
    over: bool,
    /// Drops that no log line has told of yet, and when one last did.
    untold: Dropped,
    told: Option<Instant>,
}

impl Queue {
    /// An empty queue of at most `bytes_max` bytes; `name` is what log lines call the sink.
    pub fn new(name: String, order: Order, bytes_max: u64) -> Queue {
        Queue {
            name,
            state: Mutex::new(State {
                backlog: Backlog::new(order, bytes_max),
                spool: None,
                counters: Counters::default(),
                closed: false,
                refuses: false,
                in_slot: false,
                over: false,
                untold: Dropped::default(),
                told: None,
            }),
            changed: Notify::new(),
            changed_blocking: Condvar::new(),
        }
    }

    /// What log lines call the sink.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts of a slot begin to come.
    pub fn begin_slot(&self) {
        let mut state = self.lock();
        state.in_slot = true;
        state.backlog.begin_slot(Instant::now());
    }

    /// The slot is whole: no further part of it comes.
    pub fn end_slot(&self) {
        self.lock().in_slot = false;
        self.notify();
    }

    /// Hands a part of a slot over; never waits. The parts of a slot come in their order, none
    /// between them. When the queue is full, the oldest parts go to the spool, or are dropped,
    /// counted, and at most once a minute logged. A part without bytes is for a command, which is
    /// started for every slot. Behind others that wait it is left out: what takes no room in the
    /// queue must not wait there in any number.
    pub fn push(&self, part: Part) {
        let mut state = self.lock();
        if part.size_bytes() == 0 && state.backlog.waiting_count() > 0 {
            return;
        }
        state.counters.lines_pushed += part.lines;
        if state.refuses {
            state.counters.lines_dropped += part.lines;
            return;
        }
        if part.index == 0 {
            state.counters.lines_superseded += state.backlog.supersede(part.end_unix_s);
        }
        let given_up = state.backlog.push(part);
        let bytes_max = state.backlog.bytes_max();
        let dropped = state.spool_or_drop(given_up, bytes_max);
        let tell = state.tell(dropped, Instant::now());
        drop(state);
        self.notify();
        self.log_dropped(tell, bytes_max);
    }

    /// The counters, all of one moment.
    pub fn counters(&self) -> Counters {
        let state = self.lock();
        let spooled = state
            .spool
            .as_ref()
            .map_or_else(SpoolSize::default, |spool| spool.size);
        Counters {
            lines_queued: state.backlog.lines(),
            bytes_queued: state.backlog.bytes(),
            lines_spooled: spooled.lines,
            bytes_spooled: spooled.bytes,
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
            let due = match self.look(Backlog::next) {
                Look::Ready(Next::Send(part)) => return Some(part),
                Look::Ready(Next::WaitUntil(due)) => Some(due),
                Look::Ready(Next::Idle) => None,
                Look::Ended => return None,
            };
            self.wait(due).await;
        }
    }

    /// Waits until [`Queue::take`] would return at once, and takes nothing. Returns false when
    /// the queue is closed and empty.
    pub async fn wait_for_part(&self) -> bool {
        loop {
            let due = match self.look(|backlog, now| backlog.due(now)) {
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
        match self.look(|backlog, now| backlog.due(now)) {
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
            let timeout = match state.backlog.next(now) {
                Next::Send(part) => return Some(part),
                Next::WaitUntil(due) => due - now,
                Next::Idle => Duration::MAX,
            };
            let waited = self.changed_blocking.wait_timeout(state, timeout);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The part taken last was written whole. Returns it if it may be repeated.
    pub fn sent(&self) -> Option<Sent> {
        let mut state = self.lock();
        if state.over {
            return None;
        }
        let sent = match state.backlog.sent() {
            Delivery::First(sent) => Some(sent),
            Delivery::FromSpool(key, sent) => {
                if let Some(spool) = &mut state.spool {
                    spool.delivered(key, sent.part());
                }
                Some(sent)
            }
            Delivery::Again => None,
        };
        if let Some(sent) = &sent {
            state.counters.lines_sent += sent.part().lines;
            state.counters.bytes_sent += sent.part().size_bytes();
        }
        drop(state);
        self.changed_blocking.notify_all();
        sent
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

    /// A connection could not be made, or broke.
    pub fn count_failure(&self) {
        self.lock().counters.last_failure_unix_s = unix_s();
    }

    /// The part taken last was not written whole: it is queued again.
    pub fn cut_off(&self) {
        let mut state = self.lock();
        if !state.over {
            state.backlog.cut_off();
        }
    }

    /// The part taken last is given up: it is counted as dropped.
    pub fn give_up(&self) {
        let mut state = self.lock();
        if state.over {
            return;
        }
        let lines = state.backlog.give_up().lines;
        state.counters.lines_dropped += lines;
        drop(state);
        self.changed_blocking.notify_all();
    }

    /// How many parts wait, the one on its way not counted.
    pub fn waiting_count(&self) -> usize {
        self.lock().backlog.waiting_count()
    }

    /// The part's connection ended in doubt: it is sent again, see [`Backlog::repeat`].
    pub fn repeat(&self, sent: Sent) {
        self.lock().backlog.repeat(sent);
    }

    /// The sink is gone for good: drops and counts what waits and all that is pushed after.
    pub fn refuse(&self) {
        let mut state = self.lock();
        state.refuses = true;
        let lines: u64 = state.backlog.clear().iter().map(|part| part.lines).sum();
        state.counters.lines_dropped += lines;
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

    /// Gives up parts to this spool from now on, and takes what it holds for its own.
    pub(super) fn attach_spool(&self, jobs: mpsc::Sender<Job>, found: SpoolSize) {
        let mut state = self.lock();
        state.counters.lines_pushed += found.lines;
        state.spool = Some(SpoolLink::new(jobs, found));
    }

    /// The spool has written so many bytes, or failed to; what it lost thereby is dropped.
    pub(super) fn spool_written(&self, bytes: u64, lost: SpoolSize) {
        let mut state = self.lock();
        state.counters.lines_dropped += lost.lines;
        if let Some(spool) = &mut state.spool {
            spool.written(bytes, lost);
        }
    }

    /// The spool has read its oldest part, or has none.
    pub(super) fn spool_loaded(&self, loaded: Option<(SpoolKey, Part)>) {
        let mut state = self.lock();
        match loaded {
            Some((key, part)) if !state.over => state.backlog.insert_spooled(key, part),
            Some(_) => {}
            None => {
                if let Some(spool) = &mut state.spool {
                    spool.loaded_nothing();
                }
            }
        }
        drop(state);
        self.notify();
    }

    /// To be called when the consumer's time is over: hands what is left to the spool, whose
    /// thread ends when it has written that. Without a spool it is dropped and counted.
    pub fn end(&self) {
        let mut state = self.lock();
        state.over = true;
        let rest = state.backlog.clear();
        // Memory does not grow by it: the parts are here already.
        state.spool_or_drop(rest, u64::MAX);
        if let Some(spool) = &state.spool {
            spool.end();
        }
    }

    /// Holds this much and takes slots in this order from now on. What does not fit any more goes
    /// the way of what is pushed to a full queue.
    pub fn change(&self, bytes_max: u64, order: Order) {
        let mut state = self.lock();
        let given_up = state.backlog.change(order, bytes_max);
        let dropped = state.spool_or_drop(given_up, bytes_max);
        let tell = state.tell(dropped, Instant::now());
        drop(state);
        self.notify();
        self.log_dropped(tell, bytes_max);
    }

    /// The newest slot waits so long from now on, see [`Backlog::set_live_delay`].
    pub fn set_live_delay(&self, delay: Duration) {
        self.lock().backlog.set_live_delay(delay);
    }

    /// The spool holds at most this much from its next part on.
    pub fn resize_spool(&self, bytes_max: u64) {
        if let Some(spool) = &self.lock().spool {
            spool.resize(bytes_max);
        }
    }

    fn log_dropped(&self, dropped: Option<Dropped>, bytes_max: u64) {
        if let Some(dropped) = dropped {
            log::error!(
                "sink {}: its queue is full ({bytes_max} bytes): dropped the oldest {} lines; a \
                 larger queue_bytes bridges longer outages",
                self.name,
                dropped.lines
            );
        }
    }

    fn look<T>(&self, decide: impl FnOnce(&mut Backlog, Instant) -> T) -> Look<T> {
        let mut state = self.lock();
        if state.closed && state.backlog.is_empty() {
            return Look::Ended;
        }
        let State {
            backlog,
            spool,
            closed,
            ..
        } = &mut *state;
        if let Some(spool) = spool {
            // What is in files at the end stays there.
            backlog.set_spool_first(!*closed && spool.ask_for_oldest());
        }
        Look::Ready(decide(backlog, Instant::now()))
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

fn unix_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock that shows a time before 1970 is as good as one that shows 1970.
    since.unwrap_or_default().as_secs()
}

enum Look<T> {
    Ready(T),
    Ended,
}

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dropped {
    parts: u64,
    lines: u64,
}

impl State {
    /// Hands parts to the spool, if there is one and it keeps up; counts the others as dropped.
    fn spool_or_drop(&mut self, given_up: Vec<Part>, handed_bytes_max: u64) -> Dropped {
        let mut dropped = Dropped::default();
        for part in given_up {
            let refused = match &mut self.spool {
                Some(spool) => spool.hand_over(part, handed_bytes_max),
                None => Err(part),
            };
            if let Err(part) = refused {
                dropped.parts += 1;
                dropped.lines += part.lines;
            }
        }
        self.counters.lines_dropped += dropped.lines;
        dropped
    }

    /// Notes what was dropped; returns what to log about, at most once per [`TELL_EVERY`].
    fn tell(&mut self, dropped: Dropped, now: Instant) -> Option<Dropped> {
        self.untold.parts += dropped.parts;
        self.untold.lines += dropped.lines;
        let quiet = self.told.is_some_and(|told| now - told < TELL_EVERY);
        if self.untold.parts == 0 || quiet {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// The least time between two log lines about a full queue.
const TELL_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
