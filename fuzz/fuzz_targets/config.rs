//! Any text as a settings file: no panic, a mistake is shown on one line, and what is accepted is
//! printed as a file that gives the same settings.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringstat::config::prefix::HostLabel;
use ringstat::config::{Config, Machine, file};

fuzz_target!(|text: &str| {
    let settings = match file::parse(text) {
        Ok(settings) => settings,
        Err(mistake) => {
            assert!(mistake.line >= 1 && mistake.column >= 1, "{mistake:?}");
            assert!(
                mistake.line <= text.matches('\n').count() + 1,
                "{mistake:?}"
            );
            let shown = mistake.to_string();
            let lines: Vec<&str> = shown.split('\n').collect();
            assert_eq!(lines.len(), 3, "{shown:?}");
            assert!(!lines.concat().contains(char::is_control), "{shown:?}");
            return;
        }
    };
    let machine = Machine {
        host: HostLabel::new("host.example"),
        cpu_count: 2,
    };
    if let Ok(config) = Config::new(settings, &machine) {
        let printed = config.to_toml();
        let settings = file::parse(&printed).expect("what was printed reads back");
        assert_eq!(
            Config::new(settings, &machine).as_ref(),
            Ok(&config),
            "{printed}"
        );
    }
});
