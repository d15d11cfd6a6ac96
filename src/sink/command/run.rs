//! One run of a command: feeds it, listens to its complaints, and ends it when its time is over.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::spawn_local;

use super::complaints;
use crate::sink::Part;

/// Why a slot counts as not taken.
#[derive(Debug)]
pub(super) enum Failure {
    /// The system did not start it, or lost it.
    System(io::Error),
    /// It ended by a signal, or with a status that is not 0.
    Ended(ExitStatus),
    /// It had not ended when its time was over.
    TooLong,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::System(error) => write!(out, "the command cannot be run: {error}"),
            Failure::Ended(status) => write!(out, "the command ended with {status}"),
            Failure::TooLong => out.write_str(
                "the command did not end in time and was killed (command_timeout sets the time)",
            ),
        }
    }
}

/// Runs a command with the bytes of a slot as its standard input until it ends or `time_over` does.
/// Its standard output is ours. When this is dropped before, the command is killed.
///
/// # Errors
/// If it does not end with status 0. Whether it read all is its own matter.
pub(super) async fn run(
    sink: &str,
    command: &str,
    slot: &Part,
    time_over: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let mut running = Running::start(command).map_err(Failure::System)?;
    let child = &mut running.0;
    let stdin = child.stdin.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let mut complaints = spawn_local(complaints::log(sink.to_owned(), stderr));
    let ended = tokio::select! {
        status = child.wait() => status.map_err(Failure::System).and_then(judge),
        () = time_over => Err(Failure::TooLong),
        never = feed(stdin, slot) => match never {},
    };
    if let Err(Failure::TooLong) = ended {
        running.kill();
        // It is gone at once, unless it hangs in the kernel. Then tokio reaps it some day.
        let _ = tokio::time::timeout(GONE_MAX, running.0.wait()).await;
    }
    // All that it wrote is there now; what it has left in the background may hold the pipe open.
    if tokio::time::timeout(GONE_MAX, &mut complaints)
        .await
        .is_err()
    {
        complaints.abort();
    }
    ended
}

fn judge(status: ExitStatus) -> Result<(), Failure> {
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Ended(status)),
    }
}

/// Writes the slot, closes the pipe, and never ends: what counts is the end of the command.
async fn feed(mut stdin: ChildStdin, slot: &Part) -> Infallible {
    for chunk in &slot.chunks {
        if stdin.write_all(chunk).await.is_err() {
            // It reads no more. Its exit status tells whether it has all that it wants.
            break;
        }
    }
    drop(stdin);
    pending().await
}

/// A command that runs in a process group of its own and does not outlive this.
struct Running(Child);

impl Running {
    fn start(command: &str) -> io::Result<Running> {
        // Of our files it gets its standard streams, as all others are closed by exec. Its signals
        // are as they usually are: the standard library sets SIGPIPE and the mask back.
        Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            // What the shell starts is killed with it, and Ctrl-C in our terminal is for us only.
            .process_group(0)
            .spawn()
            .map(Running)
    }

    /// Ends it and all that it has started, unless that has left the group.
    fn kill(&self) {
        // There is no id once it was waited for: another process may have the number.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // It may have ended this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How long to wait for the rest of a command that has ended.
const GONE_MAX: Duration = Duration::from_millis(200);
