//! Any datagram that begins with a binary frame: the daemon and the model find the same samples and
//! refusals in it.

#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;
#[path = "../../tests/pipeline/mod.rs"]
mod pipeline;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|behind_magic: &[u8]| {
    let datagram = [&[0xaa], behind_magic].concat();
    pipeline::parse::assert_read_alike(&datagram);
});
