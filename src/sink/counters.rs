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
    /// Lines given up because queue and spool were full, a file of the spool was too old or could not be
    /// read, or the sink is gone for good.
    pub lines_dropped: u64,
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

impl Counters {
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
