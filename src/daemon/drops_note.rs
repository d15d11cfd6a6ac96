//! The note of how many datagrams of each socket the kernel had dropped when an earlier process counted
//! last: a line with a cookie and a number for each. It lies in the service manager's store, and beside the
//! state file, for sockets of a unit without a store.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::flusher::replace_file;
use crate::service::Store;

/// The name of the note in the store.
pub(super) const IN_STORE: &str = "store/drops";

/// More than the note of any daemon: 32 bytes for each socket.
const BYTES_MAX: u64 = 1 << 16;

/// What had been dropped, by the socket's cookie, which is its own for as long as the machine runs
/// (socket(7), SO_COOKIE). Before Linux 5.4 it is so within one network namespace only, and a socket of
/// another one may have it, too ("sock: make cookie generation global instead of per netns").
pub(super) type Drops = HashMap<u64, u32>;

/// Reads what the store has kept.
pub(super) fn from_store(note: OwnedFd) -> Drops {
    let (mut text, note) = (String::new(), UnixStream::from(note));
    // All of it is there. Half a note is better than none.
    let _ = note.set_nonblocking(true);
    let _ = note.take(BYTES_MAX).read_to_string(&mut text);
    read(&text)
}

/// Leaves the note in the store.
pub(super) fn leave_in_store(store: Store, counted: &[(u64, u32)]) -> io::Result<()> {
    // What one end was told waits in the other, which the store keeps.
    let (mut told, kept) = UnixStream::pair()?;
    io::Write::write_all(&mut told, text(counted).as_bytes())?;
    store.keep(IN_STORE, kept);
    Ok(())
}

/// Where the note lies beside a state file.
pub(super) fn beside(state_file: &Path) -> PathBuf {
    let mut path = state_file.as_os_str().to_owned();
    path.push(".drops");
    path.into()
}

/// Reads the note in a file, and removes it: it tells of one stop. Empty if it is of a machine that was
/// started again since, as cookies begin anew then.
pub(super) fn from_file(path: &Path) -> Drops {
    let mut bytes = Vec::new();
    let read_all = |file: fs::File| file.take(BYTES_MAX).read_to_end(&mut bytes);
    match fs::File::open(path).and_then(read_all) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Drops::new(),
        Err(error) => {
            log::warn!("cannot read {}: {error}", path.display());
            return Drops::new();
        }
    }
    if let Err(error) = fs::remove_file(path) {
        // It would be read again after the next crash, and is wrong by then.
        log::warn!(
            "{} is not used, as it cannot be removed: {error}",
            path.display()
        );
        return Drops::new();
    }
    match String::from_utf8_lossy(&bytes).split_once('\n') {
        Some((boot, rest)) if boot_id().is_ok_and(|id| id == boot) => read(rest),
        Some(_) | None => Drops::new(),
    }
}

/// Leaves the note in a file.
pub(super) fn leave_in_file(path: &Path, counted: &[(u64, u32)]) -> io::Result<()> {
    let note = format!("{}\n{}", boot_id()?, text(counted));
    replace_file(path, note.as_bytes())
}

fn text(counted: &[(u64, u32)]) -> String {
    let lines = counted
        .iter()
        .map(|(cookie, drops)| format!("{cookie} {drops}\n"));
    lines.collect()
}

/// What is no line of a note is left out, and so is a last one without its end: of a number that was cut
/// the first digits would be another number.
fn read(text: &str) -> Drops {
    let numbers = text.split_inclusive('\n').filter_map(|line| {
        let (cookie, drops) = line.strip_suffix('\n')?.split_once(' ')?;
        Some((cookie.parse().ok()?, drops.parse().ok()?))
    });
    numbers.collect()
}

/// What this start of the machine is called (random(4)).
fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_in_a_file_is_read_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = beside(&folder.path().join("state"));
        leave_in_file(&path, &[(7, 5), (u64::MAX, u32::MAX)]).expect("the folder is ours");
        let drops = Drops::from([(7, 5), (u64::MAX, u32::MAX)]);
        assert_eq!(from_file(&path), drops);
        assert_eq!(from_file(&path), Drops::new());
    }

    #[test]
    fn a_note_of_another_start_of_the_machine_tells_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("drops");
        for text in ["another\n7 5\n", "7 5\n", "", "\u{fffd}\n7 5\n"] {
            fs::write(&path, text).expect("the folder is ours");
            assert_eq!(from_file(&path), Drops::new(), "{text:?}");
            assert!(!path.exists());
        }
    }

    /// Of 2345 drops 234 were taken for counted.
    #[test]
    fn a_note_that_ends_in_a_line_is_read_up_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("drops");
        leave_in_file(&path, &[(7, 5), (8, 2345)]).expect("the folder is ours");
        let whole = fs::read(&path).expect("it is there");
        for cut in 1..8 {
            fs::write(&path, &whole[..whole.len() - cut]).expect("the folder is ours");
            assert_eq!(from_file(&path), Drops::from([(7, 5)]), "{cut}");
        }
        fs::write(&path, [&whole[..], b"\xff 3\n"].concat()).expect("the folder is ours");
        assert_eq!(from_file(&path), Drops::from([(7, 5), (8, 2345)]));
    }
}
