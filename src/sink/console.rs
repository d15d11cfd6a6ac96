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
    while let Some(slot) = queue.take_blocking() {
        let mut written = Ok(());
        for chunk in &slot.chunks {
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
                    "sink {}: cannot write to standard output: {error}; from now on its points \
                     are dropped; start the daemon again with an output that stays open",
                    queue.name()
                );
                return;
            }
        }
    }
}
