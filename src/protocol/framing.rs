//! Cuts a stream into lines and frames, wherever its pieces end.

use memchr::{memchr, memrchr};

use super::blocks::Block;
use super::frame::{self, Broken, MAGIC};

/// The longest line, without its line feed, and the longest frame that a stream may hold, in
/// bytes: what a datagram could bring, and a little more.
pub const RECORD_BYTES_MAX: usize = 65_536;

/// What a connection keeps for the next line while nothing of one has come.
const IDLE_BYTES_MAX: usize = 4_096;

/// One stream on its way through the parser. It keeps what a piece ends with until the rest of
/// that line or frame comes, and not more than [`RECORD_BYTES_MAX`] of it.
#[derive(Debug, Default)]
pub struct Framing {
    /// The beginning of a line or frame.
    rest: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// What comes next belongs to `rest`, or begins a line or a frame.
    #[default]
    Reading,
    /// What comes next is the rest of a line that is too long.
    SkippingLine,
    /// So many bytes are left of a frame that is too long.
    SkippingFrame(usize),
    /// A frame was broken: nobody knows where the next one begins.
    Broken,
}

impl Framing {
    /// Takes the next piece, and gives `read` what is whole by now, in order.
    ///
    /// # Errors
    /// After a broken frame, which `read` found. Nothing is read of this stream any more.
    pub fn feed(
        &mut self,
        mut piece: &[u8],
        mut read: impl FnMut(Block<'_>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        while !piece.is_empty() {
            let taken = match self.state {
                State::Reading if self.rest.is_empty() => self.scan(piece, &mut read),
                State::Reading => self.complete(piece, &mut read),
                State::SkippingLine => Ok(self.skip_line(piece)),
                State::SkippingFrame(left) => Ok(self.skip_frame(piece, left)),
                State::Broken => Err(Broken),
            };
            match taken {
                Ok(bytes) => piece = &piece[bytes..],
                Err(broken) => {
                    self.rest = Vec::new();
                    self.state = State::Broken;
                    return Err(broken);
                }
            }
        }
        Ok(())
    }

    /// Ends the stream: a last line counts without its line feed; a frame that was cut is broken.
    ///
    /// # Errors
    /// After a broken frame, which `read` found.
    pub fn finish(
        self,
        mut read: impl FnMut(Block<'_>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        match self.rest.first() {
            None => Ok(()),
            Some(&MAGIC) => read(Block::Mixed(&self.rest)),
            Some(_) => read(Block::Lines(&self.rest)),
        }
    }

    /// Reads what is whole in a piece that begins a line or a frame. Returns how much of it was
    /// taken.
    fn scan(
        &mut self,
        piece: &[u8],
        read: &mut impl FnMut(Block<'_>) -> Result<(), Broken>,
    ) -> Result<usize, Broken> {
        // Most streams are nothing but text, of which only the last line can be cut.
        if piece.len() <= RECORD_BYTES_MAX && memchr(MAGIC, piece).is_none() {
            let whole = memrchr(b'\n', piece).map_or(0, |at| at + 1);
            if whole > 0 {
                read(Block::Lines(&piece[..whole]))?;
            }
            self.rest.extend_from_slice(&piece[whole..]);
            return Ok(piece.len());
        }
        let mut at = 0;
        let extent = loop {
            match Extent::of(&piece[at..]) {
                Extent::Whole(bytes) => at += bytes,
                other => break other,
            }
        };
        if matches!(extent, Extent::Broken) {
            // `read` finds what is broken; whatever it makes of it, the stream ends here.
            read(Block::Mixed(piece))?;
            return Err(Broken);
        }
        if at > 0 {
            read(Block::Mixed(&piece[..at]))?;
        }
        match extent {
            Extent::Whole(_) | Extent::Broken => unreachable!("the loop and the arm above"),
            Extent::Partial => {
                self.rest.extend_from_slice(&piece[at..]);
                Ok(piece.len())
            }
            Extent::TooLong(then) => {
                read(Block::TooLong(&piece[at..]))?;
                self.state = then;
                Ok(at)
            }
        }
    }

    /// Adds to the line or frame that `rest` begins, and reads it once it is whole. Returns how much
    /// of the piece was taken.
    fn complete(
        &mut self,
        piece: &[u8],
        read: &mut impl FnMut(Block<'_>) -> Result<(), Broken>,
    ) -> Result<usize, Broken> {
        if self.rest[0] != MAGIC {
            let end = memchr(b'\n', piece);
            if self.rest.len() + end.unwrap_or(piece.len()) > RECORD_BYTES_MAX {
                read(Block::TooLong(&self.rest))?;
                self.go_on(State::SkippingLine);
                return Ok(0);
            }
            let part = &piece[..end.map_or(piece.len(), |at| at + 1)];
            self.rest.extend_from_slice(part);
            if end.is_some() {
                read(Block::Lines(&self.rest))?;
                self.go_on(State::Reading);
            }
            return Ok(part.len());
        }
        let mut taken = 0;
        let length = loop {
            match frame::length(&self.rest) {
                Some(Ok(length)) => break length,
                Some(Err(broken)) => {
                    read(Block::Mixed(&self.rest))?;
                    return Err(broken);
                }
                None if taken == piece.len() => return Ok(taken),
                None => {
                    self.rest.push(piece[taken]);
                    taken += 1;
                }
            }
        };
        let missing = length - self.rest.len();
        if length > RECORD_BYTES_MAX {
            read(Block::TooLong(&self.rest))?;
            self.go_on(State::SkippingFrame(missing));
            return Ok(taken);
        }
        let part = &piece[taken..];
        let part = &part[..missing.min(part.len())];
        self.rest.extend_from_slice(part);
        if part.len() == missing {
            read(Block::Mixed(&self.rest))?;
            self.go_on(State::Reading);
        }
        Ok(taken + part.len())
    }

    /// Nothing is kept any more; an idle connection gives its memory back.
    fn go_on(&mut self, state: State) {
        self.state = state;
        self.rest.clear();
        if self.rest.capacity() > IDLE_BYTES_MAX {
            self.rest = Vec::new();
        }
    }

    fn skip_line(&mut self, piece: &[u8]) -> usize {
        match memchr(b'\n', piece) {
            None => piece.len(),
            Some(end) => {
                self.state = State::Reading;
                end + 1
            }
        }
    }

    fn skip_frame(&mut self, piece: &[u8], left: usize) -> usize {
        let skipped = left.min(piece.len());
        self.state = match left - skipped {
            0 => State::Reading,
            left => State::SkippingFrame(left),
        };
        skipped
    }
}

/// How far the line or frame reaches that a text begins with.
enum Extent {
    /// So many bytes, its line feed included.
    Whole(usize),
    /// Its end is not there yet.
    Partial,
    Broken,
    /// It is longer than may be; to skip it begins like this.
    TooLong(State),
}

impl Extent {
    fn of(text: &[u8]) -> Extent {
        if text.first() == Some(&MAGIC) {
            return match frame::length(text) {
                None => Extent::Partial,
                Some(Err(Broken)) => Extent::Broken,
                Some(Ok(length)) if length > RECORD_BYTES_MAX => {
                    Extent::TooLong(State::SkippingFrame(length))
                }
                Some(Ok(length)) if length > text.len() => Extent::Partial,
                Some(Ok(length)) => Extent::Whole(length),
            };
        }
        let end = memchr(b'\n', text);
        match end {
            _ if end.unwrap_or(text.len()) > RECORD_BYTES_MAX => {
                Extent::TooLong(State::SkippingLine)
            }
            Some(end) => Extent::Whole(end + 1),
            None => Extent::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Refusal, Sample, Samples};
    use crate::protocol::{LineCounts, Record, read_block};
    use crate::simd::Baseline;

    /// What a record is told, with the bits of values, in order.
    #[derive(Debug, Default, PartialEq)]
    struct Journal(Vec<String>);

    impl<'a> Record<'a> for Journal {
        fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
            self.0.push(format!("{samples:?}"));
            Ok(())
        }

        fn refuse(&mut self, reason: Refusal, _line: &[u8]) {
            self.0.push(reason.word().to_owned());
        }

        fn sample(&mut self, sample: &Sample<'a>) {
            self.0.push(format!("{:?}", sample.as_samples()));
        }
    }

    type Read = (Journal, LineCounts, Result<(), Broken>);

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
        let (mut journal, mut counts) = (Journal::default(), LineCounts::default());
        let mut framing = Framing::default();
        let mut broken = Ok(());
        for piece in pieces {
            broken = framing.feed(piece, |block| {
                read_block(Baseline, block, &mut counts, &mut journal)
            });
            let kept = framing.rest.len();
            assert!(kept <= RECORD_BYTES_MAX, "{kept} bytes are kept");
        }
        let end = framing.finish(|block| read_block(Baseline, block, &mut counts, &mut journal));
        (journal, counts, broken.and(end))
    }

    fn frame(wire_type: u8, value: f64, key: &[u8]) -> Vec<u8> {
        let key_bytes = (key.len() as u16).to_le_bytes();
        let header = [&[MAGIC, wire_type][..], &key_bytes, &value.to_le_bytes()];
        [&header.concat()[..], key].concat()
    }

    fn set(key_bytes: u16, member_bytes: u16) -> Vec<u8> {
        let lengths = [key_bytes, member_bytes].map(u16::to_le_bytes);
        let text = |bytes: u16| [&vec![b'x'; usize::from(bytes) - 1][..], b"\0"].concat();
        let header = [&[MAGIC, 4][..], &lengths.concat()].concat();
        [header, text(key_bytes), text(member_bytes)].concat()
    }

    /// Lines and frames of all kinds, good and bad, with and without what separates them.
    fn inputs() -> Vec<Vec<u8>> {
        let line = |bytes: usize| [&vec![b'n'; bytes - 4][..], b":1|c"].concat();
        let texts = [
            b"a:1|c\nb:2|ms\r\n\n c:3|g|#t:v\nx\nlast:1|c".to_vec(),
            b"\xc2\xaa:1|c\n \xaa:1|c\n".to_vec(),
            [frame(2, 1.0, b"a\0"), frame(6, -1.0, b"g\0")].concat(),
            [b"a:1|c\n".to_vec(), set(3, 4), b"\nb:1|c".to_vec()].concat(),
            [
                frame(1, 0.5, b"k\0"),
                b"b:1|c\n".to_vec(),
                frame(3, f64::NAN, b"t\0"),
            ]
            .concat(),
            [
                frame(2, 1.0, b"a\0"),
                frame(9, 1.0, b"a\0"),
                b"\nb:1|c\n".to_vec(),
            ]
            .concat(),
            [
                b"b:1|c\n".to_vec(),
                frame(2, 1.0, b"ab"),
                b"\nb:1|c\n".to_vec(),
            ]
            .concat(),
            frame(2, 1.0, b"a.long.key\0")[..15].to_vec(),
            [line(RECORD_BYTES_MAX), b"\na:1|c\n".to_vec()].concat(),
            [line(RECORD_BYTES_MAX + 1), b"\na:1|c\n".to_vec()].concat(),
            [b"b:1|c\n".to_vec(), line(RECORD_BYTES_MAX + 1)].concat(),
            [set(60_000, 5_530), b"a:1|c\n".to_vec()].concat(),
            [b"b:1|c\n".to_vec(), set(60_000, 5_531), b"a:1|c\n".to_vec()].concat(),
            set(65_535, 65_535),
        ];
        // Miri takes minutes for a long line. The short ones come first.
        let is_taken = |text: &Vec<u8>| !cfg!(miri) || text.len() < 1_000;
        texts.into_iter().filter(is_taken).collect()
    }

    #[test]
    fn any_cut_gives_the_same_as_the_whole() {
        for input in inputs() {
            let whole = read([&input[..]]);
            let start = input[..input.len().min(40)].escape_ascii().to_string();
            for size in [1, 2, 3, 5, 7, 11, 4_096, 65_535, 65_536, 65_537] {
                assert_eq!(read(input.chunks(size)), whole, "{start}: pieces of {size}");
            }
            let last = input.len() - 1;
            let cuts = (1..40.min(last)).step_by(if cfg!(miri) { 13 } else { 1 });
            for cut in cuts.chain([last / 2, last - 7.min(last), last]) {
                let (head, tail) = input.split_at(cut);
                assert_eq!(read([head, tail]), whole, "{start}: cut at {cut}");
            }
        }
    }

    fn outcome(input: &[u8]) -> (usize, Vec<String>, bool) {
        let (journal, _, end) = read([input]);
        let refused = ["too_long", "bad_frame", "bad_value", "no_value"];
        let (refused, taken): (Vec<_>, Vec<_>) = journal
            .0
            .into_iter()
            .partition(|told| refused.contains(&told.as_str()));
        (taken.len(), refused, end.is_err())
    }

    #[test]
    fn a_bad_line_costs_itself_and_a_broken_frame_the_rest_of_its_stream() {
        let expected = [
            (4, vec!["no_value"], false),
            (2, vec![], false),
            (2, vec![], false),
            (3, vec![], false),
            (2, vec!["bad_value"], false),
            (1, vec!["bad_frame"], true),
            (1, vec!["bad_frame"], true),
            (0, vec!["bad_frame"], true),
            (2, vec![], false),
            (1, vec!["too_long"], false),
            (1, vec!["too_long"], false),
            (2, vec![], false),
            (2, vec!["too_long"], false),
            (0, vec!["too_long"], false),
        ];
        for (input, expected) in inputs().iter().zip(expected) {
            let (taken, refused, is_broken) = outcome(input);
            let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
            let start = input[..input.len().min(40)].escape_ascii().to_string();
            assert_eq!((taken, refused, is_broken), expected, "{start}");
        }
    }

    #[test]
    fn a_stream_that_is_broken_is_not_read_any_more() {
        let mut framing = Framing::default();
        let mut counts = LineCounts::default();
        let mut journal = Journal::default();
        let mut feed = |piece: &[u8]| {
            framing.feed(piece, |block| {
                read_block(Baseline, block, &mut counts, &mut journal)
            })
        };
        assert_eq!(feed(b"\xaa\xaa"), Err(Broken));
        assert_eq!(feed(b"a:1|c\n"), Err(Broken));
        assert_eq!(journal.0, ["bad_frame"]);
    }

    #[test]
    fn a_stream_gives_the_memory_of_a_long_line_back() {
        let mut framing = Framing::default();
        let nothing = |_: Block<'_>| Ok(());
        let long = vec![b'x'; if cfg!(miri) { 5_000 } else { 60_000 }];
        framing.feed(&long, nothing).expect("text");
        assert!(framing.rest.capacity() >= long.len());
        framing.feed(b"\n", nothing).expect("text");
        assert_eq!(framing.rest.capacity(), 0);
    }
}
