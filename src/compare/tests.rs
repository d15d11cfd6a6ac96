//! Tests of the command line and of its exit codes.

use super::*;

fn arguments(text: &str) -> Result<Arguments, String> {
    let words = std::iter::once("compare").chain(text.split_whitespace());
    Arguments::try_parse_from(words).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_said_has_a_default() {
    let arguments = arguments("--old 2103 --new [::1]:2203").unwrap();
    assert_eq!(arguments.old.0, "127.0.0.1:2103");
    assert_eq!(arguments.new.0, "[::1]:2203");
    assert_eq!(arguments.duration, Time(Duration::from_secs(3_600)));
    assert_eq!(arguments.interval.0, Duration::from_secs(10));
    assert_eq!((arguments.tolerance, arguments.limit), (1e-9, 20));
}

#[test]
fn what_is_wrong_is_said() {
    for (text, part) in [
        ("--old 1", "--new"),
        ("--old x:y --new 1", "such as 127.0.0.1:2103"),
        ("--old ::1 --new 1", "such as"),
        ("--old 99999 --new 1", "such as"),
        ("--old 1 --new 2 --tolerance 1", "from 0 to below 1"),
        ("--old 1 --new 2 --tolerance nan", "from 0 to below 1"),
        ("--old 1 --new 2 --for ever", "not a time"),
        ("--old 1 --new 2 --max-paths 0", "--max-paths"),
    ] {
        let error = arguments(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn an_address_that_is_taken_is_wrong_usage() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let arguments = arguments(&format!("--old 0 --new {port}")).unwrap();
    let (mut out, mut progress) = (Vec::new(), Vec::new());
    assert_eq!(run(&arguments, &mut out, &mut progress), 2);
    let said = String::from_utf8(progress).unwrap();
    assert!(
        said.contains(&format!("--new 127.0.0.1:{port}: ")),
        "{said}"
    );
}
