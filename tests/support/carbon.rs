//! A real Graphite receiver, Debian's carbon-cache, and its whisper files.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::daemon::Guarded;
use super::graphite::ReservedPort;
use super::poll;

/// carbon-cache in the foreground, with all its files in a directory that goes away with it.
pub(crate) struct Carbon {
    _process: Guarded,
    /// Nobody else may have the ports while it runs.
    _ports: [ReservedPort; 3],
    directory: TempDir,
    pub(crate) text_port: u16,
    pub(crate) pickle_port: u16,
}

impl Carbon {
    /// Starts it and waits until it listens; None where it is not installed.
    pub(crate) fn start() -> Option<Carbon> {
        let program = Path::new("/usr/bin/carbon-cache");
        if !program.exists() {
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ports = [(); 3].map(|()| ReservedPort::new());
        let [text_port, pickle_port, query_port] = ports.each_ref().map(|port| port.port);
        let place = directory.path().display();
        let settings = format!(
            "[cache]\n\
             STORAGE_DIR = {place}\nLOCAL_DATA_DIR = {place}/whisper\nCONF_DIR = {place}\n\
             LOG_DIR = {place}\nPID_DIR = {place}\nUSER =\n\
             LINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = {text_port}\n\
             PICKLE_RECEIVER_INTERFACE = 127.0.0.1\nPICKLE_RECEIVER_PORT = {pickle_port}\n\
             CACHE_QUERY_INTERFACE = 127.0.0.1\nCACHE_QUERY_PORT = {query_port}\n\
             MAX_CREATES_PER_MINUTE = inf\nENABLE_TAGS = False\nCARBON_METRIC_INTERVAL = 0\n"
        );
        let configuration = directory.path().join("carbon.conf");
        fs::write(&configuration, settings).expect("a file");
        fs::write(
            directory.path().join("storage-schemas.conf"),
            "[all]\npattern = .*\nretentions = 1s:1h\n",
        )
        .expect("a file");
        let log = fs::File::create(directory.path().join("output")).expect("a file");
        let mut command = Command::new(program);
        command.arg(format!("--config={}", configuration.display()));
        command.args(["--debug", "start"]).stdin(Stdio::null());
        command
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log);
        let process = Guarded(command.spawn().expect("carbon-cache starts"));
        for port in [text_port, pickle_port] {
            poll("carbon-cache to listen", || {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
            });
        }
        Some(Carbon {
            _process: process,
            _ports: ports,
            directory,
            text_port,
            pickle_port,
        })
    }

    /// Waits for a value in a series; returns all points that have it, oldest first.
    pub(crate) fn wait_for(&self, series: &str, value: f64) -> Vec<(u64, f64)> {
        let path: PathBuf = self.directory.path().join("whisper").join(series);
        poll(series, || {
            let file = fs::read(path.with_extension("wsp")).ok()?;
            let mut points = whisper_points(&file)?;
            points.retain(|point| point.1 == value);
            Some(points).filter(|points| !points.is_empty())
        })
    }
}

/// Reads the first archive of a whisper file: 16 bytes of which the last four are the number of
/// archives; for each archive offset, seconds per point and number of points, 4 bytes each; then
/// points of a time stamp (4 bytes) and a value (8 bytes). All are big-endian. None if the file is
/// not complete yet.
fn whisper_points(file: &[u8]) -> Option<Vec<(u64, f64)>> {
    let number = |at: usize| Some(u32::from_be_bytes(*file.get(at..)?.first_chunk()?));
    let (offset, count) = (number(16)? as usize, number(24)? as usize);
    let mut points = Vec::new();
    for point in 0..count {
        let at = offset + 12 * point;
        let value = f64::from_be_bytes(*file.get(at + 4..)?.first_chunk()?);
        // An unused place has the time stamp 0.
        points.extend(Some((u64::from(number(at)?), value)).filter(|point| point.0 > 0));
    }
    points.sort_unstable_by_key(|point| point.0);
    Some(points)
}
