//! What a sink counts about itself.

use std::time::Duration;

/// A sink's counters, all taken in one look: `lines_pushed` is always the sum of `lines_sent`,
/// `lines_queued`, `lines_spooled`, `lines_dropped` and `lines_superseded`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lines that the flusher handed over, and those found in the spool at start.
    pub lines_pushed: u64,
    /// Lines of the slots that were written whole. A slot that is written a second time because
    /// the connection ended in doubt counts once.
    pub lines_sent: u64,
    /// Bytes of the slots that were written whole.
    pub bytes_sent: u64,
    /// Lines that wait in memory, those of the slot on its way included.
    pub lines_queued: u64,
    /// Bytes that wait in memory, those of the slot on its way included.
    pub bytes_queued: u64,
    /// Lines that wait in the spool, until they are delivered.
    pub lines_spooled: u64,
    /// What the files of the spool take, in bytes; they are compressed.
    pub bytes_spooled: u64,
    /// Lines given up, for whatever reason.
    pub lines_dropped: u64,
    /// The same by reason.
    pub lines_dropped_by: Dropped,
    /// Lines that waited when the slot of their time stamp came again, whole: that one is sent in
    /// their place.
    pub lines_superseded: u64,
    /// Of the lines that were sent, those whose connection ended before the peer can have read all, and
    /// that were not sent again as often as that takes.
    pub lines_doubtful: u64,
    /// How often the spool could not be written or read.
    pub spool_errors: u64,
    /// Files of the spool that were set aside because they were damaged.
    pub spool_damaged: u64,
    /// Connections made after the first one; those of a sink that makes one for each slot do not
    /// count.
    pub reconnects: u64,
    /// What was written last.
    pub last_slot: LastSlot,
    /// When a connection last failed, in seconds since 1970; 0 if none did.
    pub last_failure_unix_s: u64,
}

/// Why lines were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The queue was full, and there was no spool that took them.
    QueueFull,
    /// The spool was full.
    SpoolFull,
    /// They were in the spool for too long.
    TooOld,
    /// Their file was lost.
    Unreadable,
    /// A command did not take them, however often it was fed them.
    NotTaken,
    /// The standard output is gone for good.
    OutputGone,
    /// The daemon, or the sink, ended before they were delivered.
    AtTheEnd,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 7] = [
        DropReason::QueueFull,
        DropReason::SpoolFull,
        DropReason::TooOld,
        DropReason::Unreadable,
        DropReason::NotTaken,
        DropReason::OutputGone,
        DropReason::AtTheEnd,
    ];

    /// The word for it in own metrics and in the ledger.
    pub fn word(self) -> &'static str {
        match self {
            DropReason::QueueFull => "queue_full",
            DropReason::SpoolFull => "spool_full",
            DropReason::TooOld => "too_old",
            DropReason::Unreadable => "unreadable",
            DropReason::NotTaken => "not_taken",
            DropReason::OutputGone => "output_gone",
            DropReason::AtTheEnd => "at_the_end",
        }
    }
}

/// Lines given up, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([u64; DropReason::ALL.len()]);

impl Dropped {
    /// For this reason.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// What was given up since.
    pub fn since(&self, before: &Dropped) -> Dropped {
        Dropped(DropReason::ALL.map(|reason| self.of(reason) - before.of(reason)))
    }

    /// The reasons for which any were.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let all = DropReason::ALL.into_iter();
        let all = all.map(|reason| (reason, self.of(reason)));
        all.filter(|(_, lines)| *lines > 0)
    }
}

impl Counters {
    /// Lines are given up.
    pub fn drop_lines(&mut self, reason: DropReason, lines: u64) {
        self.lines_dropped += lines;
        self.lines_dropped_by.0[reason as usize] += lines;
    }

    /// Lines that are still to be sent, from memory or files.
    pub fn lines_waiting(&self) -> u64 {
        self.lines_queued + self.lines_spooled
    }
}

/// The slot that a sink wrote last, as far as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastSlot {
    /// When its last part was written, in seconds since 1970; 0 if nothing ever was.
    pub written_unix_s: u64,
    /// How long the kernel took to take its parts.
    pub took: Duration,
    /// The size of its parts.
    pub size_bytes: u64,
}
