//! House rules that the compiler does not know: which module may use which, where unsafe code may
//! stand, what the pure modules keep away from. ARCHITECTURE.md has the reasons.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order in which data flows, and what each may use.
const MODULES: [(&str, &[&str]); 26] = [
    ("cli", &["compare", "config", "control"]),
    (
        "config",
        &[
            "kernel",
            "metric",
            "naming",
            "repeat",
            "sink",
            "snapshot",
            "telemetry",
            "transport",
        ],
    ),
    ("service", &[]),
    ("disk", &[]),
    ("transport", &[]),
    ("kernel", &[]),
    ("simd", &[]),
    ("protocol", &["metric", "simd"]),
    ("metric", &["simd"]),
    ("repeat", &[]),
    ("tap", &["metric", "protocol"]),
    // The level that its datagrams are read at.
    (
        "shard",
        &["kernel", "metric", "protocol", "repeat", "simd", "tap"],
    ),
    ("snapshot", &["metric"]),
    ("naming", &["metric", "snapshot"]),
    ("format", &["metric", "naming"]),
    (
        "telemetry",
        &[
            "kernel", "metric", "naming", "repeat", "shard", "sink", "snapshot",
        ],
    ),
    ("ledger", &["metric", "sink", "telemetry"]),
    (
        "flusher",
        &[
            "disk",
            "format",
            "kernel",
            "ledger",
            "metric",
            "naming",
            "repeat",
            "shard",
            "sink",
            "snapshot",
            "tap",
            "telemetry",
        ],
    ),
    ("sink", &["disk"]),
    // How much of a connection the peer has acknowledged.
    ("io", &["disk", "kernel", "sink"]),
    // The event loop is the one of the sinks.
    (
        "streams",
        &["io", "kernel", "metric", "protocol", "shard", "transport"],
    ),
    // It asks in the flusher's thread, with what the merger knows there.
    (
        "management",
        &["flusher", "io", "metric", "sink", "snapshot"],
    ),
    // `ringstat ledger` knows by default where a daemon is asked.
    (
        "control",
        &["config", "flusher", "io", "ledger", "metric", "snapshot"],
    ),
    (
        "daemon",
        &[
            "config",
            "control",
            "disk",
            "flusher",
            "format",
            "io",
            "kernel",
            "management",
            "metric",
            "naming",
            "repeat",
            "service",
            "shard",
            "sink",
            "snapshot",
            "streams",
            "tap",
            "telemetry",
            "transport",
        ],
    ),
    ("logging", &["config"]),
    ("compare", &["config"]),
];

/// Modules that do no I/O, read no clock and log nothing.
const PURE: [&str; 6] = [
    "protocol", "metric", "snapshot", "naming", "format", "ledger",
];

/// Modules that may hold unsafe code.
const UNSAFE: [&str; 2] = ["kernel", "simd"];

/// What a pure module keeps away from.
const IMPURE: [&str; 8] = [
    "std::fs",
    "std::net",
    "std::thread",
    "Instant",
    "SystemTime",
    "log::",
    "println!",
    "env::",
];

/// What stands in no module.
const BANNED: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

struct Source {
    path: PathBuf,
    module: String,
    /// Without comments, and without the tests at the end.
    code: String,
    first_line: String,
}

/// All sources below `src` but the tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of a folder").path();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                sources.push(read(&root, path));
            }
        }
    }
    assert!(sources.len() > 50, "only {} sources found", sources.len());
    sources
}

fn read(root: &Path, path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).expect("a source");
    let relative = path.strip_prefix(root).expect("it is below the root");
    let module = relative.iter().next().expect("a path has a beginning");
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next();
    let code = before_tests.unwrap_or_default().lines();
    let code = code.map(|line| line.split("//").next().unwrap_or_default());
    Source {
        module: module.to_string_lossy().trim_end_matches(".rs").to_owned(),
        code: code.collect::<Vec<_>>().join("\n"),
        first_line: text.lines().next().unwrap_or_default().to_owned(),
        path,
    }
}

/// The modules of the crate that a text names.
fn used(code: &str) -> BTreeSet<&str> {
    let after = |word| code.split(word).skip(1);
    after("crate::")
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn each_module_uses_only_what_it_may() {
    for source in sources() {
        if matches!(source.module.as_str(), "lib" | "main") {
            continue;
        }
        let (module, allowed) = MODULES
            .iter()
            .find(|(module, _)| *module == source.module)
            .unwrap_or_else(|| panic!("{}: not in the map", source.path.display()));
        for name in used(&source.code) {
            assert!(
                name == *module || allowed.contains(&name),
                "{}: {module} may not use {name:?}",
                source.path.display()
            );
        }
    }
}

#[test]
fn every_permission_is_used() {
    let sources = sources();
    for (module, allowed) in MODULES {
        let of_module = || sources.iter().filter(|source| source.module == module);
        assert!(of_module().count() > 0, "{module} has no source");
        for name in allowed {
            let is_used = of_module().any(|source| used(&source.code).contains(name));
            assert!(is_used, "{module} does not use {name} any more");
        }
    }
}

#[test]
fn unsafe_code_has_two_homes() {
    for source in sources() {
        let words = source
            .code
            .replace("unsafe_code", "")
            .replace("unsafe_op", "");
        let path = source.path.display();
        if UNSAFE.contains(&source.module.as_str()) {
            assert!(!words.contains("pub unsafe fn"), "{path}: an unsafe face");
        } else {
            assert!(!words.contains("unsafe"), "{path}: unsafe code");
        }
        if PURE.contains(&source.module.as_str()) && source.path.ends_with("mod.rs") {
            let forbids = source.code.contains("#![forbid(unsafe_code)]");
            assert!(forbids, "{path}: does not forbid unsafe code");
        }
    }
}

#[test]
fn pure_modules_stay_pure() {
    for source in sources() {
        if PURE.contains(&source.module.as_str()) {
            for word in IMPURE {
                let path = source.path.display();
                assert!(!source.code.contains(word), "{path}: {word}");
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_leaves_nothing_open() {
    for source in sources() {
        let path = source.path.display();
        assert!(source.first_line.starts_with("//! "), "{path}: no heading");
        for word in BANNED {
            assert!(!source.code.contains(word), "{path}: {word}");
        }
        // Everything else logs.
        let may_print = source.module == "main";
        assert!(
            may_print || !source.code.contains("println!"),
            "{path}: prints"
        );
    }
}

#[test]
fn a_forbidden_import_would_be_noticed() {
    let names = used("use crate::flusher::Flusher;\nlet x = crate::io::run();");
    assert_eq!(names, BTreeSet::from(["flusher", "io"]));
}
