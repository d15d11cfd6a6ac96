//! One client of the console: lines in, answers out, one after the other.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Console, answer};

/// The longest line, in bytes; a longer one ends the connection.
const LINE_BYTES_MAX: usize = 8 << 10;

/// A client that is silent for longer is closed, so that it does not keep others out for ever.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// etsy's statsd takes each packet as a command, so that some clients send no newline. What is left
/// without one for this long is a line.
const LINE_END_MAX: Duration = Duration::from_millis(200);

/// How long a client may take to read an answer.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Answers lines until the client has enough.
pub(super) async fn serve(mut connection: TcpStream, console: &Console) -> io::Result<()> {
    let mut received = Vec::new();
    loop {
        let is_between_lines = received.is_empty();
        let patience = if is_between_lines {
            IDLE_MAX
        } else {
            LINE_END_MAX
        };
        let read = timeout(patience, connection.read_buf(&mut received)).await;
        let is_over = match read {
            Ok(Ok(0)) => true,
            Ok(Ok(_)) => false,
            Ok(Err(error)) => return Err(error),
            Err(_) if is_between_lines => return Ok(()),
            Err(_) => {
                received.push(b'\n');
                false
            }
        };
        if is_over && !received.is_empty() {
            received.push(b'\n');
        }
        while let Some(end) = memchr::memchr(b'\n', &received) {
            let line: Vec<u8> = received.drain(..=end).collect();
            match console.answer(&String::from_utf8_lossy(&line)).await {
                Some(text) => write(&mut connection, &text).await?,
                None => return Ok(()),
            }
        }
        if is_over {
            return Ok(());
        }
        if received.len() > LINE_BYTES_MAX {
            return write(&mut connection, answer::ERROR).await;
        }
    }
}

async fn write(connection: &mut TcpStream, text: &str) -> io::Result<()> {
    timeout(WRITE_MAX, connection.write_all(text.as_bytes())).await?
}
