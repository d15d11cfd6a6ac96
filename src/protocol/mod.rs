//! From the bytes of a datagram or a stream to samples, in place. The grammar is the one of
//! README's section on formats: one for all dialects.
//!
//! Pure: no I/O, no clock, no log. Hot path: no allocation for a link of up to 16 values, and no
//! input panics.

#![forbid(unsafe_code)]

mod block;
mod blocks;
mod counts;
mod ends;
mod fragments;
mod frame;
mod framing;
mod line;
mod lines;
mod number;
mod plain;

pub use blocks::{Block, read_block};
pub use counts::LineCounts;
pub use frame::{Broken, MAGIC};
pub use framing::{Framing, RECORD_BYTES_MAX};
pub use line::Record;
pub use lines::read;
pub use number::parse_number;
