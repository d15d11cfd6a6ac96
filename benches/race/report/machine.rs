//! Where and when something was measured.

use std::env;
use std::fs;
use std::process::Command;

/// What a record says about its origin.
pub(super) struct Machine {
    pub(super) kernel: String,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) is_virtual: bool,
    pub(super) commit: String,
    pub(super) date: String,
    /// What to type for the same again.
    pub(super) command: String,
    /// net.core.rmem_default and net.core.rmem_max in bytes.
    pub(super) receive_buffers: [String; 2],
}

impl Machine {
    pub(super) fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let sysctl = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/net/core/{name}"));
            text.map_or("unknown".to_owned(), |text| text.trim().to_owned())
        };
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        Machine {
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            cpu: field("model name").unwrap_or_else(|| env::consts::ARCH.to_owned()),
            cores: cpuinfo
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            is_virtual: field("flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            commit: commit(),
            date: output_of("date", &["-u", "+%Y-%m-%d"]),
            command: command(),
            receive_buffers: [sysctl("rmem_default"), sysctl("rmem_max")],
        }
    }
}

/// The commit that was measured, marked if there is more than the commit.
fn commit() -> String {
    let commit = output_of("git", &["rev-parse", "--short", "HEAD"]);
    let changes = output_of("git", &["status", "--porcelain", "--untracked-files=no"]);
    if changes.is_empty() {
        commit
    } else {
        format!("{commit} with changes")
    }
}

/// The command line, without the places of this machine and what Cargo adds.
fn command() -> String {
    let words = env::args().skip(1).filter(|word| word != "--bench");
    let mut command = String::from("cargo bench --bench race --");
    for word in words {
        command.push(' ');
        let word = match word.rsplit_once('/') {
            Some((before, program)) => match before.split_once('=') {
                Some((name, _)) => format!("{name}=.../{program}"),
                None => format!(".../{program}"),
            },
            None => word,
        };
        command.push_str(&word);
    }
    command
}

/// What a command prints, or nothing.
fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
