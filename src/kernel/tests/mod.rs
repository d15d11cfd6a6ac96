//! Scenarios against the real kernel over loopback, most of them for both engines.
