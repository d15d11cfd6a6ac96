//! `forward ADDR`: copies the standard input to a TCP connection, for daemons that leave the
//! sending to a command.

use std::io;
use std::net::{SocketAddr, TcpStream};

/// # Errors
/// Nobody listens, or the connection breaks.
pub(crate) fn run(to: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    // Between a pipe and a socket the standard library splices, so no byte is copied here.
    io::copy(&mut io::stdin().lock(), &mut stream)?;
    Ok(())
}
