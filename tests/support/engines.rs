//! The engines that tests run with: io_uring only where the kernel allows it, as containers do not.

use ringstat::kernel::{EngineChoice, select};

/// All engines that run here, as `--engine` names them.
pub(crate) fn engines() -> &'static [&'static str] {
    match has_io_uring() {
        true => &["io_uring", "recvmmsg"],
        false => &["recvmmsg"],
    }
}

/// Whether io_uring runs here. In `.ci/run` it must, because tests that leave it out would pass unseen;
/// in a container without it `WITHOUT_IO_URING=1` goes beside `CI=true`.
pub(crate) fn has_io_uring() -> bool {
    let Err(reason) = select(EngineChoice::IoUring) else {
        return true;
    };
    let is_set = |name| std::env::var_os(name).is_some();
    let may_skip = !is_set("CI") || is_set("WITHOUT_IO_URING");
    assert!(may_skip, "{reason}; or set WITHOUT_IO_URING=1");
    println!("without io_uring: {reason}");
    false
}
