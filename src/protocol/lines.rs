//! Splits a datagram at newlines; empty lines are skipped. Hot path.

use super::block::{Marks, block_of};
use super::blocks;
use super::counts::LineCounts;
use super::ends::Ends;
use super::fragments;
use super::frame::MAGIC;
use super::line::{self, Record};
use super::plain;
use crate::simd::Vectors;

/// Reads all lines of a datagram; of one that begins with a frame, lines and frames, up to the
/// first frame that is broken. In the midst of lines no frame is looked for: as statsite does it,
/// and at the price of one comparison for each datagram.
#[inline(always)]
pub fn read<'a>(
    vectors: impl Vectors,
    datagram: &'a [u8],
    counts: &mut LineCounts,
    record: &mut impl Record<'a>,
) {
    if datagram.first() == Some(&MAGIC) {
        // What is broken is counted, and the rest of a datagram goes with it.
        let _ = blocks::read_mixed(datagram, counts, record);
    } else {
        read_lines(vectors, datagram, counts, record);
    }
}

/// Reads all lines of a text that holds nothing else.
#[inline(always)]
pub(super) fn read_lines<'a>(
    vectors: impl Vectors,
    datagram: &'a [u8],
    counts: &mut LineCounts,
    record: &mut impl Record<'a>,
) {
    let (mut start, mut plain_count) = (0, 0);
    let mut ends = Ends::new();
    while start < datagram.len() {
        let found = ends.from(vectors, datagram, start);
        if let Some(sample) = plain::read(vectors, &datagram[start..], found) {
            plain_count += 1;
            record.sample(&sample);
            start += sample.line.len() + 1;
        } else {
            start = read_any(datagram, start, false, counts, record);
        }
    }
    counts.lines += plain_count;
}

/// Reads the line that begins at `start`, whatever it is, and maybe some behind it, but no frame if these
/// may be there. Returns where the next one begins.
#[inline(never)]
pub(super) fn read_any<'a>(
    datagram: &'a [u8],
    start: usize,
    among_frames: bool,
    counts: &mut LineCounts,
    record: &mut impl Record<'a>,
) -> usize {
    if datagram[start] == b'\n' {
        // Many in a row would cost as much as many lines.
        let feeds = datagram[start..].iter().take_while(|byte| **byte == b'\n');
        return start + feeds.count();
    }
    let text = &datagram[start..];
    let mut padded = None;
    let block = block_of(text, &mut padded);
    let marks = Marks::of(block);
    let fragments = fragments::refuse(text, marks, among_frames, counts, record);
    if fragments > 0 {
        return start + fragments;
    }
    // Many clients sample, so this is worth a try: it takes half of what the long way does.
    if let Some(sample) = plain::read_rated(text, block, marks) {
        counts.lines += 1;
        record.sample(&sample);
        return start + sample.line.len() + 1;
    }
    let end = marks.end().unwrap_or_else(|| line_end(text));
    read_long(&text[..end], counts, record);
    start + end + 1
}

/// Reads a line on the long way.
fn read_long<'a>(line: &'a [u8], counts: &mut LineCounts, record: &mut impl Record<'a>) {
    let line = line::trim(line);
    if !line.is_empty() {
        counts.lines += 1;
        line::read(line, counts, record);
    }
}

/// Where the line ends that a text begins with.
fn line_end(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Refusal, Sample, Samples};
    use crate::simd::{Baseline, Level, Work};

    /// What a record is told, in order.
    #[derive(Debug, Default, PartialEq)]
    struct Journal<'a>(Vec<Told<'a>>);

    #[derive(Debug, PartialEq)]
    enum Told<'a> {
        /// The sample and the bits of its value, because 0 equals -0.
        Sample(Sample<'a>, u64),
        Samples(Vec<u8>, usize),
        Refusal(Refusal, Vec<u8>),
    }

    impl<'a> Record<'a> for Journal<'a> {
        fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
            let told = Told::Samples(samples.name.to_vec(), samples.count());
            self.0.push(told);
            Ok(())
        }

        fn refuse(&mut self, reason: Refusal, line: &[u8]) {
            self.0.push(Told::Refusal(reason, line.to_vec()));
        }

        fn sample(&mut self, sample: &Sample<'a>) {
            let bits = sample.number.value.to_bits();
            self.0.push(Told::Sample(*sample, bits));
        }
    }

    /// Marsaglia's xorshift64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as usize % limit
        }

        fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
            items[self.below(items.len())]
        }

        /// Lines of all kinds, most of them plain, some with a byte changed or the end cut off.
        fn datagram(&mut self) -> Vec<u8> {
            let names: [&[u8]; 16] = [
                b"a",
                b"service.a",
                b"n|m",
                b"",
                b"_x",
                b"_e{1,1}",
                b"_sc|n",
                b"n*",
                b"n\x1a",
                b" n",
                b"n ",
                b"n\rm",
                b"\0n",
                b"\xff",
                b"12345678",
                b"n\tm",
            ];
            let values: [&[u8]; 22] = [
                b"7",
                b"12",
                b"123",
                b"1234567",
                b"99999999",
                b"100000000",
                b"00000001",
                b"-0",
                b"-1",
                b"+0.5",
                b".5",
                b"5.",
                b"1e3",
                b"1e400",
                b"",
                b" 1",
                b"1:2",
                b"1x",
                b"12345678901234567890",
                b"-",
                b"0",
                b"1;",
            ];
            let ends: [&[u8]; 27] = [
                b"|c",
                b"|g",
                b"|ms",
                b"|c|@0.1",
                b"|ms|@1",
                b"|g|@.5",
                b"|m",
                b"|h",
                b"|s",
                b"|kv",
                b"|C",
                b"|w",
                b"|c ",
                b"|ms\r",
                b"|c|@0",
                b"|c|@2",
                b"|ms|@-0.5",
                b"|c|@0.1|@1",
                b"|c|@ 1",
                b"|kv|@9",
                b"|@0.5",
                b"|c|#k:v",
                b"|g:2|c",
                b"||c",
                b"ms",
                b"|",
                b"|\0\0\0",
            ];
            let feeds: [&[u8]; 6] = [b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b" \n"];
            let fragments: [&[u8]; 18] = [
                b":", b"a", b"|", b":|", b"a:1", b"a:1|", b"a|b:", b"a|b:|", b":1:2|", b" ", b"\r",
                b" :", b": ", b"a:1| ", b"_e{", b"_sc|", b"\xaa:1", b"",
            ];
            let mut datagram = Vec::new();
            for _ in 0..1 + self.below(4) {
                // Enough of them to reach over the 64th byte.
                while self.below(8) < 5 {
                    datagram.extend_from_slice(self.one_of(&fragments));
                    datagram.push(b'\n');
                }
                let is_plain = self.below(2) == 0;
                // Names that end a line near the 64th byte, which is as far as is looked.
                match self.below(4) {
                    0 => datagram.resize(datagram.len() + 48 + self.below(18), b'x'),
                    _ if is_plain => datagram.extend_from_slice(self.one_of(&names[..3])),
                    _ => datagram.extend_from_slice(self.one_of(&names)),
                }
                datagram.push(b':');
                let (values, ends) = match is_plain {
                    true => (&values[..12], &ends[..6]),
                    false => (&values[..], &ends[..]),
                };
                datagram.extend_from_slice(self.one_of(values));
                datagram.extend_from_slice(self.one_of(ends));
                datagram.extend_from_slice(self.one_of(&feeds));
            }
            for _ in 0..self.below(3) {
                let special = self.one_of(b":::|||\n\n\r*\x1a\0 _@#cgms09-+.");
                let any = self.below(256) as u8;
                let at = self.below(datagram.len());
                datagram[at] = self.one_of(&[special, special, any]);
            }
            if self.below(2) == 0 {
                datagram.truncate(self.below(datagram.len() + 1));
            }
            datagram
        }
    }

    struct ReadingLines<'a>(&'a [u8]);

    impl<'a> Work for ReadingLines<'a> {
        type Output = (LineCounts, Journal<'a>);

        #[inline(always)]
        fn run(self, vectors: impl Vectors) -> (LineCounts, Journal<'a>) {
            let (mut journal, mut counts) = (Journal::default(), LineCounts::default());
            read_lines(vectors, self.0, &mut counts, &mut journal);
            (counts, journal)
        }
    }

    #[test]
    fn the_short_ways_and_the_long_way_read_every_line_alike() {
        let mut random = Random(88_172_645_463_325_252);
        let (mut plain_count, mut rated_count, mut fragment_count) = (0, 0, 0);
        let datagram_count = if cfg!(miri) { 150 } else { 300_000 };
        for _ in 0..datagram_count {
            let datagram = random.datagram();
            let (mut long, mut long_counts) = (Journal::default(), LineCounts::default());
            for line in datagram.split(|&byte| byte == b'\n') {
                read_long(line, &mut long_counts, &mut long);
            }
            for start in memchr::memchr_iter(b'\n', &datagram).map(|feed| feed + 1) {
                let text = &datagram[start..];
                let mut padded = None;
                let block = block_of(text, &mut padded);
                let marks = Marks::of(block);
                let (mut told, mut counts) = (Journal::default(), LineCounts::default());
                let found = Ends::new().from(Baseline, text, 0);
                plain_count += u32::from(plain::read(Baseline, text, found).is_some());
                rated_count += u32::from(plain::read_rated(text, block, marks).is_some());
                fragments::refuse(text, marks, false, &mut counts, &mut told);
                fragment_count += u32::from(!told.0.is_empty());
            }
            for level in Level::all() {
                let short = level.run(ReadingLines(&datagram));
                let text = datagram.escape_ascii();
                assert_eq!(
                    (short.0, &short.1),
                    (long_counts, &long),
                    "{level:?} {text}"
                );
            }
        }
        for (short_count, way) in [
            (plain_count, "plain"),
            (rated_count, "with a rate"),
            (fragment_count, "fragments"),
        ] {
            assert!(
                short_count > datagram_count / 20,
                "{short_count} lines went the short way: {way}"
            );
        }
    }

    #[test]
    fn frames_are_looked_for_only_in_a_datagram_that_begins_with_one() {
        let told = |datagram: &[u8]| {
            let (mut journal, mut counts) = (Journal::default(), LineCounts::default());
            read(Baseline, datagram, &mut counts, &mut journal);
            let told: Vec<String> = journal.0.iter().map(|told| format!("{told:?}")).collect();
            (counts.lines, told.concat().matches("Sample(Sample").count())
        };
        let frame = b"\xaa\x02\x02\0\0\0\0\0\0\0\xf0\x3fa\0";
        let mixed = [frame, &b"b:1|c\n"[..], frame].concat();
        assert_eq!(told(&mixed), (3, 3));
        assert_eq!(told(&mixed[..mixed.len() - 1]), (3, 2));
        let among_fragments = [frame, &b":\na\n"[..], frame, b"|\n"].concat();
        assert_eq!(told(&among_fragments), (5, 2));
        assert_eq!(told(b"b:1|c\n\xaa:1|c\n"), (2, 2));
    }
}
