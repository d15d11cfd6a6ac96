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
