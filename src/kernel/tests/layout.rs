use super::*;
use crate::kernel::recvmmsg::MmsgReceiver;

/// Processors fetch cache lines of 64 bytes in pairs.
const LINES_BYTES: usize = 128;

#[test]
fn what_a_receiver_writes_for_each_datagram_shares_no_cache_line_with_other_memory() {
    // Counters and the pace are in these types; each stands in a box.
    assert_eq!(align_of::<RingReceiver>() % LINES_BYTES, 0);
    assert_eq!(size_of::<RingReceiver>() % LINES_BYTES, 0);
    assert_eq!(align_of::<MmsgReceiver>() % LINES_BYTES, 0);
    assert_eq!(size_of::<MmsgReceiver>() % LINES_BYTES, 0);
}
