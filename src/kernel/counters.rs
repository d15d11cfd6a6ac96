//! What an engine counts about itself, whichever engine it is.

use std::ops::AddAssign;

/// Counts since the engine was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveCounters {
    /// System calls that received or waited.
    pub enters: u64,
    /// Datagrams handed over, empty and cut ones too.
    pub datagrams: u64,
    /// Empty datagrams.
    pub empty: u64,
    /// Datagrams longer than a buffer.
    pub cut: u64,
    /// Bytes that the cuts took away.
    pub cut_bytes: u64,
    /// Receives that were armed again after they had ended (io_uring only).
    pub rearms: u64,
    /// Receives that ended because all buffers were full; nothing is lost (io_uring only).
    pub out_of_buffers: u64,
    /// Enters that left completions waiting in the kernel; nothing is lost (io_uring only).
    pub cq_overflows: u64,
    /// Rings that were replaced because the kernel lost completions, and with them up to a
    /// ring's buffers of datagrams (io_uring only).
    pub rebuilds: u64,
    /// Errors that a socket reported, such as ECONNREFUSED; reception went on.
    pub socket_errors: u64,
    /// Receives that the kernel had no memory for; they were tried again.
    pub no_memory: u64,
}

impl ReceiveCounters {
    /// Counts a datagram that is handed over.
    #[inline]
    pub(super) fn note(&mut self, length_bytes: usize, cut_bytes: usize) {
        self.datagrams += 1;
        self.empty += u64::from(length_bytes == 0);
        self.cut += u64::from(cut_bytes > 0);
        self.cut_bytes += cut_bytes as u64;
    }
}

impl ReceiveCounters {
    /// What was counted after an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        ReceiveCounters {
            enters: self.enters - earlier.enters,
            datagrams: self.datagrams - earlier.datagrams,
            empty: self.empty - earlier.empty,
            cut: self.cut - earlier.cut,
            cut_bytes: self.cut_bytes - earlier.cut_bytes,
            rearms: self.rearms - earlier.rearms,
            out_of_buffers: self.out_of_buffers - earlier.out_of_buffers,
            cq_overflows: self.cq_overflows - earlier.cq_overflows,
            rebuilds: self.rebuilds - earlier.rebuilds,
            socket_errors: self.socket_errors - earlier.socket_errors,
            no_memory: self.no_memory - earlier.no_memory,
        }
    }
}

impl AddAssign for ReceiveCounters {
    fn add_assign(&mut self, other: Self) {
        // Taken apart by name, so that a new counter cannot be forgotten here.
        let ReceiveCounters {
            enters,
            datagrams,
            empty,
            cut,
            cut_bytes,
            rearms,
            out_of_buffers,
            cq_overflows,
            rebuilds,
            socket_errors,
            no_memory,
        } = other;
        self.enters += enters;
        self.datagrams += datagrams;
        self.empty += empty;
        self.cut += cut;
        self.cut_bytes += cut_bytes;
        self.rearms += rearms;
        self.out_of_buffers += out_of_buffers;
        self.cq_overflows += cq_overflows;
        self.rebuilds += rebuilds;
        self.socket_errors += socket_errors;
        self.no_memory += no_memory;
    }
}
