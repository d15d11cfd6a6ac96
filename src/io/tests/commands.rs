//! Commands that take their slots, fail, hang, and are left alone by the rest of the daemon.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// A folder for what a command writes, which is its `$DIR`.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// The address of a sink that runs this script.
    fn sink(&self, script: &str) -> SinkAddress {
        let folder = self.0.path().display();
        let text = format!("command:DIR='{folder}'\n{script}");
        text.parse().expect("a command")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_default()
    }
}

fn with_sinks(backend: Backend, sinks: Vec<SinkAddress>) -> Settings {
    let mut settings = settings(backend, &[]);
    settings.sinks = sinks;
    settings
}

fn empty(number: u64) -> Part {
    Part {
        lines: 0,
        chunks: Vec::new(),
        ..slot(number, 0)
    }
}

/// Goal: each slot is one run, in order, those without points too. Method: a command that copies what
/// it reads and then writes a line; one slot is larger than a pipe.
#[test]
fn a_command_is_started_for_each_slot_and_reads_it_to_its_end() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink("cat >> $DIR/out; echo end >> $DIR/out");
        let io = start(with_sinks(backend, vec![sink]));
        let sink = &io.sinks()[0];
        sink.push(slot(1, 10_000));
        wait_until("the first run", || folder.text("out").ends_with("end\n"));
        sink.push(empty(2));
        wait_until("an empty run", || {
            folder.text("out").ends_with("end\nend\n")
        });
        sink.push(slot(3, 2));
        assert_all_sent(sink, 10_002);
        assert!(io.close_and_wait(DEADLINE).is_empty());
        let expected = format!("{}end\nend\n{}end\n", lines_of(1, 10_000), lines_of(3, 2));
        assert_eq!(folder.text("out"), expected);
    });
}
