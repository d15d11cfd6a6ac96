//! Where etsy's statsd listens: `servers`, or the same keys at the top.

use std::net::Ipv6Addr;

use super::literal::{Content, Literal};
use super::object::Object;
use super::{Mistake, Reader};

pub(super) fn read(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    let Some((value, servers)) = object.list("servers") else {
        let address = address(reader, object)?;
        return match address {
            (address, Some(value)) => reader.set("bind", address, value),
            (address, None) => {
                reader.set_always("bind", address);
                Ok(())
            }
        };
    };
    for key in KEYS {
        if let Some(unused) = object.take(key) {
            reader.note(unused, &format!("{key} has no effect beside servers"));
        }
    }
    let mut addresses = Vec::new();
    for server in servers {
        let mut entry = Object::of(server, reader.text)?;
        let (address, of) = address(reader, &mut entry)?;
        // Each by itself, so that a message has its place.
        reader.set("bind", address.clone(), of.unwrap_or(server))?;
        addresses.push(address);
        reader.note_rest(&entry, "servers.");
    }
    if addresses.is_empty() {
        return Err(reader.mistake(value, "servers is empty: nothing would be received"));
    }
    reader.set("bind", addresses, value)
}

const KEYS: [&str; 6] = [
    "server",
    "address",
    "address_ipv6",
    "port",
    "socket",
    "socket_mod",
];

/// An address as ringstat has it, and the value that decides most of it.
fn address<'a>(
    reader: &mut Reader<'_>,
    entry: &mut Object<'a>,
) -> Result<(String, Option<&'a Literal>), Mistake> {
    let server = entry.text("server")?;
    let is_tcp = match server.map(|(_, path)| super::backends::file_stem(path)) {
        None | Some("udp") => false,
        Some("tcp") => true,
        Some(other) => {
            let reason = format!("there are the servers udp and tcp, but not `{other}`");
            let (value, _) = server.expect("it has a name");
            return Err(reader.mistake(value, &reason));
        }
    };
    let socket = entry.text("socket")?;
    let mode = entry.take("socket_mod");
    let is_ipv6 = entry.flag("address_ipv6").is_some_and(|(_, flag)| flag);
    let host = entry.text("address")?.filter(|(_, host)| !host.is_empty());
    let port = entry.port("port")?.unwrap_or(8125);
    let of = socket.or(host).or(server).map(|(value, _)| value);
    if is_tcp && let Some((_, path)) = socket.filter(|(_, path)| !path.is_empty()) {
        let mode = mode.map(|mode| octal(reader, mode)).transpose()?;
        let query = mode.map_or(String::new(), |mode| format!("?mode={mode}"));
        return Ok((format!("unix:{path}{query}"), of));
    }
    let host = match host {
        Some((_, host)) if host.parse::<Ipv6Addr>().is_ok() => format!("[{host}]"),
        Some((_, host)) => host.to_owned(),
        // On every address of both families, as there.
        None if is_tcp || is_ipv6 => String::new(),
        None => "0.0.0.0".to_owned(),
    };
    let scheme = if is_tcp { "tcp" } else { "udp" };
    Ok((format!("{scheme}://{host}:{port}"), of))
}

/// A mode of a file: text is in octal, as for `fs.chmod`.
fn octal(reader: &Reader<'_>, mode: &Literal) -> Result<String, Mistake> {
    let bits = match &mode.content {
        Content::Text(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
        Content::Number(number) if number.fract() == 0.0 && (0.0..4096.0).contains(number) => {
            Some(*number as u32)
        }
        _ => None,
    };
    match bits {
        Some(bits) if bits < 0o1000 => Ok(format!("{bits:04o}")),
        _ => Err(reader.mistake(mode, "socket_mod is a file's mode in octal, such as '0660'")),
    }
}
