//! Properties of all texts: nothing panics, each mistake has a place, what is read can be printed.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Pieces of files: keys, values, what stands between them, and what does not belong there.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    ";",
    "\n",
    " ",
    "/*",
    "*/",
    "//",
    "'",
    "\"",
    "\\",
    "`",
    "+",
    "0x1f",
    "1e3",
    "-10",
    ".5",
    "true",
    "null",
    "NaN",
    "Infinity",
    "undefined",
    "'a'",
    "\"b c\"",
    "port: 8125,",
    "servers: [{",
    "server: 'tcp',",
    "socket: 's',",
    "socket_mod: '0660',",
    "address: '::1',",
    "backends: ['console'],",
    "graphiteHost: 'g',",
    "graphite: {",
    "legacyNamespace: false,",
    "globalPrefix: '',",
    "percentThreshold: [",
    "histogram: [{",
    "metric: 'm',",
    "bins: [1, 'inf'],",
    "deleteGauges: true,",
    "gaugesMaxTTL: 1e300,",
    "flushInterval: 1,",
    "log: {",
    "\u{e9}\u{2028}\u{10ffff}",
];

fn check(text: &str) -> Result<(), TestCaseError> {
    let lines = text.matches('\n').count() + 1;
    let (of_settings, mistakes) = match parse(text) {
        Ok((settings, notes)) => (Some(settings), notes),
        Err(mistake) => (None, vec![mistake]),
    };
    for mistake in mistakes {
        prop_assert!((1..=lines).contains(&mistake.line), "{mistake:?}");
        prop_assert!(!mistake.reason.contains(char::is_control), "{mistake:?}");
    }
    if let Some(settings) = of_settings {
        let printed = toml::to_string(&settings).expect("settings are plain values");
        prop_assert_eq!(file::parse(&printed), Ok(settings), "{}", printed);
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_text_panics_the_reader(text in ".*") {
        check(&text)?;
        check(&format!("{{{text}}}"))?;
    }

    #[test]
    fn no_file_panics_the_reader(pieces in vec(select(&PIECES[..]), 0..24)) {
        check(&format!("{{{}}}", pieces.concat()))?;
    }
}
