//! Receivers that take datagrams and throw them away: what the kernel alone costs.
//!
//! They share no code with the daemon, so that a fault of its engines does not lower the floor.
//! Each runs in a process of its own until an empty datagram comes, and then prints what it got.

mod recvmmsg;
mod ring;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use clap::{Args, ValueEnum};
use socket2::SockRef;

use crate::units::parse_duration;

/// Distance of two buffers: room for the longest datagram, and an odd number of cache lines, so
/// that the beginnings of all buffers do not compete for the same few sets of a cache.
const STRIDE_BYTES: usize = 65_600;

/// How the datagrams are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// recvmmsg(2) that blocks until there is a datagram
    Recvmmsg,
    /// recvmmsg(2) that waits for a datagram, sleeps, and takes what has gathered
    Sleep,
    /// io_uring: multishot receive, provided buffers, a minimum wait
    #[value(name = "io_uring")]
    IoUring,
}

/// Options of `floor`.
#[derive(Args, Debug)]
pub(crate) struct FloorOptions {
    kind: Kind,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8125")]
    bind: SocketAddr,
    /// How long datagrams may gather
    #[arg(long, value_parser = parse_duration, default_value = "5ms")]
    max_wait: Duration,
    /// Receive buffer to ask for, in bytes
    #[arg(long, default_value_t = 4 << 20)]
    receive_buffer: usize,
    /// io_uring: datagrams that fit between two waits; a power of two
    #[arg(long, default_value_t = 1_024)]
    buffers: u16,
    /// io_uring: datagrams that end a wait early
    #[arg(long, default_value_t = 512)]
    want: u32,
}

/// What a floor received.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
}

impl Taken {
    /// Counts a datagram; false for the empty one that ends the run.
    fn count(&mut self, length_bytes: usize) -> bool {
        self.datagrams += u64::from(length_bytes > 0);
        self.bytes += length_bytes as u64;
        length_bytes > 0
    }
}

/// Receives until an empty datagram comes, and prints datagrams and bytes.
///
/// # Errors
/// What the kernel has against the socket or the ring.
pub(crate) fn run(options: &FloorOptions) -> io::Result<()> {
    let socket = UdpSocket::bind(options.bind)?;
    SockRef::from(&socket).set_recv_buffer_size(options.receive_buffer)?;
    let taken = match options.kind {
        Kind::Recvmmsg => recvmmsg::blocking(&socket)?,
        Kind::Sleep => recvmmsg::sleeping(&socket, options.max_wait)?,
        Kind::IoUring => {
            let settings = ring::Settings {
                buffers: options.buffers,
                want: options.want,
                max_wait: options.max_wait,
            };
            ring::receive(&socket, settings)?
        }
    };
    println!("{} {}", taken.datagrams, taken.bytes);
    Ok(())
}

/// Why there is no io_uring floor here, if there is none.
pub(crate) fn io_uring_fault() -> Option<io::Error> {
    ring::open(8).err()
}
