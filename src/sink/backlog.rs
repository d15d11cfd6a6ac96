//! Decides which slot goes out next, and which one is given up when there are too many.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Part;
use super::spool::SpoolKey;

/// The order in which a sink takes its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came, as fast as the sink takes them.
    Arrival,
    /// The newest slot first and at once, its parts in their order; then older ones, oldest first,
    /// one per flush interval and half an interval away from the newest: twice the live pace at
    /// most. Floods of old points have brought Graphite's caches down.
    LiveFirst {
        /// The time between two flushes.
        flush_interval: Duration,
    },
}

/// What to do now.
#[derive(Debug)]
pub enum Next {
    /// Send this part; then say [`Backlog::sent`] or [`Backlog::cut_off`].
    Send(Part),
    /// Parts wait, but none may go before this time.
    WaitUntil(Instant),
    /// Nothing waits.
    Idle,
}

/// The parts of slots of one sink that wait, oldest first, and the one that is on its way.
#[derive(Debug)]
pub struct Backlog {
    order: Order,
    bytes_max: u64,
    /// In the order of slots, and of parts in each.
    waiting: VecDeque<Entry>,
    on_its_way: Option<Entry>,
    /// The number of the next slot; the newest slot, the live one, has the number before.
    number_next: u64,
    /// When the first part of a slot went that was the newest, and the number of that slot.
    last_live: Option<(Instant, u64)>,
    /// When the first part of an older slot went.
    last_old: Option<Instant>,
    /// How long after its flush began the newest slot may go, see [`Backlog::set_live_delay`].
    live_delay: Duration,
    /// When the flush under way began, until the first part of it comes.
    flush_began: Option<Instant>,
    /// When the newest slot may go.
    live_due: Option<Instant>,
    /// The part of an older slot that went last, without its bytes, if nothing newer went after it.
    old_under_way: Option<Part>,
    /// Of the parts that were pushed.
    lines: u64,
    bytes: u64,
    /// Of the parts that are to be sent again.
    repeated_bytes: u64,
    paced: bool,
    /// Older slots are still to come from the spool.
    spool_first: bool,
}

/// A part that was written whole and may have to be written again.
#[derive(Debug)]
pub struct Sent(Entry);

/// What became of a part that was written whole.
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
    /// The part.
    pub fn part(&self) -> &Part {
        &self.0.part
    }
}

#[derive(Debug)]
struct Entry {
    /// The number of its slot.
    number: u64,
    part: Part,
    origin: Origin,
}

/// The number of all slots from the spool. None of them is ever the newest: the first that is pushed
/// has the number after the next.
const SPOOLED: u64 = 0;

/// Where a part that waits came from. Only those pushed count in the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// From the flusher.
    Pushed,
    /// It was sent once already.
    Repeated,
    /// From a file, which is kept until the part is sent.
    Spooled(SpoolKey),
}

impl Entry {
    fn place(&self) -> (u64, u32) {
        (self.number, self.part.index)
    }
}

impl Backlog {
    /// An empty backlog that holds at most `bytes_max` bytes.
    pub fn new(order: Order, bytes_max: u64) -> Backlog {
        Backlog {
            order,
            bytes_max,
            waiting: VecDeque::new(),
            on_its_way: None,
            number_next: SPOOLED + 2,
            last_live: None,
            last_old: None,
            live_delay: Duration::ZERO,
            flush_began: None,
            live_due: None,
            old_under_way: None,
            lines: 0,
            bytes: 0,
            repeated_bytes: 0,
            paced: true,
            spool_first: false,
        }
    }

    /// Takes the next part of the newest slot, or the first of a newer one, and gives up the oldest
    /// parts, which it returns, until the rest fits: of a slot that does not fit the end stays.
    /// The part that is on its way is never given up; a part that is larger than the limit is, at
    /// once.
    pub fn push(&mut self, part: Part) -> Vec<Part> {
        self.lines += part.lines;
        self.bytes += part.size_bytes();
        if part.index == 0 {
            self.number_next += 1;
            let began = self.flush_began.take();
            self.live_due = began.map(|began| began + self.live_delay);
        }
        self.waiting.push_back(Entry {
            number: self.number_next - 1,
            part,
            origin: Origin::Pushed,
        });
        self.give_up_excess()
    }

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

    fn give_up_excess(&mut self) -> Vec<Part> {
        let mut given_up = Vec::new();
        self.make_room_of_repeated();
        while self.bytes > self.bytes_max {
            let Some(entry) = self.remove_oldest(Origin::Pushed) else {
                break;
            };
            given_up.push(entry.part);
        }
        given_up
    }

    /// Removes what waits with the time stamp of a slot that is about to come, and returns the lines
    /// that are not sent because of it: in Graphite the newer points would be written over them, or,
    /// if they went later, be lost. Nothing is removed in the order of arrival, whose receivers add
    /// up, and where several slots share a second.
    pub fn supersede(&mut self, end_unix_s: u64) -> u64 {
        match self.order {
            Order::LiveFirst { flush_interval } if flush_interval >= Duration::from_secs(1) => {}
            Order::LiveFirst { .. } | Order::Arrival => return 0,
        }
        let lines_before = self.lines;
        let (older, rest): (Vec<Entry>, _) = self.waiting.drain(..).partition(|entry| {
            let is_spooled = matches!(entry.origin, Origin::Spooled(_));
            entry.part.end_unix_s == end_unix_s && !is_spooled
        });
        self.waiting = rest.into();
        for entry in &older {
            self.forget(entry);
        }
        lines_before - self.lines
    }

    /// How many bytes it holds at most.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Goes on in another order and with another limit, and gives up the oldest parts, which it
    /// returns, until the rest fits.
    pub fn change(&mut self, order: Order, bytes_max: u64) -> Vec<Part> {
        (self.order, self.bytes_max) = (order, bytes_max);
        self.give_up_excess()
    }

    /// Whether old slots wait until a part comes from the spool, as those there are older still.
    pub fn set_spool_first(&mut self, spool_first: bool) {
        self.spool_first = spool_first;
    }

    /// Takes a part from the spool: older than all that wait, but for those from there that are to be
    /// sent again.
    pub fn insert_spooled(&mut self, key: SpoolKey, part: Part) {
        let entry = Entry {
            number: SPOOLED,
            part,
            origin: Origin::Spooled(key),
        };
        let place = self
            .waiting
            .partition_point(|other| other.number == SPOOLED);
        self.waiting.insert(place, entry);
    }

    /// The part to send at `now`, if it is time for one.
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
        let entry = match self.order {
            Order::Arrival => self.waiting.pop_front(),
            Order::LiveFirst { .. } if self.live_due(now).is_some_and(|due| due <= now) => {
                let live = self.number_next - 1;
                if self.last_live.is_none_or(|(_, number)| number != live) {
                    self.last_live = Some((now, live));
                }
                self.old_under_way = None;
                let first = self.waiting.partition_point(|entry| entry.number < live);
                self.waiting.remove(first)
            }
            Order::LiveFirst { .. } => {
                if !self.oldest_continues() {
                    self.last_old = Some(now);
                }
                let oldest = self.waiting.pop_front();
                self.old_under_way = oldest.as_ref().map(|entry| Part {
                    chunks: Vec::new(),
                    ..entry.part
                });
                oldest
            }
        };
        let entry = entry.expect("something is due");
        let part = entry.part.clone();
        self.on_its_way = Some(entry);
        Next::Send(part)
    }

    /// When the next part may go: `now` at the earliest, never if nothing waits or what waits must
    /// let the spool go first.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        match self.order {
            Order::Arrival => (!self.waiting.is_empty()).then_some(now),
            Order::LiveFirst { flush_interval } => {
                // While the live slot waits for its time, old ones need not.
                let (live, old) = (self.live_due(now), self.old_due(now, flush_interval));
                live.into_iter().chain(old).min()
            }
        }
    }

    /// When the newest slot may go; None if nothing of it waits.
    fn live_due(&self, now: Instant) -> Option<Instant> {
        let waits = self.paced && self.bytes <= self.bytes_max / 2;
        let due = self
            .live_due
            .filter(|_| waits)
            .map_or(now, |due| due.max(now));
        self.newest_is_live().then_some(due)
    }

    /// When the oldest part may go, if it is not of the newest slot.
    fn old_due(&self, now: Instant, flush_interval: Duration) -> Option<Instant> {
        let oldest = self.waiting.front()?;
        if self.is_live(oldest) || (self.spool_first && !self.oldest_is_spooled()) {
            return None;
        }
        if !self.paced || self.oldest_continues() {
            return Some(now);
        }
        // Counted from where a slot began: a sink that needs more than half an interval
        // for one slot would otherwise never come to the old ones.
        let after_old = self.last_old.map(|began| began + flush_interval);
        let after_live = self.last_live.map(|(began, _)| began + flush_interval / 2);
        Some(now.max(after_old.max(after_live).unwrap_or(now)))
    }

    /// The part on its way was written whole.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn sent(&mut self) -> Delivery {
        let mut entry = self.on_its_way.take().expect("a part is on its way");
        self.forget(&entry);
        match std::mem::replace(&mut entry.origin, Origin::Repeated) {
            Origin::Pushed => Delivery::First(Sent(entry)),
            Origin::Spooled(key) => Delivery::FromSpool(key, Sent(entry)),
            Origin::Repeated => Delivery::Again,
        }
    }

    /// The part on its way was cut off: it takes its place again, to be sent whole.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn cut_off(&mut self) {
        let entry = self.on_its_way.take().expect("a part is on its way");
        self.insert(entry);
    }

    /// The part on its way is not sent any more; returns it.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn give_up(&mut self) -> Part {
        let entry = self.on_its_way.take().expect("a part is on its way");
        self.forget(&entry);
        entry.part
    }

    /// Sends a part again that was sent, because its connection ended and nobody knows how much
    /// of it arrived. It takes its old place, but counts neither as queued nor as dropped, and is
    /// the first to make room: a peer that closes each connection after one part must not make
    /// memory grow.
    pub fn repeat(&mut self, sent: Sent) {
        self.repeated_bytes += sent.part().size_bytes();
        self.insert(sent.0);
        self.make_room_of_repeated();
    }

    /// The daemon stops: no slot waits for its time any more.
    pub fn stop_pacing(&mut self) {
        self.paced = false;
    }

    /// Gives up all that was pushed and returns it; what is in files stays there.
    pub fn clear(&mut self) -> Vec<Part> {
        let rest = self.waiting.drain(..).chain(self.on_its_way.take());
        let mut rest: Vec<Entry> = rest
            .filter(|entry| entry.origin == Origin::Pushed)
            .collect();
        rest.sort_by_key(Entry::place);
        (self.lines, self.bytes, self.repeated_bytes) = (0, 0, 0);
        rest.into_iter().map(|entry| entry.part).collect()
    }

    /// Whether nothing waits and nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.on_its_way.is_none()
    }

    /// How many parts wait, the one on its way not counted.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// Lines that wait or are on their way.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes that wait or are on their way.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the oldest came from the spool, be it to be sent once more.
    fn oldest_is_spooled(&self) -> bool {
        let oldest = self.waiting.front();
        oldest.is_some_and(|oldest| oldest.number == SPOOLED)
    }

    fn newest_is_live(&self) -> bool {
        let newest = self.waiting.back();
        newest.is_some_and(|newest| self.is_live(newest))
    }

    fn is_live(&self, entry: &Entry) -> bool {
        entry.number + 1 == self.number_next
    }

    /// Whether the oldest is of the slot that is under way, so that it does not wait for its time.
    fn oldest_continues(&self) -> bool {
        let (oldest, under_way) = (self.waiting.front(), &self.old_under_way);
        oldest
            .zip(under_way.as_ref())
            .is_some_and(|(oldest, under_way)| oldest.part.continues(under_way))
    }

    fn insert(&mut self, entry: Entry) {
        let place = self
            .waiting
            .partition_point(|other| other.place() < entry.place());
        self.waiting.insert(place, entry);
    }

    /// Removes parts that were sent once already, oldest first, until all that is held fits.
    fn make_room_of_repeated(&mut self) {
        while self.bytes + self.repeated_bytes > self.bytes_max
            && self.remove_oldest(Origin::Repeated).is_some()
        {}
    }

    /// Removes the oldest of these that waits.
    fn remove_oldest(&mut self, origin: Origin) -> Option<Entry> {
        let of_origin = |entry: &Entry| entry.origin == origin;
        let oldest = self.waiting.iter().position(of_origin)?;
        let entry = self.waiting.remove(oldest)?;
        self.forget(&entry);
        Some(entry)
    }

    /// Takes an entry that has left the queue out of the sums.
    fn forget(&mut self, entry: &Entry) {
        match entry.origin {
            Origin::Pushed => {
                self.lines -= entry.part.lines;
                self.bytes -= entry.part.size_bytes();
            }
            Origin::Repeated => self.repeated_bytes -= entry.part.size_bytes(),
            Origin::Spooled(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
