//! Slots that leave in parts: nothing of them is lost or torn, and they stay together.

use super::*;

const PART_COUNT: u32 = 4;

fn push_parts(sink: &SinkHandle, number: u64) {
    for index in 0..PART_COUNT {
        sink.push(part(number, index, 10));
        assert_balanced(sink.counters());
    }
}

/// Goal: parts of the live slot go before older slots, and each slot's in their order, while pace
/// keeps old ones apart. Method: three slots before anyone listens.
#[test]
fn parts_arrive_slot_by_slot_and_in_order() {
    on_both_back_ends(|backend| {
        let peer = Peer::silent();
        let io = start(settings(backend, &[&peer]));
        let sink = &io.sinks()[0];
        for number in 1..=3 {
            push_parts(sink, number);
        }
        peer.listen();
        let mut connection = peer.accept();
        for number in [3, 1, 2] {
            for index in 0..PART_COUNT {
                connection.expect(&lines_of_part(number, index, 10));
            }
        }
        assert_all_sent(sink, 3 * u64::from(PART_COUNT) * 10);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: what a peer took of a slot and did not read before it died is sent again, all parts of it.
/// Method: the peer reads nothing of three parts and resets the connection; then the fourth comes.
#[test]
fn all_parts_of_a_slot_are_sent_again_after_a_reset() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(settings(backend, &[&peer]));
        let sink = &io.sinks()[0];
        let connection = peer.accept();
        for index in 0..3 {
            sink.push(part(1, index, 10));
        }
        connection.wait_for_bytes();
        wait_until("it is sent", || sink.counters().lines_sent == 30);
        drop(connection);
        let mut connection = peer.accept();
        for index in 0..3 {
            connection.expect(&lines_of_part(1, index, 10));
        }
        sink.push(part(1, 3, 10));
        connection.expect(&lines_of_part(1, 3, 10));
        assert_all_sent(sink, 40);
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert_eq!(connection.read_to_end(), "");
    });
}

/// Goal: memory stays bounded however large a slot is: of what was sent only the end is kept. Method:
/// 24 MiB in parts to a peer that reads all and then resets the connection.
#[test]
fn of_a_large_slot_only_the_end_is_sent_again() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(settings(backend, &[&peer]));
        let sink = &io.sinks()[0];
        let mut connection = peer.accept();
        let line_count = 30_000;
        let mut texts = Vec::new();
        for index in 0..24 {
            sink.push(part(1, index, line_count));
            let text = lines_of_part(1, index, line_count);
            connection.expect(&text);
            texts.push(text);
        }
        wait_until("it is sent", || {
            sink.counters().lines_sent == 24 * line_count
        });
        let part_bytes = texts[0].len();
        assert!(part_bytes > 1 << 20 && part_bytes < 2 << 20, "{part_bytes}");
        let kept = (16 << 20) / part_bytes;
        // Something unread makes it a reset.
        sink.push(part(1, 24, 10));
        connection.wait_for_bytes();
        wait_until("it is sent", || {
            sink.counters().lines_sent == 24 * line_count + 10
        });
        drop(connection);
        let mut connection = peer.accept();
        for text in &texts[texts.len() - kept..] {
            connection.expect(text);
        }
        connection.expect(&lines_of_part(1, 24, 10));
        assert_all_sent(sink, 24 * line_count + 10);
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert_eq!(connection.read_to_end(), "");
    });
}

/// Goal: parts go through one file in their order, and come back without a pause between them. Method: a
/// queue of two parts and a spool while nobody listens, and a flush interval of an hour.
#[test]
fn parts_come_back_from_a_spool_together() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let spooling = || {
            let mut settings = settings(backend, &[&peer]);
            settings.flush_interval = Duration::from_secs(3600);
            settings.sinks[0].queue_bytes = Some(2 * part(1, 0, 10).size_bytes());
            settings.sinks[0].spool.folder = Some(folder.path().to_owned());
            settings
        };
        let io = start(spooling());
        let sink = io.sinks()[0].clone();
        for index in 0..PART_COUNT {
            sink.push(part(1, index, 10));
            let expected = 10 * u64::from(index + 1).saturating_sub(2);
            wait_until("no more is in memory than may be", || {
                sink.counters().lines_spooled >= expected
            });
            assert_balanced(sink.counters());
        }
        assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
        let io = start(spooling());
        peer.listen();
        let mut connection = peer.accept();
        for index in 0..PART_COUNT {
            connection.expect(&lines_of_part(1, index, 10));
        }
        assert_all_sent(&io.sinks()[0], 10 * u64::from(PART_COUNT));
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}
