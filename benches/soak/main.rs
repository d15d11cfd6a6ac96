//! The soak: mixed traffic for as long as one likes, while sinks fail, the configuration changes and
//! the daemon is restarted. In the end every sample must be accounted for, and memory be flat.
//!
//! `cargo bench --bench soak -- --help` has the options.

mod account;
mod checks;
mod daemon;
mod faults;
mod listener;
#[allow(dead_code, unused_imports)] // The race has more use for it.
#[path = "../race/load/mod.rs"]
mod load;
#[allow(dead_code, unused_imports)] // As above.
#[path = "../race/measure/mod.rs"]
mod measure;
mod memory;
mod options;
mod plot;
mod stream;
mod traffic;
#[allow(dead_code, unused_imports)] // As above.
#[path = "../race/units.rs"]
mod units;

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use account::Account;
use checks::Findings;
use daemon::{Daemon, Sockets};
use faults::{Fault, Plan};
use listener::Listener;
use memory::Memory;
use options::Options;
use traffic::Traffic;

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_millis(20);

/// How long sinks may take to get all that has piled up.
const SETTLE_MAX: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(findings) if findings.is_clean() => {
            println!("soak: passed");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for fault in findings.faults() {
                println!("soak: FAILED: {fault}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<Findings> {
    // First of all, so that their descriptors are small numbers.
    let sockets = Sockets::open(options)?;
    let sinks = [Listener::open("spooled")?, Listener::open("queued")?];
    let ports = [sinks[0].port(), sinks[1].port()];
    let mut daemon = Daemon::start(options, sockets, ports)?;
    let traffic = Traffic::start(options, daemon.udp(), daemon.tcp())?;
    let plan = Plan::new(options.seed, options.duration());
    println!(
        "{:?} of {} datagrams/s and {} lines/s over TCP, seed {}: {}",
        options.duration(),
        options.rate,
        options.lines,
        options.seed,
        plan.summary()
    );
    let mut memory = Memory::default();
    let mut back_up: [Option<Instant>; 2] = [None, None];
    let mut faults = plan.faults.into_iter().peekable();
    let began = Instant::now();
    while began.elapsed() < options.duration() {
        std::thread::sleep(LOOK);
        daemon.check_runs()?;
        memory.look(began.elapsed(), &daemon)?;
        for (sink, until) in sinks.iter().zip(&mut back_up) {
            if until.is_some_and(|until| Instant::now() >= until) {
                *until = None;
                sink.up()?;
            }
        }
        let Some(fault) = faults.next_if(|fault| began.elapsed() >= fault.at) else {
            continue;
        };
        println!("{:8.1} s: {}", began.elapsed().as_secs_f64(), fault.what);
        match fault.what {
            Fault::Kill { sink, down } => {
                sinks[sink].down();
                let until = Instant::now() + down;
                back_up[sink] = back_up[sink].max(Some(until));
            }
            Fault::Reload => daemon.reload()?,
            Fault::Restart => traffic.pause_while(daemon.hands_over(), || daemon.restart())?,
        }
    }
    let sent = traffic.stop()?;
    for sink in &sinks {
        sink.up()?;
    }
    let settled = settle(&sinks, &mut daemon, &mut memory, began)?;
    let (log, dropped) = daemon.stop()?;
    let received = sinks.map(Listener::end);
    let mut findings = Findings::default();
    if !settled {
        findings.add(format!("a sink had not got all within {SETTLE_MAX:?}"));
    }
    let account = Account::new(&sent, &received, &log, dropped);
    account.check_input(&mut findings);
    account.check_samples(&mut findings);
    checks::received(&sent, &received, &mut findings);
    checks::own_metrics(&received, &mut findings);
    checks::log(&log, &mut findings);
    memory.check(options.duration(), &mut findings);
    memory.print();
    if options.record {
        plot::record(&memory, options)?;
    }
    Ok(findings)
}

/// Waits until nothing is queued or spooled for either sink, and each has got that from the daemon.
fn settle(
    sinks: &[Listener; 2],
    daemon: &mut Daemon,
    memory: &mut Memory,
    began: Instant,
) -> io::Result<bool> {
    let since_unix_s = listener::now_unix_s() + 2 * daemon.flush_s();
    let deadline = Instant::now() + SETTLE_MAX;
    while Instant::now() < deadline {
        std::thread::sleep(LOOK);
        daemon.check_runs()?;
        memory.look(began.elapsed(), daemon)?;
        if sinks.iter().all(|sink| sink.is_settled(since_unix_s)) {
            return Ok(true);
        }
    }
    Ok(false)
}
