//! The kinds of rounds: each starts a daemon, does something to it, and returns figures.

pub(crate) mod flat_out;
pub(crate) mod flush;
pub(crate) mod idle;
pub(crate) mod memory;
pub(crate) mod steady;
