//! Where the daemon listens, and what it says if it cannot.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Socket, Type};

use crate::support::daemon::{Daemon, command, run};
use crate::support::udp::Sender;

/// Goal: without a host, one socket takes both families. Method: a sender of each.
#[test]
fn one_socket_takes_ipv4_and_ipv6() {
    let daemon = Daemon::start("-b :0 -f 0.2");
    assert_eq!(daemon.addresses().len(), 1);
    assert!(daemon.address().is_ipv6());
    let ipv4 = SocketAddr::from((Ipv4Addr::LOCALHOST, daemon.address().port()));
    Sender::to(ipv4).send("both:1|c");
    daemon.sender().send("both:2|c");
    daemon.wait_for_sum("stats.counters.both.count", 3.0);
    assert_eq!(daemon.stop_and_read().own_sum("datagrams"), 2.0);
}

/// Goal: each address that is named gets its socket. Method: one of each family, a sender to each.
#[test]
fn two_addresses_get_two_sockets() {
    let daemon = Daemon::start("-b 127.0.0.1:0 -b [::1]:0 -f 0.2");
    let [ipv4, ipv6] = daemon.addresses() else {
        panic!("two addresses: {:?}", daemon.addresses());
    };
    assert!(ipv4.is_ipv4() && ipv6.is_ipv6());
    Sender::to(*ipv4).send("both:1|c");
    Sender::to(*ipv6).send("both:2|c");
    daemon.wait_for_sum("stats.counters.both.count", 3.0);
    assert_eq!(daemon.stop_and_read().own_sum("datagrams"), 2.0);
}

/// Goal: an address in use is refused with what to do. Method: a socket of the test holds it.
#[test]
fn an_address_in_use_is_refused() {
    let holder = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    assert_in_use_is_refused(holder.local_addr().expect("a bound address"));
}

/// Goal: no port is shared with a stranger who would take a part of the traffic. Method: the
/// holder allows it by SO_REUSEPORT, which the daemon's own sockets set too.
#[test]
fn an_address_in_use_is_refused_although_its_holder_would_share_it() {
    let holder = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    holder.set_reuse_port(true).expect("an option");
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    holder.bind(&any_port.into()).expect("a free port");
    let address = holder.local_addr().expect("a bound address");
    assert_in_use_is_refused(address.as_socket().expect("an IPv4 address"));
}

fn assert_in_use_is_refused(address: SocketAddr) {
    for bind in [address.to_string(), format!(":{}", address.port())] {
        let ended = run(command(&format!("-b {bind} -s console:")));
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let hint = format!("ss -ulpn 'sport = :{}'", address.port());
        assert!(ended.log.contains(&hint), "{ended:?}");
        assert!(ended.log.contains("cannot bind udp://"), "{ended:?}");
    }
}
