//! The note of how many datagrams of each socket the kernel had dropped when an earlier process counted
//! last: a line with a cookie and a number for each. It lies in the service manager's store, and beside the
//! state file, for sockets of a unit without a store. It tells of one stop: it is read at a start and removed
//! when that has succeeded, as after a crash no note is better than an old one.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{Access, access};
use rustix::net::{RecvFlags, recv};

use crate::disk::{self, Answer, DiskThread, SILENCE};
use crate::service::Store;

/// The name of the note in the store.
pub(super) const IN_STORE: &str = "store/drops";

/// More than the note of any daemon: 32 bytes for each socket.
const BYTES_MAX: usize = 1 << 16;

/// What had been dropped, by the socket's cookie, which is its own for as long as the machine runs
/// (socket(7), SO_COOKIE). Before Linux 5.4 it is so within one network namespace only, and a socket of
/// another one may have it, too ("sock: make cookie generation global instead of per netns").
pub(super) type Drops = HashMap<u64, u32>;

/// Reads what the store has kept, and leaves it there: the store's descriptor is of the same socket.
pub(super) fn from_store(note: &OwnedFd) -> Drops {
    let mut bytes = vec![0; BYTES_MAX];
    // All of it is there, in one write.
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match recv(note, &mut bytes, flags) {
        Ok((_, size)) => read(&String::from_utf8_lossy(&bytes[..size])),
        Err(error) => {
            log::warn!("cannot read {IN_STORE}, which the service manager has kept: {error}");
            Drops::new()
        }
    }
}

/// Leaves the note in the store.
pub(super) fn leave_in_store(store: Store, counted: &[(u64, u32)]) -> io::Result<()> {
    // What one end was told waits in the other, which the store keeps.
    let (mut told, kept) = UnixStream::pair()?;
    io::Write::write_all(&mut told, text(counted).as_bytes())?;
    store.keep(IN_STORE, kept);
    Ok(())
}

/// The note in a file, and the thread that reads, removes and writes it, in this order: the disk may hang.
pub(super) struct NoteFile {
    path: PathBuf,
    disk: DiskThread,
    reading: Option<Answer<Drops>>,
}

impl NoteFile {
    /// The one beside a state file.
    pub(super) fn beside(state_file: &Path) -> NoteFile {
        NoteFile {
            path: disk::with_ending(state_file, ".drops"),
            disk: DiskThread::new("drops"),
            reading: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to read it.
    pub(super) fn begin_reading(&mut self) {
        let path = self.path.clone();
        match self.disk.ask(move || from_file(&path)) {
            Ok(answer) => self.reading = Some(answer),
            Err(error) => self.warn("read", &error),
        }
    }

    /// What was read, or nothing if the disk has not answered by this time. Then the note is of no use
    /// any more: this process counts on from what it finds.
    pub(super) fn read(&mut self, until: Instant) -> Drops {
        let Some(reading) = self.reading.take() else {
            return Drops::new();
        };
        reading.wait(until).unwrap_or_else(|| {
            log::warn!(
                "cannot read {}: {SILENCE}; what the kernel dropped before this start is not counted \
                 (`mount` tells what is mounted there)",
                self.path.display()
            );
            Drops::new()
        })
    }

    /// Begins to remove it, if it is there.
    pub(super) fn remove(&mut self) {
        let path = self.path.clone();
        // Nothing waits for it: it comes before the next note in any case.
        if let Err(error) = self.disk.ask(move || remove_file(&path)) {
            self.warn("remove", &error);
        }
    }

    /// Begins to leave what was counted.
    pub(super) fn leave(&mut self, counted: &[(u64, u32)]) -> io::Result<NoteOnTheWay> {
        let mut begin = || {
            let note = format!("{}\n{}", boot_id()?, text(counted));
            let path = self.path.clone();
            let write = move || disk::replace_file(&path, note.as_bytes());
            self.disk.ask(write)
        };
        let path = self.path.clone();
        match begin() {
            Ok(answer) => Ok(NoteOnTheWay { path, answer }),
            Err(error) => Err(cannot_write(&path, &error)),
        }
    }

    fn warn(&self, what: &str, error: &io::Error) {
        let path = self.path.display();
        log::warn!("cannot {what} {path}: no thread: {error}");
    }
}

/// A note that may not be on the disk yet.
pub(super) struct NoteOnTheWay {
    path: PathBuf,
    answer: Answer<io::Result<()>>,
}

impl NoteOnTheWay {
    /// Waits until the note is on the disk.
    ///
    /// # Errors
    /// If it cannot be written, or is not by this time; the path is named.
    pub(super) fn wait(&self, until: Instant) -> io::Result<()> {
        let silence = || Err(io::Error::other(SILENCE));
        let written = self.answer.wait(until).unwrap_or_else(silence);
        written.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot write {}: {error}", path.display()),
    )
}

/// Reads the note in a file. Empty if it is of a machine that was started again since, as cookies begin
/// anew then.
fn from_file(path: &Path) -> Drops {
    let mut bytes = Vec::new();
    let read_all = |file: fs::File| file.take(BYTES_MAX as u64).read_to_end(&mut bytes);
    match fs::File::open(path).and_then(read_all) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Drops::new(),
        Err(error) => {
            log::warn!("cannot read {}: {error}", path.display());
            return Drops::new();
        }
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    if let Err(error) = access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        // It would be read again by the process after this one, and is wrong by then.
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

/// Removes the note in a file, if there is one.
fn remove_file(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => log::warn!(
            "cannot remove {}: {error}; if this process crashes, the next one counts drops of the \
             kernel's a second time",
            path.display()
        ),
        Ok(()) | Err(_) => {}
    }
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
    use std::time::Duration;

    use super::*;

    fn note_of(counted: &[(u64, u32)], path: &Path) {
        let mut note = NoteFile {
            path: path.to_owned(),
            ..NoteFile::beside(path)
        };
        let leaving = note.leave(counted).expect("a thread");
        let until = Instant::now() + Duration::from_secs(60);
        leaving.wait(until).expect("the folder is ours");
    }

    #[test]
    fn a_note_in_a_file_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("drops");
        note_of(&[(7, 5), (u64::MAX, u32::MAX)], &path);
        let drops = Drops::from([(7, 5), (u64::MAX, u32::MAX)]);
        for _ in 0..2 {
            assert_eq!(from_file(&path), drops);
        }
        remove_file(&path);
        assert_eq!(from_file(&path), Drops::new());
    }

    /// A start that failed had taken it out, as the store's descriptor is of the same socket.
    #[test]
    fn a_note_in_the_store_can_be_read_again() {
        let (mut told, kept) = UnixStream::pair().expect("two sockets");
        io::Write::write_all(&mut told, text(&[(7, 5), (8, 6)]).as_bytes()).expect("room");
        drop(told);
        let kept = OwnedFd::from(kept);
        for _ in 0..2 {
            assert_eq!(from_store(&kept), Drops::from([(7, 5), (8, 6)]));
        }
    }

    #[test]
    fn a_note_of_another_start_of_the_machine_tells_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("drops");
        for text in ["another\n7 5\n", "7 5\n", "", "\u{fffd}\n7 5\n"] {
            fs::write(&path, text).expect("the folder is ours");
            assert_eq!(from_file(&path), Drops::new(), "{text:?}");
        }
    }

    /// Of 2345 drops 234 were taken for counted.
    #[test]
    fn a_note_that_ends_in_a_line_is_read_up_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("drops");
        note_of(&[(7, 5), (8, 2345)], &path);
        let whole = fs::read(&path).expect("it is there");
        for cut in 1..8 {
            fs::write(&path, &whole[..whole.len() - cut]).expect("the folder is ours");
            assert_eq!(from_file(&path), Drops::from([(7, 5)]), "{cut}");
        }
        fs::write(&path, [&whole[..], b"\xff 3\n"].concat()).expect("the folder is ours");
        assert_eq!(from_file(&path), Drops::from([(7, 5), (8, 2345)]));
    }
}
