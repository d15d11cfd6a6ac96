//! Any bytes in the place of a spool's file: what is read of them is whole lines or messages, and reading
//! comes to an end.
//!
//! The low bits of the first byte say what the file should be made of, the next one whether it gets a
//! head that fits; the rest is the file, or what follows its head.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use ringstat::sink::spool::file::{Framing, HEAD_BYTES, Head, read_blocks};

fuzz_target!(|input: &[u8]| {
    let Some((&mode, rest)) = input.split_first() else {
        return;
    };
    let framing = match mode & 3 {
        0 => Framing::Lines,
        1 => Framing::Messages,
        _ => Framing::Opaque,
    };
    let mut file = Vec::new();
    if mode & 4 != 0 {
        let head = Head {
            lines: 1,
            bytes: HEAD_BYTES + rest.len() as u64,
        };
        head.write(&mut file).expect("memory takes it");
    }
    file.extend_from_slice(rest);
    let bytes = file.len() as u64;
    let mut file = Cursor::new(file);
    if Head::read(&mut file, bytes).is_err() {
        return;
    }
    let (mut parts, mut lines) = (Vec::new(), 0);
    let mut next = Some(HEAD_BYTES);
    while let Some(offset) = next {
        let Ok(blocks) = read_blocks(&mut file, bytes, offset, framing, false) else {
            break;
        };
        assert!(is_whole(framing, &blocks.bytes), "a torn line");
        assert!(blocks.next.is_none_or(|at| at > offset && at < bytes));
        parts.extend_from_slice(&blocks.bytes);
        lines += blocks.lines;
        next = blocks.next;
    }
    // As one it is what it is in parts, and nothing if one of them is damaged.
    let all = read_blocks(&mut file, bytes, HEAD_BYTES, framing, true);
    match all {
        Ok(all) => {
            assert!(is_whole(framing, &all.bytes), "a torn line");
            if next.is_none() {
                assert_eq!((&all.bytes[..], all.lines), (&parts[..], lines));
            }
        }
        Err(error) => assert!(next.is_some(), "{error}"),
    }
});

fn is_whole(framing: Framing, bytes: &[u8]) -> bool {
    match framing {
        Framing::Lines => bytes.last() == Some(&b'\n'),
        Framing::Messages => {
            let mut at = 0;
            while at < bytes.len() {
                let Some(size) = bytes.get(at..at + 4) else {
                    return false;
                };
                at += 4 + size
                    .iter()
                    .fold(0, |size, &byte| size << 8 | usize::from(byte));
            }
            at == bytes.len()
        }
        Framing::Opaque => !bytes.is_empty(),
    }
}
