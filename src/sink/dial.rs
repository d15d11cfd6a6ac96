//! Resolves a host name and connects, on a thread of its own: neither can be given a deadline by
//! an event loop, and a slow name server must not hold up other sinks.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::sync::oneshot;

/// Turns a host name and a port into addresses; asked again at each attempt to connect.
pub type Resolve = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The system's resolver.
pub fn system_resolver() -> Resolve {
    Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

/// Connects to the first of a host's addresses that answers, each within `deadline`. The stream
/// is in blocking mode.
///
/// # Errors
/// The reason of the last address, or that of the resolver.
pub async fn dial(
    resolve: &Resolve,
    host: &str,
    port: u16,
    deadline: Duration,
) -> io::Result<TcpStream> {
    let (answer, answered) = oneshot::channel();
    let (resolve, host) = (Arc::clone(resolve), host.to_owned());
    // Not tokio's pool: a runtime waits for its pool at the end, and a resolver can take minutes.
    std::thread::Builder::new()
        .name("dial".to_owned())
        .spawn(move || {
            let connected = resolve(&host, port).and_then(|all| connect_any(&all, deadline));
            // Nobody listens any more when the daemon stopped meanwhile.
            let _ = answer.send(connected);
        })?;
    answered
        .await
        .map_err(|_| io::Error::other("the resolver panicked"))?
}

fn connect_any(addresses: &[SocketAddr], deadline: Duration) -> io::Result<TcpStream> {
    let mut result = Err(io::Error::new(
        io::ErrorKind::NotFound,
        "the host name has no address",
    ));
    for address in addresses {
        result = connect(address, deadline);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn connect(address: &SocketAddr, deadline: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, deadline)?;
    // Slots are written whole; waiting for more bytes to fill a segment would only delay the end.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    // Finds a peer that vanished while nothing was sent, and keeps firewalls from forgetting us.
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    // The same for a peer that vanished while bytes of ours were unacknowledged.
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(stream)
}

/// How long sent bytes may stay unacknowledged before the kernel ends the connection.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);
