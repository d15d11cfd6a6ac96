//! What is asked over the control socket: a line, `ledger [json] [last N]`.

use std::fmt;

/// A request for the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Whether a line of JSON for each slot is wanted, and not a table.
    pub(super) as_json: bool,
    /// How many of the last slots to show; 0: all.
    pub(super) last: usize,
}

/// The longest request, in bytes with its end.
pub(super) const REQUEST_BYTES_MAX: u64 = 256;

impl Request {
    pub(super) fn parse(line: &str) -> Result<Request, String> {
        let mut words = line.split_ascii_whitespace();
        let mut request = Request::default();
        if words.next() != Some("ledger") {
            return Err("a request is `ledger [json] [last N]`".to_owned());
        }
        while let Some(word) = words.next() {
            match word {
                "json" => request.as_json = true,
                "last" => {
                    let count = words.next().and_then(|count| count.parse().ok());
                    request.last = count.ok_or("`last` is followed by a number of slots")?;
                }
                other => return Err(format!("`ledger` knows `json` and `last N`, not {other:?}")),
            }
        }
        Ok(request)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = if self.as_json { " json" } else { "" };
        write!(f, "ledger{json} last {}", self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        for (as_json, last) in [(false, 0), (true, 7), (false, usize::MAX)] {
            let request = Request { as_json, last };
            assert_eq!(Request::parse(&request.to_string()), Ok(request));
        }
        assert_eq!(Request::parse("ledger\n"), Ok(Request::default()));
    }

    #[test]
    fn what_is_no_request_is_refused_with_what_would_be_one() {
        for (line, expected) in [
            ("", "a request is `ledger [json] [last N]`"),
            ("GET / HTTP/1.1", "a request is `ledger [json] [last N]`"),
            ("ledger last", "`last` is followed by a number of slots"),
            ("ledger last -1", "`last` is followed by a number of slots"),
            (
                "ledger xml",
                "`ledger` knows `json` and `last N`, not \"xml\"",
            ),
        ] {
            assert_eq!(Request::parse(line), Err(expected.to_owned()), "{line}");
        }
    }
}
