//! The state file on a disk.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use super::*;
use crate::flusher::state::tests::text;

/// A folder with a state file.
struct OnDisk {
    folder: tempfile::TempDir,
    files: StateFiles,
}

impl OnDisk {
    fn new() -> OnDisk {
        OnDisk {
            folder: tempfile::tempdir().expect("a folder"),
            files: StateFiles::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&mut self) -> StateFile {
        self.files.at(self.path("state"), Duration::ZERO)
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder is ours");
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// Puts something there that can be renamed, but not read.
    fn make_unreadable(&self) {
        let state = self.path("state");
        symlink("/proc/self/mem", &state).expect("the folder is ours");
        let error = fs::read(&state).expect_err("nothing is at address 0");
        assert!(crate::disk::may_pass(&error), "{error}");
    }

    /// A process that finds what lies there, and writes a state.
    fn write_behind_a_start(&mut self, state: &str) {
        let mut file = self.file();
        file.begin_opening().expect("a thread");
        file.wait_until_open(later()).expect("the folder is ours");
        assert!(file.take_found().is_none());
        file.write(state.into());
        file.wait_for_last(later());
    }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Has the disk of a file hang until this is dropped.
fn hang(file: &StateFile) -> Sender<()> {
    let (release, hangs) = channel::<()>();
    let asked = file.writing.file.ask(move |_| hangs.recv().is_err());
    assert_eq!(asked.expect("a thread").now(), None);
    release
}

// It was written over, while one that hangs was kept.
#[test]
fn a_state_that_cannot_be_read_is_kept() {
    let mut disk = OnDisk::new();
    disk.make_unreadable();
    disk.write_behind_a_start("new");
    assert_eq!(disk.text("state").as_deref(), Some("new"));
    let kept = fs::read_link(disk.path("state.unread")).expect("a link");
    assert_eq!(kept, Path::new("/proc/self/mem"));
    disk.write_behind_a_start("newer");
    assert_eq!(disk.text("state").as_deref(), Some("newer"));
    assert!(fs::read_link(disk.path("state.unread")).is_ok());
}

// A second start that could not read replaced what the first one had kept.
#[test]
fn what_was_kept_first_stays() {
    let mut disk = OnDisk::new();
    disk.set("state.unread", "older");
    disk.make_unreadable();
    disk.write_behind_a_start("new");
    assert_eq!(disk.text("state.unread").as_deref(), Some("older"));
    assert_eq!(disk.text("state").as_deref(), Some("new"));
}

/// Goal: there is a state file at any time. Method: nothing can be written beside an unread one, as on a disk
/// that is full.
#[test]
fn what_is_unread_stays_in_place_until_the_next_state_is_on_the_disk() {
    let mut disk = OnDisk::new();
    disk.make_unreadable();
    fs::create_dir(disk.path("state.new")).expect("the folder is ours");
    let mut file = disk.file();
    // It would be refused at a start.
    let opened = file.writing.begin_opening(Duration::ZERO);
    let opened = opened.expect("a thread").wait(later());
    assert!(opened.is_some_and(|opened| opened.writable.is_err()));
    file.writing.gave_up_opening(true);
    file.write("new".into());
    file.wait_for_last(later());
    assert!(fs::read_link(disk.path("state")).is_ok());
    assert!(fs::symlink_metadata(disk.path("state.unread")).is_err());
}

// Two threads wrote to the same file beside it, and the second did not know of what is unread.
#[test]
fn a_state_file_that_is_left_and_comes_back_while_its_disk_hangs_is_the_same() {
    let mut disk = OnDisk::new();
    let old = String::from_utf8(text().finish(None)).expect("text");
    disk.set("state", &old);
    let mut left = disk.file();
    let release = hang(&left);
    left.begin_opening().expect("a thread");
    left.wait_until_open(Instant::now()).expect("it hangs");
    drop(left);
    let mut back = disk.file();
    back.begin_opening_to_write().expect("a thread");
    back.wait_until_open(Instant::now()).expect("it hangs");
    back.write("new".into());
    drop(release);
    back.wait_for_last(later());
    assert_eq!(disk.text("state").as_deref(), Some("new"));
    assert_eq!(disk.text("state.unread"), Some(old));
}
