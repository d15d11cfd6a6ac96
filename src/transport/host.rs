//! Reads a host with a port, as an address to listen on has them.

use std::fmt;
use std::net::Ipv6Addr;

use super::address::Fault;

/// StatsD's port, taken where an address names none.
pub const DEFAULT_PORT: u16 = 8125;

/// A host and a port to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address without brackets; none for all addresses, IPv6 and IPv4.
    pub host: Option<String>,
    /// 0 lets the kernel choose.
    pub port: u16,
}

impl Default for HostPort {
    fn default() -> Self {
        HostPort {
            host: None,
            port: DEFAULT_PORT,
        }
    }
}

impl fmt::Display for HostPort {
    /// Writes what follows `://`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            None => write!(formatter, ":{port}"),
            Some(host) if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Some(host) => write!(formatter, "{host}:{port}"),
        }
    }
}

impl HostPort {
    /// Reads `[HOST][:PORT]`; digits alone are a port, a host alone gets the default one.
    pub(super) fn parse(authority: &str, default_port: u16) -> Result<HostPort, Fault> {
        if authority.is_empty() {
            return Err(Fault::Empty);
        }
        if let Some(rest) = authority.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(Fault::Bracket)?;
            // A zone (%eth0) is for the resolver to check.
            let address = host.split_once('%').map_or(host, |(address, _)| address);
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(Fault::NotIpv6(host.to_owned()));
            }
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if rest.is_empty() => default_port,
                None => return Err(Fault::Bracket),
            };
            return Ok(HostPort {
                host: Some(host.to_owned()),
                port,
            });
        }
        if authority.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(HostPort {
                host: None,
                port: parse_port(authority)?,
            });
        }
        let (host, port) = match authority.rsplit_once(':') {
            None => (authority, default_port),
            // With a second colon this is an IPv6 address whose end would be taken for a port.
            Some((host, _)) if host.contains(':') => return Err(Fault::BareIpv6),
            Some((host, port)) => (host, parse_port(port)?),
        };
        // What would end up inside a wrong name: blanks, a path, a query, a user.
        if host.contains(|character: char| {
            character.is_whitespace() || "/?#@[]%\\\"".contains(character)
        }) {
            return Err(Fault::Host(host.to_owned()));
        }
        Ok(HostPort {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        })
    }
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    // `parse` would also take a plus sign.
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(port) = text.parse()
    {
        return Ok(port);
    }
    Err(Fault::Port(text.to_owned()))
}
