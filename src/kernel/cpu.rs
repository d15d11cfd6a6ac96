//! Which processors this process may use, and how a thread is kept on one of them.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps the calling thread on one processor.
///
/// # Errors
/// EINVAL if the processor does not exist or is not among the allowed ones.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// The processors that the calling thread may use, in ascending order; only the first one if the
/// kernel does not say.
pub fn allowed_cpus() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .collect(),
        // EINVAL on machines with more processors than the set has room for.
        Err(_) => vec![0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_use_its_processor_only() {
        let last = *allowed_cpus().last().unwrap();
        // A thread of its own: the pin must not outlast the test.
        let pinned = std::thread::spawn(move || {
            pin_to(last).unwrap();
            allowed_cpus()
        });
        assert_eq!(pinned.join().unwrap(), [last]);
    }

    #[test]
    fn a_processor_that_does_not_exist_is_an_error() {
        assert!(pin_to(CpuSet::MAX_CPU).is_err());
        assert!(pin_to(CpuSet::MAX_CPU - 1).is_err());
    }
}
