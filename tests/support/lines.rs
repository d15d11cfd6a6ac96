//! Lines that threads collect from streams, and waiting for what they say.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::DEADLINE;

/// The lines of one stream or several, in order of arrival.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    streams_ended: usize,
}

impl Lines {
    /// Collects all lines of a stream in a thread of its own.
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        lines.collect(stream);
        lines
    }

    /// Collects the lines of one more stream.
    pub(crate) fn collect(&self, stream: impl Read + Send + 'static) {
        self.collect_some(stream, |_| true);
    }

    /// Collects those lines of one more stream that are wanted.
    pub(crate) fn collect_some(
        &self,
        mut stream: impl Read + Send + 'static,
        want: fn(&str) -> bool,
    ) {
        let lines = self.clone();
        thread::spawn(move || {
            let (mut buffer, mut rest) = (vec![0; 1 << 16], Vec::new());
            // A pseudo terminal and a reset connection end with an error; what came is kept.
            while let Ok(size @ 1..) = stream.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..size]);
                if let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') {
                    let complete: Vec<u8> = rest.drain(..=end).collect();
                    lines.push(&complete, want, false);
                }
            }
            // A line without its end is kept too, for the test to stumble over.
            lines.push(&rest, want, true);
        });
    }

    /// All lines up to now.
    pub(crate) fn now(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// All lines of a stream that is about to end.
    pub(crate) fn to_end(&self) -> Vec<String> {
        self.wait("the end", |state| {
            (state.streams_ended > 0).then(|| state.lines.clone())
        })
    }

    /// Waits until `find` finds something in the lines.
    pub(crate) fn wait_for<T>(&self, what: &str, find: impl Fn(&[String]) -> Option<T>) -> T {
        self.wait(what, |state| find(&state.lines))
    }

    /// Waits for a line that contains a text, and returns it.
    pub(crate) fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(text, |lines| {
            lines.iter().find(|line| line.contains(text)).cloned()
        })
    }

    fn wait<T>(&self, what: &str, find: impl Fn(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.lock();
        loop {
            if let Some(found) = find(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = state.lines.len().saturating_sub(200);
                let lines = state.lines[last..].join("\n");
                panic!("waited in vain for {what}; the last lines are:\n{lines}");
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn push(&self, complete: &[u8], want: fn(&str) -> bool, ended: bool) {
        let text = String::from_utf8_lossy(complete);
        let wanted = text.lines().filter(|line| want(line));
        let mut state = self.lock();
        state.lines.extend(wanted.map(str::to_owned));
        state.streams_ended += usize::from(ended);
        drop(state);
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
