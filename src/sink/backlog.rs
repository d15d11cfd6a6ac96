//! Decides which slot goes out next, which go to disk, and which one is given up when there are too
//! many. It does none of it: what is to be done with files it leaves as jobs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Part;

mod files;
mod shelf;
mod turn;

pub use files::{Found, Load, Loaded, SpoolJob, SpoolLimits, Written};
pub use turn::Next;

use files::{Loading, Writing};
use shelf::Shelf;

/// The order in which a sink takes its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came, as fast as the sink takes them. What comes from a file comes as one part.
    Arrival,
    /// The newest slot first and at once, its parts in their order; then older ones, oldest first,
    /// one per flush interval and half an interval away from the newest: twice the live pace at
    /// most. Floods of old points have brought Graphite's caches down.
    LiveFirst {
        /// The time between two flushes.
        flush_interval: Duration,
    },
}

/// The parts of slots of one sink that wait, oldest first, in memory or in files, and the one that is
/// on its way.
#[derive(Debug)]
pub struct Backlog {
    order: Order,
    bytes_max: u64,
    /// In the order of slots, and of parts in each.
    waiting: VecDeque<Entry>,
    on_its_way: Option<Entry>,
    /// The number of the slot that is being pushed.
    pushed_number: u64,
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
    /// Of the parts that were pushed and are in memory.
    lines: u64,
    bytes: u64,
    /// Of those of them that are being written to a file.
    writing_bytes: u64,
    /// Of the parts that are to be sent again.
    repeated_bytes: u64,
    /// Of parts that were given up instead of being sent again.
    unrepeated_lines: u64,
    paced: bool,
    /// The time stamp of the slot that came last, in this run or before it.
    last_end_unix_s: Option<u64>,
    /// The slots that came again last: time stamp, and number of the one that is sent.
    came_again: VecDeque<(u64, u64)>,
    shelf: Shelf,
    /// What is being written, in the order of the jobs.
    writing: VecDeque<Writing>,
    /// Slots with a number below this are to be written to files.
    spill_below: u64,
    /// The file that is being read.
    loading: Option<Loading>,
    jobs: Vec<SpoolJob>,
}

/// A part that was written whole and may have to be written again.
#[derive(Debug)]
pub struct Sent {
    entry: Entry,
    was_repeated: bool,
}

/// What is known of what was written over a connection that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The host of the peer has not acknowledged all of it: some was never read.
    Sure,
    /// The host had all of it, but nobody knows what the peer itself read.
    Doubtful,
}

/// What became of a part that was written whole.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Lines that were written for the first time.
    pub lines: u64,
    /// Bytes that were.
    pub bytes: u64,
    /// May go to [`Backlog::repeat`]; none if its slot came again.
    pub sent: Option<Sent>,
}

impl Sent {
    /// The part.
    pub fn part(&self) -> &Part {
        &self.entry.part
    }
}

#[derive(Debug)]
struct Entry {
    /// The number of its slot.
    number: u64,
    part: Part,
    origin: Origin,
    /// It is on its way to a file, and may still be sent before it is there.
    is_written: bool,
    /// Its slot came again: it is not sent any more.
    is_superseded: bool,
}

/// The number of all slots that were in files at the start. None of them is ever the newest: the first
/// that is pushed has the number after the next, unless it goes on with one of them.
const FOUND: u64 = 0;

/// The index of the first part that is pushed of a slot whose file was there at the start: behind all that
/// are read of that.
const INDEX_BEHIND_FILE: u32 = 1 << 31;

/// Where a part that waits came from. Only those pushed count in the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// From the flusher.
    Pushed,
    /// It was sent once already.
    Repeated,
    /// From the file of its time stamp, which is kept until all of it is sent.
    Spooled,
    /// No part: stands for what is still to be read of the file.
    InFile,
}

impl Entry {
    fn new(number: u64, part: Part, origin: Origin) -> Entry {
        Entry {
            number,
            part,
            origin,
            is_written: false,
            is_superseded: false,
        }
    }

    fn place(&self) -> (u64, u64, u32) {
        (self.number, self.part.end_unix_s, self.part.index)
    }

    fn is_in_memory(&self) -> bool {
        self.origin != Origin::InFile
    }
}

impl Backlog {
    /// An empty backlog that holds at most `bytes_max` bytes in memory.
    pub fn new(order: Order, bytes_max: u64) -> Backlog {
        Backlog {
            order,
            bytes_max,
            waiting: VecDeque::new(),
            on_its_way: None,
            pushed_number: FOUND + 1,
            number_next: FOUND + 2,
            last_live: None,
            last_old: None,
            live_delay: Duration::ZERO,
            flush_began: None,
            live_due: None,
            old_under_way: None,
            lines: 0,
            bytes: 0,
            writing_bytes: 0,
            repeated_bytes: 0,
            unrepeated_lines: 0,
            paced: true,
            last_end_unix_s: None,
            came_again: VecDeque::new(),
            shelf: Shelf::default(),
            writing: VecDeque::new(),
            spill_below: 0,
            loading: None,
            jobs: Vec::new(),
        }
    }

    /// Takes the next part of the newest slot, or the first of a newer one. To be followed by
    /// [`Backlog::give_up_excess`].
    pub fn push(&mut self, part: Part) {
        self.lines += part.lines;
        self.bytes += part.size_bytes();
        if part.index == 0 {
            self.number_next += 1;
            self.pushed_number = self.number_of_slot(part.end_unix_s);
            self.last_end_unix_s = Some(part.end_unix_s);
            let began = self.flush_began.take();
            self.live_due = began.map(|began| began + self.live_delay);
        }
        let mut part = part;
        if self.pushed_number == FOUND {
            part.index = part.index.saturating_add(INDEX_BEHIND_FILE);
        }
        self.insert(Entry::new(self.pushed_number, part, Origin::Pushed));
    }

    /// The number of a slot that begins: that of the newest. Of one that a restart cut in two the first
    /// part may still be in a file; it goes first then, as Graphite keeps what comes last, and the rest
    /// goes on behind it, or to the end of that file.
    fn number_of_slot(&self, end_unix_s: u64) -> u64 {
        let goes_on = self.supersedes() && self.last_end_unix_s == Some(end_unix_s);
        let file = self.shelf.get(end_unix_s).filter(|_| goes_on);
        match file {
            Some(file) if file.number == FOUND => FOUND,
            Some(_) | None => self.live(),
        }
    }

    /// Gives up the oldest parts in memory, which it returns, until the rest fits: of a slot that does
    /// not fit the end stays. Those on their way, to the sink or to a file, are never given up.
    pub fn give_up_excess(&mut self) -> Vec<Part> {
        let mut given_up = Vec::new();
        self.make_room_of_repeated();
        while self.has_excess() {
            let Some(entry) = self.remove_oldest(Origin::Pushed) else {
                break;
            };
            given_up.push(entry.part);
        }
        given_up
    }

    /// Whether more is in memory than may be, what is being written to files not counted.
    pub fn has_excess(&self) -> bool {
        self.bytes - self.writing_bytes > self.bytes_max
    }

    /// How many bytes it holds in memory at most.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Goes on in another order and with another limit. To be followed by
    /// [`Backlog::give_up_excess`].
    pub fn change(&mut self, order: Order, bytes_max: u64) {
        (self.order, self.bytes_max) = (order, bytes_max);
    }

    /// Removes what waits with the time stamp of a slot that is about to come whole, in memory and in files,
    /// and returns the lines that are not sent because of it: in Graphite the newer points would be
    /// written over them, or, if they went later, be lost. Nothing is removed in the order of arrival,
    /// whose receivers add up, nor where several slots share a second. Only the slot that came last can
    /// come again: any other with this time stamp is of a clock that was set back since, and holds other
    /// points.
    pub fn supersede(&mut self, end_unix_s: u64) -> u64 {
        if !self.supersedes() || self.last_end_unix_s != Some(end_unix_s) {
            return 0;
        }
        self.came_again.push_back((end_unix_s, self.number_next));
        if self.came_again.len() > CAME_AGAIN_MAX {
            self.came_again.pop_front();
        }
        let is_older = |entry: &Entry| entry.part.end_unix_s == end_unix_s;
        let lines_before = self.lines;
        while let Some(at) = self.waiting.iter().position(is_older) {
            let entry = self.waiting.remove(at).expect("it is there");
            self.forget(&entry);
        }
        if let Some(entry) = self.on_its_way.as_mut().filter(|entry| is_older(entry)) {
            entry.is_superseded = true;
        }
        lines_before - self.lines + self.remove_file(end_unix_s)
    }

    fn supersedes(&self) -> bool {
        match self.order {
            Order::LiveFirst { flush_interval } => flush_interval >= Duration::from_secs(1),
            Order::Arrival => false,
        }
    }

    /// Whether the slot of an entry that was taken out came again meanwhile.
    fn came_again(&self, entry: &Entry) -> bool {
        entry.is_superseded
            || self.came_again.iter().any(|(end_unix_s, number)| {
                *end_unix_s == entry.part.end_unix_s && *number > entry.number
            })
    }

    /// The number of the newest slot.
    fn live(&self) -> u64 {
        self.number_next - 1
    }

    /// The part on its way was written whole.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn sent(&mut self) -> Delivery {
        let mut entry = self.on_its_way.take().expect("a part is on its way");
        self.forget(&entry);
        let (lines, bytes) = (entry.part.lines, entry.part.size_bytes());
        let origin = std::mem::replace(&mut entry.origin, Origin::Repeated);
        let (lines, bytes) = match origin {
            Origin::Pushed => (lines, bytes),
            // The lines of its file are counted as superseded.
            Origin::Spooled if entry.is_superseded => return Delivery::default(),
            Origin::Spooled => (self.delivered(&entry.part), bytes),
            Origin::Repeated => (0, 0),
            Origin::InFile => unreachable!("it is no part"),
        };
        entry.is_written = false;
        let was_repeated = origin == Origin::Repeated;
        Delivery {
            lines,
            bytes,
            sent: Some(Sent {
                entry,
                was_repeated,
            }),
        }
    }

    /// The part on its way was cut off: it takes its place again, to be sent whole, unless its slot
    /// came again. Returns the lines that are not sent because of that.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn cut_off(&mut self) -> u64 {
        let entry = self.on_its_way.take().expect("a part is on its way");
        if !entry.is_superseded {
            self.insert(entry);
            return 0;
        }
        self.forget(&entry);
        match entry.origin {
            Origin::Pushed => entry.part.lines,
            Origin::Repeated | Origin::Spooled | Origin::InFile => 0,
        }
    }

    /// The part on its way is not sent any more; returns its lines.
    ///
    /// # Panics
    /// If none is on its way.
    pub fn give_up(&mut self) -> u64 {
        let entry = self.on_its_way.take().expect("a part is on its way");
        self.forget(&entry);
        match entry.origin {
            Origin::Pushed => entry.part.lines,
            Origin::Spooled if !entry.is_superseded => self.delivered(&entry.part),
            Origin::Spooled | Origin::Repeated | Origin::InFile => 0,
        }
    }

    /// Sends a part again that was sent, because its connection ended and nobody knows how much
    /// of it arrived. It takes its old place, but counts neither as queued nor as dropped, and is
    /// the first to make room: a peer that closes each connection after one part must not make
    /// memory grow. What is in doubt is repeated once: a peer that ends each connection may have read
    /// all. Of a slot that came again nothing is repeated.
    pub fn repeat(&mut self, sent: Sent, loss: Loss) {
        let is_enough = match loss {
            Loss::Sure => false,
            Loss::Doubtful => sent.was_repeated,
        };
        if self.came_again(&sent.entry) {
            return;
        }
        if is_enough {
            self.unrepeated_lines += sent.entry.part.lines;
            return;
        }
        self.repeated_bytes += sent.part().size_bytes();
        self.insert(sent.entry);
        self.make_room_of_repeated();
    }

    /// Lines that were sent, whose connection ended before the peer can have read all, and that were
    /// given up then.
    pub fn unrepeated_lines(&self) -> u64 {
        self.unrepeated_lines
    }

    /// The daemon stops: no slot waits for its time any more, and files stay where they are.
    pub fn stop_pacing(&mut self) {
        self.paced = false;
    }

    /// The consumer's time is over: what was on its way waits again. Returns what [`Backlog::cut_off`]
    /// does.
    pub fn stop(&mut self) -> u64 {
        match &self.on_its_way {
            Some(_) => self.cut_off(),
            None => 0,
        }
    }

    /// Gives up all that is in memory and returns what of it was pushed, oldest first; what is in
    /// files stays there.
    ///
    /// # Panics
    /// If a part is on its way.
    pub fn clear(&mut self) -> Vec<Part> {
        assert!(self.on_its_way.is_none(), "it is cut off before");
        let (in_memory, in_files) = self.waiting.drain(..).partition(Entry::is_in_memory);
        let in_memory: VecDeque<Entry> = in_memory;
        self.waiting = in_files;
        for entry in &in_memory {
            self.forget(entry);
            if entry.origin == Origin::Repeated {
                self.unrepeated_lines += entry.part.lines;
            }
        }
        let pushed = in_memory.into_iter();
        let pushed = pushed.filter(|entry| entry.origin == Origin::Pushed);
        pushed.map(|entry| entry.part).collect()
    }

    /// Whether nothing is in memory, be it on its way.
    pub fn is_empty(&self) -> bool {
        self.on_its_way.is_none() && !self.waiting.iter().any(Entry::is_in_memory)
    }

    /// How many parts wait, the one on its way not counted, and each file as one.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// Lines in memory that wait or are on their way.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes in memory that wait or are on their way.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn insert(&mut self, entry: Entry) {
        let place = self
            .waiting
            .partition_point(|other| other.place() < entry.place());
        self.waiting.insert(place, entry);
    }

    /// Removes parts that were sent once already, oldest first, until all that is held fits.
    fn make_room_of_repeated(&mut self) {
        while self.bytes - self.writing_bytes + self.repeated_bytes > self.bytes_max
            && let Some(entry) = self.remove_oldest(Origin::Repeated)
        {
            self.unrepeated_lines += entry.part.lines;
        }
    }

    /// Removes the oldest of these that waits and is not being written.
    fn remove_oldest(&mut self, origin: Origin) -> Option<Entry> {
        let of_origin = |entry: &Entry| entry.origin == origin && !entry.is_written;
        let oldest = self.waiting.iter().position(of_origin)?;
        let entry = self.waiting.remove(oldest)?;
        self.forget(&entry);
        Some(entry)
    }

    /// Takes an entry that has left the queue out of the sums.
    fn forget(&mut self, entry: &Entry) {
        let size_bytes = entry.part.size_bytes();
        match entry.origin {
            Origin::Pushed => {
                self.lines -= entry.part.lines;
                self.bytes -= size_bytes;
                if entry.is_written {
                    self.writing_bytes -= size_bytes;
                }
            }
            Origin::Repeated => self.repeated_bytes -= size_bytes,
            Origin::Spooled | Origin::InFile => {}
        }
    }
}

/// How many slots that came again are remembered: more than there are parts of in the hands of
/// connections.
const CAME_AGAIN_MAX: usize = 64;

#[cfg(test)]
mod tests;
