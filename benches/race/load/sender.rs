//! Sends the datagrams of a pool, many in one system call.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

use super::pool::Pool;
use super::segment;
use super::totals::Totals;

/// Datagrams in one call; the gain of more is nil.
const MESSAGES_PER_CALL: u64 = 64;

/// Sends a pool from one or more source sockets in turn.
pub(crate) struct Sender<'a> {
    pool: &'a Pool,
    sockets: Vec<UdpSocket>,
    turn: usize,
    sent: u64,
    /// Datagrams in one message that the kernel cuts; 1 if it cuts none.
    segments: u64,
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
            segments: 1,
        })
    }

    /// Leaves it to the kernel to cut long messages into the pool's datagrams, which all have
    /// the same length. Saves most of the time that sending takes, and lets datagrams leave some
    /// 45 at once.
    ///
    /// # Errors
    /// Lengths differ, or the kernel is older than 4.18.
    pub(crate) fn send_segments(&mut self) -> io::Result<()> {
        let different = io::Error::other("only datagrams of one length can be cut by the kernel");
        let datagram_bytes = self.pool.datagram_bytes().ok_or(different)?;
        for socket in &self.sockets {
            segment::cut_into(socket, datagram_bytes)?;
        }
        self.segments = (segment::MESSAGE_BYTES_MAX / datagram_bytes) as u64;
        self.segments = self.segments.min(segment::SEGMENTS_MAX);
        Ok(())
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
            let socket = &self.sockets[self.turn];
            self.turn = (self.turn + 1) % self.sockets.len();
            let left = end - self.sent;
            self.sent += if self.segments > 1 {
                self.send_message(socket, left)?
            } else {
                self.send_datagrams(socket, left)?
            };
        }
        Ok(())
    }

    /// Sends a message that the kernel cuts into at most so many datagrams, and returns how many.
    fn send_message(&self, socket: &UdpSocket, count: u64) -> io::Result<u64> {
        let (count, message) = self.pool.run(self.sent, count.min(self.segments));
        socket.send(message)?;
        Ok(count)
    }

    /// Sends at most so many datagrams, and returns how many.
    fn send_datagrams(&self, socket: &UdpSocket, count: u64) -> io::Result<u64> {
        let count = count.min(MESSAGES_PER_CALL);
        let payloads: [[IoSlice<'_>; 1]; MESSAGES_PER_CALL as usize] =
            std::array::from_fn(|index| {
                [IoSlice::new(self.pool.datagram(self.sent + index as u64))]
            });
        let mut controls: [SendAncillaryBuffer<'_, '_, '_>; MESSAGES_PER_CALL as usize] =
            std::array::from_fn(|_| SendAncillaryBuffer::default());
        let mut messages: Vec<MMsgHdr<'_>> = payloads
            .iter()
            .zip(&mut controls)
            .take(count as usize)
            .map(|(payload, control)| MMsgHdr::new(payload, control))
            .collect();
        match sendmmsg(socket, &mut messages, SendFlags::empty()) {
            Ok(sent) => Ok(sent as u64),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
