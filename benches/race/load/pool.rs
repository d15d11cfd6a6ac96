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
        assert!(
            !shape.equal_bytes,
            "the last datagram is as long as its lines"
        );
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
                if shape.equal_bytes {
                    let start = closed.bytes as usize;
                    pool.pad_last(start, open.lines as usize, shape.datagram_bytes_max);
                    open.bytes = shape.datagram_bytes_max as u64;
                }
                closed = pool.close(closed, open);
                open = Totals::default();
                if is_done(&closed) {
                    return pool;
                }
            }
            pool.bytes.extend_from_slice(&line);
            open = open.plus(next);
            if !shape.equal_bytes && is_done(&Pool::closed_with(closed, open)) {
                pool.close(closed, open);
                return pool;
            }
        }
    }

    /// What there is when the open datagram is closed.
    fn closed_with(closed: Totals, open: Totals) -> Totals {
        closed.plus(Totals {
            datagrams: 1,
            ..open
        })
    }

    fn close(&mut self, closed: Totals, open: Totals) -> Totals {
        let closed = Pool::closed_with(closed, open);
        self.before.push(closed);
        closed
    }

    /// Makes the last datagram, which begins at `start`, exactly so long, by zeros before its
    /// values: some lines get one, which changes no value and no line much.
    fn pad_last(&mut self, start: usize, lines: usize, size_bytes: usize) {
        let datagram = self.bytes.split_off(start);
        let missing = size_bytes - datagram.len();
        for (index, line) in datagram.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let zeros = missing / lines + usize::from(index < missing % lines);
            let colon = memchr::memchr(b':', line).expect("a name ends with a colon");
            let (name, value) = line.split_at(colon + 1);
            self.bytes.extend_from_slice(name);
            self.bytes.resize(self.bytes.len() + zeros, b'0');
            self.bytes.extend_from_slice(value);
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

    /// The datagrams from number `index` on, one behind the other: so many, or fewer where the
    /// pool ends.
    pub(crate) fn run(&self, index: u64, count: u64) -> (u64, &[u8]) {
        let place = index % self.len();
        let count = count.min(self.len() - place);
        let start = self.before[place as usize].bytes as usize;
        let end = self.before[(place + count) as usize].bytes as usize;
        (count, &self.bytes[start..end])
    }

    /// The length of all datagrams, if they have the same.
    pub(crate) fn datagram_bytes(&self) -> Option<usize> {
        let first = self.datagram(0).len();
        let is_equal = (0..self.len()).all(|index| self.datagram(index).len() == first);
        is_equal.then_some(first)
    }

    /// What the first `datagrams` datagrams hold.
    pub(crate) fn totals(&self, datagrams: u64) -> Totals {
        let rounds = datagrams / self.len();
        let rest = (datagrams % self.len()) as usize;
        let round = self.before[self.before.len() - 1];
        round.times(rounds).plus(self.before[rest])
    }
}
