//! Writes slots to standard output, from a thread of its own: a pipe that nobody reads blocks
//! that thread and nothing else.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::Queue;

/// Starts the thread; it ends when the queue is closed and empty.
///
/// # Errors
/// If the system gives no thread.
pub fn start(queue: Arc<Queue>, out: impl Write + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("console".to_owned())
        .spawn(move || write_all_slots(&queue, out))
}

fn write_all_slots(queue: &Queue, mut out: impl Write) {
    while let Some(part) = queue.take_blocking() {
        let mut written = Ok(());
        for chunk in &part.chunks {
            written = written.and_then(|()| out.write_all(chunk));
        }
        match written.and_then(|()| out.flush()) {
            Ok(()) => {
                // A pipe does not lose what it took: nothing is ever repeated.
                let _ = queue.sent();
            }
            Err(error) => {
                queue.cut_off();
                queue.refuse();
                log::error!(
                    "cannot write to standard output: {error}; from now on the points for it are \
                     dropped; start the daemon again with an output that stays open"
                );
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::*;
    use crate::sink::Part;
    use crate::sink::backlog::Order;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn slot(number: u64, text: &'static str) -> Part {
        Part {
            end_unix_s: number,
            index: 0,
            lines: 1,
            chunks: vec![Bytes::from_static(text.as_bytes())],
        }
    }

    fn queue(bytes_max: u64) -> Arc<Queue> {
        Arc::new(Queue::new("console:".to_owned(), Order::Arrival, bytes_max))
    }

    #[test]
    fn slots_come_out_in_order_and_the_thread_ends_after_the_last() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let queue = queue(1000);
        let thread = start(Arc::clone(&queue), writer).expect("a thread");
        queue.push(slot(1, "a 1 1\n"));
        queue.push(slot(2, "b 1 2\n"));
        queue.close();
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("text");
        assert_eq!(text, "a 1 1\nb 1 2\n");
        thread.join().expect("it ends in order");
        assert_eq!(queue.counters().lines_sent, 2);
    }

    /// Goal: nobody waits for a pipe that nobody reads. Method: more slots than a pipe and the
    /// queue hold; then read.
    #[test]
    fn a_blocked_pipe_stalls_only_the_thread() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let text: &'static str = Box::leak("a 1 1\n".repeat(50_000).into_boxed_str());
        let queue = queue(2 * text.len() as u64);
        let thread = start(Arc::clone(&queue), writer).expect("a thread");
        for number in 1..=5 {
            queue.push(slot(number, text));
        }
        let dropped = queue.counters().lines_dropped;
        assert_eq!(dropped, 3);
        queue.close();
        queue.wait_until_empty(Instant::now() + Duration::from_millis(50));
        assert_eq!(queue.counters().lines_queued, 2);
        let mut received = String::new();
        reader.read_to_string(&mut received).expect("text");
        assert_eq!(received, text.repeat(2));
        thread.join().expect("it ends in order");
        assert_eq!(queue.counters().lines_sent, 2);
    }

    #[test]
    fn a_closed_pipe_is_given_up_and_counted() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let queue = queue(1000);
        let thread = start(Arc::clone(&queue), writer).expect("a thread");
        queue.push(slot(1, "a 1 1\n"));
        thread.join().expect("it ends in order");
        queue.push(slot(2, "a 1 2\n"));
        queue.wait_until_empty(Instant::now() + DEADLINE);
        let counters = queue.counters();
        assert_eq!((counters.lines_pushed, counters.lines_dropped), (2, 2));
    }
}
