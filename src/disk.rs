//! What touches a disk, and what is done about one that hangs, as that of a server which is gone does: jobs
//! on threads of their own, whose answers nobody waits for longer than he wants.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// How long a start, a SIGHUP or a stop waits for a disk.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What is said of a disk that has not answered in time.
pub const SILENCE: &str = "the disk does not answer";

/// A thread that does one job after the other, in the order in which it is asked to. It starts with the
/// first one, so that a daemon which forks may have one before, and ends behind the last one when this
/// is dropped.
#[derive(Debug)]
pub struct DiskThread {
    name: &'static str,
    jobs: Option<Sender<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl DiskThread {
    /// A thread that will have this name.
    pub const fn new(name: &'static str) -> DiskThread {
        DiskThread { name, jobs: None }
    }

    /// Has a job done behind those before it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn ask<T: Send + 'static>(
        &mut self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Answer<T>> {
        let (done, answer) = Answer::awaited();
        let job = Box::new(move || {
            // If nobody listens, nobody waits any more.
            let _ = done.send(job());
        });
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => self.jobs.insert(start(self.name)?),
        };
        jobs.send(job).expect("the thread lives as long as this");
        Ok(answer)
    }
}

fn start(name: &str) -> io::Result<Sender<Job>> {
    let (jobs, to_do) = mpsc::channel::<Job>();
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || to_do.into_iter().for_each(|job| job()))?;
    Ok(jobs)
}

/// What will come of a job.
#[derive(Debug)]
pub struct Answer<T>(Receiver<T>);

impl<T> Answer<T> {
    /// An answer, and where it is given.
    pub fn awaited() -> (Sender<T>, Answer<T>) {
        let (give, answer) = mpsc::channel();
        (give, Answer(answer))
    }

    /// Waits for it; None if it has not come by this time. It is taken once: nobody may ask again then.
    pub fn wait(&self, until: Instant) -> Option<T> {
        let left = until.saturating_duration_since(Instant::now());
        match self.0.recv_timeout(left) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("{TAKEN_ONCE}"),
        }
    }

    /// What has come, taken as by [`Answer::wait`]; None if nothing has yet.
    pub fn now(&self) -> Option<T> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => unreachable!("{TAKEN_ONCE}"),
        }
    }
}

/// Why somebody who waits is always answered.
const TAKEN_ONCE: &str = "an answer is taken once, and a panic of who gives it ends the process";

/// Whether an error is one of a disk, which may be over some day, and not one of the settings.
pub fn may_pass(error: &io::Error) -> bool {
    let is_of_disk = |error| OF_A_DISK.contains(&error) || OF_A_LOST_SERVER.contains(&error);
    Errno::from_io_error(error).is_some_and(is_of_disk)
}

/// What a disk says that is full, read-only or sick.
const OF_A_DISK: [Errno; 4] = [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::IO];

/// What a disk behind a network, or one that a process serves, says when that is gone.
const OF_A_LOST_SERVER: [Errno; 4] = [
    Errno::STALE,
    Errno::TIMEDOUT,
    Errno::NOTCONN,
    Errno::REMOTEIO,
];

/// Writes beside a file, for this user alone, and puts it in place when it is complete and on the disk.
///
/// # Errors
/// If that fails; the file is as before then.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_beside(path, bytes)?;
    put_in_place(path)
}

/// The first half of [`replace_file`]: writes beside the file, which stays as it is.
///
/// # Errors
/// If that fails.
pub fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(&beside(path))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The second half: puts what was written beside the file in its place.
///
/// # Errors
/// If that fails.
pub fn put_in_place(path: &Path) -> io::Result<()> {
    fs::rename(beside(path), path)?;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    // Without this a crash of the machine may bring the file before back, which is a whole one, too.
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all())
}

/// Finds out whether a file could be replaced.
///
/// # Errors
/// If it could not.
pub fn can_be_replaced(path: &Path) -> io::Result<()> {
    let beside = beside(path);
    create(&beside).and_then(|_| fs::remove_file(&beside))
}

/// A new file that only this user may read. What an earlier process left there may have had other
/// permissions.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// What is written before it takes the place of the file.
pub fn beside(path: &Path) -> PathBuf {
    with_ending(path, ".new")
}

/// A path with more at its end.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut longer = path.as_os_str().to_owned();
    longer.push(ending);
    longer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that hangs until this is dropped.
    fn hang(disk: &mut DiskThread) -> Sender<()> {
        let (release, hangs) = mpsc::channel::<()>();
        let hanging = disk.ask(move || hangs.recv().is_err()).expect("a thread");
        assert_eq!(hanging.now(), None);
        release
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn nobody_waits_for_a_disk_that_hangs_and_what_was_asked_for_is_done_in_order() {
        let mut disk = DiskThread::new("disk");
        let release = hang(&mut disk);
        let (tell, told) = mpsc::channel();
        let mut ask = |number: u32| {
            let tell = tell.clone();
            let job = move || tell.send(number).is_ok();
            disk.ask(job).expect("a thread")
        };
        let answers = [ask(1), ask(2)];
        for answer in &answers {
            assert_eq!(answer.wait(Instant::now()), None);
        }
        drop(release);
        assert_eq!(answers[1].wait(later()), Some(true));
        assert_eq!(answers[0].now(), Some(true));
        assert_eq!([told.recv(), told.recv()], [Ok(1), Ok(2)]);
    }

    #[test]
    fn what_was_asked_for_is_done_behind_the_end() {
        let mut disk = DiskThread::new("disk");
        let release = hang(&mut disk);
        let last = disk.ask(|| 5).expect("a thread");
        drop(disk);
        drop(release);
        assert_eq!(last.wait(later()), Some(5));
    }
}
