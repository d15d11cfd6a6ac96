//! Reads the path of a Unix socket with its mode: `/run/ringstat.sock?mode=0660`.

use std::fmt;
use std::path::PathBuf;

use super::address::Fault;

/// The kernel keeps a path in 108 bytes, of which a terminating zero takes one (unix(7)).
const PATH_BYTES_MAX: usize = 107;

/// A Unix socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SocketPath {
    /// Where it is made; what is relative begins where the daemon was started.
    pub path: PathBuf,
    /// Its permission bits; none for what the umask leaves.
    pub mode: Option<u32>,
}

impl fmt::Display for SocketPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        match self.mode {
            Some(mode) => write!(formatter, "?mode={mode:04o}"),
            None => Ok(()),
        }
    }
}

impl SocketPath {
    /// Reads `PATH[?mode=0660]`, where the path may begin with `//` in the manner of a URL.
    pub(super) fn parse(text: &str) -> Result<SocketPath, Fault> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let path = match path.strip_prefix("//") {
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        };
        if path.is_empty() || path.ends_with('/') {
            return Err(Fault::NoPath);
        }
        if path.contains('\0') || path.len() > PATH_BYTES_MAX {
            return Err(Fault::LongPath(path.len()));
        }
        Ok(SocketPath {
            path: PathBuf::from(path),
            mode: query.map(parse_mode).transpose()?,
        })
    }
}

fn parse_mode(query: &str) -> Result<u32, Fault> {
    let bits = query
        .strip_prefix("mode=")
        .filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|bits| u32::from_str_radix(bits, 8).ok());
    match bits {
        Some(mode) if mode <= 0o777 => Ok(mode),
        _ => Err(Fault::Mode(query.to_owned())),
    }
}
