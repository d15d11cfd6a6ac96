//! Sinks that come, stay and go while others run.

use super::*;

/// Goal: a sink that stays keeps its connection and what waits in it, whatever comes and goes
/// beside it. Method: its limits change, one sink comes in front of it, one behind it goes.
#[test]
fn a_sink_that_stays_notices_nothing_of_others() {
    on_both_back_ends(|backend| {
        let [stays, goes, comes] = [(); 3].map(|()| Peer::listening());
        let mut io = start(settings(backend, &[&stays, &goes]));
        let [sink, leaving] = [0, 1].map(|place| io.sinks()[place].clone());
        let (mut connection, mut last) = (stays.accept(), goes.accept());
        sink.push(slot(1, 10));
        leaving.push(slot(1, 10));
        connection.expect(&lines_of(1, 10));
        last.expect(&lines_of(1, 10));
        let mut after = settings(backend, &[&comes, &stays]);
        after.sinks[1].queue_bytes = Some(5_000_000);
        io.change(&after).expect("nothing can fail");
        assert!(io.sinks()[1].is(&sink) && io.sinks().len() == 2);
        // Until the flusher has heard of it, slots go to all.
        leaving.push(slot(2, 10));
        assert_eq!(io.end_leaving(DEADLINE), []);
        assert_eq!(last.read_to_end(), lines_of(2, 10));
        io.sinks()[0].push(slot(2, 10));
        io.sinks()[1].push(slot(2, 10));
        connection.expect(&lines_of(2, 10));
        comes.accept().expect(&lines_of(2, 10));
        assert_eq!(sink.counters().reconnects, 0);
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert_eq!(connection.read_to_end(), "");
    });
}

/// Goal: a sink that goes and is dead is given up in time, and what it lost is told. Method: one
/// whose peer never listened; the one beside it works on.
#[test]
fn a_sink_that_goes_loses_only_what_it_cannot_deliver() {
    on_both_back_ends(|backend| {
        let (stays, dead) = (Peer::listening(), Peer::silent());
        let mut io = start(settings(backend, &[&stays, &dead]));
        io.sinks()[1].push(slot(1, 10));
        let lost = io.sinks()[1].clone();
        io.change(&settings(backend, &[&stays]))
            .expect("nothing can fail");
        let left = io.end_leaving(Duration::from_millis(50));
        assert_eq!(left.iter().map(|left| left.lines).collect::<Vec<_>>(), [10]);
        assert_balanced(lost.counters());
        io.sinks()[0].push(slot(1, 10));
        stays.accept().expect(&lines_of(1, 10));
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: what cannot start leaves everything as it was. Method: a spool below a file, behind a new
/// sink that could start.
#[test]
fn a_sink_that_cannot_start_changes_nothing() {
    on_both_back_ends(|backend| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let [stays, new, broken] = [(); 3].map(|()| Peer::listening());
        let mut io = start(settings(backend, &[&stays]));
        let sink = io.sinks()[0].clone();
        let mut after = settings(backend, &[&new, &broken]);
        after.sinks[1].spool.folder = Some(file.path().join("spool"));
        assert!(io.change(&after).is_err());
        assert!(io.sinks()[0].is(&sink) && io.sinks().len() == 1);
        assert_eq!(io.end_leaving(DEADLINE), []);
        sink.push(slot(1, 10));
        stays.accept().expect(&lines_of(1, 10));
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a spool goes from a sink that went to the same one when it comes back. Method: it goes
/// while nobody listens, with more than it can deliver.
#[test]
fn a_sink_that_comes_back_finds_its_spool() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let (peer, other) = (Peer::silent(), Peer::listening());
        let mut with_spool = settings(backend, &[&peer]);
        with_spool.sinks[0].spool.folder = Some(folder.path().to_owned());
        let mut io = start(settings(backend, &[&other]));
        io.change(&with_spool).expect("nothing can fail");
        io.end_leaving(DEADLINE);
        io.sinks()[0].push(slot(1, 10));
        io.change(&settings(backend, &[&other]))
            .expect("nothing can fail");
        assert_eq!(io.end_leaving(Duration::ZERO), []);
        io.change(&with_spool).expect("the spool is free again");
        io.end_leaving(DEADLINE);
        assert_eq!(io.sinks()[0].counters().lines_spooled, 10);
        peer.listen();
        peer.accept().expect(&lines_of(1, 10));
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}
