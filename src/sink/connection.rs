//! A connection to a Graphite receiver: its end is noticed at once, and a write that stalls ends.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use super::Part;
use super::backlog::Loss;
use super::stream::Stream;

/// A stream with a read always under way, which notices the peer's end before anything is written.
pub(super) struct Connection<S: Stream> {
    stream: Rc<S>,
    end: Rc<End>,
    /// All that was written, in bytes.
    written: Cell<u64>,
    write_patience: Duration,
}

/// How a connection ended, told by the task that reads.
#[derive(Default)]
struct End {
    result: RefCell<Option<io::Result<()>>>,
    told: Notify,
}

impl<S: Stream> Connection<S> {
    pub(super) fn new(stream: S, write_patience: Duration) -> Connection<S> {
        let stream = Rc::new(stream);
        let end = Rc::new(End::default());
        // Not kept: it ends with the stream.
        drop(spawn_local(watch(Rc::clone(&stream), Rc::clone(&end))));
        Connection {
            stream,
            end,
            written: Cell::new(0),
            write_patience,
        }
    }

    /// Waits for the connection's end; may be dropped at any await.
    pub(super) async fn ended(&self) -> io::Result<()> {
        loop {
            if let Some(result) = self.end.result.take() {
                return result;
            }
            self.end.told.notified().await;
        }
    }

    /// Whether the peer has ended the connection, or its half of it: what is written then is lost. That
    /// may be known before [`Connection::ended`] is, which takes a turn of the event loop.
    pub(super) fn has_ended(&self) -> bool {
        self.stream.has_ended()
    }

    /// Whether the host of the peer has all that was written. Its program may not have read it.
    pub(super) fn has_arrived(&self) -> bool {
        self.stream.unacknowledged_bytes() == 0
    }

    /// All that was written up to now, in bytes.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written.get()
    }

    /// What is known, of a connection that has ended, of a part with so many bytes written up to its end. A
    /// peer that closes with bytes unread, or gets some after, resets the connection instead of
    /// acknowledging them.
    pub(super) fn loss(&self, end_bytes: u64) -> Loss {
        let unacknowledged = self.stream.unacknowledged_bytes();
        match end_bytes <= self.written.get().saturating_sub(unacknowledged) {
            true => Loss::Doubtful,
            false => Loss::Sure,
        }
    }

    /// Says that nothing more is written; what was is still delivered, and reads go on.
    pub(super) fn finish(&self) {
        self.stream.finish();
    }

    /// Writes a part whole.
    pub(super) async fn write(&self, part: &Part) -> io::Result<()> {
        let guard = StallGuard::new(&self.stream, self.write_patience);
        for chunk in &part.chunks {
            let mut rest = chunk.clone();
            while !rest.is_empty() {
                let piece = rest.slice(..rest.len().min(PIECE_BYTES_MAX));
                let written = self.stream.write(piece).await;
                if guard.stalled.get() {
                    return Err(stalled(self.write_patience));
                }
                let written = written?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                self.written.set(self.written.get() + written as u64);
                guard.progress.set(Instant::now());
                rest = rest.slice(written..);
            }
        }
        Ok(())
    }
}

impl<S: Stream> Drop for Connection<S> {
    fn drop(&mut self) {
        // Ends the read under way; the kernel still delivers what was written.
        self.stream.shutdown();
    }
}

fn stalled(patience: Duration) -> io::Error {
    let text = format!("the peer took no bytes for {patience:?}");
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// Reads until the connection ends. Graphite never answers, so what arrives is thrown away.
async fn watch<S: Stream>(stream: Rc<S>, end: Rc<End>) {
    let mut buffer = vec![0; 512];
    let result = loop {
        let (read, returned) = stream.read(buffer).await;
        buffer = returned;
        match read {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    end.result.replace(Some(result));
    end.told.notify_one();
}

/// Shuts a stream down when no bytes were taken for too long: a write cannot be given a deadline
/// of its own, because its future must not be dropped.
struct StallGuard {
    progress: Rc<Cell<Instant>>,
    stalled: Rc<Cell<bool>>,
    task: JoinHandle<()>,
}

impl StallGuard {
    fn new<S: Stream>(stream: &Rc<S>, patience: Duration) -> StallGuard {
        let progress = Rc::new(Cell::new(Instant::now()));
        let stalled = Rc::new(Cell::new(false));
        let task = {
            let (stream, progress, stalled) = (stream.clone(), progress.clone(), stalled.clone());
            spawn_local(async move {
                loop {
                    let deadline = progress.get() + patience;
                    if Instant::now() >= deadline {
                        break;
                    }
                    tokio::time::sleep_until(deadline.into()).await;
                }
                stalled.set(true);
                stream.shutdown();
            })
        };
        StallGuard {
            progress,
            stalled,
            task,
        }
    }
}

impl Drop for StallGuard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The most bytes that one write hands to the kernel.
const PIECE_BYTES_MAX: usize = 4 << 20;
