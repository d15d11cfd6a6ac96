//! A Unix socket in the file system: made with its mode, unlinked when it is not needed any more.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};

use super::path::SocketPath;

/// The file of a bound socket. To be dropped after the socket, it removes the file, unless another
/// socket has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    is_ours: bool,
}

impl SocketFile {
    /// Binds a socket of this type to a path. What a daemon left there that was killed is removed.
    ///
    /// # Errors
    /// If somebody listens there, something else than a socket is there, or the folder is not
    /// ours to write in.
    pub(super) fn make(at: &SocketPath, socket_type: Type) -> io::Result<(Socket, SocketFile)> {
        // Messages name the whole path.
        let path = std::path::absolute(&at.path)?;
        let socket = bind(at, socket_type, &path)?;
        if let Some(mode) = at.mode {
            // What the umask took away.
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        let is_ours = true;
        Ok((socket, SocketFile { path, is_ours }))
    }

    /// Removes the file of a socket that is still open: as long as it is, nobody else binds the path.
    pub fn remove(mut self) {
        self.is_ours = false;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("the socket {} is left there: {error}", self.path.display());
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Leaves the file where it is: another process has the socket, too.
    pub fn leave(&mut self) {
        self.is_ours = false;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        // A number of an inode tells nothing: that of a file which was removed is used again.
        let removed =
            SockAddr::unix(&self.path).and_then(|address| remove_stale(&self.path, &address));
        if let Err(error) = removed {
            log::warn!("the socket {} is left there: {error}", self.path.display());
        }
    }
}

/// Binds, so that the file has no right from its first moment on that its mode does not give.
fn bind(at: &SocketPath, socket_type: Type, path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, socket_type, None)?;
    if let Some(mode) = at.mode {
        // Linux makes the file with the mode of the socket itself but for the umask (`unix_bind_bsd` in
        // net/unix/af_unix.c). Where that cannot be set, the file gets its mode a moment later.
        let _ = fchmod(&socket, Mode::from_raw_mode(mode));
    }
    // The short path, which the kernel has room for.
    let address = SockAddr::unix(&at.path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path, &address)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    Ok(socket)
}

/// Removes a socket that nobody listens to any more.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of that name which is no socket; remove it, or choose another path",
        ));
    }
    let probe = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    // Refused: no socket is behind the file (unix(7)). A socket of connections answers EPROTOTYPE.
    match probe.connect(address).map_err(|error| error.kind()) {
        Err(io::ErrorKind::ConnectionRefused) => fs::remove_file(path),
        Ok(()) | Err(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!(
                "address in use by another program (ss -xlp src {} names it)",
                path.display()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    fn at(folder: &tempfile::TempDir, mode: Option<u32>) -> SocketPath {
        let path = folder.path().join("socket");
        SocketPath { path, mode }
    }

    #[test]
    fn a_socket_has_its_mode_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let at = at(&folder, Some(0o640));
        let made = SocketFile::make(&at, Type::DGRAM).unwrap();
        let mode = fs::metadata(&at.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        drop(made);
        assert!(!at.path.exists());
    }

    /// Goal: nobody connects to a socket before its mode forbids it. Method: the file as the kernel made
    /// it, before its mode is set; with the usual umask others may read it then.
    #[test]
    fn a_socket_never_has_more_rights_than_its_mode() {
        for socket_type in [Type::STREAM, Type::DGRAM] {
            let folder = tempfile::tempdir().unwrap();
            let at = at(&folder, Some(0o600));
            let _socket = bind(&at, socket_type, &at.path).unwrap();
            let mode = fs::metadata(&at.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777 & !0o600, 0, "{mode:o}");
        }
    }

    #[test]
    fn a_socket_that_is_open_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = at(&folder, None);
        let (_socket, file) = SocketFile::make(&at, Type::STREAM).unwrap();
        file.remove();
        assert!(!at.path.exists());
    }

    #[test]
    fn what_a_killed_daemon_left_is_taken_over() {
        for socket_type in [Type::STREAM, Type::DGRAM] {
            let folder = tempfile::tempdir().unwrap();
            let at = at(&folder, None);
            drop(UnixListener::bind(&at.path).unwrap());
            SocketFile::make(&at, socket_type).unwrap();
            assert!(!at.path.exists());
            drop(UnixDatagram::bind(&at.path).unwrap());
            SocketFile::make(&at, socket_type).unwrap();
        }
    }

    #[test]
    fn a_socket_in_use_is_left_alone() {
        for socket_type in [Type::STREAM, Type::DGRAM] {
            let folder = tempfile::tempdir().unwrap();
            let at = at(&folder, None);
            let listener = UnixListener::bind(&at.path).unwrap();
            let error = SocketFile::make(&at, socket_type).unwrap_err().to_string();
            assert!(error.contains("in use by another program"), "{error}");
            drop(listener);
            fs::remove_file(&at.path).unwrap();
            let _datagrams = UnixDatagram::bind(&at.path).unwrap();
            let error = SocketFile::make(&at, socket_type).unwrap_err().to_string();
            assert!(error.contains("in use by another program"), "{error}");
            assert!(at.path.exists());
        }
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = at(&folder, None);
        fs::write(&at.path, "precious").unwrap();
        let error = SocketFile::make(&at, Type::STREAM).unwrap_err().to_string();
        assert!(error.contains("is no socket"), "{error}");
        assert_eq!(fs::read(&at.path).unwrap(), b"precious");
    }

    #[test]
    fn the_socket_of_a_successor_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = at(&folder, None);
        let (socket, file) = SocketFile::make(&at, Type::STREAM).unwrap();
        drop(socket);
        let (_socket, _successor) = SocketFile::make(&at, Type::STREAM).unwrap();
        drop(file);
        assert!(at.path.exists());
    }
}
