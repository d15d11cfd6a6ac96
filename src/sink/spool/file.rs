//! The format of a spool's file: the bytes of a slot in zstd frames, so that `zstdcat` gives them back,
//! and the numbers of their lines in skippable frames, which it leaves out.
//!
//! A file begins with a head (its length and the lines of all parts); each part follows as one block or
//! more: a skippable frame with lines and sizes, and a frame with a checksum. Frames and skippable
//! frames are those of RFC 8878, numbers are little-endian.

use std::io::{self, Read, Seek, SeekFrom, Write};

use bytes::{Bytes, BytesMut};
use zstd::bulk::{Compressor, Decompressor};

use crate::sink::Part;
use crate::sink::address::SinkKind;

/// What the bytes of a sink are made of: a part is whole if it ends where one of these does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Lines of text.
    Lines,
    /// Messages with their length in four bytes in front, high byte first.
    Messages,
    /// Anything.
    Opaque,
}

impl From<SinkKind> for Framing {
    fn from(kind: SinkKind) -> Framing {
        match kind {
            SinkKind::GraphiteText | SinkKind::Console | SinkKind::CommandText => Framing::Lines,
            SinkKind::GraphitePickle => Framing::Messages,
            SinkKind::CommandBinary | SinkKind::CommandPrefixedBinary => Framing::Opaque,
        }
    }
}

impl Framing {
    fn ends_whole(self, bytes: &[u8]) -> bool {
        match self {
            Framing::Lines => bytes.ends_with(b"\n"),
            Framing::Messages => {
                let mut rest = bytes;
                while let Some((size, behind)) = rest.split_first_chunk::<4>() {
                    let size = u32::from_be_bytes(*size) as usize;
                    match behind.get(size..) {
                        Some(behind) => rest = behind,
                        None => return false,
                    }
                }
                rest.is_empty()
            }
            Framing::Opaque => true,
        }
    }
}

/// What a head says of its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Lines of all parts.
    pub lines: u64,
    /// The length of the file, the head included.
    pub bytes: u64,
}

impl Head {
    /// Reads the head of a file that has so many bytes.
    ///
    /// # Errors
    /// If it cannot be read, or is none, or that of a file of another length.
    pub fn read(file: &mut impl Read, bytes: u64) -> io::Result<Head> {
        let mut head = [0; HEAD_BYTES as usize];
        file.read_exact(&mut head)?;
        let (head, checksum) = head.split_at(head.len() - 8);
        if !head.starts_with(&HEAD_START) || number(checksum) != checksum_of(head) {
            return Err(damaged("it does not begin as a file of a spool"));
        }
        let head = Head {
            lines: number(&head[HEAD_START.len()..][..8]),
            bytes: number(&head[HEAD_START.len() + 8..]),
        };
        if head.bytes != bytes || head.lines > LINES_MAX {
            return Err(damaged("it has not the length that it should have"));
        }
        Ok(head)
    }

    /// Writes it to where the file begins.
    ///
    /// # Errors
    /// If that fails.
    pub fn write(self, file: &mut impl Write) -> io::Result<()> {
        let mut head = Vec::with_capacity(HEAD_BYTES as usize);
        head.extend_from_slice(&HEAD_START);
        head.extend_from_slice(&self.lines.to_le_bytes());
        head.extend_from_slice(&self.bytes.to_le_bytes());
        head.extend_from_slice(&checksum_of(&head).to_le_bytes());
        file.write_all(&head)
    }
}

/// Writes parts as blocks.
pub struct BlockWriter {
    compressor: Compressor<'static>,
    plain: Vec<u8>,
}

impl BlockWriter {
    /// # Errors
    /// If there is no memory for it.
    pub fn new() -> io::Result<BlockWriter> {
        let mut compressor = Compressor::new(COMPRESSION_LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(BlockWriter {
            compressor,
            plain: Vec::new(),
        })
    }

    /// Writes a part. Returns how many bytes that took.
    ///
    /// # Errors
    /// If that fails, or a chunk is too large.
    pub fn write(&mut self, file: &mut impl Write, part: &Part) -> io::Result<u64> {
        // The first block has the lines: there is no telling how many are in which.
        let mut lines = part.lines;
        let mut bytes = 0;
        for chunk in &part.chunks {
            if self.plain.len() + chunk.len() > PLAIN_BYTES_USUAL && !self.plain.is_empty() {
                bytes += self.write_block(file, std::mem::take(&mut lines))?;
            }
            self.plain.extend_from_slice(chunk);
        }
        if !self.plain.is_empty() {
            bytes += self.write_block(file, lines)?;
        }
        Ok(bytes)
    }

    fn write_block(&mut self, file: &mut impl Write, lines: u64) -> io::Result<u64> {
        let plain = std::mem::take(&mut self.plain);
        if plain.len() > PLAIN_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let packed = self.compressor.compress(&plain)?;
        let mut block = Vec::with_capacity(BLOCK_HEAD_BYTES);
        block.extend_from_slice(&BLOCK_START);
        block.extend_from_slice(&lines.to_le_bytes());
        // Both fit: they are checked, and zstd adds little to what it cannot compress.
        block.extend_from_slice(&(plain.len() as u32).to_le_bytes());
        block.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        file.write_all(&block)?;
        file.write_all(&packed)?;
        self.plain = plain;
        self.plain.clear();
        Ok((block.len() + packed.len()) as u64)
    }
}

/// Blocks that were read.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Their lines.
    pub lines: u64,
    /// Their bytes; whole lines or messages.
    pub bytes: Bytes,
    /// Where the next one begins; none at the end.
    pub next: Option<u64>,
}

/// Reads the block at an offset of a file of so many bytes, or with `all` those behind it, too.
///
/// # Errors
/// If that fails. [`io::ErrorKind::InvalidData`] if there is no block there that is whole.
pub fn read_blocks(
    file: &mut (impl Read + Seek),
    file_bytes: u64,
    offset: u64,
    framing: Framing,
    all: bool,
) -> io::Result<Blocks> {
    file.seek(SeekFrom::Start(offset))?;
    let mut at = offset;
    let mut lines: u64 = 0;
    let mut bytes = BytesMut::new();
    while at < file_bytes && (all || at == offset) {
        let mut head = [0; BLOCK_HEAD_BYTES];
        file.read_exact(&mut head)?;
        let Some(sizes) = head.strip_prefix(&BLOCK_START) else {
            return Err(damaged("a part does not begin where it should"));
        };
        let block_lines = number(&sizes[..8]);
        let plain_bytes = number(&sizes[8..12]) as usize;
        let packed_bytes = number(&sizes[12..]);
        at += BLOCK_HEAD_BYTES as u64 + packed_bytes;
        let is_possible = at <= file_bytes && plain_bytes <= PLAIN_BYTES_MAX;
        if !is_possible || block_lines > LINES_MAX {
            return Err(damaged("a part has a size that it cannot have"));
        }
        let mut packed = vec![0; packed_bytes as usize];
        file.read_exact(&mut packed)?;
        let plain = Decompressor::new()?.decompress(&packed, plain_bytes);
        let plain = plain.map_err(|error| damaged(&format!("zstd: {error}")))?;
        if plain.len() != plain_bytes {
            return Err(damaged("a part has not the length that it should have"));
        }
        lines += block_lines;
        bytes.extend_from_slice(&plain);
    }
    if bytes.is_empty() || !framing.ends_whole(&bytes) {
        return Err(damaged("a part ends in the middle of a line"));
    }
    Ok(Blocks {
        lines,
        bytes: bytes.freeze(),
        next: Some(at).filter(|at| *at < file_bytes),
    })
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A number of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    let places = bytes.iter().rev();
    places.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// FNV-1a (RFC 9923): enough for a head that was overwritten, and stable from version to version.
pub(super) fn checksum_of(bytes: &[u8]) -> u64 {
    let offset = 0xcbf2_9ce4_8422_2325;
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(offset, add)
}

/// The length of a head, behind which the first block begins.
pub const HEAD_BYTES: u64 = HEAD_START.len() as u64 + 3 * 8;

/// A skippable frame of 32 bytes, of which the first eight name us and the version of the format.
const HEAD_START: [u8; 16] = *b"\x5a\x2a\x4d\x18\x20\0\0\0ringspl\x01";

/// A skippable frame of 16 bytes.
const BLOCK_START: [u8; 8] = *b"\x5b\x2a\x4d\x18\x10\0\0\0";

const BLOCK_HEAD_BYTES: usize = BLOCK_START.len() + 16;

/// Quick, and Graphite's lines still shrink to an eighth or so.
const COMPRESSION_LEVEL: i32 = 1;

/// A block ends behind the chunk with which it would be longer than this.
const PLAIN_BYTES_USUAL: usize = 1 << 20;

/// What a block may hold at most, which bounds the memory that a strange file can ask for.
const PLAIN_BYTES_MAX: usize = 16 << 20;

/// More than a file can hold; sums of what heads say must not overflow.
const LINES_MAX: u64 = 1 << 40;
