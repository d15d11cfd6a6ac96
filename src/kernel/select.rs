//! Which engine receives: asked for, or chosen by a probe before any thread starts.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::probe::{Features, probe};

/// The engine that the configuration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// io_uring where it works and gathers batches by itself (kernel 6.12), else recvmmsg.
    #[default]
    Auto,
    /// io_uring, or an error.
    IoUring,
    /// recvmmsg, without asking for io_uring.
    Recvmmsg,
}

impl EngineChoice {
    /// All choices, in the order of the documentation.
    pub const ALL: [EngineChoice; 3] = [
        EngineChoice::Auto,
        EngineChoice::IoUring,
        EngineChoice::Recvmmsg,
    ];

    /// The name on the command line and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            EngineChoice::Auto => "auto",
            EngineChoice::IoUring => "io_uring",
            EngineChoice::Recvmmsg => "recvmmsg",
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        EngineChoice::ALL
            .into_iter()
            .find(|choice| choice.name() == text)
            .ok_or_else(|| format!("unknown engine {text:?}: auto, io_uring or recvmmsg"))
    }
}

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Multishot receives into lent buffers.
    IoUring,
    /// Batches by recvmmsg.
    Recvmmsg,
}

impl EngineKind {
    /// The name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::IoUring => "io_uring",
            EngineKind::Recvmmsg => "recvmmsg",
        }
    }
}

/// The engine that will run, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What was asked for.
    pub choice: EngineChoice,
    /// What runs.
    pub kind: EngineKind,
    /// One line for the log: which engine and, if it is not io_uring, why and what to do.
    pub line: String,
}

/// Why the engine that was asked for cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectError {
    reason: String,
}

impl fmt::Display for SelectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = &self.reason;
        write!(
            formatter,
            "engine io_uring cannot run here: {reason}; engine auto would take recvmmsg"
        )
    }
}

impl Error for SelectError {}

/// Chooses the engine. Probes io_uring unless recvmmsg is asked for, so call it once, before any
/// shard starts.
///
/// # Errors
/// Only if io_uring is asked for and does not work here.
pub fn select(choice: EngineChoice) -> Result<Selection, SelectError> {
    match choice {
        EngineChoice::Recvmmsg => Ok(Selection {
            choice,
            kind: EngineKind::Recvmmsg,
            line: "udp: using the recvmmsg engine, as configured".to_owned(),
        }),
        EngineChoice::Auto | EngineChoice::IoUring => decide(choice, probe()),
    }
}

/// The decision for `auto` and `io_uring`, given what the probe found.
fn decide(
    choice: EngineChoice,
    probed: Result<Features, String>,
) -> Result<Selection, SelectError> {
    let asked_for = choice == EngineChoice::IoUring;
    let (kind, line) = match probed {
        Ok(Features { min_wait: true }) => (
            EngineKind::IoUring,
            "udp: using the io_uring engine".to_owned(),
        ),
        Ok(Features { min_wait: false }) if asked_for => (
            EngineKind::IoUring,
            "udp: using the io_uring engine, as configured; without the minimum wait of \
             kernel 6.12 the recvmmsg engine costs less"
                .to_owned(),
        ),
        // Before 6.12 a batch can only be gathered by sleeping outside the ring, which costs a
        // system call more than recvmmsg needs.
        Ok(Features { min_wait: false }) => (
            EngineKind::Recvmmsg,
            "udp: using the recvmmsg engine (io_uring: works, but gathers batches only since \
             kernel 6.12; engine io_uring forces it); functionality identical"
                .to_owned(),
        ),
        Err(reason) if asked_for => return Err(SelectError { reason }),
        Err(reason) => (
            EngineKind::Recvmmsg,
            format!("udp: using the recvmmsg engine (io_uring: {reason}); functionality identical"),
        ),
    };
    Ok(Selection { choice, kind, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_reads_as_it_is_written() {
        for choice in EngineChoice::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        let error = "uring".parse::<EngineChoice>().unwrap_err();
        assert!(error.contains("auto, io_uring or recvmmsg"), "{error}");
    }

    #[test]
    fn auto_takes_io_uring_where_it_gathers_batches() {
        let selection = decide(EngineChoice::Auto, Ok(Features { min_wait: true })).unwrap();
        assert_eq!(selection.kind, EngineKind::IoUring);
    }

    #[test]
    fn auto_takes_recvmmsg_on_kernels_before_6_12_and_io_uring_can_still_be_had() {
        let old = || Ok(Features { min_wait: false });
        let auto = decide(EngineChoice::Auto, old()).unwrap();
        assert_eq!(auto.kind, EngineKind::Recvmmsg);
        assert!(auto.line.contains("6.12"));
        let forced = decide(EngineChoice::IoUring, old()).unwrap();
        assert_eq!(forced.kind, EngineKind::IoUring);
    }

    #[test]
    fn without_io_uring_auto_says_why_and_io_uring_is_an_error() {
        let blocked = || Err("blocked by seccomp".to_owned());
        let auto = decide(EngineChoice::Auto, blocked()).unwrap();
        assert_eq!(auto.kind, EngineKind::Recvmmsg);
        assert!(auto.line.contains("(io_uring: blocked by seccomp)"));
        let error = decide(EngineChoice::IoUring, blocked()).unwrap_err();
        assert!(error.to_string().contains("blocked by seccomp"));
    }

    #[test]
    fn recvmmsg_is_taken_without_a_probe() {
        let selection = select(EngineChoice::Recvmmsg).unwrap();
        assert_eq!(selection.kind, EngineKind::Recvmmsg);
    }
}
