//! ringstat: a StatsD aggregation daemon for Linux.
//!
//! The modules stand in the order in which data flows through them; ARCHITECTURE.md has the map
//! and the invariants, `tests/architecture.rs` keeps the directions.

pub mod cli;

pub mod config;

pub mod service;

pub mod disk;

pub mod transport;

#[allow(unsafe_code)]
pub mod kernel;

pub mod simd;

pub mod protocol;

pub mod metric;

pub mod repeat;

pub mod tap;

pub mod shard;

pub mod snapshot;

pub mod naming;

pub mod format;

pub mod telemetry;

pub mod ledger;

pub mod flusher;

pub mod sink;

pub mod io;

pub mod streams;

pub mod management;

pub mod control;

pub mod daemon;

pub mod logging;

pub mod compare;
