//! The texts of spellings, in one block of memory.

/// No record: the end of a chain.
pub(super) const NONE: u32 = u32::MAX;

/// Which table a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name as clients spelled it.
    Spelling,
    /// The safe name of a series that nobody spelled so yet.
    SafeName,
}

/// A record is a header, the name and the tags, in steps of [`STEP_BYTES`]; freed records are used
/// again for texts of their size.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// Freed records by their size in steps.
    free: Vec<Vec<u32>>,
    free_bytes: usize,
}

/// A record, read.
pub(super) struct Record<'a> {
    /// The record before it of the same series.
    pub(super) next: u32,
    pub(super) kind: Kind,
    pub(super) name: &'a [u8],
    pub(super) tags: &'a [u8],
}

const STEP_BYTES: usize = 8;

/// `next`, then the lengths of name and tags with the kind in the top bit, all little endian.
const HEADER_BYTES: usize = 8;

const LENGTHS_AT: usize = 4;
const TAGS_SHIFT: u32 = 16;
const SAFE_NAME_BIT: u32 = 1 << 31;

/// So much may be free at any rate.
pub(super) const FREE_BYTES_MIN: usize = 16 << 20;

/// Memory grows by this share of what there is: doubling would leave half of it unused.
const GROWTH_SHARE: usize = 8;

impl Texts {
    /// Records are numbered by steps, so that 32 bits reach 32 GiB.
    #[inline(always)]
    fn at(record: u32) -> usize {
        record as usize * STEP_BYTES
    }

    /// The memory in use or free, in bytes.
    #[cfg(test)]
    pub(super) fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The memory of records in use, in bytes.
    pub(super) fn live_bytes(&self) -> usize {
        self.bytes.len() - self.free_bytes
    }

    /// Whether another spelling fits.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() / STEP_BYTES + super::name::SPELLING_BYTES_MAX < NONE as usize
    }

    /// Whether more is free than in use.
    pub(super) fn is_sparse(&self) -> bool {
        self.free_bytes > (self.bytes.len() / 2).max(FREE_BYTES_MIN)
    }

    /// Asks for the memory of a record whose texts have so many bytes.
    #[inline(always)]
    pub(super) fn prefetch(&self, record: u32, text_bytes: usize) {
        let at = Texts::at(record);
        crate::simd::prefetch(&self.bytes, at);
        crate::simd::prefetch(&self.bytes, at + HEADER_BYTES - 1 + text_bytes);
    }

    /// Whether a record holds this name and these tags.
    #[inline(always)]
    pub(super) fn is(&self, record: u32, name: &[u8], tags: &[u8]) -> bool {
        let text_at = Texts::at(record) + HEADER_BYTES;
        let name_end = text_at + name.len();
        let Some((header, text)) = self
            .bytes
            .get(text_at - HEADER_BYTES..name_end)
            .and_then(|record| record.split_first_chunk())
        else {
            return false;
        };
        lengths_of(header) & !SAFE_NAME_BIT == lengths(name, tags)
            && same(text, name)
            && (tags.is_empty() || self.bytes[name_end..name_end + tags.len()] == *tags)
    }

    /// Keeps a spelling, which has at most [`super::SPELLING_BYTES_MAX`] bytes. Returns its record.
    pub(super) fn put(&mut self, next: u32, kind: Kind, name: &[u8], tags: &[u8]) -> u32 {
        let text_bytes = name.len() + tags.len();
        let steps = (HEADER_BYTES + text_bytes).div_ceil(STEP_BYTES);
        let record = match self.free.get_mut(steps).and_then(Vec::pop) {
            Some(record) => {
                self.free_bytes -= steps * STEP_BYTES;
                record
            }
            None => self.append(steps),
        };
        let (header, text) = self.bytes[Texts::at(record)..].split_at_mut(HEADER_BYTES);
        let kind_bit = match kind {
            Kind::Spelling => 0,
            Kind::SafeName => SAFE_NAME_BIT,
        };
        header[..LENGTHS_AT].copy_from_slice(&next.to_le_bytes());
        header[LENGTHS_AT..].copy_from_slice(&(lengths(name, tags) | kind_bit).to_le_bytes());
        text[..name.len()].copy_from_slice(name);
        text[name.len()..text_bytes].copy_from_slice(tags);
        record
    }

    fn append(&mut self, steps: usize) -> u32 {
        let (record, step_bytes) = (self.bytes.len() / STEP_BYTES, steps * STEP_BYTES);
        if self.bytes.capacity() - self.bytes.len() < step_bytes {
            let more_bytes = step_bytes.max(self.bytes.len() / GROWTH_SHARE);
            self.bytes.reserve_exact(more_bytes);
        }
        self.bytes.resize(self.bytes.len() + step_bytes, 0);
        u32::try_from(record).expect("has_room was asked")
    }

    /// Reads a record.
    pub(super) fn get(&self, record: u32) -> Record<'_> {
        let (header, text) = self.bytes[Texts::at(record)..]
            .split_first_chunk::<HEADER_BYTES>()
            .expect("a record has a header");
        let (next, _) = header.split_first_chunk().expect("8 bytes hold 4");
        let lengths = lengths_of(header);
        let (name_bytes, tags_bytes) = (
            lengths as u16,
            ((lengths & !SAFE_NAME_BIT) >> TAGS_SHIFT) as u16,
        );
        let (name, behind) = text.split_at(usize::from(name_bytes));
        Record {
            next: u32::from_le_bytes(*next),
            kind: match lengths & SAFE_NAME_BIT {
                0 => Kind::Spelling,
                _ => Kind::SafeName,
            },
            name,
            tags: &behind[..usize::from(tags_bytes)],
        }
    }

    /// What a record takes, in bytes.
    pub(super) fn size_of(&self, record: u32) -> usize {
        let Record { name, tags, .. } = self.get(record);
        (HEADER_BYTES + name.len() + tags.len()).next_multiple_of(STEP_BYTES)
    }

    /// Gives a record up.
    pub(super) fn free(&mut self, record: u32) {
        let steps = self.size_of(record) / STEP_BYTES;
        if self.free.len() <= steps {
            self.free.resize_with(steps + 1, Vec::new);
        }
        self.free[steps].push(record);
        self.free_bytes += steps * STEP_BYTES;
    }
}

/// The lengths of name and tags as a header has them: both are below 2^15.
#[inline(always)]
fn lengths(name: &[u8], tags: &[u8]) -> u32 {
    name.len() as u32 | (tags.len() as u32) << TAGS_SHIFT
}

#[inline(always)]
fn lengths_of(header: &[u8; HEADER_BYTES]) -> u32 {
    let (_, lengths) = header.split_last_chunk().expect("8 bytes hold 4");
    u32::from_le_bytes(*lengths)
}

/// Whether two texts of the same length are equal: two overlapping blocks in line for names of
/// usual length, as a call of memcmp takes 9 instructions more (bench `instructions`).
#[inline(always)]
fn same(one: &[u8], two: &[u8]) -> bool {
    match (one.first_chunk::<16>(), two.first_chunk::<16>()) {
        (Some(one_start), Some(two_start)) if one.len() <= 32 => {
            let word = |bytes: &[u8; 16]| u128::from_ne_bytes(*bytes);
            let ends = one.last_chunk().zip(two.last_chunk());
            let end = ends.map_or(0, |(one, two)| word(one) ^ word(two));
            (word(one_start) ^ word(two_start)) | end == 0
        }
        _ => one == two,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_only_if_every_byte_is() {
        for length in 0..if cfg!(miri) { 36 } else { 100 } {
            let text: Vec<u8> = (0..length).collect();
            assert!(same(&text, &text.clone()), "{length}");
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!same(&text, &other), "byte {at} of {length}");
            }
        }
    }

    #[test]
    fn a_record_gives_back_what_was_put_into_it() {
        let mut texts = Texts::default();
        let long = [b'x'; super::super::SPELLING_BYTES_MAX];
        let cases: [(&[u8], &[u8], Kind); 5] = [
            (b"", b"", Kind::Spelling),
            (b"a", b"", Kind::SafeName),
            (b"a.name.of.more.than.16", b"k:v", Kind::Spelling),
            (&long, b"", Kind::SafeName),
            (b"a", &long[1..], Kind::Spelling),
        ];
        let records = cases.map(|(name, tags, kind)| texts.put(7, kind, name, tags));
        for ((name, tags, kind), record) in cases.into_iter().zip(records) {
            let read = texts.get(record);
            assert_eq!((read.next, read.kind), (7, kind));
            assert_eq!((read.name, read.tags), (name, tags));
            assert!(texts.is(record, name, tags));
            assert!(!texts.is(record, b"a.name.of.more.than.17", tags));
        }
        assert!(!texts.is(records[2], b"a.name.of.more.than.16", b""));
        assert!(!texts.is(records[2], b"a.name.of.more.than.16", b"k:w"));
        assert!(!texts.is(records[2], b"a.name.of.more.than.1", b"6k:v"));
    }
}
