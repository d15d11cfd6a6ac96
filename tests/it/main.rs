//! The built daemon in trouble: a file for each kind of fault. Each test counts what it sent against what
//! came out and what was counted as lost.

#[path = "../support/mod.rs"]
mod support;

// What the log says at a stop of what was lost.
mod account;
// A process that is stopped, a clock that is set.
mod clock;
// What became of everything, slot by slot, and where that is asked.
mod ledger;
// A network that is away.
mod link;
// Sinks that are away, hang, or end connections in the middle.
mod outages;
// The same while the disk is full, read-only or hangs.
mod outages_disk;
// What waits in the spool over a restart: damaged files, and the pace at which the others go.
mod outages_spool;
// Floods, names without end, and what is refused or dropped because of them.
mod overload;
// Slots that wait for their moment.
mod spread;
// Chosen names, and rings that somebody else writes to.
mod hostile;
// No trouble at all, which is what the others are held against.
mod quiet;

// Other settings while traffic comes.
mod reload;

// Restarts behind a service manager that holds the sockets.
mod activation;

// A disk that hangs when something is to be read from it.
mod hanging_disk;

// Without io_uring, and without any privilege.
mod blocked;

// A slot that restarts cut in pieces, and the state file that puts it together.
mod restart;

// What is lost with a process that is killed, to the sample.
mod kill;
