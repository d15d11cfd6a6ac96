//! The receive buffers of a UDP port, as /proc/net/udp and udp6 show them.

use std::fs;

/// The receive buffers of all sockets that are bound to a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Memory that waiting datagrams occupy.
    pub(crate) bytes: u64,
    /// Datagrams that found no room, since the sockets were opened.
    pub(crate) drops: u64,
}

/// The receive buffers of a port; nothing if no socket is bound to it.
pub(crate) fn queue_of_port(port: u16) -> Option<Queue> {
    let mut found = None;
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        // Without IPv6 there is no udp6.
        let text = fs::read_to_string(table).unwrap_or_default();
        for queue in text.lines().filter_map(|line| queue_of_line(line, port)) {
            let sum: &mut Queue = found.get_or_insert_default();
            sum.bytes += queue.bytes;
            sum.drops += queue.drops;
        }
    }
    found
}

/// A line is `sl local_address rem_address st tx_queue:rx_queue ... drops`, in hexadecimal but
/// for the drops.
fn queue_of_line(line: &str, port: u16) -> Option<Queue> {
    let mut fields = line.split_ascii_whitespace();
    let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
    let (_, receive_queue) = fields.nth(2)?.split_once(':')?;
    let drops = fields.last()?;
    if u16::from_str_radix(local_port, 16) != Ok(port) {
        return None;
    }
    Some(Queue {
        bytes: u64::from_str_radix(receive_queue, 16).ok()?,
        drops: drops.parse().ok()?,
    })
}
