//! What a daemon costs, seen from outside: the CPU time, memory and wake-ups of its process, and
//! the state of its receive buffer.

mod clock;
mod process;
mod socket;

pub(crate) use process::Process;
pub(crate) use socket::{Queue, queue_of_port};
