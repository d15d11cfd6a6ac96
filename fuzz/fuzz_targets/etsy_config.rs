//! Any text as a configuration file of etsy's statsd: no panic, a mistake is shown on one line, and
//! what is accepted comes to settings that can be printed and read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringstat::config::prefix::HostLabel;
use ringstat::config::{Config, Machine, etsy, file};

fuzz_target!(|text: &str| {
    let lines = text.matches('\n').count() + 1;
    let (settings, notes) = match etsy::parse(text) {
        Ok(parsed) => parsed,
        Err(mistake) => {
            assert!((1..=lines).contains(&mistake.line), "{mistake:?}");
            let shown = mistake.to_string();
            assert_eq!(shown.split('\n').count(), 3, "{shown:?}");
            assert!(
                !shown.replace('\n', "").contains(char::is_control),
                "{shown:?}"
            );
            return;
        }
    };
    for note in notes {
        assert!((1..=lines).contains(&note.line), "{note:?}");
        assert!(!note.reason.contains(char::is_control), "{note:?}");
    }
    let machine = Machine {
        host: HostLabel::new("host.example"),
        cpu_count: 2,
    };
    if let Ok(config) = Config::new(settings, &machine) {
        let printed = config.to_toml();
        let settings = file::parse(&printed).expect("what was printed reads back");
        let again = Config::new(settings, &machine);
        assert_eq!(again.as_ref(), Ok(&config), "{printed}");
    }
});
