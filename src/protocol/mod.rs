//! From the bytes of a datagram to samples, in place. The grammar is the one of README's section
//! on formats: one for all dialects.
//!
//! Pure: no I/O, no clock, no log. Hot path: no allocation for a link of up to 16 values, and no
//! input panics.

#![forbid(unsafe_code)]

mod counts;
mod line;
mod lines;
mod number;
mod plain;

pub use counts::LineCounts;
pub use line::Record;
pub use lines::read;
pub use number::parse_number;
