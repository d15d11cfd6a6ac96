//! Files of slots: what is written comes back, and what is damaged does not.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use bytes::Bytes;

use super::*;

fn part(end_unix_s: u64, index: u32) -> Part {
    let line = format!("a.b{index} 1 {end_unix_s}\n");
    let chunk = Bytes::from(line.repeat(5));
    Part {
        end_unix_s,
        index,
        lines: 10,
        chunks: vec![chunk.clone(), chunk],
    }
}

fn open(folder: &Path) -> (Spool, Contents) {
    Spool::open(folder, Framing::Lines).expect("it opens")
}

fn text(parts: &[Part]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.chunks.concat()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

fn load(end_unix_s: u64, offset: u64, all: bool) -> Load {
    Load {
        end_unix_s,
        offset,
        all,
    }
}

#[test]
fn slots_survive_a_restart_part_by_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut spool, contents) = open(folder.path());
    assert_eq!(contents.found, []);
    let parts = [0, 1, 2].map(|index| part(20, index));
    let written = spool.write(20, &parts[..2]).expect("it is written");
    assert_eq!(written.offset, HEAD_BYTES);
    // More of the slot goes to the same file.
    let more = spool.write(20, &parts[2..]).expect("it is written");
    assert_eq!(more.offset, written.bytes);
    spool.write(3, &[part(3, 0)]).expect("it is written");
    assert_eq!(names(folder.path()), ["20.zst", "3.zst"]);
    let error = Spool::open(folder.path(), Framing::Lines).err();
    let error = error.expect("it is in use").to_string();
    assert!(error.contains("another daemon"), "{error}");
    drop(spool);

    let (spool, contents) = open(folder.path());
    let found = contents.found.iter();
    let found: Vec<_> = found.map(|it| (it.end_unix_s, it.lines)).collect();
    assert_eq!((found, contents.damaged), (vec![(3, 10), (20, 30)], 0));
    let mut next = Some(HEAD_BYTES);
    for part in &parts {
        let loaded = spool.read(load(20, next.expect("one more"), false));
        let loaded = loaded.expect("it is there");
        assert_eq!(
            (loaded.lines, &loaded.bytes[..]),
            (10, &part.chunks.concat()[..])
        );
        next = loaded.next;
    }
    assert_eq!(next, None);
    let all = spool.read(load(20, HEAD_BYTES, true)).expect("all");
    assert_eq!(
        (all.lines, all.bytes.to_vec(), all.next),
        (30, text(&parts), None)
    );
    spool.remove(20).expect("it can be removed");
    spool.remove(20).expect("it is gone");
    assert_eq!(names(folder.path()), ["3.zst"]);
}

/// Goal: whoever has the files has the slots. Method: `zstdcat`, where it is installed.
#[test]
fn zstdcat_gives_the_bytes_of_a_slot() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = open(folder.path());
    let parts = [0, 1].map(|index| part(7, index));
    spool.write(7, &parts).expect("it is written");
    match Command::new("zstdcat")
        .arg(folder.path().join("7.zst"))
        .output()
    {
        Ok(output) => assert_eq!(output.stdout, text(&parts), "{output:?}"),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "zstdcat: {error}");
            eprintln!("left out: zstdcat: {error}");
        }
    }
}

#[test]
fn files_are_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = folder.path().join("spool/sink");
    let (mut spool, _) = open(&sink);
    spool.write(1, &[part(1, 0)]).expect("it is written");
    for (path, mode) in [
        ("spool", 0o700),
        ("spool/sink", 0o700),
        ("spool/sink/1.zst", 0o600),
    ] {
        let metadata = fs::metadata(folder.path().join(path)).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
}

#[test]
fn a_part_larger_than_a_block_comes_back_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = open(folder.path());
    let chunk = Bytes::from("name 1 1\n".repeat(30_000));
    let part = Part {
        chunks: vec![chunk; 12],
        lines: 360_000,
        ..part(1, 0)
    };
    spool
        .write(1, std::slice::from_ref(&part))
        .expect("it is written");
    let all = spool.read(load(1, HEAD_BYTES, true)).expect("all");
    assert_eq!(all.lines, 360_000);
    assert!(all.bytes == part.chunks.concat());
}

/// Goal: of a file that was changed no torn line is read, and it is noticed. Method: change each byte
/// in turn, and cut the file at each place.
#[test]
fn a_damaged_file_gives_no_torn_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = open(folder.path());
    let parts = [0, 1].map(|index| part(1, index));
    spool.write(1, &parts).expect("it is written");
    let path = folder.path().join("1.zst");
    let whole = fs::read(&path).expect("a file");
    let read_all = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("a file");
        let mut read = Vec::new();
        let mut next = Some(HEAD_BYTES);
        while let Some(offset) = next {
            match spool.read(load(1, offset, false)) {
                Ok(loaded) => {
                    read.extend_from_slice(&loaded.bytes);
                    next = loaded.next;
                }
                Err(error) => {
                    assert!(is_damage(&error), "{error}");
                    break;
                }
            }
        }
        (read, next.is_none())
    };
    assert_eq!(read_all(&whole), (text(&parts), true));
    let first = text(&parts[..1]);
    for at in 0..whole.len() {
        let (read, is_whole) = read_all(&whole[..at]);
        assert!(!is_whole && read.is_empty(), "cut at {at}");
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        let (read, is_whole) = read_all(&changed);
        assert!(
            read.is_empty() || read == first || read == text(&parts),
            "changed at {at}"
        );
        // A count of lines has no checksum of its own.
        assert!(!is_whole || read == text(&parts), "changed at {at}");
    }
}

#[test]
fn what_is_no_slot_is_set_aside_and_the_rest_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in [
        "5.zst",
        "05.zst",
        "x.zst",
        ".6.zst.new",
        "g.1.slot",
        "7.zst.damaged",
    ] {
        fs::write(folder.path().join(name), "strange").expect("a file");
    }
    let (_, contents) = open(folder.path());
    assert_eq!((contents.found.len(), contents.damaged), (0, 1));
    let expected = [
        "05.zst",
        "5.zst.damaged",
        "7.zst.damaged",
        "g.1.slot",
        "x.zst",
    ];
    assert_eq!(names(folder.path()), expected);
    assert_eq!(count_of_old_form(folder.path(), "g"), 1);
    assert_eq!(count_of_old_form(folder.path(), "gg"), 0);
}

#[test]
fn a_message_is_never_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = Spool::open(folder.path(), Framing::Messages).expect("it opens");
    let part = |bytes: &'static [u8]| Part {
        chunks: vec![Bytes::from_static(bytes)],
        ..part(1, 0)
    };
    for (bytes, is_whole) in [
        (&b"\0\0\0\x02ab\0\0\0\x01c"[..], true),
        (b"\0\0\0\x02ab\0\0\0\x02c", false),
        (b"\0\0\0\x02ab\0\0\0", false),
        (b"\xff\xff\xff\xffab", false),
    ] {
        spool.write(1, &[part(bytes)]).expect("it is written");
        let read = spool.read(load(1, HEAD_BYTES, false));
        assert_eq!(read.is_ok(), is_whole, "{bytes:?}");
        spool.remove(1).expect("it can be removed");
    }
}

#[test]
fn folders_are_named_after_sinks() {
    for (address, name) in [
        ("g.example.org", "graphite-g.example.org-2003"),
        ("graphite+pickle://[::1]", "graphite+pickle-__1-2004"),
        ("command:mail --password x", "command-"),
    ] {
        let address: SinkAddress = address.parse().expect("an address");
        let folder = folder_name(&address);
        assert!(
            folder.starts_with(name) && !folder.contains("password"),
            "{folder}"
        );
    }
}
