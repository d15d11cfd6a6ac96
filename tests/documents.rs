//! The documents say what the code does: what can be compared is compared here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringstat::cli;
use ringstat::config::values::FlushInterval;
use ringstat::config::{Config, Machine, file};
use ringstat::format::Lines;
use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{
    Interval, Limits, MetricType, NAME_BYTES_MAX, RELATIVE_ERROR, Refusal, SEGMENT_BYTES_MAX,
    SPELLING_BYTES_MAX, SetHash,
};
use ringstat::naming::{Dialect, FlushTime, Naming, NamingSettings, Point, Points};
use ringstat::shard::{Shard, ShardSettings};
use ringstat::sink::Counters;
use ringstat::sink::address::{Place, SINK_TYPES};
use ringstat::snapshot::{BrakeCounts, Idle, IdleTimes, Merger, MergerSettings, SumOrder};
use ringstat::tap::TapRules;
use ringstat::telemetry::{FlushCounts, OwnLines, OwnWords, SlotCounts, Telemetry};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn readme() -> String {
    read(&root().join("README.md"))
}

/// All documents: those at the root, and those beside the golden cases.
fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    for folder in ["", "docs", "tests/golden"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let extension = path.extension().unwrap_or_default();
            if extension == "md" || extension == "svg" {
                documents.push(path);
            }
        }
    }
    assert!(documents.len() >= 5, "only {documents:?}");
    documents
}

/// What stands between the comments `<!-- NAME: begin … -->` and `<!-- NAME: end -->`.
fn section<'a>(text: &'a str, name: &str) -> &'a str {
    let begin = text.find(&format!("<!-- {name}: begin"));
    let begin = begin.unwrap_or_else(|| panic!("README has no section {name}"));
    let (_, rest) = text[begin..].split_once("-->\n").expect("a comment ends");
    let end = format!("<!-- {name}: end -->");
    rest.split_once(&end).expect("a section ends").0
}

/// The fenced blocks of a text, without their fences.
fn blocks(text: &str) -> Vec<&str> {
    let fenced = text.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').expect("a block has lines").1)
        .collect()
}

/// The rows of the table with this heading.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let table = text.lines().skip_while(|line| *line != heading);
    let rows = table.skip(2);
    rows.take_while(|row| row.starts_with("| ")).collect()
}

/// What stands between the first backticks of each table row.
fn first_words(table: &str) -> BTreeSet<String> {
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().expect("a word").to_owned())
        .collect()
}

/// With UPDATE_README=1 the section is written anew instead.
#[test]
fn the_tables_of_options_are_those_of_the_command_line() {
    let text = readme();
    let wanted = format!("\n{}\n", cli::options_table());
    let written = section(&text, "options");
    if std::env::var_os("UPDATE_README").is_some_and(|value| value == "1") {
        let start = written.as_ptr().addr() - text.as_ptr().addr();
        let (before, after) = (&text[..start], &text[start + written.len()..]);
        let renewed = [before, &wanted, after].concat();
        // In one step, as other tests read it at the same time.
        let beside = root().join("README.md.new");
        fs::write(&beside, renewed).expect("README can be written");
        fs::rename(&beside, root().join("README.md")).expect("README can be replaced");
        return;
    }
    assert!(
        written == wanted,
        "README's tables of options are out of date; \
         UPDATE_README=1 cargo test --test documents renews them"
    );
}

#[test]
fn the_example_of_a_file_gives_the_configuration_that_it_describes() {
    let text = readme();
    let example = blocks(section(&text, "example"));
    assert_eq!(example.len(), 1);
    let settings = file::parse(example[0]).unwrap_or_else(|mistake| panic!("{mistake}"));
    assert_eq!(settings.flush, Some(FlushInterval(Duration::from_secs(10))));
    let config = Config::new(settings, &Machine::here()).expect("the settings fit together");
    assert_eq!((config.bind.len(), config.shards), (2, 2));
    assert_eq!(config.receive_buffer_bytes, 64 << 20);
    let spool = config.sinks[0].spool.folder.as_ref().expect("a spool");
    assert!(spool.starts_with("/var/lib/ringstat"));
    let second = &config.sinks[1].place;
    assert!(matches!(second, Place::Server { host, .. } if host == "2001:db8::7"));
    assert_eq!(config.sinks[1].queue_bytes, Some(64 << 20));
    assert!(config.prefix.starts_with("web.") && !config.prefix.contains('{'));
    assert_eq!(config.percents, [90.0, 99.9]);
    assert_eq!(config.idle_counters, Idle::After(Duration::from_secs(600)));
    assert!(config.state_file.is_some());
    assert_eq!(config.max_series, 500_000);
}

/// What the daemon makes of datagrams in an interval of ten seconds, its own metrics left out.
fn output(naming: Dialect, datagrams: &str) -> String {
    let interval = Duration::from_secs(10);
    let mut shard = Shard::new(ShardSettings {
        shard: 0,
        rules: naming.input_rules(naming.keeps_tags(), false),
        limits: Limits::default(),
        set_hash: SetHash::new(),
        refused_lines_max: 0,
        brakes: Default::default(),
        epoch: Instant::now(),
        tap: TapRules::default(),
    });
    shard.batch();
    for line in datagrams.lines() {
        shard.datagram(Datagram {
            bytes: line.as_bytes(),
            cut_bytes: 0,
        });
    }
    let handed_over = shard.hand_over(Interval::default(), &[]);
    assert_eq!(handed_over.counts.refusals.total(), 0);
    let idle_rules = naming.idle_rules(interval, IdleTimes::QUIET);
    let mut merger = Merger::new(
        MergerSettings {
            idle: idle_rules,
            limits: Limits::default(),
            weighted_timers: false,
            sum_order: SumOrder::Value,
            counter_samples: false,
        },
        1,
    );
    let time = FlushTime {
        end_unix_s: 1_700_000_010,
        length_s: 10.0,
        interval_s: 10.0,
    };
    let naming = Naming::new(&NamingSettings::new(naming));
    let mut lines = Lines::default();
    merger.merge(&[(0, handed_over.interval)]);
    merger.summaries(|metric_type, name, summary| {
        naming.points(metric_type, name, &summary, time, &mut lines);
    });
    naming.closing_points(merger.counts().spoke, time, &mut lines);
    let bytes: Vec<u8> = lines.take().chunks.concat();
    String::from_utf8(bytes).expect("names are ASCII")
}

#[test]
fn the_worked_examples_are_what_each_naming_sends() {
    let text = readme();
    let blocks = blocks(section(&text, "namings"));
    let [datagrams, etsy, legacy, gstatsd, statsite, python_statsite] = blocks[..] else {
        panic!("six blocks: the lines, and five namings");
    };
    assert_eq!(output(Dialect::Etsy, datagrams), etsy);
    assert_eq!(output(Dialect::Gstatsd, datagrams), gstatsd);
    assert_eq!(output(Dialect::Statsite, datagrams), statsite);
    let python = output(Dialect::PythonStatsite, datagrams);
    assert_eq!(python, python_statsite);
    let without_counters = |lines: &str| -> String {
        let rest = lines.lines().filter(|line| !line.contains("visits"));
        rest.map(|line| format!("{line}\n")).collect()
    };
    let whole = output(Dialect::EtsyLegacy, datagrams);
    assert_eq!(whole, format!("{legacy}{}", without_counters(etsy)));
    let tagged = output(Dialect::Etsy, "hits:2|c|#env:prod,canary");
    assert!(text.contains(&format!("```text\n{tagged}```")), "{tagged}");
}

/// Keeps the paths of points.
struct Paths(BTreeSet<String>);

impl Points for Paths {
    fn point(&mut self, point: &Point<'_>) {
        let name = String::from_utf8_lossy(point.name);
        let path = format!("{}{name}{}", point.head, point.stat);
        let path = path.strip_prefix("own.").expect("the prefix").to_owned();
        self.0.insert(path);
    }
}

#[test]
fn every_own_metric_is_in_the_table_and_no_other() {
    let own = OwnLines {
        words: OwnWords::Ringstat,
        dialect: Dialect::Etsy,
        prefix: "own".to_owned(),
        namespace: String::new(),
        suffix: String::new(),
    };
    let mut telemetry =
        Telemetry::new(&own, [("NAME".to_owned(), Counters::default())].into_iter());
    let mut written = Paths(BTreeSet::new());
    let time = FlushTime {
        end_unix_s: 0,
        length_s: 10.0,
        interval_s: 10.0,
    };
    let rule = BTreeMap::from([("RULE".to_owned(), 0)]);
    let flush = FlushCounts {
        brakes: BrakeCounts {
            denied: rule.clone(),
            over_quota: rule.clone(),
            quota_series: rule,
        },
        ..FlushCounts::default()
    };
    telemetry.write(
        &flush,
        &[Counters::default()],
        &Naming::new(&NamingSettings::new(Dialect::Etsy)),
        time,
        &mut SlotCounts::default(),
        &mut written,
    );
    assert_eq!(first_words(section(&readme(), "own metrics")), written.0);
}

#[test]
fn every_reason_to_refuse_a_line_is_explained() {
    let text = readme();
    let rows = rows(&text, "| refused | example | why |").join("\n");
    let words = Refusal::ALL.map(|reason| reason.word().to_owned());
    assert_eq!(first_words(&rows), BTreeSet::from(words));
}

#[test]
fn the_examples_of_accepted_lines_are_accepted() {
    let text = readme();
    let mut examples = 0;
    for row in rows(&text, "| line | what happens |") {
        let row = row.replace("\\|", "\u{1}");
        let cells: Vec<&str> = row.split('|').collect();
        for line in cells[1].split('`').skip(1).step_by(2) {
            let line = line.replace('\u{1}', "|");
            assert!(refusals(&line).is_empty(), "{line}");
            examples += 1;
        }
    }
    assert!(examples >= 12, "only {examples} examples found");
}

#[test]
fn the_examples_of_refused_lines_are_refused_for_that_reason() {
    let text = readme();
    let mut examples = 0;
    for row in rows(&text, "| refused | example | why |") {
        let row = row.replace("\\|", "\u{1}");
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let word = cells[1].trim_matches('`');
        for line in cells[2].split('`').skip(1).step_by(2) {
            let line = line.replace('\u{1}', "|");
            assert_eq!(refusals(&line), [word], "{line}");
            examples += 1;
        }
    }
    assert!(examples >= 15, "only {examples} examples found");
}

/// Why links of a line are refused.
fn refusals(line: &str) -> Vec<&'static str> {
    let mut shard = Shard::new(ShardSettings {
        shard: 0,
        rules: Dialect::Etsy.input_rules(true, false),
        limits: Limits::default(),
        set_hash: SetHash::new(),
        refused_lines_max: 9,
        brakes: Default::default(),
        epoch: Instant::now(),
        tap: TapRules::default(),
    });
    shard.batch();
    shard.datagram(Datagram {
        bytes: line.as_bytes(),
        cut_bytes: 0,
    });
    let refused = shard.hand_over(Interval::default(), &[]).refused_lines;
    refused
        .iter()
        .map(|refused| refused.reason.word())
        .collect()
}

#[test]
fn limits_types_and_sinks_are_named_as_they_are() {
    let text = readme();
    let with_commas = |number: usize| match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    };
    for bound in [NAME_BYTES_MAX, SEGMENT_BYTES_MAX, SPELLING_BYTES_MAX] {
        let bound = with_commas(bound);
        assert!(text.contains(&format!("{bound} ")), "no limit of {bound}");
    }
    assert!(text.contains(&format!("within {} %", RELATIVE_ERROR * 100.0)));
    for sink in SINK_TYPES {
        assert!(text.contains(&format!("`{}:", sink.scheme)), "{sink:?}");
        for setting in sink.settings {
            assert!(text.contains(&format!("- `{setting}`:")), "{setting}");
        }
    }
    for naming in Dialect::ALL {
        assert!(text.contains(&format!("| `{naming}`")), "{naming}");
    }
    for metric_type in MetricType::ALL {
        let path = format!("`series.{}`", metric_type.word());
        assert!(text.contains(&path), "{path}");
    }
    let manifest = read(&root().join("Cargo.toml"));
    let (_, rest) = manifest.split_once("rust-version = \"").expect("a version");
    let version = rest.split('"').next().expect("a version");
    assert!(text.contains(&format!("Rust {version} or later")));
}

/// Targets of `[text](target)` and of `![text](target)`.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let shown = document.display();
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().expect("a folder").join(path),
            };
            assert!(target.exists(), "{shown}: {link} leads nowhere");
            if !fragment.is_empty() {
                let target = read(&target);
                let mut headings = target.lines().filter(|line| line.starts_with('#'));
                let found = headings.any(|heading| anchor(heading) == fragment);
                assert!(found, "{shown}: {link} has no such heading");
            }
            followed += 1;
        }
    }
    assert!(followed > 10, "only {followed} links found");
}

#[test]
fn no_document_names_a_place_of_the_machine_that_it_was_written_on() {
    for document in documents() {
        let text = read(&document);
        for place in ["/home/", "/root/", "/tmp/", "/work/", "/Users/"] {
            assert!(
                !text.contains(place),
                "{}: names {place}",
                document.display()
            );
        }
    }
}

/// What stands between double quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

/// ARCHITECTURE's map has a row for every module, in the order of `lib.rs`, and the permissions
/// that `tests/architecture.rs` enforces.
#[test]
fn the_map_of_modules_is_that_of_the_crate() {
    let library = read(&root().join("src/lib.rs"));
    let modules = library.lines().filter_map(|line| {
        let module = line.strip_prefix("pub mod ")?;
        module.strip_suffix(';')
    });
    let rules = read(&root().join("tests/architecture.rs"));
    let (_, rules) = rules
        .split_once("const MODULES")
        .expect("the list of modules");
    let (rules, _) = rules.split_once("\n];").expect("the list ends");
    let enforced = rules.split('(').skip(1).map(quoted);
    // The type of the list has a parenthesis, too.
    let enforced = enforced.filter(|row| !row.is_empty());

    let text = read(&root().join("ARCHITECTURE.md"));
    let written: Vec<Vec<&str>> = section(&text, "map")
        .lines()
        .filter_map(|row| row.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let module = cells[0].trim_end_matches(['`', '/']);
            let allowed = cells[2].trim_end_matches(" |");
            let allowed = allowed.split(':').next().expect("a list");
            let allowed = allowed.split(", ").filter(|&name| name != "-");
            let module = module.trim_end_matches(".rs");
            std::iter::once(module).chain(allowed).collect()
        })
        .collect();
    let names: Vec<&str> = written.iter().map(|row| row[0]).collect();
    assert_eq!(names, modules.collect::<Vec<_>>());
    assert_eq!(written, enforced.collect::<Vec<_>>());
}
