//! A service manager for tests: it hands sockets over, keeps what it is asked to keep, and notes what
//! it is told.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tempfile::TempDir;

use crate::support::poll;

/// Runs until the test process ends.
pub(crate) struct Manager {
    folder: TempDir,
    /// The sockets of its socket units, which it holds all the time.
    units: Vec<Kept>,
    told: Arc<Mutex<Told>>,
}

struct Kept {
    name: String,
    descriptor: OwnedFd,
}

#[derive(Default)]
struct Told {
    words: Vec<String>,
    kept: Vec<Kept>,
}

impl Manager {
    /// Listens where daemons report to.
    pub(crate) fn start() -> Manager {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let socket = UnixDatagram::bind(notify_path(folder.path())).expect("a socket");
        let told = Arc::default();
        let noted = Arc::clone(&told);
        thread::spawn(move || while note(&socket, &noted).is_some() {});
        Manager {
            folder,
            units: Vec::new(),
            told,
        }
    }

    /// Holds a socket for all daemons that it starts from now on.
    pub(crate) fn hold(&mut self, name: &str, socket: impl Into<OwnedFd>) {
        self.units.push(Kept {
            name: name.to_owned(),
            descriptor: socket.into(),
        });
    }

    /// A command that runs this program with these arguments, and gets what is held and kept.
    pub(crate) fn command(&self, program: &Path, arguments: &str) -> Command {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<&Kept> = self.units.iter().chain(&told.kept).collect();
        let names: Vec<&str> = all.iter().map(|kept| kept.name.as_str()).collect();
        let mappings = all.iter().zip(3..).map(|(kept, child_fd)| FdMapping {
            parent_fd: kept.descriptor.try_clone().expect("a descriptor is left"),
            child_fd,
        });
        // The process id, which only the child knows.
        let mut command = Command::new("sh");
        command
            .args(["-c", "LISTEN_PID=$$ exec \"$@\"", "sh"])
            .arg(program)
            .args(arguments.split_whitespace())
            .env("NOTIFY_SOCKET", notify_path(self.folder.path()))
            .env("LISTEN_FDS", all.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"));
        command
            .fd_mappings(mappings.collect())
            .expect("each number once");
        command
    }

    /// The names of what is kept.
    pub(crate) fn kept(&self) -> Vec<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.kept.iter().map(|kept| kept.name.clone()).collect()
    }

    /// Lets go of all that it was asked to keep, as one without a store never has any of it.
    pub(crate) fn let_go(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.kept.clear();
    }

    /// Waits until so many sockets are kept.
    pub(crate) fn wait_for_kept(&self, count: usize) -> Vec<String> {
        poll("sockets in the store", || {
            Some(self.kept()).filter(|kept| kept.len() == count)
        })
    }

    /// Waits until it has been told all these words, in this order.
    pub(crate) fn wait_for_words(&self, expected: &[&str]) {
        poll(&format!("{expected:?}"), || {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let mut words = told.words.iter();
            let is_told = |word: &&str| words.any(|told| told.starts_with(word));
            expected.iter().all(is_told).then_some(())
        });
    }
}

fn notify_path(folder: &Path) -> PathBuf {
    folder.join("notify")
}

/// Takes one message; None at the end.
fn note(socket: &UnixDatagram, told: &Mutex<Told>) -> Option<()> {
    let mut bytes = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut pieces = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(socket.as_fd(), &mut pieces, &mut rights, RecvFlags::empty()).ok()?;
    let mut descriptors = rights.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptor = descriptors
        .next()
        .and_then(|mut descriptors| descriptors.next());
    let text = String::from_utf8_lossy(&bytes[..received.bytes]).into_owned();
    let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(name), Some(descriptor)) = (name, descriptor) {
        assert!(text.contains("FDSTORE=1\n"), "{text}");
        told.kept.push(Kept {
            name: name.to_owned(),
            descriptor,
        });
    } else if let Some(name) = name {
        assert!(text.contains("FDSTOREREMOVE=1\n"), "{text}");
        told.kept.retain(|kept| kept.name != name);
    }
    told.words.extend(text.lines().map(str::to_owned));
    Some(())
}
