//! What differs between two configurations, and what of it a daemon that runs can take over.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Config, Machine, file};

/// Settings that hold as long as the daemon runs.
const FIXED: [&str; 13] = [
    "bind",
    "control",
    "daemonize",
    "engine",
    "liveness",
    "management",
    "max_datagram",
    "pid_file",
    "pin",
    "receive_buffer",
    "repeat",
    "shards",
    "title",
];

/// One setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    key: String,
    before: Option<String>,
    after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A sink may be a command, which may hold a password.
        if self.key == "sink" {
            return f.write_str("sink");
        }
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let (before, after) = (word(&self.before), word(&self.after));
        write!(f, "{} from {before} to {after}", self.key)
    }
}

impl Config {
    /// This configuration for a daemon that runs by another one: what it cannot change stays as it
    /// is there. Also says what that is.
    ///
    /// # Errors
    /// Names the settings that do not fit together then.
    pub fn for_running(&self, running: &Config) -> Result<(Config, Vec<Change>), String> {
        let (mut table, before) = (self.table(), running.table());
        let mut kept = self.changes_from(running);
        kept.retain(|change| FIXED.contains(&&*change.key));
        if kept.is_empty() {
            return Ok((self.clone(), kept));
        }
        for change in &kept {
            match before.get(&change.key) {
                Some(value) => table.insert(change.key.clone(), value.clone()),
                None => table.remove(&change.key),
            };
        }
        let settings = file::parse(&table.to_string()).map_err(|mistake| mistake.reason)?;
        let config = Config::new(settings, &Machine::here()).map_err(|reason| {
            let kept = kept.iter().map(|change| &*change.key).collect::<Vec<_>>();
            format!("{reason} (with {} as at the start)", kept.join(", "))
        })?;
        Ok((config, kept))
    }

    /// The settings that differ from another configuration.
    #[must_use]
    pub fn changes_from(&self, before: &Config) -> Vec<Change> {
        let (before, after) = (before.table(), self.table());
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let text = |table: &toml::Table, key: &str| table.get(key).map(ToString::to_string);
        let all = keys.into_iter().map(|key| Change {
            key: key.clone(),
            before: text(&before, key),
            after: text(&after, key),
        });
        all.filter(|change| change.before != change.after).collect()
    }

    /// With all paths below a directory, unless they are absolute: messages then name whole paths.
    #[must_use]
    pub fn in_directory(mut self, directory: &Path) -> Config {
        let logs_to_output = self.logs_to_output();
        let absolute = |path: &mut Option<PathBuf>| {
            if let Some(path) = path {
                *path = directory.join(&*path);
            }
        };
        absolute(&mut self.spool);
        absolute(&mut self.state_file);
        absolute(&mut self.pid_file);
        absolute(&mut self.name_counts_file);
        if !logs_to_output {
            absolute(&mut self.log);
        }
        self.control = self.control.in_directory(directory);
        self
    }

    /// All settings for people, a line each: `key: value`, or `key > 0: value` for each of a list.
    #[must_use]
    pub fn listing(&self) -> String {
        let mut listing = String::new();
        let mut line = |key: &str, index: Option<usize>, value: &toml::Value| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            // A command may hold a password.
            let value = match value.split_once(':') {
                Some((scheme, _)) if key == "sink" && scheme.starts_with("command") => scheme,
                _ => &value,
            };
            let index = index.map_or(String::new(), |index| format!(" > {index}"));
            listing.push_str(&format!("{key}{index}: {value}\n"));
        };
        for (key, value) in &self.table() {
            match value.as_array() {
                Some(values) => {
                    for (index, value) in values.iter().enumerate() {
                        line(key, Some(index), value);
                    }
                }
                None => line(key, None, value),
            }
        }
        listing
    }

    fn table(&self) -> toml::Table {
        let text = self.to_toml();
        text.parse().expect("what was printed as TOML is TOML")
    }
}
