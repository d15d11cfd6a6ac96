//! The `ringstat` command.

fn main() {}
