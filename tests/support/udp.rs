//! Sockets that send, without sending more than the daemon's receive queue holds.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::daemon::Daemon;
use super::poll;

/// A socket and where it sends. It is not connected, so that sending to a daemon that has stopped
/// is no error.
pub(crate) struct Sender {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Sender {
    /// A socket on loopback that sends to an address of the daemon's.
    pub(crate) fn to(address: SocketAddr) -> Sender {
        let own = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        };
        Sender {
            socket: UdpSocket::bind(own).expect("a socket on loopback"),
            to: address,
        }
    }

    /// Sends one datagram.
    pub(crate) fn send(&self, datagram: impl AsRef<[u8]>) {
        let datagram = datagram.as_ref();
        let sent = self.socket.send_to(datagram, self.to);
        assert_eq!(sent.expect("loopback takes it"), datagram.len());
    }

    /// Sends one datagram after the other, no faster than the daemon takes them: the kernel drops none.
    ///
    /// # Panics
    /// If the daemon is gone.
    pub(crate) fn send_all<D: AsRef<[u8]>>(
        &self,
        queue: &ReceiveQueue,
        datagrams: impl IntoIterator<Item = D>,
    ) {
        for (number, datagram) in datagrams.into_iter().enumerate() {
            if number % HELD_BACK_EVERY == 0 {
                assert!(queue.wait_for_room(), "the daemon is gone");
            }
            self.send(datagram);
        }
    }
}

/// Datagrams between two looks at the receive queue, few enough for three quarters of any.
const HELD_BACK_EVERY: usize = 64;

/// How often a socket must be missing from the kernel's tables to be gone.
const READINGS_MAX: usize = 20;

/// The daemon's receive queues, as the kernel shows them.
pub(crate) struct ReceiveQueue {
    port: u16,
    quarter_bytes: usize,
}

impl ReceiveQueue {
    pub(crate) fn of(daemon: &Daemon) -> ReceiveQueue {
        ReceiveQueue {
            port: daemon.address().port(),
            quarter_bytes: daemon.receive_buffer_bytes() / 4,
        }
    }

    /// Waits until no queue is more than a quarter full. Returns false if there is none.
    pub(crate) fn wait_for_room(&self) -> bool {
        poll("room in the receive queue", || match self.fullest_bytes() {
            None => Some(false),
            Some(bytes) => (bytes <= self.quarter_bytes).then_some(true),
        })
    }

    /// Waits until the daemon has taken all that is there.
    ///
    /// # Panics
    /// If there is no queue.
    pub(crate) fn wait_until_empty(&self) {
        poll("an empty receive queue", || {
            let bytes = self.fullest_bytes().expect("somebody holds the sockets");
            (bytes == 0).then_some(())
        });
    }

    /// Waits until a queue is a quarter full.
    pub(crate) fn wait_for_backlog(&self) {
        poll("a backlog in the receive queue", || {
            let bytes = self.fullest_bytes().expect("the daemon has not ended");
            (bytes > self.quarter_bytes).then_some(())
        });
    }

    /// The bytes in the fullest queue; None if there is no socket. The kernel gives the table out in
    /// pieces, and a socket may be missing from one reading while others come and go.
    fn fullest_bytes(&self) -> Option<usize> {
        (0..READINGS_MAX).find_map(|_| self.fullest_bytes_listed())
    }

    /// Reads `sl local_address rem_address st tx_queue:rx_queue ...` of each socket.
    fn fullest_bytes_listed(&self) -> Option<usize> {
        let of_port = format!(":{:04X}", self.port);
        let mut fullest = None;
        for table in ["/proc/net/udp", "/proc/net/udp6"] {
            let table = fs::read_to_string(table).unwrap_or_default();
            for row in table.lines() {
                let fields: Vec<&str> = row.split_whitespace().collect();
                if fields.len() > 4
                    && fields[1].ends_with(&of_port)
                    && let Some((_, queue)) = fields[4].split_once(':')
                    && let Ok(bytes) = usize::from_str_radix(queue, 16)
                {
                    fullest = fullest.max(Some(bytes));
                }
            }
        }
        fullest
    }
}
