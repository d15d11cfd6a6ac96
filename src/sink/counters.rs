//! What a sink counts about itself.

/// A sink's counters, all taken in one look: `lines_pushed` is always the sum of `lines_sent`,
/// `lines_queued` and `lines_dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lines that the flusher handed over.
    pub lines_pushed: u64,
    /// Lines of the slots that were written whole. A slot that is written a second time because
    /// the connection ended in doubt counts once.
    pub lines_sent: u64,
    /// Bytes of the slots that were written whole.
    pub bytes_sent: u64,
    /// Lines that wait, those of the slot on its way included.
    pub lines_queued: u64,
    /// Bytes that wait, those of the slot on its way included.
    pub bytes_queued: u64,
    /// Lines given up because the queue was full or the sink is gone for good.
    pub lines_dropped: u64,
    /// Connections made after the first one.
    pub reconnects: u64,
}
