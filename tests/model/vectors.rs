//! Reads `tests/golden/vectors.json`, the cases recorded from the daemons that ringstat replaces.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use serde_json::Value;

use crate::compare::{Expected, differences};
use crate::model::{Naming, Pipeline, Settings};

const END_UNIX_S: u64 = 1_700_000_000;

/// One recorded case: an interval's datagrams and what comes out under each naming.
pub struct Vector {
    pub id: String,
    pub flush_s: f64,
    pub datagrams: Vec<Vec<u8>>,
    expected: Vec<(Naming, Vec<Expected>)>,
}

/// All vectors, with what the model's namings say.
pub fn all() -> Vec<Vector> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/vectors.json");
    let text = std::fs::read_to_string(path).expect("tests/golden/vectors.json is there");
    let file: Value = serde_json::from_str(&text).expect("vectors.json is JSON");
    let vectors = file["vectors"].as_array().expect("a list of vectors");
    vectors.iter().map(read).collect()
}

fn read(vector: &Value) -> Vector {
    let id = vector["id"].as_str().expect("a vector has an id");
    let datagrams = vector["datagrams_latin1"].as_array();
    let datagrams = datagrams.expect("a vector has datagrams").iter();
    let expected = Naming::ALL.map(|naming| {
        let lines = vector["expect"][naming.name()]["lines"].as_array();
        let lines = lines.unwrap_or_else(|| panic!("{id} has no lines for {naming:?}"));
        let lines = lines.iter().map(|line| {
            let line = line.as_str().expect("a line is text");
            match naming {
                Naming::Statsite => Expected::read(&with_decimals(line), id),
                _ => Expected::read(line, id),
            }
        });
        (naming, lines.collect())
    });
    Vector {
        id: id.into(),
        flush_s: vector["flush_interval_s"].as_f64().expect("a length"),
        datagrams: datagrams.map(latin1).collect(),
        expected: expected.into(),
    }
}

/// A line of statsite, `path|value|time`, as a range: its values have six decimals.
fn with_decimals(line: &str) -> String {
    let words: Vec<&str> = line.split('|').collect();
    let [path, value, time] = words[..] else {
        panic!("{line:?} is not three words");
    };
    let value: f64 = value.parse().expect("a value is a number");
    let (low, high) = (value - 5.001e-7, value + 5.001e-7);
    format!("{path} {low}..{high} {time}")
}

/// The bytes of a text that has one letter per byte.
fn latin1(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("a datagram is text");
    text.chars()
        .map(|letter| u8::try_from(letter).expect("a datagram is latin-1"))
        .collect()
}

impl Vector {
    /// The settings under which the vector was recorded.
    pub fn settings(&self, naming: Naming) -> Settings {
        Settings {
            flush_s: self.flush_s,
            ..Settings::new(naming)
        }
    }

    /// What must come out under a naming.
    pub fn expected(&self, naming: Naming) -> &[Expected] {
        let (_, expected) = self
            .expected
            .iter()
            .find(|(of, _)| *of == naming)
            .expect("a vector is read for every naming");
        expected
    }

    /// Sends the vector from a socket of its own; returns what is wrong with the answer.
    pub fn check(
        &self,
        naming: Naming,
        source: usize,
        pipeline: &mut impl Pipeline,
    ) -> Vec<String> {
        let datagrams: Vec<(usize, Vec<u8>)> = self
            .datagrams
            .iter()
            .map(|bytes| (source, bytes.clone()))
            .collect();
        let output = pipeline.interval(&datagrams, self.flush_s, END_UNIX_S);
        let mut wrong = differences(self.expected(naming), &output.points, END_UNIX_S);
        if !output.counts.balance() {
            wrong.push(format!("the counters do not balance: {:?}", output.counts));
        }
        wrong
            .into_iter()
            .map(|what| format!("{} under {}: {what}", self.id, naming.name()))
            .collect()
    }
}
