//! Where datagrams are repeated to, as it is written in options, and found at start.

use std::error::Error;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::str::FromStr;

/// StatsD's port, taken where an address names none.
const DEFAULT_PORT: u16 = 8125;

/// A host and a UDP port to send to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepeatAddress {
    /// A name or an address without brackets.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

impl fmt::Display for RepeatAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RepeatAddress { host, port } = self;
        match host.contains(':') {
            true => write!(formatter, "[{host}]:{port}"),
            false => write!(formatter, "{host}:{port}"),
        }
    }
}

impl FromStr for RepeatAddress {
    type Err = String;

    /// Reads `[udp://]HOST[:PORT]` and `[udp://][IPV6][:PORT]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is not a place to repeat to, such as 127.0.0.1:8127 or [::1]:8127")
        };
        let place = text.strip_prefix("udp://").unwrap_or(text);
        let (host, rest) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
                // A zone (%eth0) is for the resolver to check.
                let address = host.split('%').next().unwrap_or_default();
                address.parse::<Ipv6Addr>().map_err(|_| wrong())?;
                (host, rest)
            }
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let port = match rest.strip_prefix(':') {
            // `parse` would also take a plus sign.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().map_err(|_| wrong())?
            }
            None if rest.is_empty() => DEFAULT_PORT,
            Some(_) | None => return Err(wrong()),
        };
        let is_odd = |c: char| c.is_whitespace() || "/?#@[]\\\"".contains(c);
        if host.is_empty() || host.contains(is_odd) || port == 0 {
            return Err(wrong());
        }
        Ok(RepeatAddress {
            host: host.to_owned(),
            port,
        })
    }
}

/// Why datagrams cannot be repeated to an address.
#[derive(Debug)]
pub struct RepeatError {
    message: String,
}

impl Error for RepeatError {}

impl fmt::Display for RepeatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// Looks up the addresses, for as long as the daemon runs. `bound` is where it listens itself.
///
/// # Errors
/// If a name has no address, or one of them leads back to the daemon.
pub fn resolve(
    addresses: &[RepeatAddress],
    bound: &[SocketAddr],
) -> Result<Vec<SocketAddr>, RepeatError> {
    let mut resolved = Vec::new();
    for address in addresses {
        let mut all = (address.host.as_str(), address.port)
            .to_socket_addrs()
            .map_err(|error| RepeatError {
                message: format!("cannot repeat to {address}: {error}"),
            })?;
        let to = all.next().ok_or_else(|| RepeatError {
            message: format!("cannot repeat to {address}: the host name has no address"),
        })?;
        if let Some(own) = bound.iter().find(|own| leads_to(to, **own)) {
            return Err(RepeatError {
                message: format!(
                    "cannot repeat to {address}: ringstat itself listens there (udp://{own}), and \
                     every datagram would come back; let the other daemon listen on another port"
                ),
            });
        }
        if !resolved.contains(&to) {
            resolved.push(to);
        }
    }
    Ok(resolved)
}

/// Whether what is sent `to` an address arrives at a socket that is bound to `own`.
fn leads_to(to: SocketAddr, own: SocketAddr) -> bool {
    if to.port() != own.port() {
        return false;
    }
    let (to_ip, own_ip) = (to.ip().to_canonical(), own.ip().to_canonical());
    // Linux takes the unspecified address for this machine's.
    to_ip == own_ip
        || to_ip.is_unspecified() && (own_ip.is_loopback() || own_ip.is_unspecified())
        || own_ip.is_unspecified() && is_of_this_machine(to)
}

/// Whether an address belongs to this machine: what goes there has it as its source too.
fn is_of_this_machine(to: SocketAddr) -> bool {
    if to.ip().to_canonical().is_loopback() {
        return true;
    }
    let any = match to {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let source = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(to)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == to.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_address_is_read() {
        for (text, full) in [
            ("127.0.0.1:8127", "127.0.0.1:8127"),
            ("old.example", "old.example:8125"),
            ("udp://old:1", "old:1"),
            ("[::1]:8127", "[::1]:8127"),
            ("[fe80::1%eth0]", "[fe80::1%eth0]:8125"),
        ] {
            let address: RepeatAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), full);
            assert_eq!(full.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            ":8127",
            "host:",
            "host:0",
            "host:+1",
            "host:65536",
            "::1",
            "[::1",
            "[::1]8",
            "[host]:1",
            "tcp://a:1",
            "a b:1",
        ] {
            let error = text.parse::<RepeatAddress>().unwrap_err();
            assert!(error.contains("such as 127.0.0.1:8127"), "{text}: {error}");
        }
    }

    #[test]
    fn a_place_where_the_daemon_listens_itself_is_refused() {
        let refused = |to: &str, own: &str| {
            let to = to.parse().unwrap();
            resolve(&[to], &[own.parse().unwrap()]).is_err()
        };
        for (to, own) in [
            ("127.0.0.1:9", "127.0.0.1:9"),
            ("127.0.0.1:9", "0.0.0.0:9"),
            ("127.0.0.7:9", "[::]:9"),
            ("[::1]:9", "[::]:9"),
            ("0.0.0.0:9", "127.0.0.1:9"),
            ("[::ffff:127.0.0.1]:9", "127.0.0.1:9"),
        ] {
            assert!(refused(to, own), "{to} leads to {own}");
        }
        for (to, own) in [
            ("127.0.0.1:9", "127.0.0.1:8"),
            ("127.0.0.1:9", "127.0.0.2:9"),
            // An address for documents: nobody has it.
            ("192.0.2.1:9", "0.0.0.0:9"),
        ] {
            assert!(!refused(to, own), "{to} does not lead to {own}");
        }
    }

    #[test]
    fn a_place_named_twice_is_sent_to_once() {
        let place = || "127.0.0.1:9".parse().unwrap();
        assert_eq!(resolve(&[place(), place()], &[]).unwrap().len(), 1);
    }
}
