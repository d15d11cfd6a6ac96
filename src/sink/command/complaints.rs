//! Logs what a command writes to its standard error, line by line and not without end.

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;

/// Logs lines until the pipe ends. All is read, so that a command that writes much is not held up, but
/// only its first lines are logged.
pub(super) async fn log(sink: String, mut stderr: ChildStderr) {
    let mut lines = Lines::default();
    let mut buffer = [0; 4096];
    // A pipe that cannot be read has nothing more to tell.
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        lines.take(&buffer[..read], |line| log_line(&sink, line));
    }
    lines.finish(|line| log_line(&sink, line));
    if lines.left_out > 0 {
        log::info!("sink {sink}: and {} more lines", lines.left_out);
    }
}

fn log_line(sink: &str, line: &str) {
    log::info!("sink {sink}: {line}");
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line whose end has not come.
    open: Vec<u8>,
    count: u64,
    left_out: u64,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], mut tell: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = LINE_BYTES_MAX - self.open.len();
            self.open.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                self.finish(&mut tell);
            }
        }
    }

    /// Tells a line that is complete, or as complete as it will be.
    fn finish(&mut self, mut tell: impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.open);
        // A log holds one line for one line of it, and leaves a terminal alone.
        let text = text.trim_end().replace(char::is_control, " ");
        self.open.clear();
        if text.is_empty() {
            return;
        }
        self.count += 1;
        if self.count > LINES_MAX {
            self.left_out += 1;
        } else {
            tell(&text);
        }
    }
}

/// Lines of one run that are logged.
const LINES_MAX: u64 = 20;

/// What is logged of a line, in bytes.
const LINE_BYTES_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&[u8]]) -> (Vec<String>, u64) {
        let (mut lines, mut told) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.take(piece, |line| told.push(line.to_owned()));
        }
        lines.finish(|line| told.push(line.to_owned()));
        (told, lines.left_out)
    }

    #[test]
    fn lines_are_whole_wherever_the_pipe_cuts_them() {
        let text = b"one\r\n\ntwo\tand \x1b[1mmore\nlast";
        let expected = ["one", "two and  [1mmore", "last"].map(str::to_owned);
        for cut in 0..=text.len() {
            let (before, after) = text.split_at(cut);
            assert_eq!(
                told(&[before, after]),
                (expected.to_vec(), 0),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn neither_a_long_line_nor_many_lines_fill_the_log() {
        let long = vec![b'x'; 3 * LINE_BYTES_MAX];
        let (lines, left_out) = told(&[&long, &long, b"\n", &b"y\n".repeat(30)]);
        assert_eq!(lines[0].len(), LINE_BYTES_MAX);
        assert_eq!(lines[1], "y");
        assert_eq!((lines.len(), left_out), (20, 11));
    }
}
