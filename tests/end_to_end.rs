//! The built daemon from outside: what it prints, sends, refuses and survives.

mod support;

// Where it listens, and what it says if it cannot.
#[path = "end_to_end/addresses.rs"]
mod addresses;

// In the background, with a file that holds its process id.
#[path = "end_to_end/background.rs"]
mod background;

// A real Graphite receiver, Debian's carbon-cache.
#[path = "end_to_end/carbon.rs"]
mod carbon;

// Commands as sinks.
#[path = "end_to_end/commands.rs"]
mod commands;

// The standard output as pipe, as terminal, and as neither.
#[path = "end_to_end/console.rs"]
mod console;

// Nothing that arrives goes uncounted: many senders, hostile ones, more than the kernel holds.
#[path = "end_to_end/counting.rs"]
mod counting;

// Engines, shards and processors.
#[path = "end_to_end/engines.rs"]
mod engines;

// In the place of etsy's statsd.
#[path = "end_to_end/etsy.rs"]
mod etsy;

// Slots, time stamps, and levels that outlive a restart.
#[path = "end_to_end/flushing.rs"]
mod flushing;

// Under the name gstatsd.
#[path = "end_to_end/gstatsd.rs"]
mod gstatsd;

// SIGHUP: the configuration is read again while traffic goes on.
#[path = "end_to_end/reload.rs"]
mod reload;

// The console that answers commands over TCP.
#[path = "end_to_end/management.rs"]
mod management;

// Wrong options and files, and the check of right ones.
#[path = "end_to_end/settings.rs"]
mod settings;

// Graphite sinks that are dead, come back, or stall.
#[path = "end_to_end/sinks.rs"]
mod sinks;

// Under the name statsite, with a file of the statsite in C.
#[path = "end_to_end/statsite.rs"]
mod statsite;

// Connections, local datagrams and the standard input.
#[path = "end_to_end/streams.rs"]
mod streams;

// Nothing is lost when a signal stops the daemon under load.
#[path = "end_to_end/stopping.rs"]
mod stopping;

// Beside an old daemon on the same traffic, and what a comparison of both says.
#[path = "end_to_end/trial.rs"]
mod trial;
