use super::*;

#[test]
fn running_out_of_buffers_loses_nothing() {
    // More datagrams than buffers are queued before the first receive.
    for_each_ring(|kind| {
        let socket = bound(4 << 20);
        let count = half_full(&socket).min(1000);
        send_numbers(socket.local_addr().unwrap(), 0..count);
        let settings = RingSettings {
            buffers_count: 4,
            ..settings()
        };
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, count as usize);
        assert_eq!(collect.numbers(), Vec::from_iter(0..count));
        let counters = engine.counters();
        assert!(
            counters.out_of_buffers >= u64::from(count) / 4,
            "{counters:?}"
        );
        assert_eq!(counters.datagrams, u64::from(count));
        assert_eq!(engine.name(), "io_uring");
    });
}

#[test]
fn an_overflowing_completion_queue_loses_nothing() {
    for_each_ring(|kind| {
        let socket = bound(4 << 20);
        let count = half_full(&socket).min(1000);
        send_numbers(socket.local_addr().unwrap(), 0..count);
        let settings = RingSettings {
            buffers_count: 64,
            completions_count: 4,
            ..settings()
        };
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, count as usize);
        assert_eq!(collect.numbers(), Vec::from_iter(0..count));
        assert!(
            engine.counters().cq_overflows > 0,
            "{:?}",
            engine.counters()
        );
        assert_eq!(engine.name(), "io_uring");
    });
}

/// Goal: what lies behind an empty datagram is taken past the ring, and does not overtake what the ring still
/// has. Method: two sockets, one with empty datagrams among others, and a queue of completions that overflows.
#[test]
fn an_overflow_beside_empty_datagrams_loses_nothing_and_keeps_the_order() {
    for_each_ring(|kind| {
        let (plain, mixed) = (bound(4 << 20), bound(4 << 20));
        let count = half_full(&plain).min(900);
        send_numbers(plain.local_addr().unwrap(), 0..count);
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for number in count..2 * count {
            let bytes = number.to_ne_bytes();
            // A third of them.
            let bytes = if number % 3 == 1 { &[] } else { &bytes[..] };
            sender.send_to(bytes, mixed.local_addr().unwrap()).unwrap();
        }
        let settings = RingSettings {
            buffers_count: 64,
            completions_count: 4,
            ..settings()
        };
        let sockets = vec![plain, mixed];
        let mut engine = open(kind, sockets, &Waker::new().unwrap(), settings);
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, 2 * count as usize);
        let empty = collect
            .datagrams
            .extract_if(.., |(bytes, _)| bytes.is_empty());
        assert_eq!(empty.count(), count as usize / 3);
        let numbers = collect.numbers();
        let of = |range: std::ops::Range<u32>| {
            let of_range = numbers.iter().filter(move |number| range.contains(number));
            of_range.copied().collect::<Vec<u32>>()
        };
        assert_eq!(of(0..count), Vec::from_iter(0..count));
        let expected = (count..2 * count).filter(|number| number % 3 != 1);
        assert_eq!(of(count..2 * count), Vec::from_iter(expected));
        assert!(
            engine.counters().cq_overflows > 0,
            "{:?}",
            engine.counters()
        );
        assert_eq!(engine.name(), "io_uring");
    });
}

#[test]
fn the_kernels_drops_are_reported_and_the_rest_arrives() {
    // Four times what the receive buffer holds; nobody reads meanwhile.
    for_each_engine(|kind| {
        let socket = bound(65_536);
        let memory = SocketMemory::of(&socket).unwrap();
        assert_eq!((memory.queue_bytes, memory.drops), (0, 0));
        let holds = memory.receive_buffer_bytes / crate::kernel::SMALL_DATAGRAM_BYTES;
        let count = u32::try_from(holds * 4).unwrap();
        send_numbers(socket.local_addr().unwrap(), 0..count);
        let memory = SocketMemory::of(&socket).unwrap();
        assert!(memory.drops > 0 && memory.drops < count);
        assert!(memory.queue_bytes > memory.receive_buffer_bytes / 2);
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, (count - memory.drops) as usize);
        let memory = SocketMemory::of(&engine.sockets()[0]).unwrap();
        let received = u32::try_from(collect.datagrams.len()).unwrap();
        assert_eq!(received + memory.drops, count);
    });
}
