//! The memory of a daemon, which a process may read and write if it may trace it, as a parent may
//! (ptrace(2), "Ptrace access mode checking").

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::daemon::Daemon;
use super::skip;

/// The memory of a daemon that lives.
pub(crate) struct Memory {
    file: File,
}

/// A part of an address space, as proc_pid_maps(5) has it.
pub(crate) struct Mapping {
    pub(crate) addresses: Range<u64>,
    /// Whether it is memory that can be written, and the process's own: neither shared nor of a file.
    pub(crate) is_own: bool,
    /// From where on the file is mapped, if it is a file.
    pub(crate) offset_bytes: u64,
    pub(crate) inode: u64,
}

impl Memory {
    /// None where tracing is forbidden even to a parent, as Yama can (`kernel.yama.ptrace_scope`).
    pub(crate) fn of(daemon: &Daemon) -> Option<Memory> {
        let path = daemon.proc_path("mem");
        match File::options().read(true).write(true).open(path) {
            Ok(file) => Some(Memory { file }),
            Err(error) => {
                skip(&format!("the memory of a child is not to be had: {error}"));
                None
            }
        }
    }

    /// # Errors
    /// EIO if something there cannot be read.
    pub(crate) fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, address)
    }

    /// The numbers from an address on.
    ///
    /// # Panics
    /// If they cannot be read.
    pub(crate) fn words<const COUNT: usize>(&self, address: u64) -> [u32; COUNT] {
        let mut bytes = [[0; 4]; COUNT];
        self.read(address, bytes.as_flattened_mut())
            .expect("it is mapped");
        bytes.map(u32::from_ne_bytes)
    }

    /// # Panics
    /// If it cannot be written.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) {
        self.file
            .write_all_at(bytes, address)
            .expect("it is mapped");
    }
}

/// All mappings of a daemon.
pub(crate) fn mappings(daemon: &Daemon) -> Vec<Mapping> {
    let maps = fs::read_to_string(daemon.proc_path("maps")).expect("the daemon lives");
    maps.lines().map(mapping).collect()
}

/// Reads `start-end rw-p offset device inode path`.
fn mapping(line: &str) -> Mapping {
    let number = |text: &str| u64::from_str_radix(text, 16).expect("a hexadecimal number");
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [addresses, rights, offset, _, inode, ..] = fields[..] else {
        panic!("not a mapping: {line}");
    };
    let (start, end) = addresses.split_once('-').expect("from and to");
    Mapping {
        addresses: number(start)..number(end),
        is_own: rights.starts_with("rw-p") || rights.starts_with("rwxp"),
        offset_bytes: number(offset),
        inode: inode.parse().expect("a number"),
    }
}
