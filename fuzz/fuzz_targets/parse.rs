//! Any datagram: the parser finds the samples and refusals that the model's parser finds.

#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;
#[path = "../../tests/pipeline/mod.rs"]
mod pipeline;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| pipeline::parse::assert_read_alike(datagram));
