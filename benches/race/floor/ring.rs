//! The floor that receives through io_uring: one multishot receive, provided buffers, and waits
//! that gather a batch in the kernel.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode};

use super::{STRIDE_BYTES, Taken};

const BUFFER_GROUP: u16 = 0;
/// Where a buffer ring has to begin.
const PAGE_BYTES: usize = 4096;
/// With a minimum wait and no timeout the kernel would wake us after each for nothing.
const IDLE_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Sizes and waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) buffers: u16,
    pub(super) want: u32,
    pub(super) max_wait: Duration,
}

/// A ring with room for so many completions (Linux 6.1).
pub(super) fn open(completions: u32) -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_cqsize(completions)
        .build(8)
}

/// Receives until the empty datagram comes.
pub(super) fn receive(socket: &UdpSocket, settings: Settings) -> io::Result<Taken> {
    let mut ring = open(u32::from(settings.buffers) * 2)?;
    let mut buffers = Buffers::new(settings.buffers);
    buffers.register(&ring)?;
    let mut flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
    if ring.params().is_feature_no_iowait() {
        flags |= EnterFlags::NO_IOWAIT;
    }
    let timeout = Timespec::from(IDLE_WAIT);
    let min_wait_us = u32::try_from(settings.max_wait.as_micros()).unwrap_or(u32::MAX);
    let arguments = SubmitArgs::new()
        .min_wait_usec(min_wait_us)
        .timespec(&timeout);
    let mut taken = Taken::default();
    let mut is_armed = false;
    loop {
        if !is_armed {
            let request = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), BUFFER_GROUP).build();
            // SAFETY: the request names no memory, only the group of buffers registered above.
            unsafe { ring.submission().push(&request) }.expect("one request fits into eight");
            is_armed = true;
        }
        let to_submit = ring.submission().len() as u32;
        // SAFETY: EXT_ARG says that the argument is an `io_uring_getevents_arg`, which
        // `SubmitArgs` is; it and the timeout that it points to live past the call.
        let entered = unsafe {
            ring.submitter()
                .enter(to_submit, settings.want, flags.bits(), Some(&arguments))
        };
        match entered {
            Err(error) if !is_passing(&error) => return Err(error),
            _ => {}
        }
        for completion in ring.completion() {
            is_armed &= cqueue::more(completion.flags());
            if let Some(buffer) = cqueue::buffer_select(completion.flags()) {
                buffers.lend(buffer);
            }
            match completion.result() {
                length @ 0.. if taken.count(length as usize) => {}
                0.. => return Ok(taken),
                // All buffers were full: they are empty again when the receive is armed.
                error if error == -libc::ENOBUFS => {}
                error => return Err(io::Error::from_raw_os_error(-error)),
            }
        }
        buffers.publish();
    }
}

/// The end of a wait that says nothing about the ring.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ETIME | libc::EINTR | libc::EBUSY)
    )
}

/// Buffers, and the ring through which the kernel learns which of them it may fill. Both are
/// never freed: the process ends with the run, and the kernel may write until then.
struct Buffers {
    ring: *mut BufRingEntry,
    memory: *mut u8,
    count: u16,
    tail: u16,
}

impl Buffers {
    fn new(count: u16) -> Self {
        assert!(count.is_power_of_two(), "the kernel wants a power of two");
        let mut buffers = Buffers {
            ring: zeroed_pages(usize::from(count) * size_of::<BufRingEntry>()).cast(),
            // Fresh memory from the kernel: pages that no datagram touches cost nothing.
            memory: vec![0_u8; usize::from(count) * STRIDE_BYTES]
                .leak()
                .as_mut_ptr(),
            count,
            tail: 0,
        };
        for index in 0..count {
            buffers.lend(index);
        }
        buffers.publish();
        buffers
    }

    fn register(&self, ring: &IoUring) -> io::Result<()> {
        // SAFETY: the address is page aligned, begins `count` entries and is never freed.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                self.ring as u64,
                self.count,
                BUFFER_GROUP,
                0,
            )
        }
    }

    /// Lends a buffer that the kernel does not have.
    fn lend(&mut self, index: u16) {
        assert!(index < self.count, "the kernel knows no other buffers");
        let slot = usize::from(self.tail & (self.count - 1));
        // SAFETY: `index` and `slot` are below `count`, for which both blocks were made; the
        // kernel reads an entry only before the published tail, and this one is behind it.
        unsafe {
            let address = self.memory.add(usize::from(index) * STRIDE_BYTES);
            let entry = &mut *self.ring.add(slot);
            entry.set_addr(address as u64);
            entry.set_len(STRIDE_BYTES as u32);
            entry.set_bid(index);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was lent.
    fn publish(&mut self) {
        // SAFETY: the tail lies in the first entry, is zero from the start, and only we write it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

fn zeroed_pages(size_bytes: usize) -> *mut u8 {
    let layout = Layout::from_size_align(size_bytes, PAGE_BYTES).expect("a small size");
    assert!(size_bytes > 0, "an empty block has no address");
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    memory
}
