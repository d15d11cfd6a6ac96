//! A link that a test can cut: two network namespaces, and a cable between them.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::skip;

/// One end is for a daemon, the other for its server. It goes with its owner.
pub(crate) struct Link {
    name: String,
}

/// The server's end.
pub(crate) const SERVER: &str = "192.0.2.2";

impl Link {
    /// Lays the cable; None where that is not allowed, or iproute2 is missing.
    pub(crate) fn new() -> Option<Link> {
        static COUNT: AtomicU8 = AtomicU8::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let link = Link {
            name: format!("ringstat-{}-{number}", std::process::id()),
        };
        let (daemon, server) = (link.daemon_end(), link.server_end());
        let laid = [&daemon, &server]
            .iter()
            .all(|end| ip(&format!("netns add {end}")))
            && ip(&format!(
                "-n {daemon} link add cable type veth peer cable netns {server}"
            ))
            && ip(&format!("-n {daemon} address add 192.0.2.1/24 dev cable"))
            && ip(&format!("-n {server} address add {SERVER}/24 dev cable"))
            && ip(&format!("-n {daemon} link set lo up"))
            && ip(&format!("-n {daemon} link set cable up"))
            && ip(&format!("-n {server} link set cable up"));
        if !laid {
            skip("no network namespaces: this needs root, and `ip` of the package iproute2");
            return None;
        }
        Some(link)
    }

    fn daemon_end(&self) -> String {
        format!("{}-d", self.name)
    }

    fn server_end(&self) -> String {
        format!("{}-s", self.name)
    }

    /// A listener at the server's end.
    pub(crate) fn listen(&self) -> TcpListener {
        let path = format!("/run/netns/{}", self.server_end());
        // The socket stays where its thread was.
        let listening = thread::spawn(move || {
            let namespace = File::open(path).expect("it is there");
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network).expect("it may");
            TcpListener::bind((SERVER, 0)).expect("a free port")
        });
        listening.join().expect("no panic")
    }

    /// A command at the daemon's end, to which arguments can be added.
    pub(crate) fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.daemon_end(), program]);
        command.args(arguments.split_whitespace());
        command
    }

    /// Nothing passes from now on, and neither end is told of it but by silence.
    pub(crate) fn cut(&self) {
        assert!(ip(&format!("-n {} link set cable down", self.server_end())));
    }

    pub(crate) fn mend(&self) {
        assert!(ip(&format!("-n {} link set cable up", self.server_end())));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for end in [self.daemon_end(), self.server_end()] {
            // It may not have come so far.
            ip(&format!("netns delete {end}"));
        }
    }
}

/// Runs `ip`; returns whether it did what it was told.
fn ip(arguments: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(arguments.split(' ')).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
