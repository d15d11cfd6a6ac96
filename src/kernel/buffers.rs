//! The memory that datagrams are written into: one mapping, cut into buffers of one size, and the
//! ring through which io_uring is told which of them it may fill.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

/// The longest payload of a UDP datagram in bytes: over IPv6, where the length field counts the
/// UDP header only; over IPv4 it is 65,507.
pub const DATAGRAM_BYTES_MAX: usize = 65_527;

const CACHE_LINE_BYTES: usize = 64;
const PAGE_BYTES: usize = 4096;

/// Anonymous memory that is unmapped on drop. Fresh pages read as zero, so every byte is
/// initialised, and pages that no datagram touches cost nothing.
struct Mapping {
    base: NonNull<u8>,
    size_bytes: usize,
    /// Whether to leave it mapped for ever.
    leaked: bool,
}

impl Mapping {
    fn new(size_bytes: usize) -> io::Result<Self> {
        assert!(size_bytes > 0, "an empty mapping has no address");
        // SAFETY: a new private anonymous mapping at an address of the kernel's choice touches no
        // memory that exists.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(address.cast()).expect("mmap without a hint never maps page 0");
        let mapping = Mapping {
            base,
            size_bytes,
            leaked: false,
        };
        // A child must not share pages that the kernel fills for us.
        mapping.advise(libc::MADV_DONTFORK)?;
        // Huge pages would back the untouched ends of all buffers. A kernel without them refuses
        // the advice, and then there is nothing to avoid.
        let _ = mapping.advise(libc::MADV_NOHUGEPAGE);
        Ok(mapping)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is ours as long as `self` lives, and neither advice discards content.
        let result = unsafe { libc::madvise(self.base.as_ptr().cast(), self.size_bytes, advice) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.leaked {
            return;
        }
        // SAFETY: `new` mapped exactly this range, and nothing borrows from it any more, since
        // every slice of it borrows its owner.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.size_bytes) };
    }
}

/// The distance between two buffers: whole cache lines, and an odd number of them, so that the
/// first lines of all buffers do not fall into the same few sets of a cache.
pub(super) fn stride_bytes(buffer_bytes: usize) -> usize {
    let lines = buffer_bytes.div_ceil(CACHE_LINE_BYTES) | 1;
    lines * CACHE_LINE_BYTES
}

/// Buffers of one size in one mapping, behind a head of `head_bytes`.
pub(super) struct Buffers {
    mapping: Mapping,
    head_bytes: usize,
    count: usize,
    buffer_bytes: usize,
    stride_bytes: usize,
}

impl Buffers {
    /// # Errors
    /// ENOMEM where the address space or the commit limit has no room.
    pub(super) fn new(head_bytes: usize, count: usize, buffer_bytes: usize) -> io::Result<Self> {
        assert!(
            count > 0 && buffer_bytes > 0,
            "a buffer holds at least a byte"
        );
        let head_bytes = head_bytes.next_multiple_of(PAGE_BYTES);
        let stride_bytes = stride_bytes(buffer_bytes);
        Ok(Buffers {
            mapping: Mapping::new(head_bytes + count * stride_bytes)?,
            head_bytes,
            count,
            buffer_bytes,
            stride_bytes,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Where buffer `index` begins, for a request to the kernel.
    pub(super) fn address(&self, index: usize) -> *mut u8 {
        assert!(index < self.count, "a buffer index is below the count");
        // SAFETY: the mapping holds the head and `count` strides, and `index < count`.
        unsafe {
            self.mapping
                .base
                .as_ptr()
                .add(self.head_bytes + index * self.stride_bytes)
        }
    }

    /// The first `size_bytes` of a buffer, at most the whole buffer.
    ///
    /// # Safety
    /// No request that the kernel still works on may name this buffer while the slice lives.
    pub(super) unsafe fn bytes(&self, index: usize, size_bytes: usize) -> &[u8] {
        let size_bytes = size_bytes.min(self.buffer_bytes);
        // SAFETY: `address` checks the index, the length is cut to the buffer, the memory is
        // initialised since it was mapped, and the caller answers for the kernel.
        unsafe { std::slice::from_raw_parts(self.address(index), size_bytes) }
    }
}

/// A buffer that the kernel has filled and given back; it is returned through
/// [`LentBuffers::lend`].
#[derive(Debug)]
pub(super) struct Filled {
    index: u16,
}

/// Buffers lent to the kernel through a buffer ring (since 5.19).
///
/// Each buffer is either lent, and then only the kernel touches it, or represented by one
/// [`Filled`], and then only we do. Invariant: `lent[index]` says which.
pub(super) struct LentBuffers {
    buffers: Buffers,
    lent: Box<[bool]>,
    /// Where the next buffer goes; the kernel sees it when it is published.
    tail: u16,
}

impl LentBuffers {
    /// Lends all `count` buffers. `count` is a power of two, as the kernel wants it.
    pub(super) fn new(count: u16, buffer_bytes: usize) -> io::Result<Self> {
        assert!(
            count.is_power_of_two() && count <= 1 << 15,
            "the kernel takes buffer rings of a power of two up to 32,768"
        );
        let head_bytes = usize::from(count) * size_of::<BufRingEntry>();
        let mut lent = LentBuffers {
            buffers: Buffers::new(head_bytes, usize::from(count), buffer_bytes)?,
            lent: vec![false; usize::from(count)].into_boxed_slice(),
            tail: 0,
        };
        for index in 0..count {
            lent.lend(Filled { index });
        }
        lent.publish();
        Ok(lent)
    }

    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.buffers.count()).expect("made from a u16")
    }

    /// The address of the ring, page aligned, for its registration.
    pub(super) fn ring_address(&self) -> u64 {
        self.buffers.mapping.base.as_ptr() as u64
    }

    /// Takes back the buffer that a completion names.
    ///
    /// Only for completions that the kernel made: they are the proof that it is done with the
    /// buffer. The assertion holds off a number that was never lent, and the same one twice.
    pub(super) fn take_back(&mut self, index: u16) -> Filled {
        let lent = &mut self.lent[usize::from(index)];
        assert!(*lent, "the kernel gave back a buffer that it did not have");
        *lent = false;
        Filled { index }
    }

    /// What the kernel wrote into a buffer: at most `size_bytes`, never beyond the buffer.
    pub(super) fn bytes(&self, filled: &Filled, size_bytes: usize) -> &[u8] {
        // SAFETY: a `Filled` exists only for a buffer that is not lent. `lend` needs all of `self`,
        // which the slice borrows.
        unsafe { self.buffers.bytes(usize::from(filled.index), size_bytes) }
    }

    /// Lends a buffer again, once [`LentBuffers::publish`] tells the kernel so.
    pub(super) fn lend(&mut self, filled: Filled) {
        let Filled { index } = filled;
        let slot = usize::from(self.tail & (self.count() - 1));
        let address = self.buffers.address(usize::from(index)) as u64;
        // SAFETY: the head has `count` entries and the mask keeps `slot` below that. The kernel
        // reads an entry only between its head and the published tail, and this one is beyond
        // the tail: there are never more entries than buffers. The tail itself lies in the part
        // of entry 0 that these setters do not write.
        unsafe {
            let entry = &mut *self.ring().add(slot);
            entry.set_addr(address);
            entry.set_len(self.buffers.buffer_bytes as u32);
            entry.set_bid(index);
        }
        self.lent[usize::from(index)] = true;
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel all buffers lent so far. To be done before a receive is armed again: on
    /// an empty ring it would fail at once (liburing issue 1275).
    pub(super) fn publish(&mut self) {
        // SAFETY: the ring starts at its page-aligned address and its entries were mapped as
        // zero; the tail is a u16 that we alone write and the kernel reads with acquire order.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Leaves the memory mapped for ever, because the kernel may still write to it.
    pub(super) fn leak(&mut self) {
        self.buffers.mapping.leaked = true;
    }

    fn ring(&self) -> *mut BufRingEntry {
        self.buffers.mapping.base.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_lie_an_odd_number_of_cache_lines_apart() {
        assert_eq!(stride_bytes(65_507), 65_600);
        assert_eq!(stride_bytes(DATAGRAM_BYTES_MAX), 65_600);
        for buffer_bytes in [1, 64, 65, 128, 1_432, 9_216] {
            let stride = stride_bytes(buffer_bytes);
            assert!(stride >= buffer_bytes && stride - buffer_bytes < 2 * CACHE_LINE_BYTES);
            assert_eq!(stride % CACHE_LINE_BYTES, 0);
            assert_eq!(stride / CACHE_LINE_BYTES % 2, 1);
        }
    }

    #[test]
    fn a_slice_never_reaches_beyond_its_buffer() {
        let mut lent = LentBuffers::new(2, 100).unwrap();
        let filled = lent.take_back(1);
        assert_eq!(lent.bytes(&filled, 60).len(), 60);
        assert_eq!(lent.bytes(&filled, 65_000).len(), 100);
        lent.lend(filled);
    }

    #[test]
    #[should_panic(expected = "did not have")]
    fn a_buffer_given_back_twice_is_our_bug_or_the_kernels() {
        let mut lent = LentBuffers::new(4, 100).unwrap();
        let _first = lent.take_back(3);
        lent.take_back(3);
    }

    #[test]
    fn the_tail_wraps_around_without_losing_a_buffer() {
        let mut lent = LentBuffers::new(4, 100).unwrap();
        for turn in 0..70_000_u32 {
            let filled = lent.take_back((turn % 4) as u16);
            lent.lend(filled);
        }
        lent.publish();
        assert!(lent.lent.iter().all(|lent| *lent));
    }
}
