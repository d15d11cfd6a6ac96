//! The race: ringstat, three floors and other StatsD daemons under the same traffic, side by side.
//!
//! `cargo bench --bench race -- --help` has the options, `-- load --help` those of the load
//! generator.

mod choice;
mod daemon;
mod figure;
mod floor;
mod forward;
mod graphite;
mod load;
mod measure;
mod miniature;
mod options;
mod peers;
mod race;
mod report;
mod rounds;
mod scenario;
mod targets;
mod units;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use ringstat::kernel::pin_to;

use options::{Options, Tool};
use peers::Contestant;

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.tool {
        Some(Tool::Load(load)) => load::command::run(load),
        Some(Tool::Floor(floor)) => floor::run(floor),
        Some(Tool::Forward { to }) => forward::run(*to),
        None => race(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("race: {error}");
            ExitCode::FAILURE
        }
    }
}

fn race(options: &Options) -> io::Result<()> {
    let course = options.course();
    let contestants = options.contestants();
    // Sender and Graphite server, and all their threads, stay away from the daemon.
    pin_to(course.cores.sender)?;
    if options.is_test() {
        return miniature::run(&contestants, course.cores.daemon);
    }
    for heat in options.heats() {
        let scenario = heat.scenario;
        println!("{}", scenario.title());
        let takes_part = |contestant: &&Contestant| {
            heat.only.is_empty() || heat.only.contains(&contestant.name())
        };
        let contestants: Vec<&Contestant> = contestants.iter().filter(takes_part).collect();
        let entries = race::run(scenario, &course, &contestants)?;
        report::print_table(scenario.lead(), &entries);
        for line in targets::lines(scenario, &entries) {
            println!("{line}");
        }
        if options.record {
            report::write_record(&heat.record, scenario, &entries)?;
        }
    }
    Ok(())
}
