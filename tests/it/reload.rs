//! SIGHUP under traffic that nothing holds back.

use std::fs;
use std::thread;

use rustix::process::Signal;

use crate::support::daemon::{Daemon, command};
use crate::support::engines::engines;
use crate::support::open_loop::{OpenLoop, RATE, RECEIVE_BUFFER_BYTES, has_large_buffers};
use crate::support::points::OWN;

/// What is in use one after the other.
const SETTINGS: [&str; 5] = [
    "flush = 0.2\n",
    "flush = 0.1\nprefix = 'pre'\n",
    "flush = 0.3\npercent = [50, 99]\nmax_wait = 0\nquota.'app.*' = 100\n",
    "flush = 0.1\ndeny = ['app.debug.*']\nspread = 0.2\n",
    "flush = 0.2\nmax_series = 1000\nmax_wait = 0.05\n",
];

/// Goal: configurations that change lose and double no datagram of 50,000 in a second that come whatever
/// happens. Method: senders with a schedule that nothing holds back; a SIGHUP after each fifth of it, and a
/// stop behind the last datagram.
#[test]
fn reloads_lose_nothing_of_a_schedule() {
    for engine in engines() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("settings.toml");
        fs::write(&file, SETTINGS[0]).expect("a file");
        let mut command = command(&format!(
            "-b 127.0.0.1:0 --own-prefix {OWN} --shards 2 --engine {engine} \
             --receive-buffer {RECEIVE_BUFFER_BYTES} --config"
        ));
        command.arg(&file);
        let daemon = Daemon::spawn_with_control(command);
        let count = 2 * RATE;
        let traffic = OpenLoop::new(daemon.address(), "load:1|c", count);
        thread::scope(|scope| {
            scope.spawn(|| traffic.run());
            for (number, settings) in (1..).zip(&SETTINGS[1..]) {
                traffic.wait_for_sent(count * number / 5);
                fs::write(&file, settings).expect("a file");
                daemon.signal(Signal::HUP);
                let in_use = format!("configuration {} in use", number + 1);
                daemon.log.wait_for_text(&in_use);
            }
            traffic.wait_for_end();
        });
        let has_room = has_large_buffers(&daemon);
        let points = daemon.stop_and_read();
        points.assert_input_balances();
        let under = ["stats.counters.load.count", "stats.counters.pre.load.count"];
        let counted = under.map(|path| points.sum(path) as u64);
        let drops = points.own_sum("kernel_drops") as u64;
        assert!(counted.iter().all(|count| *count > 0), "{counted:?}");
        assert_eq!(counted.iter().sum::<u64>() + drops, count, "{counted:?}");
        assert!(drops == 0 || !has_room, "{engine}: {drops} dropped");
    }
}
