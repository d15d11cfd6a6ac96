//! One daemon that datagrams are repeated to: a connected socket, and what to do when it fails.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendFlags, sendmmsg};

use super::RepeatCounts;

/// How long nothing is sent to a destination that refused. A daemon that comes back waits no longer
/// than this, and one that is down costs two calls to the kernel in this time.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Destination {
    /// None until it could be connected.
    socket: Option<UdpSocket>,
    /// While it is set and not over, what comes is dropped.
    quiet_until: Option<Instant>,
    counts: RepeatCounts,
}

/// What an error means for the datagrams that were to be sent.
enum Loss {
    /// None is lost: ask again.
    Nothing,
    /// The first one can never be sent.
    First,
    /// All of them; the next batch may find room.
    All,
    /// All of them, and those that come soon.
    AllForAWhile,
}

impl Loss {
    fn of(errno: Errno) -> Loss {
        match errno {
            Errno::INTR => Loss::Nothing,
            // Longer than the way there allows.
            Errno::MSGSIZE => Loss::First,
            // The send buffer or the queue of the device is full.
            Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM => Loss::All,
            // Mostly ECONNREFUSED: nobody listened when something was sent before. Also no route,
            // a firewall, a network that is down. Each may pass, so each is tried again.
            _ => Loss::AllForAWhile,
        }
    }
}

impl Destination {
    pub(super) fn new(address: SocketAddr) -> Destination {
        Destination {
            socket: None,
            quiet_until: None,
            counts: RepeatCounts::none(address),
        }
    }

    /// Sends what it can, and counts the rest.
    pub(super) fn send(&mut self, mut messages: &mut [MMsgHdr<'_>]) {
        if let Some(end) = self.quiet_until {
            if Instant::now() < end {
                self.counts.dropped += messages.len() as u64;
                return;
            }
            self.quiet_until = None;
        }
        // An error behind the first datagram of a call is not told but forgotten by the kernel. A
        // call for one datagram alone makes it come back: it is then told to the call after it.
        let mut is_alone = false;
        while !messages.is_empty() {
            let count = if is_alone { 1 } else { messages.len() };
            match self.send_some(&mut messages[..count]) {
                Ok(sent) => {
                    self.counts.datagrams += sent as u64;
                    is_alone = sent < count;
                    messages = &mut messages[sent..];
                }
                Err(errno) => {
                    let lost = match Loss::of(errno) {
                        Loss::Nothing => continue,
                        Loss::First => 1,
                        Loss::All => messages.len(),
                        Loss::AllForAWhile => {
                            self.quiet_until = Some(Instant::now() + PAUSE);
                            // The route may be another one when it is tried again.
                            self.socket = None;
                            messages.len()
                        }
                    };
                    self.counts.dropped += lost as u64;
                    self.counts.reason = Some(errno);
                    messages = &mut messages[lost..];
                }
            }
        }
    }

    /// Sends at least one, or tells why it could not.
    fn send_some(&mut self, messages: &mut [MMsgHdr<'_>]) -> Result<usize, Errno> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => self.socket.insert(connect(self.counts.address)?),
        };
        match sendmmsg(socket, messages, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)? {
            0 => Err(Errno::AGAIN),
            sent => Ok(sent),
        }
    }

    pub(super) fn take_counts(&mut self) -> RepeatCounts {
        let none = RepeatCounts::none(self.counts.address);
        std::mem::replace(&mut self.counts, none)
    }
}

impl RepeatCounts {
    pub(super) fn none(address: SocketAddr) -> RepeatCounts {
        RepeatCounts {
            address,
            datagrams: 0,
            dropped: 0,
            reason: None,
        }
    }
}

/// A socket that is connected, as only then the kernel tells that nobody listens.
fn connect(address: SocketAddr) -> Result<UdpSocket, Errno> {
    let any = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let connect = || {
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        Ok(socket)
    };
    connect().map_err(|error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}
