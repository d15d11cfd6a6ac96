//! A process, as /proc shows it.

use std::fs;
use std::io;
use std::time::Duration;

use super::clock::cpu_time;

/// A running process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Process { pid }
    }

    /// User and system time of all threads. A child is not in it: it is the command that a daemon
    /// leaves the sending to.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        cpu_time(self.pid)
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn resident_bytes(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        Ok(1024 * number_after(&status, "VmRSS:").unwrap_or(0))
    }

    /// How often a thread of the process has stopped running and begun again.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn context_switches(&self) -> io::Result<u64> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            // A thread that has ended meanwhile switches no more.
            let Ok(status) = fs::read_to_string(thread?.path().join("status")) else {
                continue;
            };
            for field in ["\nvoluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"] {
                sum += number_after(&status, field).unwrap_or(0);
            }
        }
        Ok(sum)
    }
}

/// The number behind the first occurrence of a field's name.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let behind = text.split_once(name)?.1;
    behind.split_ascii_whitespace().next()?.parse().ok()
}
