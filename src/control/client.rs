//! `ringstat ledger`: asks a daemon that runs what became of its last slots.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use super::request::Request;
use crate::config::control::DEFAULT_PATH;

/// Print what came in and what became of it, slot by slot.
///
/// Asks the daemon at its control socket. Of each flush interval: datagrams that the kernel delivered and
/// dropped, lines, samples, what was refused; lines written for all sinks, sent, queued, lost. Each slot must
/// balance; one that does not is marked and explained. The exit code is 0 if all slots balance, 1 if one
/// does not, and 2 if the daemon does not answer or the command line is wrong.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "ringstat ledger", version, max_term_width = 100)]
pub struct Arguments {
    /// The control socket of the daemon
    #[arg(long, value_name = "PATH", default_value = DEFAULT_PATH)]
    control: PathBuf,

    /// Print a line of JSON for each slot, for scripts
    #[arg(long)]
    json: bool,

    /// How many slots to print, the last ones; 0 for all that are kept, at most 10000 of a day
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
}

/// How long to wait for the daemon, a little longer than it waits for us.
const PATIENCE: Duration = Duration::from_secs(35);

/// Asks and prints. Returns the exit code.
pub fn run(arguments: &Arguments, out: &mut impl Write, errors: &mut impl Write) -> u8 {
    let path = &arguments.control;
    let request = Request {
        as_json: arguments.json,
        last: arguments.last,
    };
    let (unbalanced_count, text) = match ask(path, request) {
        Ok(answer) => answer,
        Err(error) => {
            // The exit code says enough if that cannot be written to.
            let _ = writeln!(
                errors,
                "ringstat: cannot ask the daemon at {}: {error}",
                path.display()
            );
            return 2;
        }
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(
                errors,
                "ringstat: cannot write to the standard output: {error}"
            );
            2
        }
        Ok(()) | Err(_) => u8::from(unbalanced_count > 0),
    }
}

/// How many slots do not balance, and what to print.
fn ask(path: &Path, request: Request) -> Result<(u64, String), String> {
    let (status, text) = exchange(path, request).map_err(|error| explain(&error))?;
    let unbalanced_count = status
        .strip_prefix("ok ")
        .and_then(|count| count.parse().ok());
    match (unbalanced_count, status.strip_prefix("error: ")) {
        (Some(count), _) => Ok((count, text)),
        (None, Some(error)) => Err(error.to_owned()),
        (None, None) => Err("what answers there is no ringstat".to_owned()),
    }
}

/// The first line of the answer, and the rest.
fn exchange(path: &Path, request: Request) -> io::Result<(String, String)> {
    let mut connection = UnixStream::connect(path)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    writeln!(connection, "{request}")?;
    let mut connection = BufReader::new(connection);
    let (mut status, mut text) = (String::new(), String::new());
    connection.read_line(&mut status)?;
    connection.read_to_string(&mut text)?;
    Ok((status.trim_end().to_owned(), text))
}

fn explain(error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::NotFound => {
            "is it running, and with this control socket? --control names another one"
        }
        ErrorKind::ConnectionRefused => {
            "it has ended without removing its socket, and a new start makes it anew"
        }
        ErrorKind::PermissionDenied => {
            "its socket is for its user and its group; ask as one of them, or as root"
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "it is stopped or hangs",
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// The exit code, the output and the errors where a daemon gives this answer.
    fn told(answer: &'static str) -> (u8, String, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let control = folder.path().join("ctl");
        let listener = UnixListener::bind(&control).expect("a socket");
        let daemon = thread::spawn(move || {
            let (connection, _) = listener.accept().expect("a connection");
            let mut connection = BufReader::new(connection);
            let mut request = String::new();
            connection.read_line(&mut request).expect("a request");
            let connection = connection.get_mut();
            connection.write_all(answer.as_bytes()).expect("it is read");
            request
        });
        let arguments = Arguments {
            control,
            json: true,
            last: 3,
        };
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let code = run(&arguments, &mut out, &mut errors);
        assert_eq!(daemon.join().expect("no panic"), "ledger json last 3\n");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (code, text(out), text(errors))
    }

    #[test]
    fn the_exit_code_tells_whether_all_slots_balance() {
        let (code, out, errors) = told("ok 0\na\nb\n");
        assert_eq!((code, &*out, &*errors), (0, "a\nb\n", ""));
        let (code, out, _) = told("ok 2\na\n");
        assert_eq!((code, &*out), (1, "a\n"));
    }

    #[test]
    fn what_is_no_answer_is_told_with_the_address_and_the_reason() {
        for (answer, reason) in [
            ("error: the daemon is stopping\n", "the daemon is stopping"),
            (
                "HTTP/1.1 400 Bad Request\n",
                "what answers there is no ringstat",
            ),
            ("", "what answers there is no ringstat"),
        ] {
            let (code, out, errors) = told(answer);
            assert_eq!((code, &*out), (2, ""), "{answer}");
            assert!(errors.starts_with("ringstat: cannot ask the daemon at "));
            assert!(errors.ends_with(&format!("/ctl: {reason}\n")), "{errors}");
        }
    }
}
