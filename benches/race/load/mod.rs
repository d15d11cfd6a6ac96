//! The load generator: deterministic traffic of a stated shape, whose totals are known exactly.
//!
//! A [`Shape`] says what the lines look like, a [`Pool`] holds the datagrams that are made from
//! it before anything is sent, a [`Sender`] sends them at a [`Pace`].

pub(crate) mod command;
mod pace;
mod pool;
pub(crate) mod random;
mod segment;
mod sender;
mod shape;
mod totals;

pub(crate) use pace::{Limit, Pace, Progress, Wait};
pub(crate) use pool::Pool;
pub(crate) use sender::Sender;
pub(crate) use shape::{COUNTER_NAME_BYTES, Draw, Mix, NAME_DIGITS, Shape};
pub(crate) use totals::Totals;
