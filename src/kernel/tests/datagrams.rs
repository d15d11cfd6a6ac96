use std::net::Ipv6Addr;

use super::*;

#[test]
fn an_empty_datagram_does_not_stop_the_receiver() {
    let sent: [&[u8]; 7] = [b"first", b"", b"second", b"", b"", b"third", b""];
    for_each_engine(|kind| {
        let socket = bound(65_536);
        let address = socket.local_addr().unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let mut collect = Collect::default();
        // Queued before the receive is armed, and then one by one while it is.
        for bytes in sent {
            sender.send_to(bytes, address).unwrap();
        }
        receive_count(&mut engine, &mut collect, sent.len());
        for (index, bytes) in sent.into_iter().enumerate() {
            sender.send_to(bytes, address).unwrap();
            receive_count(&mut engine, &mut collect, sent.len() + index + 1);
        }
        assert_eq!(collect.texts(), [sent, sent].concat());
        assert_eq!(engine.counters().empty, 8);
    });
}

#[test]
fn a_datagram_longer_than_a_buffer_is_cut_and_counted() {
    for_each_engine(|kind| {
        let socket = bound(65_536);
        let address = socket.local_addr().unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let long: Vec<u8> = (0..300_u16).map(|index| index as u8).collect();
        // With two buffers side by side, a slice of 300 bytes would show the other's content.
        let settings = RingSettings {
            buffers_count: 2,
            max_datagram_bytes: 64,
            ..settings()
        };
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        for bytes in [&long[..], b"short", &long[..64], &long[..65]] {
            sender.send_to(bytes, address).unwrap();
        }
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, 4);
        let cut: Vec<usize> = collect.datagrams.iter().map(|(_, cut)| *cut).collect();
        assert_eq!(cut, [236, 0, 0, 1]);
        assert_eq!(
            collect.texts(),
            [&long[..64], b"short", &long[..64], &long[..64]]
        );
        assert_eq!(
            (engine.counters().cut, engine.counters().cut_bytes),
            (2, 237)
        );
    });
}

#[test]
fn the_longest_datagram_arrives_whole() {
    let longest_over_ipv4 = vec![b'x'; 65_507];
    for_each_engine(|kind| {
        let socket = bound(1 << 20);
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender
            .send_to(&longest_over_ipv4, socket.local_addr().unwrap())
            .unwrap();
        let settings = RingSettings::new(crate::kernel::DATAGRAM_BYTES_MAX, Duration::ZERO, 64);
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, 1);
        assert_eq!(collect.datagrams, [(longest_over_ipv4.clone(), 0)]);
    });
}

#[test]
fn ipv4_and_ipv6_sockets_share_a_receiver() {
    for_each_engine(|kind| {
        let four = bound(1 << 20);
        let Ok(six) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else {
            eprintln!("without IPv6");
            return;
        };
        let four_address = four.local_addr().unwrap();
        let six_address = six.local_addr().unwrap();
        let six_sender = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let four_sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut engine = open(kind, vec![four, six], &Waker::new().unwrap(), settings());
        let mut collect = Collect::default();
        for count in 1..=50 {
            four_sender.send_to(b"four", four_address).unwrap();
            six_sender.send_to(b"six", six_address).unwrap();
            receive_count(&mut engine, &mut collect, 2 * count);
        }
        let fours = collect
            .texts()
            .iter()
            .filter(|text| **text == b"four")
            .count();
        assert_eq!((fours, collect.datagrams.len()), (50, 100));
        assert_eq!(engine.sockets().len(), 2);
    });
}

#[test]
fn a_dual_stack_socket_receives_ipv4() {
    use socket2::{Domain, Socket, Type};
    for_each_engine(|kind| {
        let Ok(socket) = Socket::new(Domain::IPV6, Type::DGRAM, None) else {
            eprintln!("without IPv6");
            return;
        };
        socket.set_only_v6(false).unwrap();
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        socket.bind(&any.into()).unwrap();
        let socket = UdpSocket::from(socket);
        let port = socket.local_addr().unwrap().port();
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender
            .send_to(b"four", (Ipv4Addr::LOCALHOST, port))
            .unwrap();
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, 1);
        assert_eq!(collect.texts(), [b"four"]);
    });
}

#[test]
fn an_error_of_the_socket_is_counted_and_reception_goes_on() {
    // A connected socket that sent to a closed port has ECONNREFUSED to report.
    for_each_engine(|kind| {
        let socket = bound(65_536);
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer_address = peer.local_addr().unwrap();
        drop(peer);
        socket.connect(peer_address).unwrap();
        socket.send(b"into the void").unwrap();
        let peer = UdpSocket::bind(peer_address).unwrap();
        peer.send_to(b"here I am", socket.local_addr().unwrap())
            .unwrap();
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, 1);
        assert_eq!(collect.texts(), [b"here I am"]);
        assert_eq!(
            engine.counters().socket_errors,
            1,
            "{:?}",
            engine.counters()
        );
    });
}

#[test]
fn a_batch_is_announced_before_its_first_datagram() {
    for_each_engine(|kind| {
        let socket = bound(1 << 20);
        send_numbers(socket.local_addr().unwrap(), 0..20);
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let mut collect = Collect::default();
        let turn = engine.receive(&mut collect).unwrap();
        assert_eq!(turn.datagrams, collect.datagrams.len());
        assert_eq!(collect.batches, 1);
    });
}

/// Goal: empty datagrams cost no call each, though each ends a multishot receive. Method: as many as a queue
/// holds, with others among them; the calls are counted.
#[test]
fn many_empty_datagrams_take_few_calls() {
    for_each_engine(|kind| {
        let socket = bound(1 << 20);
        let address = socket.local_addr().unwrap();
        let rounds = half_full(&socket) / 8;
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let mut sent = Vec::new();
        for number in 0..rounds {
            sent.push(number.to_ne_bytes().to_vec());
            sent.extend(vec![Vec::new(); 7]);
        }
        for bytes in &sent {
            sender.send_to(bytes, address).unwrap();
        }
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, sent.len());
        assert_eq!(collect.texts(), sent);
        let counters = engine.counters();
        assert_eq!(counters.empty, u64::from(7 * rounds));
        assert!(counters.enters <= sent.len() as u64 / 16, "{counters:?}");
    });
}
