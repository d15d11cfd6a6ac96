//! The bounded queue between the flusher and one sink: pushing never waits for the sink.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::backlog::{Backlog, Dropped, Next, Order, Sent};
use super::{Counters, Slot};

/// A sink's queue. The flusher pushes; one consumer takes, either a task ([`Queue::take`]) or a
/// thread ([`Queue::take_blocking`]), and says after each slot what became of it.
#[derive(Debug)]
pub struct Queue {
    name: String,
    bytes_max: u64,
    state: Mutex<State>,
    /// For a consumer that is a task. It holds one permit, so a change between a look at the
    /// state and the wait is not missed.
    changed: Notify,
    /// For threads: a consumer that waits for a slot, and whoever waits for the end.
    changed_blocking: Condvar,
}

#[derive(Debug)]
struct State {
    backlog: Backlog,
    counters: Counters,
    closed: bool,
    refuses: bool,
    /// Drops that no log line has told of yet, and when one last did.
    untold: Dropped,
    told: Option<Instant>,
}

impl Queue {
    /// An empty queue of at most `bytes_max` bytes; `name` is what log lines call the sink.
    pub fn new(name: String, order: Order, bytes_max: u64) -> Queue {
        Queue {
            name,
            bytes_max,
            state: Mutex::new(State {
                backlog: Backlog::new(order, bytes_max),
                counters: Counters::default(),
                closed: false,
                refuses: false,
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

    /// Hands a slot over; never waits. When the queue is full, the oldest slots are dropped,
    /// counted, and at most once a minute logged. A slot without bytes is nothing to send; one
    /// without points may say so to a terminal.
    pub fn push(&self, slot: Slot) {
        if slot.size_bytes() == 0 {
            return;
        }
        let mut state = self.lock();
        state.counters.lines_pushed += slot.lines;
        if state.refuses {
            state.counters.lines_dropped += slot.lines;
            return;
        }
        let dropped = state.backlog.push(slot);
        state.counters.lines_dropped += dropped.lines;
        let tell = state.tell(dropped, Instant::now());
        drop(state);
        self.notify();
        if let Some(told) = tell {
            log::error!(
                "sink {}: its queue is full ({} bytes): dropped the oldest {} slots, {} lines; \
                 a larger queue_bytes bridges longer outages",
                self.name,
                self.bytes_max,
                told.slots,
                told.lines
            );
        }
    }

    /// The counters, all of one moment.
    pub fn counters(&self) -> Counters {
        let state = self.lock();
        Counters {
            lines_queued: state.backlog.lines(),
            bytes_queued: state.backlog.bytes(),
            ..state.counters
        }
    }

    /// No slot comes after this. What waits is no longer paced.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
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

    /// The next slot when its time has come, or `None` when the queue is closed and empty. May be
    /// dropped at any await without losing a slot.
    pub async fn take(&self) -> Option<Slot> {
        loop {
            let due = match self.look(|state, now| state.backlog.next(now)) {
                Look::Ready(Next::Send(slot)) => return Some(slot),
                Look::Ready(Next::WaitUntil(due)) => Some(due),
                Look::Ready(Next::Idle) => None,
                Look::Ended => return None,
            };
            self.wait(due).await;
        }
    }

    /// Waits until [`Queue::take`] would return at once, and takes nothing. Returns false when
    /// the queue is closed and empty.
    pub async fn wait_for_slot(&self) -> bool {
        loop {
            let due = match self.look(|state, now| state.backlog.due(now)) {
                Look::Ready(Some(due)) if due <= Instant::now() => return true,
                Look::Ready(due) => due,
                Look::Ended => return false,
            };
            self.wait(due).await;
        }
    }

    /// As [`Queue::take`], for a consumer that is a thread.
    pub fn take_blocking(&self) -> Option<Slot> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.closed && state.backlog.is_empty() {
                return None;
            }
            let timeout = match state.backlog.next(now) {
                Next::Send(slot) => return Some(slot),
                Next::WaitUntil(due) => due - now,
                Next::Idle => Duration::MAX,
            };
            let waited = self.changed_blocking.wait_timeout(state, timeout);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The slot taken last was written whole. Returns it if it may be repeated.
    pub fn sent(&self) -> Option<Sent> {
        let mut state = self.lock();
        let sent = state.backlog.sent();
        if let Some(sent) = &sent {
            state.counters.lines_sent += sent.slot().lines;
            state.counters.bytes_sent += sent.slot().size_bytes();
        }
        drop(state);
        self.changed_blocking.notify_all();
        sent
    }

    /// The slot taken last was not written whole: it is queued again.
    pub fn cut_off(&self) {
        self.lock().backlog.cut_off();
    }

    /// The slot's connection ended in doubt: it is sent again, see [`Backlog::repeat`].
    pub fn repeat(&self, sent: Sent) {
        self.lock().backlog.repeat(sent);
    }

    /// The sink is gone for good: drops and counts what waits and all that is pushed after.
    pub fn refuse(&self) {
        let mut state = self.lock();
        state.refuses = true;
        let dropped = state.backlog.clear();
        state.counters.lines_dropped += dropped.lines;
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

impl State {
    /// Notes what was dropped; returns what to log about, at most once per [`TELL_EVERY`].
    fn tell(&mut self, dropped: Dropped, now: Instant) -> Option<Dropped> {
        self.untold.slots += dropped.slots;
        self.untold.lines += dropped.lines;
        let quiet = self.told.is_some_and(|told| now - told < TELL_EVERY);
        if self.untold.slots == 0 || quiet {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// The least time between two log lines about a full queue.
const TELL_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u64) -> Slot {
        Slot {
            end_unix_s: number,
            lines: 10,
            chunks: vec![bytes::Bytes::from_static(&[b'x'; 100])],
        }
    }

    #[test]
    fn a_full_queue_is_told_of_once_a_minute_with_what_came_together() {
        let queue = Queue::new("test".to_owned(), Order::Arrival, 100);
        let mut state = queue.lock();
        let start = Instant::now();
        let one = Dropped { slots: 1, lines: 5 };
        assert_eq!(state.tell(Dropped::default(), start), None);
        assert_eq!(state.tell(one, start), Some(one));
        assert_eq!(state.tell(one, start + TELL_EVERY / 2), None);
        let two = Dropped {
            slots: 2,
            lines: 10,
        };
        assert_eq!(state.tell(one, start + TELL_EVERY), Some(two));
    }

    #[test]
    fn a_refusing_queue_drops_and_counts() {
        let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
        queue.push(slot(1));
        queue.push(slot(2));
        queue.refuse();
        queue.push(slot(3));
        let counters = queue.counters();
        assert_eq!((counters.lines_pushed, counters.lines_dropped), (30, 30));
        assert_eq!((counters.lines_queued, counters.bytes_queued), (0, 0));
    }

    #[test]
    fn a_slot_without_bytes_is_not_queued() {
        let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
        queue.push(Slot {
            lines: 0,
            chunks: Vec::new(),
            ..slot(1)
        });
        queue.close();
        assert!(queue.is_finished());
        assert!(queue.take_blocking().is_none());
    }

    /// Nothing came out on a terminal where a line should have said that nothing was received:
    /// slots without points were thrown away, whatever their bytes were.
    #[test]
    fn a_slot_of_bytes_without_points_is_queued() {
        let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
        queue.push(Slot {
            lines: 0,
            ..slot(1)
        });
        assert_eq!(queue.take_blocking().expect("bytes").lines, 0);
    }

    #[test]
    fn a_repeated_slot_counts_once() {
        let queue = Queue::new("test".to_owned(), Order::Arrival, 1000);
        queue.push(slot(1));
        assert!(queue.take_blocking().is_some());
        let sent = queue.sent().expect("it was sent for the first time");
        queue.repeat(sent);
        assert_eq!(queue.counters().lines_queued, 0);
        assert_eq!(queue.take_blocking().expect("repeated").end_unix_s, 1);
        assert!(queue.sent().is_none());
        assert_eq!(queue.counters().lines_sent, 10);
        assert_eq!(queue.counters().bytes_sent, 100);
    }
}
