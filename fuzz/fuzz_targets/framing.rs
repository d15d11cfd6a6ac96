//! Any stream in any pieces: the same samples and refusals as of the whole, and those that the model
//! finds.
//!
//! The first byte says how many of the bytes behind it are sizes of pieces, used again and again;
//! the rest is the stream.

#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;
#[path = "../../tests/pipeline/mod.rs"]
mod pipeline;

use libfuzzer_sys::fuzz_target;

/// As many sizes as make the cuts differ, and few enough to leave most of an input to the stream.
const SIZE_COUNT_MAX: usize = 8;

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let count = usize::from(count) % (SIZE_COUNT_MAX + 1);
    let (sizes, stream) = rest.split_at(count.min(rest.len()));
    // The model knows no limits, so nothing here may claim to be longer than a stream takes.
    let padded = [stream, &[0; 6]].concat();
    let mut heads = padded.windows(6);
    if heads.any(|head| head[0] == 0xaa && u16::from(head[3]) + u16::from(head[5]) >= 0xfe) {
        return;
    }
    let sizes: Vec<usize> = sizes.iter().map(|&size| usize::from(size)).collect();
    pipeline::parse::assert_cut_alike(stream, &sizes);
});
