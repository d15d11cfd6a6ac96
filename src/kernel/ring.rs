//! One io_uring instance: how it is set up, what is asked of it, and what comes back.
//!
//! Requests name file descriptors and a group of lent buffers, never memory of their own, so
//! queueing one is safe; the buffers are registered by [`Ring::register`].

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use io_uring::register::Restriction;
use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use super::buffers::LentBuffers;

/// The group that our buffer ring is registered under; a ring has only this one.
const BUFFER_GROUP: u16 = 0;

/// How long a wait lasts when nothing comes. With a minimum wait and no timeout the kernel would
/// wake us after each minimum wait for nothing, so the timeout is there and far away.
pub(super) const IDLE_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What the kernel reports about one request. Made from the kernel's queue only (and by scripts
/// in tests, for buffers that no ring knows): `LentBuffers::take_back` relies on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    /// Which request this is about.
    pub(super) origin: Origin,
    /// A length, or an errno below zero.
    pub(super) result: i32,
    /// The `IORING_CQE_F_*` bits, with the buffer's number in the upper half.
    pub(super) flags: u32,
}

/// Which request a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The multishot receive on the socket with this index.
    Socket(usize),
    /// The poll on the waker.
    Waker,
    /// The cancellation of everything.
    Cancel,
}

const WAKER: u64 = u64::MAX;
const CANCEL: u64 = u64::MAX - 1;

impl Origin {
    fn to_user_data(self) -> u64 {
        match self {
            Origin::Socket(index) => index as u64,
            Origin::Waker => WAKER,
            Origin::Cancel => CANCEL,
        }
    }

    fn from_user_data(user_data: u64) -> Self {
        match user_data {
            WAKER => Origin::Waker,
            CANCEL => Origin::Cancel,
            index => Origin::Socket(index as usize),
        }
    }
}

/// How long [`Ring::enter`] waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Runs what is ready and returns.
    Not,
    /// Until one completion is there, or for this long.
    First(Duration),
    /// Gathers for `at_least`; if nothing came by then, until one completion is there, or for
    /// `at_most`. Needs [`Ring::has_min_wait`].
    Gather {
        at_least: Duration,
        at_most: Duration,
    },
}

/// A ring that belongs to the thread that opened it.
pub(super) struct Ring {
    uring: IoUring,
    has_min_wait: bool,
    enter_flags: EnterFlags,
}

impl Ring {
    /// Sets up a ring with room for `submissions` requests at a time and `completions` answers. It
    /// takes requests from [`Ring::enable`] on.
    ///
    /// # Errors
    /// EINVAL on kernels before 6.1; EPERM, ENOSYS, ENOMEM, EACCES as `probe` explains them.
    pub(super) fn open(submissions: u32, completions: u32) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        // SINGLE_ISSUER (6.0) and DEFER_TASKRUN (6.1): completions are made inside our own enter
        // and interrupt nobody. COOP_TASKRUN (5.19): no interrupt for other task work either.
        // SUBMIT_ALL (5.18): one bad request does not hold up those behind it.
        // R_DISABLED (5.10): restrictions can be registered until the ring is enabled.
        builder
            .dontfork()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_submit_all()
            .setup_r_disabled()
            .setup_clamp()
            .setup_cqsize(completions);
        let uring = match builder.clone().setup_no_sqarray().build(submissions) {
            // Before 6.6 there is no NO_SQARRAY.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                builder.build(submissions)?
            }
            result => result?,
        };
        let params = uring.params();
        if !params.is_feature_nodrop() || !params.is_feature_ext_arg() {
            // Both are older than DEFER_TASKRUN; a kernel that lacks them is not what it says.
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut enter_flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if params.is_feature_no_iowait() {
            // Since 6.15; without it an idle ring shows as a core in iowait.
            enter_flags |= EnterFlags::NO_IOWAIT;
        }
        Ok(Ring {
            has_min_wait: params.is_feature_min_timeout(),
            enter_flags,
            uring,
        })
    }

    /// Whether [`Wait::Gather`] works: since 6.12.
    pub(super) fn has_min_wait(&self) -> bool {
        self.has_min_wait
    }

    /// The number of completions that fit, as the kernel rounded it.
    pub(super) fn completions_max(&self) -> u32 {
        self.uring.params().cq_entries()
    }

    /// Lends the buffers to this ring's receives.
    ///
    /// The caller keeps `buffers` until no receive is in flight, or for ever.
    ///
    /// # Errors
    /// ENOMEM if the limit on locked memory is reached, EINVAL before 5.19.
    pub(super) fn register(&self, buffers: &LentBuffers) -> io::Result<()> {
        // SAFETY: the address is page aligned and starts `count` entries, and the only caller,
        // `RingReceiver`, unmaps the buffers after it has seen the last completion, or never.
        unsafe {
            self.uring.submitter().register_buf_ring_with_flags(
                buffers.ring_address(),
                buffers.count(),
                BUFFER_GROUP,
                0,
            )
        }
    }

    /// Refuses everything from now on that is none of the three requests below: whoever gets hold
    /// of the ring's descriptor, or of a fault of ours, can receive and cancel, and neither open a
    /// file nor connect. Nothing can be registered any more either.
    ///
    /// # Errors
    /// What a kernel or a security module has against it. The ring works without.
    pub(super) fn restrict(&self) -> io::Result<()> {
        let mut allowed = [
            Restriction::sqe_op(opcode::RecvMulti::CODE),
            Restriction::sqe_op(opcode::PollAdd::CODE),
            Restriction::sqe_op(opcode::AsyncCancel2::CODE),
            Restriction::sqe_flags_allowed(squeue::Flags::BUFFER_SELECT.bits()),
        ];
        self.uring.submitter().register_restrictions(&mut allowed)
    }

    /// Lets the ring take requests, of the thread that calls this: only now the kernel notes whose
    /// it is (SINGLE_ISSUER).
    pub(super) fn enable(&self) -> io::Result<()> {
        self.uring.submitter().register_enable_rings()
    }

    /// Takes the buffers back from this ring's receives, which then find none.
    #[cfg(test)]
    pub(super) fn unregister(&self) -> io::Result<()> {
        self.uring.submitter().unregister_buf_ring(BUFFER_GROUP)
    }

    /// Queues a receive that goes on until a completion comes without `F_MORE` (since 6.0).
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, index: usize) {
        // MSG_TRUNC makes the result the length of the datagram instead of the part that fitted.
        let request = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), BUFFER_GROUP)
            .flags(libc::MSG_TRUNC)
            .build();
        self.push(request, Origin::Socket(index));
    }

    /// Queues a poll for readability.
    pub(super) fn poll_waker(&mut self, waker: BorrowedFd<'_>) {
        let request = opcode::PollAdd::new(Fd(waker.as_raw_fd()), libc::POLLIN as u32).build();
        self.push(request, Origin::Waker);
    }

    /// Queues the cancellation of every request.
    pub(super) fn cancel_all(&mut self) {
        let request = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        self.push(request, Origin::Cancel);
    }

    /// Queues a request that this module never makes, as the waker's.
    #[cfg(test)]
    pub(super) fn do_nothing(&mut self) {
        self.push(opcode::Nop::new().build(), Origin::Waker);
    }

    fn push(&mut self, request: squeue::Entry, origin: Origin) {
        let request = request.user_data(origin.to_user_data());
        // SAFETY: none of the requests above names memory; descriptors are looked up by the
        // kernel, which answers EBADF for one that is not open.
        let pushed = unsafe { self.uring.submission().push(&request) };
        pushed.expect("the queue has a place for each socket, the waker and a cancellation");
    }

    /// Submits what is queued, runs what is ready and waits. `want` is how many completions end
    /// the wait early; it also bounds how much one enter takes off a socket: about 33 x `want`
    /// (local task work is capped at `want` since 6.13, a receive at 32 retries since 6.8).
    ///
    /// # Errors
    /// ETIME if the time is over, which says nothing about whether something came; others as
    /// [`super::completion::EnterFault`] sorts them.
    pub(super) fn enter(&mut self, want: u32, wait: Wait) -> io::Result<()> {
        let to_submit = {
            let mut queue = self.uring.submission();
            queue.sync();
            queue.len() as u32
        };
        let (want, at_most, min_wait_us) = match wait {
            Wait::Not => (want, Duration::ZERO, 0),
            Wait::First(at_most) => (1, at_most, 0),
            Wait::Gather { at_least, at_most } => {
                // Zero would mean no minimum wait, and then the kernel sleeps until `want` came.
                let min_wait_us = u32::try_from(at_least.as_micros()).unwrap_or(u32::MAX);
                (want, at_most, min_wait_us.max(1))
            }
        };
        let timeout = Timespec::from(at_most);
        let arguments = SubmitArgs::new()
            .min_wait_usec(min_wait_us)
            .timespec(&timeout);
        // SAFETY: EXT_ARG says that the argument is an `io_uring_getevents_arg`, which
        // `SubmitArgs` is transparent over; it and the timeout it points to live past the call.
        unsafe {
            self.uring
                .submitter()
                .enter(to_submit, want, self.enter_flags.bits(), Some(&arguments))
        }
        .map(drop)
    }

    /// The completions that are there; the kernel adds none while they are read, because it
    /// makes them inside [`Ring::enter`].
    pub(super) fn completions(&mut self) -> impl Iterator<Item = Completion> + '_ {
        self.uring
            .completion()
            .map(|entry: cqueue::Entry| Completion {
                origin: Origin::from_user_data(entry.user_data()),
                result: entry.result(),
                flags: entry.flags(),
            })
    }

    /// Whether completions wait inside the kernel because the queue was full; an enter gets them.
    pub(super) fn has_overflown(&mut self) -> bool {
        self.uring.submission().cq_overflow()
    }
}
