//! Reads the configuration again at SIGHUP, and goes on by it from the end of the slot on.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{DELIVERY_PATIENCE, Event, io_settings, outlets, outlets_of, rules};
use crate::config::Config;
use crate::disk;
use crate::flusher::{Message, Reload, StateFiles};
use crate::io::IoHandle;
use crate::management::ShownSettings;

/// The process that a daemon is, as it asks for what it had at its start.
pub trait Process {
    /// Reads the configuration again, from where it came at the start.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    fn read_config(&mut self) -> Result<Config, String>;

    /// Logs as this configuration says from now on. Opens the file anew, which may have been moved
    /// away, even if it is the same.
    ///
    /// # Errors
    /// If the file cannot be opened; the log stays as it is then.
    fn log_by(&mut self, config: &Config) -> Result<(), String>;
}

/// What the daemon runs by, and how it goes on by something else.
pub(super) struct Reloader<'a> {
    process: &'a mut dyn Process,
    /// Where the daemon was started: paths are meant from there.
    directory: PathBuf,
    config: Config,
    shown: ShownSettings,
    state_files: StateFiles,
    generation: u64,
    /// What the flusher has not gone over to yet.
    pending: Option<Config>,
    is_asked_again: bool,
}

impl<'a> Reloader<'a> {
    /// For a daemon that was started in a directory by a configuration, which has a state file of these or
    /// none.
    pub(super) fn new(
        process: &'a mut dyn Process,
        directory: PathBuf,
        config: Config,
        shown: ShownSettings,
        state_files: StateFiles,
    ) -> Self {
        Reloader {
            process,
            directory,
            config,
            shown,
            state_files,
            generation: 1,
            pending: None,
            is_asked_again: false,
        }
    }

    /// The flush interval in use.
    pub(super) fn interval(&self) -> Duration {
        self.config.flush_interval
    }

    /// The state file in use.
    pub(super) fn state_file(&self) -> Option<&Path> {
        self.config.state_file.as_deref()
    }

    /// Whether no change is under way.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_none()
    }

    /// Reads the configuration again. If it is wrong, everything stays as it is.
    pub(super) fn hung_up(
        &mut self,
        io: &mut IoHandle,
        messages: &mpsc::Sender<Message>,
        events: &mpsc::Sender<Event>,
    ) {
        // Whoever moves a log away wants a new one, whatever becomes of the rest.
        let config = self.pending.as_ref().unwrap_or(&self.config);
        if let Err(error) = self.process.log_by(config) {
            log::error!("SIGHUP: {error}; the log goes on where it was");
        }
        if self.pending.is_some() {
            log::info!("SIGHUP: the configuration is read again when the last one is in use");
            self.is_asked_again = true;
            return;
        }
        match self.prepare(io) {
            Ok(None) => log::info!(
                "SIGHUP: nothing changes, configuration {} stays in use",
                self.generation
            ),
            Ok(Some((config, mut reload))) => {
                let events = events.clone();
                reload.done = Box::new(move || {
                    // If nobody listens the daemon is about to end.
                    let _ = events.send(Event::Reloaded);
                });
                self.pending = Some(config);
                // As above.
                let _ = messages.send(Message::Reload(Box::new(reload)));
            }
            Err(error) => log::error!(
                "SIGHUP: {error}\nnothing changes, configuration {} stays in use",
                self.generation
            ),
        }
    }

    /// The flusher has gone over to what was read last.
    pub(super) fn reloaded(
        &mut self,
        io: &mut IoHandle,
        messages: &mpsc::Sender<Message>,
        events: &mpsc::Sender<Event>,
    ) {
        if let Some(config) = self.pending.take() {
            self.shown.set(config.listing());
            self.config = config;
            self.generation += 1;
            log::info!("configuration {} in use", self.generation);
        }
        io.end_leaving(DELIVERY_PATIENCE);
        if std::mem::take(&mut self.is_asked_again) {
            self.hung_up(io, messages, events);
        }
    }

    /// Reads and checks, and starts what can fail. None if nothing changes.
    fn prepare(&mut self, io: &mut IoHandle) -> Result<Option<(Config, Reload)>, String> {
        let read = self.process.read_config()?.in_directory(&self.directory);
        let (config, kept) = read.for_running(&self.config)?;
        let changes = config.changes_from(&self.config);
        let chosen = outlets::choose(&config).map_err(|error| error.to_string())?;
        for change in kept {
            log::warn!("SIGHUP: {change} needs a new start; it stays as it is");
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let mut state_file = rules::state_file(&config, &mut self.state_files);
        // The one that is in use may be written at this moment, and is open.
        if let Some(file) = &mut state_file
            && config.state_file != self.config.state_file
        {
            file.begin_opening_to_write()?;
            file.wait_until_open(Instant::now() + disk::PATIENCE)?;
        }
        let (addresses, encodings) = chosen.into_iter().unzip();
        self.process.log_by(&config)?;
        if let Err(error) = io.change(&io_settings(&config, addresses)) {
            if let Err(error) = self.process.log_by(&self.config) {
                log::error!("SIGHUP: {error}");
            }
            return Err(error.to_string());
        }
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        log::info!(
            "SIGHUP: from the end of this slot on: {}",
            changes.join(", ")
        );
        let reload = Reload {
            settings: rules::of_flusher(&config, state_file),
            shards: rules::of_shards(&config),
            outlets: outlets_of(io, encodings),
            done: Box::new(|| {}),
        };
        Ok(Some((config, reload)))
    }
}
