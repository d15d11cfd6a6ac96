//! Takes the connections of one daemon and hands their points to the comparison.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_local;

use super::comparison::{Comparison, Side};
use super::point::{self, Lines};

/// Connections of one daemon at a time. A sink that connects anew for each flush has one or two.
const CONNECTIONS_MAX: usize = 64;

/// Bytes read at a time.
const READ_BYTES: usize = 64 << 10;

/// The pause after a connection could not be accepted, for lack of memory or descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections for as long as the program runs.
pub(super) async fn serve(listener: TcpListener, side: Side, comparison: Rc<RefCell<Comparison>>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = Arc::clone(&room).acquire_owned().await;
        let permit = permit.expect("nobody closes it");
        match listener.accept().await {
            // Not kept: it ends with its connection.
            Ok((stream, _)) => drop(spawn_local(read(
                stream,
                side,
                Rc::clone(&comparison),
                permit,
            ))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn read(
    mut stream: TcpStream,
    side: Side,
    comparison: Rc<RefCell<Comparison>>,
    _permit: OwnedSemaphorePermit,
) {
    let (mut buffer, mut lines) = (vec![0; READ_BYTES], Lines::default());
    // A connection that is reset has ended like any other.
    while let Ok(size @ 1..) = stream.read(&mut buffer).await {
        let mut comparison = comparison.borrow_mut();
        let now = now_unix_s();
        lines.feed(&buffer[..size], |line| {
            take(&mut comparison, side, line, now)
        });
    }
    let mut comparison = comparison.borrow_mut();
    let now = now_unix_s();
    lines.end(|line| take(&mut comparison, side, line, now));
}

fn take(comparison: &mut Comparison, side: Side, line: Option<&[u8]>, now_unix_s: f64) {
    match line.map(point::read) {
        Some(Some(point)) => comparison.take(side, &point, now_unix_s),
        Some(None) | None => comparison.take_bad_line(side),
    }
}

fn now_unix_s() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock that shows a time before 1970 is as good as one that shows 1970.
    now.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::task::{LocalSet, yield_now};

    use super::*;
    use crate::compare::comparison::{Rules, SideCounts};

    /// Goal: points come over several connections, lines cut anywhere. Method: two slots in pieces
    /// of five bytes, over a connection each, whose last lines have no end.
    #[test]
    fn points_come_over_several_connections_in_pieces() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let comparison = Rc::new(RefCell::new(Comparison::new(Rules {
            interval_s: 1.0,
            tolerance: 0.0,
            ignored: Vec::new(),
            paths_max: 10,
        })));
        let talk = async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            let address = listener.local_addr().expect("it is bound");
            drop(spawn_local(serve(
                listener,
                Side::New,
                Rc::clone(&comparison),
            )));
            let mut streams = Vec::new();
            for _ in 0..3 {
                streams.push(TcpStream::connect(address).await.expect("it listens"));
            }
            for (slot, stream) in (1_000..).zip(&mut streams) {
                let lines = format!("counts.a 1 {slot}\nwhat?\ncounts.b 2 {slot}");
                for piece in lines.as_bytes().chunks(5) {
                    stream.write_all(piece).await.expect("it reads");
                    yield_now().await;
                }
            }
            drop(streams);
            let expected = SideCounts {
                points: 6,
                bad_lines: 3,
                ..SideCounts::default()
            };
            while comparison.borrow().counts != [SideCounts::default(), expected] {
                yield_now().await;
            }
        };
        LocalSet::new().block_on(&runtime, async {
            let patience = Duration::from_secs(60);
            let talked = tokio::time::timeout(patience, talk).await;
            talked.expect("all lines come");
        });
    }
}
