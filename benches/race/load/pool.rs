//! The datagrams of a load, made before anything is sent, so that sending costs little.

use super::shape::{Lines, Shape};
use super::totals::Totals;

/// Datagrams in the order in which they are sent, again and again.
pub(crate) struct Pool {
    bytes: Vec<u8>,
    /// What the first 0, 1, 2 and so on datagrams hold. The bytes are where the next one begins.
    before: Vec<Totals>,
}

impl Pool {
    /// Makes so many datagrams.
    pub(crate) fn new(shape: Shape, datagrams: u64) -> Self {
        assert!(datagrams > 0, "an empty pool has nothing to send");
        Pool::fill(shape, |totals| totals.datagrams == datagrams)
    }

    /// Makes as many datagrams as so many lines fill.
    pub(crate) fn of_lines(shape: Shape, lines: u64) -> Self {
        assert!(lines > 0, "an empty pool has nothing to send");
        Pool::fill(shape, |totals| totals.lines == lines)
    }

    fn fill(shape: Shape, is_done: impl Fn(&Totals) -> bool) -> Self {
        let mut lines = Lines::new(shape);
        let mut pool = Pool {
            bytes: Vec::new(),
            before: vec![Totals::default()],
        };
        let mut line = Vec::new();
        // What is before the open datagram and in it.
        let mut closed = Totals::default();
        let mut open = Totals::default();
        loop {
            let next = lines.write(&mut line);
            let is_full = open.lines == shape.lines_max
                || open.bytes as usize + line.len() > shape.datagram_bytes_max;
            if open.lines > 0 && is_full {
                open.datagrams = 1;
                closed = closed.plus(open);
                pool.before.push(closed);
                open = Totals::default();
                if is_done(&closed) {
                    return pool;
                }
            }
            pool.bytes.extend_from_slice(&line);
            open = open.plus(next);
            let with_open = closed.plus(open);
            if is_done(&with_open) {
                pool.before.push(Totals {
                    datagrams: closed.datagrams + 1,
                    ..with_open
                });
                return pool;
            }
        }
    }

    /// How many datagrams there are before they repeat.
    pub(crate) fn len(&self) -> u64 {
        self.before.len() as u64 - 1
    }

    /// The datagram that is sent as number `index`, counted from 0 and without an end.
    pub(crate) fn datagram(&self, index: u64) -> &[u8] {
        let place = (index % self.len()) as usize;
        let start = self.before[place].bytes as usize;
        let end = self.before[place + 1].bytes as usize;
        &self.bytes[start..end]
    }

    /// What the first `datagrams` datagrams hold.
    pub(crate) fn totals(&self, datagrams: u64) -> Totals {
        let rounds = datagrams / self.len();
        let rest = (datagrams % self.len()) as usize;
        let round = self.before[self.before.len() - 1];
        round.times(rounds).plus(self.before[rest])
    }
}
