//! The state file on a disk, and its text.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::metric::{Counter, MetricType};
use crate::snapshot::{Lasting, Piece, SeriesName};

const HEAD: Head = Head {
    written: Duration::from_millis(1_700_000_005_250),
    end: Duration::from_secs(1_700_000_010),
    interval: Duration::from_secs(10),
};

const SERIES: [Lasting<'static>; 2] = [
    Lasting {
        metric_type: MetricType::Counter,
        name: SeriesName {
            path: b"visits",
            tags: b";env=prod",
        },
        silent: Duration::from_secs(30),
        level: None,
    },
    Lasting {
        metric_type: MetricType::Gauge,
        name: SeriesName {
            path: b"level",
            tags: b"",
        },
        silent: Duration::ZERO,
        level: Some(-0.1),
    },
];

fn text() -> StateText {
    let mut text = StateText::new(HEAD);
    SERIES.iter().for_each(|series| text.series(series));
    text
}

#[test]
fn a_person_can_read_what_is_written() {
    let mut slot = SlotText::new(HEAD.end, HEAD.interval, None);
    let counter = Counter {
        sum: 2.5,
        count: 4.0,
    };
    slot.piece(SERIES[0].name, &Piece::Counter(counter));
    let text = String::from_utf8(text().finish(Some(slot))).expect("text");
    let (body, checksum) = text.split_once("crc32 ").expect("a checksum");
    assert_eq!(
        body,
        "ringstat state 2\n\
         of 1700000005250 1700000010000000000 10000000000\n\
         c 30000 visits;env=prod\n\
         g 0 -0.1 level\n\
         slot 1700000010000000000 10000000000\n\
         +c 2.5 4.0 visits;env=prod\n"
    );
    assert_eq!(checksum.trim_end().len(), 8);
}

#[test]
fn what_is_read_is_what_was_written() {
    let state = State::read(text().finish(None), Duration::ZERO).expect("a state");
    assert_eq!(state.head, HEAD);
    assert!(state.slot.is_none());
    assert_eq!(state.series().collect::<Vec<_>>(), SERIES);
}

#[test]
fn gauges_of_the_version_before_are_read() {
    let written = Duration::from_secs(9);
    let bytes = b"ringstat gauges 1\n5.0 a\n-1e300 b;c=d\n".to_vec();
    let state = State::read(bytes, written).expect("a state");
    let read: Vec<_> = state.series().map(|it| (it.name.path, it.level)).collect();
    assert_eq!(read, [(&b"a"[..], Some(5.0)), (b"b", Some(-1e300))]);
    assert_eq!(state.head.written, written);
}

#[test]
fn what_is_wrong_is_named() {
    let refused = |text: &str, reason: &str| {
        let error = State::read(text.as_bytes().to_vec(), Duration::ZERO).expect_err(text);
        assert!(error.contains(reason), "{error} for {text}");
    };
    refused("", "its first line is not \"ringstat state 2\"");
    refused("ringstat state 9\n", "ringstat state 9");
    refused("ringstat state 2\n", "its last line has no checksum");
    refused("ringstat gauges 1\n5.0\n", "line 2");
    refused("ringstat gauges 1\n5.0 a\ninf b\n", "line 3");
    let sealed = |lines: &str| {
        let head = "ringstat state 2\nof 1 2 3\n";
        String::from_utf8(seal(format!("{head}{lines}"))).expect("text")
    };
    refused(&sealed("").replace("of 1", "of 2"), "its checksum is wrong");
    for line in [
        "c x name",
        "c 1",
        "c 1 a b",
        "c 1 na\u{e4}me",
        "g 1 inf name",
        "kv 1 name",
        "+c 1 1 name",
        "slot 1",
        "slot 1 1\nkeys 1 2 3 4",
        "slot 1 1\n+c 1 0 name",
        "slot 1 1\n+ms 1 name nan",
        "slot 1 1\n+ms 1 name 1 2*2",
        "slot 1 1\n+ms 1 name ~ 0.01 1 1 1 2 1 5*1",
        "slot 1 1\n+s 9 name ff",
        "slot 1 1\n+s exact name fg",
    ] {
        refused(&sealed(&format!("{line}\n")), "is not understood");
    }
    for line in [
        "slot 1 1",
        "slot 1 1\n+ms 1 name ~ 0.01 1 1 1 1 1 8388608*1",
    ] {
        let state = State::read(sealed(&format!("{line}\n")).into_bytes(), Duration::ZERO);
        assert!(state.is_ok_and(|state| state.slot.is_some()), "{line}");
    }
}

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
