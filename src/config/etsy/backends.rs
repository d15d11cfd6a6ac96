//! Where etsy's statsd sends to: Graphite, the console, and other daemons.

use super::literal::{Content, Literal};
use super::object::Object;
use super::{Mistake, Reader};

pub(super) fn read(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    let graphite = graphite(reader, object)?;
    // What it prints differs, however it is laid out.
    let mut console = object.object("console")?;
    console.take("prettyprint");
    reader.note_rest(&console, "console.");
    let others = repeater(reader, object)?;
    let backends = object.list("backends");
    let mut sinks = Vec::new();
    let (mut to_graphite, mut to_others) = (backends.is_none(), None);
    for backend in backends.into_iter().flat_map(|(_, entries)| entries) {
        let Content::Text(name) = &backend.content else {
            return Err(reader.mistake(backend, "a backend is a name in quotes"));
        };
        match file_stem(name) {
            "graphite" => to_graphite = true,
            "console" => sinks.push("console:".to_owned()),
            "repeater" => to_others = Some(backend),
            _ => return Err(reader.mistake(backend, &not_ours(name))),
        }
    }
    match (others, to_others) {
        (Some((hosts, others)), Some(_)) => reader.set("repeat", others, hosts)?,
        (Some((hosts, _)), None) => {
            let text = "repeater has no effect without ./backends/repeater among the backends";
            reader.note(hosts, text);
        }
        (None, Some(backend)) => {
            reader.note(backend, "the backend repeater has no repeater to send to");
        }
        (None, None) => {}
    }
    send(reader, graphite.filter(|_| to_graphite), sinks)
}

fn send(
    reader: &mut Reader<'_>,
    graphite: Option<(&Literal, String)>,
    mut sinks: Vec<String>,
) -> Result<(), Mistake> {
    let Some((value, graphite)) = graphite else {
        reader.set_always("sink", sinks);
        return Ok(());
    };
    reader.set("sink", graphite.clone(), value)?;
    sinks.push(graphite);
    reader.set_always("sink", sinks);
    Ok(())
}

/// The Graphite server; none without a host, as there.
fn graphite<'a>(
    reader: &Reader<'_>,
    object: &mut Object<'a>,
) -> Result<Option<(&'a Literal, String)>, Mistake> {
    let host = object.text("graphiteHost")?;
    let port = object.port("graphitePort")?.unwrap_or(2003);
    let pickle_port = object.port("graphitePicklePort")?.unwrap_or(2004);
    let (scheme, port) = match object.text("graphiteProtocol")? {
        None | Some((_, "text")) => ("graphite", port),
        Some((_, "pickle")) => ("graphite+pickle", pickle_port),
        Some((value, other)) => {
            let reason = format!("graphiteProtocol is text or pickle, and not `{other}`");
            return Err(reader.mistake(value, &reason));
        }
    };
    Ok(host
        .filter(|(_, host)| !host.is_empty())
        .map(|(value, host)| {
            let host = bracketed(host);
            // A connection for each flush, as there.
            (value, format!("{scheme}://{host}:{port}?connection=flush"))
        }))
}

/// The other daemons.
fn repeater<'a>(
    reader: &Reader<'_>,
    object: &mut Object<'a>,
) -> Result<Option<(&'a Literal, Vec<String>)>, Mistake> {
    let protocol = object.text("repeaterProtocol")?;
    let Some((value, hosts)) = object.list("repeater") else {
        return Ok(None);
    };
    match protocol {
        None | Some((_, "udp4" | "udp6")) => {}
        Some((value, other)) => {
            let reason = format!(
                "ringstat repeats datagrams by UDP, not by `{other}`; write udp4 or udp6 if the \
                 other daemon takes them"
            );
            return Err(reader.mistake(value, &reason));
        }
    }
    let mut others = Vec::new();
    for entry in hosts {
        let mut entry_keys = Object::of(entry, reader.text)?;
        let host = entry_keys.text("host")?;
        let port = entry_keys.port("port")?;
        let (Some((_, host)), Some(port)) = (host, port) else {
            return Err(reader.mistake(entry, "an entry of repeater has a host and a port"));
        };
        others.push(format!("{}:{port}", bracketed(host)));
    }
    Ok((!others.is_empty()).then_some((value, others)))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// `./backends/graphite` and `graphite.js` are both graphite.
pub(super) fn file_stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".js").unwrap_or(name)
}

fn not_ours(name: &str) -> String {
    // It may be of any length.
    let name: String = name.chars().take(80).collect();
    format!(
        "the backend `{name}` is JavaScript, and ringstat runs none; it has graphite, console and \
         repeater. Take it out here, and let a program of yours have each flush on its standard \
         input: --sink 'command:PROGRAM'"
    )
}
