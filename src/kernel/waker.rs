//! Wakes a receiver from another thread: a flag that costs a busy receiver nothing to look at,
//! and an eventfd that ends the wait of an idle one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Ends the wait of the receiver that holds a clone of it. Each receiver has a waker of its own.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<Shared>,
}

/// In cache lines of its own: a receiver looks at the flag in every turn, and would have to
/// fetch the line again whenever another thread had written to a neighbour in it. 128 bytes,
/// because processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shared {
    event: OwnedFd,
    pulled: AtomicBool,
}

impl Waker {
    /// Makes a waker for one receiver.
    ///
    /// # Errors
    /// EMFILE or ENFILE where no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let pulled = AtomicBool::new(false);
        Ok(Waker {
            shared: Arc::new(Shared { event, pulled }),
        })
    }

    /// Makes the receiver return from its present wait, or from its next one, with `woken` set.
    /// Calls before that count as one.
    pub fn wake(&self) {
        // A flag that was set already has its write done or coming.
        if !self.shared.pulled.swap(true, Ordering::AcqRel) {
            // The only error of a write of 1 is that the counter is near its maximum, and then
            // the receiver has enough to read.
            let _ = rustix::io::write(&self.shared.event, &1_u64.to_ne_bytes());
        }
    }

    /// Whether the waker was pulled since the last call; costs a load if it was not.
    pub(super) fn take(&self) -> bool {
        self.shared.pulled.load(Ordering::Acquire) && self.take_event()
    }

    /// Whether the waker was pulled since the last call, after a poll has found the event
    /// readable: the event is emptied even if the flag is not set, or every later poll would end
    /// at once.
    ///
    /// The event goes first, then the flag. The other way round, a wake in between would leave
    /// the flag set and the event empty, and no later wake would write.
    pub fn take_event(&self) -> bool {
        let mut count = [0; 8];
        // EAGAIN if the write has yet to come; it then ends one wait for nothing.
        let _ = rustix::io::read(&self.shared.event, &mut count);
        self.shared.pulled.swap(false, Ordering::AcqRel)
    }

    /// Sleeps for `at_most`, or until somebody wakes the receiver. Says whether the event was
    /// found readable; [`Waker::take_event`] is then due.
    pub(super) fn sleep(&self, at_most: Duration) -> bool {
        let timeout = Timespec {
            tv_sec: at_most.as_secs() as i64,
            tv_nsec: i64::from(at_most.subsec_nanos()),
        };
        let mut event = [PollFd::new(&self.shared.event, PollFlags::IN)];
        // EINTR and ENOMEM only make the sleep shorter.
        poll(&mut event, Some(&timeout)).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_before_a_look_count_as_one() {
        let waker = Waker::new().unwrap();
        assert!(!waker.take());
        waker.clone().wake();
        waker.wake();
        assert!(waker.take());
        assert!(!waker.take());
        waker.wake();
        assert!(waker.take());
    }

    #[test]
    fn two_wakers_share_no_cache_line_with_each_other_or_with_their_owners() {
        assert_eq!((align_of::<Shared>(), size_of::<Shared>()), (128, 128));
        let wakers: Vec<Waker> = (0..8).map(|_| Waker::new().unwrap()).collect();
        let mut lines: Vec<usize> = wakers
            .iter()
            .map(|waker| Arc::as_ptr(&waker.shared) as usize / 128)
            .collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 8);
    }

    #[test]
    fn no_wake_is_lost_between_two_threads() {
        let waker = Waker::new().unwrap();
        let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 1..=20_000 {
                    asked.store(turn, Ordering::SeqCst);
                    waker.wake();
                }
            });
            let mut seen = 0;
            while seen < 20_000 {
                // A lost wake would let this sleep run out.
                let before = std::time::Instant::now();
                waker.sleep(Duration::from_secs(20));
                assert!(
                    before.elapsed() < Duration::from_secs(19),
                    "a wake was lost"
                );
                if waker.take_event() {
                    seen = asked.load(Ordering::SeqCst);
                }
            }
        });
    }
}
