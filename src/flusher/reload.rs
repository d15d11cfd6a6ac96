//! Goes on in another way between two slots: other rules, another schedule, other sinks.

use super::name_log::NameLog;
use super::schedule::Due;
use super::{Flusher, FlusherSettings, Outlet, StateFile};
use crate::shard::ShardRules;
use crate::sink::Counters;
use crate::telemetry::{OwnLines, Telemetry};

/// How to go on from the next slot on.
pub struct Reload {
    /// How the flusher is set up then; a state file that stays the same need not be given anew.
    pub settings: FlusherSettings,
    /// What the shards go by then.
    pub shards: ShardRules,
    /// All sinks.
    pub outlets: Vec<Outlet>,
    /// Called when it is so: no sink that is not among them gets anything any more.
    pub done: Box<dyn FnOnce() + Send>,
}

impl Flusher {
    /// Goes on in another way. The slot that was flushed ended at `due`.
    pub(super) fn reload(&mut self, reload: Reload, due: Due) {
        let Reload {
            mut settings,
            outlets,
            done,
            ..
        } = reload;
        // It was counted by other rules.
        self.give_up_cut("settings were read again");
        self.schedule
            .change(settings.interval, settings.align, due.end);
        self.collector.set_max_series(settings.limits.max_series);
        self.merger
            .change(settings.of_merger(), settings.input_rules);
        self.merger.change_brakes(settings.brakes.clone());
        self.collector.grant(self.merger.take_grants());
        self.reload_telemetry(settings.own.as_ref(), &outlets);
        if self.name_log.as_ref().map(NameLog::rules) != settings.name_log.as_ref() {
            self.name_log = settings.name_log.clone().map(NameLog::new);
        }
        self.outputs = super::Outputs::new(outlets);
        if let Some(file) = self.settings.state_file.take() {
            // What was written last, and when, is known of the file that is in use.
            if settings.state_file.as_ref().map(StateFile::path) == Some(file.path()) {
                settings.state_file = Some(file);
            } else if file.is_being_read() {
                self.left_state_file = Some(file);
            }
        }
        self.settings = settings;
        done();
    }

    /// Own metrics of a sink that stays go on from what was told of it.
    fn reload_telemetry(&mut self, own: Option<&OwnLines>, outlets: &[Outlet]) {
        let before = self.outputs.outlets();
        let told = outlets.iter().map(|outlet| {
            let mut told = before.iter().zip(&self.told);
            let same = told.find(|(before, _)| before.sink.is(&outlet.sink));
            same.map(|(_, counters)| *counters).unwrap_or_default()
        });
        let told: Vec<Counters> = told.collect();
        let mut telemetry = own.map(|own| {
            let names = outlets.iter().map(|outlet| outlet.sink.name().to_owned());
            Telemetry::new(own, names.zip(told.iter().copied()))
        });
        if let Some(telemetry) = &mut telemetry {
            telemetry.handed_over(self.points);
            if let Some(before) = &self.telemetry {
                telemetry.follow(before);
            }
        }
        (self.telemetry, self.told) = (telemetry, told);
    }
}
