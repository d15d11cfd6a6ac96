//! Makes the control socket and answers there, unless there is to be none.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc;

use super::StartError;
use crate::config::Config;
use crate::config::control::{Control as Setting, DEFAULT_MODE, DEFAULT_PATH};
use crate::control;
use crate::flusher::{Door, Message};
use crate::transport::{self, BindAddress, Inherited, Listener, SocketFile, SocketPath};

/// The control socket; its file goes with it.
pub(super) struct Control {
    bound: Option<(UnixListener, SocketFile)>,
    /// Why there is none, where that is no error.
    why_not: Option<String>,
}

impl Control {
    pub(super) fn bind(config: &Config) -> Result<Control, StartError> {
        let bound = match &config.control {
            Setting::None => Ok(None),
            Setting::At(at) => Ok(Some(bind(at).map_err(StartError::new)?)),
            Setting::Default => bind(&SocketPath {
                path: DEFAULT_PATH.into(),
                mode: None,
            })
            .map(Some),
        };
        Ok(match bound {
            Ok(bound) => Control {
                bound,
                why_not: None,
            },
            Err(error) => Control {
                bound: None,
                why_not: Some(error),
            },
        })
    }

    /// To be called in a process that goes away while another one goes on: the file of the socket
    /// belongs to that one.
    pub(super) fn leave(self) {
        if let Some((_, mut file)) = self.bound {
            file.leave();
        }
    }

    /// Starts the thread that answers. What it returns is to be
    /// removed at the end.
    pub(super) fn start(
        self,
        config: &Config,
        messages: &mpsc::Sender<Message>,
    ) -> Result<Option<SocketFile>, StartError> {
        if let Some(why_not) = self.why_not {
            log::info!("`ringstat ledger` finds no socket: {why_not}");
        }
        let Some((listener, file)) = self.bound else {
            return Ok(None);
        };
        log::info!("`ringstat ledger` is answered at {}", config.control);
        control::start(listener, Door::new(messages.clone())).map_err(|error| {
            StartError::new(format!("cannot answer at the control socket: {error}"))
        })?;
        Ok(Some(file))
    }
}

fn bind(at: &SocketPath) -> Result<(UnixListener, SocketFile), String> {
    make_folder(&at.path);
    let address = BindAddress::Unix(SocketPath {
        path: at.path.clone(),
        mode: at.mode.or(Some(DEFAULT_MODE)),
    });
    let bound = transport::bind_streams(&[address], &mut Inherited::default());
    let bound = bound.map_err(|error| {
        format!("{error}; control sets another path, and \"none\" does without a socket")
    })?;
    let listener = bound.unix.into_iter().next();
    let Listener { socket, file, .. } = listener.expect("one was asked for");
    Ok((socket, file.expect("it was bound here")))
}

/// Makes the folder of the socket, but none above it.
fn make_folder(socket: &Path) {
    let folder = socket.parent().filter(|it| !it.as_os_str().is_empty());
    if let Some(folder) = folder {
        // It is there in most cases. Where it cannot be made, the socket cannot, which is told.
        let _ = DirBuilder::new().mode(0o755).create(folder);
    }
}
