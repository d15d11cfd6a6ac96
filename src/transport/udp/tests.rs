//! Binding over loopback; every port is the kernel's choice.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use super::place::kernel_has_ipv6;
use super::*;

const BUFFER_BYTES: usize = 65_536;

fn addresses(texts: &[&str]) -> Vec<BindAddress> {
    let parse = |text: &&str| text.parse().unwrap();
    texts.iter().map(parse).collect()
}

/// A port that was free a moment ago, for both families.
fn free_port() -> u16 {
    let bound = bind(&addresses(&[":0"]), 1, BUFFER_BYTES).unwrap();
    bound.addresses[0].port()
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn without_a_host_one_socket_takes_ipv4_and_ipv6() {
    let bound = bind(&addresses(&[":0"]), 1, BUFFER_BYTES).unwrap();
    let port = bound.addresses[0].port();
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender
        .send_to(b"four", (Ipv4Addr::LOCALHOST, port))
        .unwrap();
    assert_eq!(receive(&bound.shards[0][0]), b"four");
    if kernel_has_ipv6() {
        let sender = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        sender.send_to(b"six", (Ipv6Addr::LOCALHOST, port)).unwrap();
        assert_eq!(receive(&bound.shards[0][0]), b"six");
    }
}

// A gibibyte may be asked for and is a byte more than the kernel can be told.
#[test]
fn the_largest_receive_buffer_is_no_smaller_than_asked_for() {
    let counted_bytes = 2 * (i32::MAX as usize / 2);
    assert_eq!(warning(counted_bytes, 1 << 30), None);
    assert!(warning(counted_bytes / 2, 1 << 30).is_some());
}

#[test]
fn the_dual_stack_socket_does_not_depend_on_the_sysctl() {
    let place = Place::new(Transport::Udp, (Ipv6Addr::UNSPECIFIED, 0).into());
    for dual_stack in [true, false] {
        let place = Place {
            dual_stack,
            ..place
        };
        let socket = place.open(true).unwrap();
        assert_eq!(sockopt::ipv6_v6only(&socket).unwrap(), !dual_stack);
    }
}

#[test]
fn with_port_0_all_shards_share_the_port_of_the_first() {
    let bound = bind(&addresses(&["127.0.0.1:0", "[::1]:0"]), 3, BUFFER_BYTES).unwrap();
    assert_eq!(bound.shards.len(), 3);
    for shard in &bound.shards {
        let locals: Vec<SocketAddr> = shard.iter().map(|s| s.local_addr().unwrap()).collect();
        assert_eq!(locals, bound.addresses);
        assert!(locals.iter().all(|local| local.port() != 0));
    }
}

#[test]
fn an_address_held_by_another_socket_is_refused_even_if_it_shares_its_port() {
    for share_port in [false, true] {
        let loopback = Place::new(Transport::Udp, (Ipv4Addr::LOCALHOST, 0).into());
        let holder = loopback.open(share_port).unwrap();
        let port = UdpSocket::from(holder.try_clone().unwrap())
            .local_addr()
            .unwrap()
            .port();
        let error = bind(&addresses(&[&format!("127.0.0.1:{port}")]), 2, BUFFER_BYTES);
        let message = error.unwrap_err().to_string();
        let expected = format!(
            "cannot bind udp://127.0.0.1:{port}: address in use by another program \
             (ss -ulpn 'sport = :{port}' names it)"
        );
        assert_eq!(message, expected);
    }
}

#[test]
fn an_address_that_becomes_free_within_a_second_is_taken() {
    let loopback = Place::new(Transport::Udp, (Ipv4Addr::LOCALHOST, 0).into());
    let holder = loopback.open(false).unwrap();
    let port = UdpSocket::from(holder.try_clone().unwrap())
        .local_addr()
        .unwrap()
        .port();
    let text = format!("127.0.0.1:{port}");
    let binding = thread::spawn(move || bind(&addresses(&[&text]), 1, BUFFER_BYTES).map(drop));
    // Whenever this comes, before or after the first try, the address is free in time.
    thread::yield_now();
    drop(holder);
    binding.join().unwrap().unwrap();
}

#[test]
fn the_same_address_twice_is_an_error() {
    let port = free_port();
    for texts in [
        [format!(":{port}"), format!("{port}")],
        [
            format!("127.0.0.1:{port}"),
            format!("udp://127.0.0.1:{port}"),
        ],
    ] {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let message = bind(&addresses(&texts), 1, BUFFER_BYTES)
            .unwrap_err()
            .to_string();
        assert!(message.contains("given twice"), "{message}");
    }
    assert!(bind(&addresses(&[":0", ":0"]), 1, BUFFER_BYTES).is_ok());
}

#[test]
fn one_address_and_all_addresses_can_be_bound_together() {
    let port = free_port();
    let texts = [format!(":{port}"), format!("127.0.0.1:{port}")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let bound = bind(&addresses(&texts), 2, BUFFER_BYTES).unwrap();
    assert_eq!(bound.addresses.len(), 2);
}

#[test]
fn all_of_ipv4_given_by_itself_keeps_its_traffic() {
    let port = free_port();
    let texts = [format!("[::]:{port}"), format!("0.0.0.0:{port}")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let bound = bind(&addresses(&texts), 1, BUFFER_BYTES).unwrap();
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender
        .send_to(b"four", (Ipv4Addr::LOCALHOST, port))
        .unwrap();
    assert_eq!(receive(&bound.shards[0][1]), b"four");
}

#[test]
fn a_name_is_resolved_and_a_wrong_one_is_named() {
    let bound = bind(&addresses(&["localhost:0"]), 1, BUFFER_BYTES).unwrap();
    assert!(
        bound
            .addresses
            .iter()
            .all(|address| address.ip().is_loopback())
    );
    let message = bind(&addresses(&["no-such-host.invalid:1"]), 1, BUFFER_BYTES)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("cannot resolve udp://no-such-host.invalid:1: "),
        "{message}"
    );
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // 192.0.2.0/24 is for documentation (RFC 5737).
    let message = bind(&addresses(&["192.0.2.1:0"]), 1, BUFFER_BYTES)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("no interface of this machine"),
        "{message}"
    );
}

#[test]
fn the_receive_buffer_is_read_back() {
    let bound = bind(&addresses(&[":0"]), 2, 106_496).unwrap();
    assert_eq!(bound.receive_buffer_bytes, 212_992);
    assert_eq!(bound.warnings, [""; 0]);
}

#[test]
fn a_smaller_receive_buffer_than_asked_for_names_the_sysctl() {
    let message = warning(8 << 20, 32 << 20).unwrap();
    assert!(
        message.contains("sysctl -w net.core.rmem_max=33554432"),
        "{message}"
    );
    assert!(message.contains("about 10082 small datagrams"), "{message}");
    assert_eq!(warning(64 << 20, 32 << 20), None);
}

/// Sockets that share an address, as somebody hands them over.
fn handed(place: Place, count: usize) -> (SocketAddr, Vec<(String, OwnedFd)>) {
    let mut place = place;
    let sockets = open(&mut place, count).unwrap();
    let sockets = sockets.into_iter();
    let handed = sockets.map(|socket| ("unit".to_owned(), socket.into()));
    (place.address, handed.collect())
}

fn on_loopback() -> Place {
    Place::new(Transport::Udp, (Ipv4Addr::LOCALHOST, 0).into())
}

#[test]
fn an_inherited_address_decides_about_the_number_of_shards() {
    let (address, handed) = handed(on_loopback(), 2);
    let mut inherited = Inherited::new(handed, "store/").unwrap();
    let wanted = addresses(&[&address.to_string(), "127.0.0.1:0"]);
    let bound = bind_or_inherit(&wanted, 4, BUFFER_BYTES, &mut inherited).unwrap();
    assert_eq!(bound.addresses[0], address);
    assert_eq!(bound.origins, [Origin::Inherited, Origin::AnyPort]);
    assert_eq!(bound.sockets_counts, [2, 2]);
    assert!(bound.shards.iter().all(|sockets| sockets.len() == 2));
    assert!(bound.warnings[0].contains("2 sockets in place of 4 (shards)"));
}

#[test]
fn one_inherited_socket_goes_to_the_first_of_more_shards() {
    let (_, mut all) = handed(on_loopback(), 3);
    let (_, one) = handed(on_loopback(), 1);
    all.extend(one);
    let mut inherited = Inherited::new(all, "store/").unwrap();
    let bound = bind_or_inherit(&[], 3, BUFFER_BYTES, &mut inherited).unwrap();
    let counts: Vec<usize> = bound.shards.iter().map(Vec::len).collect();
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
fn an_inherited_receive_buffer_is_raised_and_never_lowered() {
    for (asked_bytes, expected_bytes) in [(16_384, 65_536), (65_536, 131_072)] {
        let (_, handed) = handed(on_loopback(), 1);
        let socket = &handed[0].1;
        sockopt::set_socket_recv_buffer_size(socket, 32_768).unwrap();
        let mut inherited = Inherited::new(handed, "store/").unwrap();
        let bound = bind_or_inherit(&[], 1, asked_bytes, &mut inherited).unwrap();
        assert_eq!(bound.receive_buffer_bytes, expected_bytes);
    }
}

#[test]
fn an_inherited_socket_that_leaves_ipv4_alone_is_told_of_unless_another_has_it() {
    if !kernel_has_ipv6() {
        return;
    }
    let ipv6 = Place {
        dual_stack: false,
        ..Place::new(Transport::Udp, (Ipv6Addr::UNSPECIFIED, 0).into())
    };
    let (address, mut all) = handed(ipv6, 1);
    let copies = all.iter().map(|(name, socket)| {
        let socket = socket.try_clone().unwrap();
        (name.clone(), socket)
    });
    let mut alone = Inherited::new(copies.collect::<Vec<_>>(), "store/").unwrap();
    let bound = bind_or_inherit(&[], 1, BUFFER_BYTES, &mut alone).unwrap();
    assert!(bound.warnings[0].contains("BindIPv6Only=both"));
    let ipv4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
    all.extend(handed(Place::new(Transport::Udp, ipv4), 1).1);
    let mut both = Inherited::new(all, "store/").unwrap();
    let bound = bind_or_inherit(&[], 1, BUFFER_BYTES, &mut both).unwrap();
    assert_eq!(bound.warnings, [""; 0]);
}

#[test]
fn the_default_address_leaves_ipv4_to_an_inherited_socket() {
    if !kernel_has_ipv6() {
        return;
    }
    let ipv4 = Place::new(Transport::Udp, (Ipv4Addr::UNSPECIFIED, 0).into());
    let (address, handed) = handed(ipv4, 1);
    let mut inherited = Inherited::new(handed, "store/").unwrap();
    let wanted = addresses(&[&format!(":{}", address.port())]);
    let bound = bind_or_inherit(&wanted, 1, BUFFER_BYTES, &mut inherited).unwrap();
    assert_eq!(bound.origins, [Origin::Bound, Origin::Inherited]);
}
