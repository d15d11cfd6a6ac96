//! Names in pages, one behind the other: a flush walks over them in the order of their slots, and
//! an allocation each would cost more than the name.

/// The name of a merged series, and the tags in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesName<'a> {
    /// The name without its tags.
    pub path: &'a [u8],
    /// The tags, each with the `;` before it.
    pub tags: &'a [u8],
}

impl<'a> SeriesName<'a> {
    /// Finds the tags of a name.
    pub fn new(name: &'a [u8]) -> SeriesName<'a> {
        let (path, tags) = name.split_at(path_bytes(name));
        SeriesName { path, tags }
    }
}

/// Where a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextId {
    pub(super) page: u32,
    /// In the page, in units of [`UNIT_BYTES`].
    pub(super) unit: u16,
}

/// Texts of names.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// In each text four bytes come first: how long the name is, and how much of it are not tags.
    pages: Vec<Vec<u8>>,
    live_bytes: usize,
    removed_bytes: usize,
}

/// The size of a page. Names are far shorter, so that little is left over at its end.
const PAGE_BYTES: usize = 64 << 10;

/// Texts begin at multiples of this, so that 16 bits are enough for a place in a page.
const UNIT_BYTES: usize = 4;

const HEADER_BYTES: usize = 4;

const _: () = assert!(PAGE_BYTES / UNIT_BYTES <= 1 << u16::BITS);

/// Bytes of removed texts that are let be.
const REMOVED_BYTES_MIN: usize = 16 << 20;

impl Texts {
    /// Takes a name.
    pub(super) fn push(&mut self, name: &[u8]) -> TextId {
        let size_bytes = text_bytes(name);
        let fits = |page: &Vec<u8>| page.len() + size_bytes <= PAGE_BYTES;
        if !self.pages.last().is_some_and(fits) {
            self.pages.push(Vec::with_capacity(PAGE_BYTES));
        }
        let number = self.pages.len() - 1;
        let page = &mut self.pages[number];
        let id = TextId {
            page: u32::try_from(number).expect("no machine has so much memory"),
            unit: (page.len() / UNIT_BYTES) as u16,
        };
        for bytes in [name.len(), path_bytes(name)] {
            let bytes = u16::try_from(bytes).expect("a name has 1,024 bytes at most");
            page.extend_from_slice(&bytes.to_le_bytes());
        }
        page.extend_from_slice(name);
        page.resize(page.len().next_multiple_of(UNIT_BYTES), 0);
        self.live_bytes += size_bytes;
        id
    }

    /// A name and its tags. Hot path of a flush.
    #[inline]
    pub(super) fn get(&self, id: TextId) -> SeriesName<'_> {
        let (path_bytes, name) = self.read(id);
        let (path, tags) = name.split_at(path_bytes);
        SeriesName { path, tags }
    }

    /// A name with its tags.
    #[inline]
    pub(super) fn whole(&self, id: TextId) -> &[u8] {
        self.read(id).1
    }

    #[inline]
    fn read(&self, id: TextId) -> (usize, &[u8]) {
        let text = &self.pages[id.page as usize][usize::from(id.unit) * UNIT_BYTES..];
        let (header, rest) = text.split_at(HEADER_BYTES);
        let name_bytes = u16::from_le_bytes([header[0], header[1]]);
        let path_bytes = u16::from_le_bytes([header[2], header[3]]);
        (path_bytes.into(), &rest[..name_bytes.into()])
    }

    /// Forgets a name; its bytes stay until all are put together anew.
    pub(super) fn remove(&mut self, id: TextId) {
        let size_bytes = text_bytes(self.whole(id));
        self.live_bytes -= size_bytes;
        self.removed_bytes += size_bytes;
    }

    /// Whether more than half of the memory is of removed names, and that is worth the work.
    pub(super) fn is_wasteful(&self) -> bool {
        self.removed_bytes > self.live_bytes.max(REMOVED_BYTES_MIN)
    }

    #[cfg(test)]
    pub(super) fn size_bytes(&self) -> usize {
        self.pages.len() * PAGE_BYTES
    }
}

/// How much of a name comes before its tags.
fn path_bytes(name: &[u8]) -> usize {
    memchr::memchr(b';', name).unwrap_or(name.len())
}

/// What a name takes.
fn text_bytes(name: &[u8]) -> usize {
    (HEADER_BYTES + name.len()).next_multiple_of(UNIT_BYTES)
}
