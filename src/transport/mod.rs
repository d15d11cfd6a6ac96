//! Where lines come in: a bound socket and its framing.
