//! Decides which slot goes out next, and which one is given up when there are too many.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Slot;
use super::spool::SpoolKey;

/// The order in which a sink takes its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came, as fast as the sink takes them.
    Arrival,
    /// The newest slot first and at once, then older ones, oldest first, one per flush interval
    /// and half an interval away from the newest: twice the live pace at most. Floods of old
    /// points have brought Graphite's caches down.
    LiveFirst {
        /// The time between two flushes.
        flush_interval: Duration,
    },
}

/// What to do now.
#[derive(Debug)]
pub enum Next {
    /// Send this slot; then say [`Backlog::sent`] or [`Backlog::cut_off`].
    Send(Slot),
    /// Slots wait, but none may go before this time.
    WaitUntil(Instant),
    /// Nothing waits.
    Idle,
}

/// The slots of one sink that wait, oldest first, and the one that is on its way.
#[derive(Debug)]
pub struct Backlog {
    order: Order,
    bytes_max: u64,
    /// Sorted by `number`.
    waiting: VecDeque<Entry>,
    on_its_way: Option<Entry>,
    /// The number of the next slot; the newest slot, the live one, has the number before.
    number_next: u64,
    last_live: Option<Instant>,
    last_old: Option<Instant>,
    lines: u64,
    bytes: u64,
    paced: bool,
    /// Older slots are still to come from the spool.
    spool_first: bool,
}

/// A slot that was written whole and may have to be written again.
#[derive(Debug)]
pub struct Sent(Entry);

/// What became of a slot that was written whole.
#[derive(Debug)]
pub enum Delivery {
    /// For the first time. The token may go to [`Backlog::repeat`].
    First(Sent),
    /// For the first time, from this file of the spool.
    FromSpool(SpoolKey, Sent),
    /// Once more: it is counted already, and not repeated again.
    Again,
}

impl Sent {
    /// The slot.
    pub fn slot(&self) -> &Slot {
        &self.0.slot
    }
}

#[derive(Debug)]
struct Entry {
    number: u64,
    slot: Slot,
    origin: Origin,
}

/// Where a slot that waits came from. Only those pushed count in the sums and make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// From the flusher.
    Pushed,
    /// It was sent once already.
    Repeated,
    /// From a file, which is kept until the slot is sent.
    Spooled(SpoolKey),
}

impl Backlog {
    /// An empty backlog that holds at most `bytes_max` bytes.
    pub fn new(order: Order, bytes_max: u64) -> Backlog {
        Backlog {
            order,
            bytes_max,
            waiting: VecDeque::new(),
            on_its_way: None,
            // 0 is for slots from the spool.
            number_next: 1,
            last_live: None,
            last_old: None,
            lines: 0,
            bytes: 0,
            paced: true,
            spool_first: false,
        }
    }

    /// Takes the newest slot and gives up the oldest ones, which it returns, until the rest fits.
    /// The slot that is on its way is never given up; a slot that is larger than the limit is, at
    /// once.
    pub fn push(&mut self, slot: Slot) -> Vec<Slot> {
        self.lines += slot.lines;
        self.bytes += slot.size_bytes();
        self.waiting.push_back(Entry {
            number: self.number_next,
            slot,
            origin: Origin::Pushed,
        });
        self.number_next += 1;
        let mut given_up = Vec::new();
        while self.bytes > self.bytes_max {
            let pushed = |entry: &Entry| entry.origin == Origin::Pushed;
            let Some(oldest) = self.waiting.iter().position(pushed) else {
                break;
            };
            let entry = self.waiting.remove(oldest).expect("the place was found");
            self.forget(&entry);
            given_up.push(entry.slot);
        }
        given_up
    }

    /// Whether old slots wait until one comes from the spool, as those there are older still.
    pub fn set_spool_first(&mut self, spool_first: bool) {
        self.spool_first = spool_first;
    }

    /// Takes a slot from the spool, older than all that wait.
    pub fn insert_spooled(&mut self, key: SpoolKey, slot: Slot) {
        let entry = Entry {
            number: 0,
            slot,
            origin: Origin::Spooled(key),
        };
        self.waiting.push_front(entry);
    }

    /// The slot to send at `now`, if it is time for one.
    ///
    /// # Panics
    /// If a slot is on its way already.
    pub fn next(&mut self, now: Instant) -> Next {
        assert!(self.on_its_way.is_none(), "one slot at a time");
        match self.due(now) {
            None => return Next::Idle,
            Some(due) if due > now => return Next::WaitUntil(due),
            Some(_) => {}
        }
        let entry = match self.order {
            Order::Arrival => self.waiting.pop_front(),
            Order::LiveFirst { .. } if self.newest_is_live() => {
                self.last_live = Some(now);
                self.waiting.pop_back()
            }
            Order::LiveFirst { .. } => {
                self.last_old = Some(now);
                self.waiting.pop_front()
            }
        };
        let entry = entry.expect("something is due");
        let slot = entry.slot.clone();
        self.on_its_way = Some(entry);
        Next::Send(slot)
    }

    /// When the next slot may go: `now` at the earliest, never if nothing waits or what waits must
    /// let the spool go first.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        match self.order {
            Order::LiveFirst { .. }
                if self.spool_first && !self.newest_is_live() && !self.oldest_is_spooled() =>
            {
                None
            }
            Order::LiveFirst { flush_interval } if self.paced && !self.newest_is_live() => {
                // Counted from where a slot began: a sink that needs more than half an interval
                // for one slot would otherwise never come to the old ones.
                let after_old = self.last_old.map(|began| began + flush_interval);
                let after_live = self.last_live.map(|began| began + flush_interval / 2);
                Some(now.max(after_old.max(after_live).unwrap_or(now)))
            }
            Order::Arrival | Order::LiveFirst { .. } => Some(now),
        }
    }

    /// The slot on its way was written whole.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn sent(&mut self) -> Delivery {
        let mut entry = self.on_its_way.take().expect("a slot is on its way");
        self.forget(&entry);
        match std::mem::replace(&mut entry.origin, Origin::Repeated) {
            Origin::Pushed => Delivery::First(Sent(entry)),
            Origin::Spooled(key) => Delivery::FromSpool(key, Sent(entry)),
            Origin::Repeated => Delivery::Again,
        }
    }

    /// The slot on its way was cut off: it takes its place again, to be sent whole.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn cut_off(&mut self) {
        let entry = self.on_its_way.take().expect("a slot is on its way");
        self.insert(entry);
    }

    /// Sends a slot again that was sent, because its connection ended and nobody knows how much
    /// of it arrived. It takes its old place, but counts neither as queued nor as dropped.
    pub fn repeat(&mut self, sent: Sent) {
        self.insert(sent.0);
    }

    /// The daemon stops: no slot waits for its time any more.
    pub fn stop_pacing(&mut self) {
        self.paced = false;
    }

    /// Gives up all that was pushed and returns it; what is in files stays there.
    pub fn clear(&mut self) -> Vec<Slot> {
        let rest = self.waiting.drain(..).chain(self.on_its_way.take());
        let mut rest: Vec<Entry> = rest
            .filter(|entry| entry.origin == Origin::Pushed)
            .collect();
        rest.sort_by_key(|entry| entry.number);
        (self.lines, self.bytes) = (0, 0);
        rest.into_iter().map(|entry| entry.slot).collect()
    }

    /// Whether nothing waits and nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.on_its_way.is_none()
    }

    /// Lines that wait or are on their way.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes that wait or are on their way.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn oldest_is_spooled(&self) -> bool {
        let oldest = self.waiting.front();
        oldest.is_some_and(|oldest| matches!(oldest.origin, Origin::Spooled(_)))
    }

    fn newest_is_live(&self) -> bool {
        let newest = self.waiting.back();
        newest.is_some_and(|newest| newest.number + 1 == self.number_next)
    }

    fn insert(&mut self, entry: Entry) {
        let place = self
            .waiting
            .partition_point(|other| other.number < entry.number);
        self.waiting.insert(place, entry);
    }

    /// Takes an entry that has left the queue out of the sums.
    fn forget(&mut self, entry: &Entry) {
        if entry.origin == Origin::Pushed {
            self.lines -= entry.slot.lines;
            self.bytes -= entry.slot.size_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const LIVE_FIRST: Order = Order::LiveFirst {
        flush_interval: INTERVAL,
    };

    fn slot(number: u64) -> Slot {
        Slot {
            end_unix_s: number,
            lines: 10,
            chunks: vec![bytes::Bytes::from_static(&[b'x'; 100])],
        }
    }

    fn backlog_of(order: Order, numbers: std::ops::RangeInclusive<u64>) -> Backlog {
        let mut backlog = Backlog::new(order, 1 << 20);
        for number in numbers {
            assert!(backlog.push(slot(number)).is_empty());
        }
        backlog
    }

    /// The slot that goes at `now`, sent at once; or when to ask again.
    fn send(backlog: &mut Backlog, now: Instant) -> Result<u64, Option<Instant>> {
        match backlog.next(now) {
            Next::Send(slot) => {
                backlog.sent();
                Ok(slot.end_unix_s)
            }
            Next::WaitUntil(due) => Err(Some(due)),
            Next::Idle => Err(None),
        }
    }

    #[test]
    fn the_live_slot_goes_first_then_one_old_slot_per_interval() {
        let mut backlog = backlog_of(LIVE_FIRST, 1..=4);
        let t0 = Instant::now();
        assert_eq!(send(&mut backlog, t0), Ok(4));
        assert_eq!(send(&mut backlog, t0), Err(Some(t0 + INTERVAL / 2)));
        assert_eq!(send(&mut backlog, t0 + INTERVAL / 2), Ok(1));
        let t1 = t0 + INTERVAL;
        backlog.push(slot(5));
        assert_eq!(send(&mut backlog, t1), Ok(5));
        assert_eq!(send(&mut backlog, t1), Err(Some(t1 + INTERVAL / 2)));
        assert_eq!(send(&mut backlog, t1 + INTERVAL / 2), Ok(2));
        // Without a live slot old ones keep their pace.
        let next = t1 + INTERVAL / 2 + INTERVAL;
        assert_eq!(send(&mut backlog, t1 + INTERVAL), Err(Some(next)));
        assert_eq!(send(&mut backlog, next), Ok(3));
        assert_eq!(send(&mut backlog, next), Err(None));
    }

    #[test]
    fn the_pace_is_twice_the_live_one_at_most() {
        let mut backlog = backlog_of(LIVE_FIRST, 1..=50);
        let t0 = Instant::now();
        let mut sent = Vec::new();
        for tick in 0..200 {
            if tick % 10 == 0 {
                backlog.push(slot(51 + tick / 10));
            }
            while let Ok(number) = send(&mut backlog, t0 + INTERVAL * tick as u32 / 10) {
                sent.push((tick, number));
            }
        }
        assert_eq!(sent.len(), 40);
        for interval in 0..20 {
            let live = (interval * 10, 51 + interval);
            let old = (interval * 10 + 5, 1 + interval);
            assert_eq!(sent[2 * interval as usize..][..2], [live, old]);
        }
    }

    #[test]
    fn a_slow_sink_still_comes_to_its_old_slots() {
        let mut backlog = backlog_of(LIVE_FIRST, 1..=3);
        let t0 = Instant::now();
        assert!(matches!(backlog.next(t0), Next::Send(slot) if slot.end_unix_s == 3));
        backlog.sent();
        // The live slot took longer than half an interval: the old one may begin at once.
        assert_eq!(send(&mut backlog, t0 + INTERVAL * 7 / 10), Ok(1));
    }

    #[test]
    fn closing_ends_the_pace_and_keeps_the_order() {
        let mut backlog = backlog_of(LIVE_FIRST, 1..=3);
        backlog.stop_pacing();
        let now = Instant::now();
        let order: Vec<_> = (0..4).map(|_| send(&mut backlog, now)).collect();
        assert_eq!(order, [Ok(3), Ok(1), Ok(2), Err(None)]);
    }

    #[test]
    fn arrival_order_has_no_pace() {
        let mut backlog = backlog_of(Order::Arrival, 1..=3);
        let now = Instant::now();
        let order: Vec<_> = (0..4).map(|_| send(&mut backlog, now)).collect();
        assert_eq!(order, [Ok(1), Ok(2), Ok(3), Err(None)]);
    }

    #[test]
    fn a_slot_that_was_cut_off_takes_its_place_again() {
        let mut backlog = backlog_of(LIVE_FIRST, 1..=2);
        let now = Instant::now();
        assert!(matches!(backlog.next(now), Next::Send(slot) if slot.end_unix_s == 2));
        assert_eq!(backlog.lines(), 20, "on its way is still queued");
        backlog.cut_off();
        backlog.push(slot(3));
        backlog.stop_pacing();
        let order: Vec<_> = (0..3).map(|_| send(&mut backlog, now)).collect();
        assert_eq!(order, [Ok(3), Ok(1), Ok(2)]);
        assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
    }

    #[test]
    fn a_repeated_slot_keeps_its_place_and_its_pace() {
        let mut backlog = backlog_of(LIVE_FIRST, 1..=1);
        let t0 = Instant::now();
        assert!(matches!(backlog.next(t0), Next::Send(_)));
        let Delivery::First(sent) = backlog.sent() else {
            panic!("sent for the first time");
        };
        backlog.push(slot(2));
        backlog.repeat(sent);
        assert_eq!(backlog.lines(), 10);
        assert_eq!(send(&mut backlog, t0), Ok(2));
        assert_eq!(send(&mut backlog, t0), Err(Some(t0 + INTERVAL / 2)));
        assert!(matches!(backlog.next(t0 + INTERVAL), Next::Send(_)));
        assert!(matches!(backlog.sent(), Delivery::Again));
        assert!(backlog.is_empty());
    }

    #[test]
    fn the_oldest_slots_make_room_but_not_the_one_on_its_way() {
        let mut backlog = Backlog::new(Order::Arrival, 350);
        for number in 1..=3 {
            backlog.push(slot(number));
        }
        let now = Instant::now();
        assert!(matches!(backlog.next(now), Next::Send(slot) if slot.end_unix_s == 1));
        let given_up = backlog.push(slot(4));
        assert_eq!(given_up.len(), 1);
        assert_eq!(given_up[0].end_unix_s, 2);
        backlog.sent();
        assert_eq!(send(&mut backlog, now), Ok(3));
        assert_eq!(send(&mut backlog, now), Ok(4));
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_slot_larger_than_the_limit_is_dropped_at_once() {
        let mut backlog = Backlog::new(LIVE_FIRST, 99);
        assert_eq!(backlog.push(slot(1)).len(), 1);
        assert_eq!(send(&mut backlog, Instant::now()), Err(None));
        assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
    }

    #[test]
    fn a_slot_from_the_spool_is_the_oldest_and_takes_no_room() {
        let mut backlog = Backlog::new(LIVE_FIRST, 200);
        let t0 = Instant::now();
        backlog.push(slot(11));
        backlog.push(slot(12));
        let key = SpoolKey {
            end_unix_s: 1,
            number: 1,
        };
        backlog.insert_spooled(key, slot(1));
        assert_eq!((backlog.lines(), backlog.bytes()), (20, 200));
        assert_eq!(backlog.push(slot(13))[0].end_unix_s, 11);
        assert_eq!(send(&mut backlog, t0), Ok(13));
        assert!(
            matches!(backlog.next(t0 + INTERVAL / 2), Next::Send(slot) if slot.end_unix_s == 1)
        );
        assert!(matches!(backlog.sent(), Delivery::FromSpool(sent, _) if sent == key));
        assert_eq!(backlog.lines(), 10);
        backlog.set_spool_first(true);
        let later = t0 + 2 * INTERVAL;
        assert_eq!(send(&mut backlog, later), Err(None), "the spool has more");
        backlog.set_spool_first(false);
        assert_eq!(send(&mut backlog, later), Ok(12));
    }

    #[test]
    fn clearing_gives_back_what_was_pushed_oldest_first() {
        let mut backlog = backlog_of(LIVE_FIRST, 1..=3);
        assert!(matches!(backlog.next(Instant::now()), Next::Send(_)));
        let rest: Vec<u64> = backlog.clear().iter().map(|s| s.end_unix_s).collect();
        assert_eq!(rest, [1, 2, 3]);
        assert!(backlog.is_empty());
        assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
    }
}
