//! The CPU clock of another process.

#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

/// User and system time that all threads of a process have used, ended ones too. Children are
/// not in it. It is exact to the nanosecond, where /proc/PID/stat counts in steps of 10 ms.
///
/// # Errors
/// ESRCH if there is no such process.
pub(super) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut clock = 0;
    // SAFETY: the call writes one clock id into `clock`.
    let errno = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one timespec into `time`.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}
