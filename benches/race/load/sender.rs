//! Sends the datagrams of a pool, many in one system call.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

use super::pool::Pool;
use super::totals::Totals;

/// Datagrams in one call; the gain of more is nil.
const MESSAGES_PER_CALL: u64 = 64;

/// Sends a pool from one or more source sockets in turn.
pub(crate) struct Sender<'a> {
    pool: &'a Pool,
    sockets: Vec<UdpSocket>,
    turn: usize,
    sent: u64,
}

impl<'a> Sender<'a> {
    /// Opens `sockets` sources towards an address.
    ///
    /// # Errors
    /// No port or descriptor left, or no way to the address.
    pub(crate) fn open(pool: &'a Pool, to: SocketAddr, sockets: usize) -> io::Result<Self> {
        assert!(sockets > 0, "a sender has a source");
        let from: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let open = |_| {
            let socket = UdpSocket::bind((from, 0))?;
            // A connected socket spares the kernel the route look-up of each datagram.
            socket.connect(to)?;
            Ok(socket)
        };
        Ok(Sender {
            pool,
            sockets: (0..sockets).map(open).collect::<io::Result<_>>()?,
            turn: 0,
            sent: 0,
        })
    }

    /// Datagrams sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// What was sent so far.
    pub(crate) fn totals(&self) -> Totals {
        self.pool.totals(self.sent)
    }

    /// Sends the next `count` datagrams without a pause. A datagram for which the receiver has
    /// no room counts as sent.
    ///
    /// # Errors
    /// ECONNREFUSED if nobody listens, and what else the kernel has against sending.
    pub(crate) fn send(&mut self, count: u64) -> io::Result<()> {
        let end = self.sent + count;
        while self.sent < end {
            let batch = (end - self.sent).min(MESSAGES_PER_CALL);
            let first = self.sent;
            let payloads: [[IoSlice<'_>; 1]; MESSAGES_PER_CALL as usize] =
                std::array::from_fn(|index| {
                    [IoSlice::new(self.pool.datagram(first + index as u64))]
                });
            let mut controls: [SendAncillaryBuffer<'_, '_, '_>; MESSAGES_PER_CALL as usize] =
                std::array::from_fn(|_| SendAncillaryBuffer::default());
            let mut messages: Vec<MMsgHdr<'_>> = payloads
                .iter()
                .zip(&mut controls)
                .take(batch as usize)
                .map(|(payload, control)| MMsgHdr::new(payload, control))
                .collect();
            let socket = &self.sockets[self.turn];
            match sendmmsg(socket, &mut messages, SendFlags::empty()) {
                Ok(sent) => self.sent += sent as u64,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            self.turn = (self.turn + 1) % self.sockets.len();
        }
        Ok(())
    }
}
