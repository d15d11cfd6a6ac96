//! Any text as a file of either statsite: no panic, whatever is said of it names a line of it, and
//! what is accepted comes to settings that can be printed and read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringstat::config::prefix::HostLabel;
use ringstat::config::{Config, Machine, Settings, file, python_statsite, statsite};

fuzz_target!(|text: &str| {
    let line_count = text.split('\n').count();
    match statsite::parse(text) {
        Ok((settings, warnings)) => {
            for warning in warnings {
                check_message(&format!("ini:{warning}"), line_count);
            }
            check_settings(settings);
        }
        Err(fault) => check_message(&format!("ini:{fault}"), line_count),
    }
    match python_statsite::parse("ini", text) {
        Ok((settings, warnings)) => {
            for warning in warnings {
                check_message(&warning, line_count);
            }
            check_settings(settings);
        }
        Err(message) => check_message(&message, line_count),
    }
});

/// One line, `ini:LINE: ` and some words.
fn check_message(message: &str, line_count: usize) {
    assert!(!message.contains(char::is_control), "{message:?}");
    let place = message.strip_prefix("ini:").expect(message);
    let (line, words) = place.split_once(": ").expect(message);
    let line: usize = line.parse().expect(message);
    assert!((1..=line_count).contains(&line), "{message}");
    assert!(!words.is_empty(), "{message}");
}

fn check_settings(settings: Settings) {
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
}
