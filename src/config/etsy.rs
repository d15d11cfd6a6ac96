//! The configuration file of etsy's statsd (v0.10.2), as ringstat's settings.
//!
//! Each value becomes the text that a file of ours would have, so that one parser checks both.

mod backends;
mod literal;
mod object;
mod series;
mod servers;

use std::net::Ipv6Addr;
use std::path::Path;

use super::Settings;
use super::file::Mistake;
use super::foreign::{self, Format};
use super::values::Title;
use literal::{Content, Literal};
use object::Object;

/// Reads the settings in a file, and what is to be said of it: a line each, with its place.
///
/// # Errors
/// A message that names the file, and the place in it.
pub fn read(path: &Path) -> Result<(Settings, Vec<String>), String> {
    Format::Etsy.read(path, &foreign::text(path)?)
}

pub(super) fn read_text(path: &Path, text: &str) -> Result<(Settings, Vec<String>), String> {
    let shown = path.display();
    let (settings, notes) = parse(text).map_err(|mistake| format!("{shown}:{mistake}"))?;
    let notes = notes.into_iter().map(|note| {
        let Mistake {
            line,
            column,
            reason,
            ..
        } = note;
        format!("{shown}:{line}:{column}: {reason}")
    });
    Ok((settings, notes.collect()))
}

/// Parses the text of a file: settings, and notes on what has no effect or another one.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str) -> Result<(Settings, Vec<Mistake>), Mistake> {
    let text = &*literal::without_parentheses(text);
    let root = literal::parse(text)?;
    let mut reader = Reader {
        text,
        settings: Settings::default(),
        notes: Vec::new(),
    };
    let mut object = Object::of(&root, text)?;
    reader.flushes(&mut object)?;
    series::read(&mut reader, &mut object)?;
    servers::read(&mut reader, &mut object)?;
    backends::read(&mut reader, &mut object)?;
    reader.process(&mut object)?;
    reader.note_rest(&object, "");
    reader.notes.sort_by_key(|note| (note.line, note.column));
    Ok((reader.settings, reader.notes))
}

/// What is read so far.
struct Reader<'a> {
    text: &'a str,
    settings: Settings,
    notes: Vec<Mistake>,
}

impl Reader<'_> {
    /// Takes a setting of ours, which a value of the file comes to.
    fn set(
        &mut self,
        key: &str,
        value: impl Into<toml::Value>,
        of: &Literal,
    ) -> Result<(), Mistake> {
        let settings = setting(key, value).map_err(|reason| self.mistake(of, &reason))?;
        self.settings = settings.or(std::mem::take(&mut self.settings));
        Ok(())
    }

    /// Takes a setting that always has this value here.
    fn set_always(&mut self, key: &str, value: impl Into<toml::Value>) {
        let settings = setting(key, value).expect("it is a value of this setting");
        self.settings = settings.or(std::mem::take(&mut self.settings));
    }

    fn mistake(&self, of: &Literal, reason: &str) -> Mistake {
        of.mistake(self.text, reason)
    }

    fn note(&mut self, of: &Literal, text: &str) {
        let note = self.mistake(of, text);
        self.notes.push(note);
    }

    /// Notes the keys that nobody asked for.
    fn note_rest(&mut self, object: &Object<'_>, within: &str) {
        for (key, value) in object.rest() {
            // A key may hold anything, and be of any length.
            let key: String = key.chars().take(40).collect();
            self.note(
                value,
                &format!("etsy's statsd has no setting `{within}{key}`; it has no effect"),
            );
        }
    }

    fn flushes(&mut self, object: &mut Object<'_>) -> Result<(), Mistake> {
        // Counted from the start, as there; a first interval that is shorter would be new.
        self.set_always("align", false);
        if let Some((value, interval_ms)) = object.number("flushInterval")? {
            self.set("flush", format!("{interval_ms}ms"), value)?;
            if interval_ms < 1000.0 {
                self.note(
                    value,
                    "flushes less than a second apart have equal time stamps, and Graphite keeps \
                     the last of them",
                );
            }
        }
        Ok(())
    }

    /// What is about the process, and what there is no use for.
    fn process(&mut self, object: &mut Object<'_>) -> Result<(), Mistake> {
        if object.flag("debug").is_some_and(|(_, debug)| debug) {
            self.set_always("verbose", 1);
        }
        self.title(object)?;
        self.log(object)?;
        if let Some((value, true)) = object.flag("dumpMessages") {
            self.set("log_lines", true, value)?;
        }
        if let Some((value, true)) = object.flag("automaticConfigReload") {
            self.note(
                value,
                "automaticConfigReload: a file that changed is read again on SIGHUP",
            );
        }
        self.management(object)?;
        self.name_counts(object)
    }

    /// What the process is called; `false` or nothing keeps the name.
    fn title(&mut self, object: &mut Object<'_>) -> Result<(), Mistake> {
        match object.take("title") {
            None => self.set_always("title", "statsd"),
            Some(value) => match &value.content {
                Content::Flag(false) => {}
                Content::Text(title) if title.is_empty() => {}
                Content::Text(title) => {
                    let fitting = Title::fitting(title);
                    if fitting.0 != *title {
                        let text = format!(
                            "a title has up to 48 characters without spaces, colons and brackets; \
                             it becomes {fitting}"
                        );
                        self.note(value, &text);
                    }
                    self.set("title", fitting.0, value)?;
                }
                _ => return Err(self.mistake(value, "title is a text in quotes, or false")),
            },
        }
        Ok(())
    }

    /// How often names are written with the number of their lines.
    fn name_counts(&mut self, object: &mut Object<'_>) -> Result<(), Mistake> {
        let mut key_flush = object.object("keyFlush")?;
        let percent = key_flush.number("percent")?;
        let file = key_flush.text("log")?.filter(|(_, path)| !path.is_empty());
        // Without an interval, as with one of 0, nothing is written, whatever else is set.
        if let Some((value, interval_ms)) = key_flush.number("interval")?.filter(|it| it.1 > 0.0) {
            self.set("name_counts", format!("{interval_ms}ms"), value)?;
            if let Some((value, percent)) = percent {
                self.set("name_counts_percent", percent.min(100.0), value)?;
            }
            if let Some((value, path)) = file {
                self.set("name_counts_file", path, value)?;
            }
        }
        self.note_rest(&key_flush, "keyFlush.");
        Ok(())
    }

    /// The management console, which is always there.
    fn management(&mut self, object: &mut Object<'_>) -> Result<(), Mistake> {
        let host = object
            .text("mgmt_address")?
            .filter(|(_, host)| !host.is_empty());
        let port = object.port("mgmt_port")?.unwrap_or(8126);
        match host {
            Some((value, host)) => {
                let host = match host.parse::<Ipv6Addr>() {
                    Ok(_) => format!("[{host}]"),
                    Err(_) => host.to_owned(),
                };
                self.set("management", format!("{host}:{port}"), value)?;
            }
            // On every address of both families, as there.
            None => self.set_always("management", format!(":{port}")),
        }
        if let Some(value) = object.take("healthStatus") {
            self.note(
                value,
                "healthStatus: health is up at the start, as in etsy's statsd, which does not read \
                 this either; the command `health down` changes it",
            );
        }
        Ok(())
    }

    fn log(&mut self, object: &mut Object<'_>) -> Result<(), Mistake> {
        let mut log = object.object("log")?;
        match log.text("backend")? {
            None | Some((_, "stdout")) => self.set_always("log", "-"),
            Some((_, "syslog")) => self.set_always("syslog", "local0"),
            Some((value, other)) => {
                return Err(self.mistake(
                    value,
                    &format!("log.backend is stdout or syslog, and not `{other}`"),
                ));
            }
        }
        if let Some((value, name)) = log.text("application")? {
            let title = self
                .settings
                .title
                .as_ref()
                .map(|Title(title)| title.as_str());
            if title != Some(name) {
                self.note(
                    value,
                    "log.application: syslog knows the process by its title",
                );
            }
        }
        if let Some(value) = log.take("level") {
            self.note(value, "log.level: each message has a level of its own");
        }
        self.note_rest(&log, "log.");
        Ok(())
    }
}

/// The settings of a file of ours with this one line.
fn setting(key: &str, value: impl Into<toml::Value>) -> Result<Settings, String> {
    let table = toml::Table::from_iter([(key.to_owned(), value.into())]);
    let settings: Result<Settings, toml::de::Error> = table.try_into();
    settings.map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests;
