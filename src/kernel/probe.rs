//! Finds out whether io_uring works here by receiving a datagram through it, and if it does not,
//! why and what to do.

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::multishot::{RingReceiver, RingSettings};
use super::waker::Waker;
use super::{Datagram, Receive, Visit};

/// What the probe sends to itself.
const PROBE: &[u8] = b"ringstat.probe:1|c";

/// What io_uring can do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    /// Whether the kernel can gather a batch (since 6.12).
    pub(super) min_wait: bool,
}

/// What of this machine an explanation needs besides the errno.
#[derive(Clone, Debug, Default)]
struct Circumstances {
    /// The content of /proc/sys/kernel/io_uring_disabled (since 6.6).
    io_uring_disabled: Option<String>,
    /// RLIMIT_MEMLOCK in KiB, if there is a limit.
    memlock_kib: Option<u64>,
    /// The release of the kernel.
    release: String,
}

/// Receives one datagram through a small ring.
///
/// # Errors
/// The reason why io_uring is not to be had, with what to do about it.
pub(super) fn probe() -> Result<Features, String> {
    receive_once(ring_settings()).map_err(|failure| match failure {
        Failure::Errno(error) => explain(
            error.raw_os_error().unwrap_or(libc::EIO),
            &Circumstances::here(),
        ),
        Failure::Sentence(sentence) => sentence.to_owned(),
    })
}

enum Failure {
    Errno(io::Error),
    Sentence(&'static str),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Errno(error)
    }
}

fn ring_settings() -> RingSettings {
    RingSettings {
        buffers_count: 4,
        completions_count: 16,
        // A kernel that takes the request and never answers must not hold up the start.
        idle_wait: Duration::from_secs(1),
        ..RingSettings::new(512, Duration::from_millis(1), usize::MAX)
    }
}

fn receive_once(settings: RingSettings) -> Result<Features, Failure> {
    // A pair of Unix datagram sockets is received from by the same code as UDP, and works
    // where the loopback interface is down.
    let (sender, receiver) = UnixDatagram::pair()?;
    let receiver = UdpSocket::from(OwnedFd::from(receiver));
    let waker = Waker::new()?;
    let mut receiver =
        RingReceiver::open(vec![receiver], waker.clone(), settings).map_err(|(_, error)| error)?;
    sender.send(PROBE)?;
    let mut seen = Seen::default();
    // The wake bounds the wait: a turn ends with the datagram or without it.
    waker.wake();
    for _ in 0..3 {
        receiver.receive(&mut seen)?;
        if seen.datagrams > 0 {
            break;
        }
        waker.wake();
    }
    if seen.datagrams != 1 || !seen.intact {
        return Err(Failure::Sentence(
            "a datagram sent to ourselves did not come through",
        ));
    }
    if !receiver.is_armed() {
        return Err(Failure::Sentence(
            "a multishot receive ended after one datagram",
        ));
    }
    let min_wait = receiver.has_min_wait();
    if !receiver.drain(&mut seen)? {
        return Err(Failure::Sentence("a receive could not be cancelled"));
    }
    Ok(Features { min_wait })
}

#[derive(Default)]
struct Seen {
    datagrams: usize,
    intact: bool,
}

impl Visit for Seen {
    fn batch(&mut self) {}

    fn datagram(&mut self, datagram: Datagram<'_>) {
        self.datagrams += 1;
        self.intact = datagram.bytes == PROBE;
    }
}

impl Circumstances {
    fn here() -> Self {
        Circumstances {
            io_uring_disabled: fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok(),
            memlock_kib: memlock_kib(),
            release: release(),
        }
    }
}

fn memlock_kib() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock);
    limit.current.map(|bytes| bytes / 1024)
}

fn release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// The sentence for an ENOMEM, which outside the probe means the same.
pub(super) fn explain_no_memory() -> String {
    explain(libc::ENOMEM, &Circumstances::here())
}

/// Why io_uring failed with an errno, and what to do.
fn explain(errno: i32, circumstances: &Circumstances) -> String {
    let release = &circumstances.release;
    match errno {
        libc::EPERM => {
            let disabled = circumstances.io_uring_disabled.as_deref().map(str::trim);
            match disabled {
                Some("2") => "disabled system-wide (sysctl kernel.io_uring_disabled=2); try: \
                              sysctl -w kernel.io_uring_disabled=0"
                    .to_owned(),
                Some("1") => "kernel.io_uring_disabled=1 allows it to CAP_SYS_ADMIN and to the \
                              group in kernel.io_uring_group only; join that group, or try: \
                              sysctl -w kernel.io_uring_disabled=0"
                    .to_owned(),
                _ => "blocked by seccomp, as Docker, containerd and Kubernetes do by default; \
                      allow io_uring_setup, io_uring_enter and io_uring_register"
                    .to_owned(),
            }
        }
        libc::ENOSYS => "the kernel was built without CONFIG_IO_URING, or a sandbox (gVisor, \
                         seccomp) hides it"
            .to_owned(),
        libc::ENOMEM => {
            let limit = match circumstances.memlock_kib {
                Some(kib) => format!("RLIMIT_MEMLOCK too low ({kib} KiB)"),
                None => "no memory for the ring".to_owned(),
            };
            format!("{limit}; set LimitMEMLOCK=infinity, or --ulimit memlock=-1 for a container")
        }
        libc::EINVAL => format!("kernel {release} is too old; io_uring reception needs 6.1"),
        libc::EACCES => "denied by a security module (SELinux has a class io_uring); allow it \
                         for this domain"
            .to_owned(),
        libc::EMFILE | libc::ENFILE => {
            "no file descriptor left; raise LimitNOFILE (ulimit -n)".to_owned()
        }
        _ => format!(
            "{} on kernel {release}",
            io::Error::from_raw_os_error(errno)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_sysctl(text: Option<&str>) -> Circumstances {
        Circumstances {
            io_uring_disabled: text.map(str::to_owned),
            memlock_kib: Some(64),
            release: "5.15.0-91-generic".to_owned(),
        }
    }

    #[test]
    fn the_probe_receives_through_io_uring_here() {
        // A host without io_uring must get a sentence instead.
        match probe() {
            Ok(_) => {}
            Err(reason) => assert!(reason.len() > 20, "{reason}"),
        }
    }

    #[test]
    fn the_probe_works_without_the_minimum_wait() {
        let settings = RingSettings {
            allow_min_wait: false,
            ..ring_settings()
        };
        match receive_once(settings) {
            Ok(features) => assert!(!features.min_wait),
            Err(Failure::Errno(error)) => assert!(probe().is_err(), "{error}"),
            Err(Failure::Sentence(sentence)) => panic!("{sentence}"),
        }
    }

    #[test]
    fn eperm_is_explained_by_the_sysctl() {
        let reason = |text| explain(libc::EPERM, &with_sysctl(text));
        assert!(reason(Some("2\n")).contains("kernel.io_uring_disabled=2"));
        assert!(reason(Some("1\n")).contains("kernel.io_uring_group"));
        assert!(reason(Some("0\n")).contains("blocked by seccomp"));
        assert!(reason(None).contains("io_uring_setup, io_uring_enter and io_uring_register"));
    }

    #[test]
    fn every_other_errno_names_its_cause_and_its_remedy() {
        for (errno, parts) in [
            (libc::ENOSYS, ["CONFIG_IO_URING", "gVisor"]),
            (
                libc::ENOMEM,
                ["RLIMIT_MEMLOCK too low (64 KiB)", "LimitMEMLOCK=infinity"],
            ),
            (libc::EINVAL, ["kernel 5.15.0-91-generic", "needs 6.1"]),
            (libc::EACCES, ["SELinux", "io_uring"]),
            (libc::EMFILE, ["descriptor", "LimitNOFILE"]),
            (libc::EIO, ["os error 5", "5.15.0-91-generic"]),
        ] {
            let reason = explain(errno, &with_sysctl(Some("0\n")));
            for part in parts {
                assert!(reason.contains(part), "{errno}: {reason}");
            }
        }
    }

    #[test]
    fn enomem_without_a_limit_does_not_blame_the_limit() {
        let unlimited = Circumstances::default();
        assert!(!explain(libc::ENOMEM, &unlimited).contains("RLIMIT_MEMLOCK"));
    }
}
