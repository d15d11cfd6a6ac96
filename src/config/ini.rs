//! Reads INI files by the rules of two other readers: inih, which C statsite uses, and Python 2's
//! ConfigParser, which the Python one uses.
//!
//! They disagree on comments, on what separates a key from its value, and on lines that are indented;
//! a file must mean here what it means there. The crates for INI files have one set of rules each,
//! none of them these, and most keep no line numbers.

use super::foreign::Fault;

/// A section and what stands below its heading, in the order of the file. A name that comes twice
/// gives two sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// The name as it stands in the brackets; empty for what comes before the first heading.
    pub(super) name: String,
    /// The line of its heading, from 1.
    pub(super) line: usize,
    /// Its keys.
    pub(super) entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The line of the key, from 1.
    pub(super) line: usize,
    /// The key, in lower case.
    pub(super) key: String,
    /// The value without its comment and the white space around it.
    pub(super) value: String,
    /// What stood behind `;` on the line of the key.
    pub(super) comment: String,
}

/// Reads as inih does, which stands in the folder deps of statsite. `;` and `#` begin a comment line,
/// ` ;` a comment behind something; `=`, or else `:`, separates.
///
/// # Errors
/// The first line that is neither heading, comment nor entry.
pub(super) fn parse_inih(text: &str) -> Result<Vec<Section>, Fault> {
    let mut sections = Sections::default();
    for (line, content) in lines(text) {
        let content = content.trim_matches(is_c_space);
        if content.is_empty() || content.starts_with([';', '#']) {
            continue;
        }
        if let Some(heading) = content.strip_prefix('[') {
            let (name, end) = until(heading, ']');
            if end != Some(']') {
                return Err(Fault::new(line, "the heading has no `]`"));
            }
            sections.begin(line, name);
            continue;
        }
        let separated = ['=', ':'].map(|separator| (until(content, separator), separator));
        let found = separated
            .into_iter()
            .find(|((_, end), separator)| *end == Some(*separator));
        let Some(((key, _), _)) = found else {
            return Err(no_entry(line, content));
        };
        // The separator is one byte.
        let value = content[key.len() + 1..].trim_start_matches(is_c_space);
        let (value, _) = until(value, '\0');
        let comment = &content[offset(content, value) + value.len()..];
        sections.add(line, key, value, comment);
    }
    Ok(sections.0)
}

/// Reads as Python 2.7's ConfigParser.RawConfigParser does, but takes no file without headings.
/// `;`, `#` and the word rem begin a comment line, ` ;` a comment behind a value; whichever comes
/// first of `=` and `:` separates; an indented line belongs to the value above it.
///
/// # Errors
/// The first line that is neither heading, comment nor entry.
pub(super) fn parse_config_parser(text: &str) -> Result<Vec<Section>, Fault> {
    let mut sections = Sections::default();
    for (line, content) in lines(text) {
        if content.trim().is_empty() || content.starts_with([';', '#']) || is_remark(content) {
            continue;
        }
        if content.starts_with(char::is_whitespace)
            && let Some(entry) = sections.last_entry()
        {
            if !entry.value.is_empty() {
                entry.value.push('\n');
            }
            entry.value += content.trim();
            continue;
        }
        let heading = content
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        if let Some((name, _)) = heading.filter(|(name, _)| !name.is_empty()) {
            sections.begin(line, name);
            continue;
        }
        let Some(at) = content.find([':', '=']).filter(|&at| at > 0) else {
            return Err(no_entry(line, content));
        };
        let (key, value) = (&content[..at], &content[at + 1..]);
        // Only the first `;` is looked at.
        let comment_at = value
            .find(';')
            .filter(|&at| value[..at].ends_with(char::is_whitespace))
            .unwrap_or(value.len());
        let (value, comment) = value.split_at(comment_at);
        let value = match value.trim() {
            "\"\"" => "",
            value => value,
        };
        if sections.0.is_empty() {
            return Err(Fault::new(line, "a heading such as [statsite] comes first"));
        }
        sections.add(line, key, value, comment);
    }
    Ok(sections.0)
}

/// The lines with their numbers. Some editors put a byte order mark before the first.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

/// What stands before a character, or before a comment, or all; and which of them ended it.
fn until(text: &str, stop: char) -> (&str, Option<char>) {
    let mut before = 'x';
    for (at, c) in text.char_indices() {
        if c == stop || (c == ';' && is_c_space(before)) {
            return (&text[..at], Some(c));
        }
        before = c;
    }
    (text, None)
}

/// Where a part of a text begins in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

fn is_c_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

fn is_remark(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    first.eq_ignore_ascii_case("rem") && line.starts_with(['r', 'R'])
}

fn no_entry(line: usize, content: &str) -> Fault {
    Fault::new(
        line,
        format!("`{content}` is no setting: write KEY = VALUE, or # before a comment"),
    )
}

#[derive(Default)]
struct Sections(Vec<Section>);

impl Sections {
    fn begin(&mut self, line: usize, name: &str) {
        self.0.push(Section {
            name: name.to_owned(),
            line,
            entries: Vec::new(),
        });
    }

    fn add(&mut self, line: usize, key: &str, value: &str, comment: &str) {
        if self.0.is_empty() {
            self.begin(line, "");
        }
        let section = self.0.last_mut().expect("one was begun");
        section.entries.push(Entry {
            line,
            key: key.trim().to_lowercase(),
            value: value.trim().to_owned(),
            comment: comment.trim().to_owned(),
        });
    }

    fn last_entry(&mut self) -> Option<&mut Entry> {
        self.0.last_mut()?.entries.last_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parser = fn(&str) -> Result<Vec<Section>, Fault>;

    /// Each line as `section/key=value`.
    fn read(parser: Parser, text: &str) -> Vec<String> {
        let mut read = Vec::new();
        for Section { name, entries, .. } in parser(text).expect(text) {
            for Entry {
                line, key, value, ..
            } in entries
            {
                read.push(format!("{line} {name}/{key}={value}"));
            }
        }
        read
    }

    #[test]
    fn a_file_means_what_it_means_to_inih() {
        for (text, entries) in [
            ("[a]\nB = c", vec!["2 a/b=c"]),
            ("\u{feff}[a]\r\n b=c \r\n", vec!["2 a/b=c"]),
            ("b=c", vec!["1 /b=c"]),
            ("# x\n; y\n  # z\n\n[a] x\nb=c", vec!["6 a/b=c"]),
            ("[a]\nb=c;d ;e", vec!["2 a/b=c;d"]),
            ("[a]\nb=c # d", vec!["2 a/b=c # d"]),
            ("[a]\nb : c = d", vec!["2 a/b : c=d"]),
            ("[a]\nb: c", vec!["2 a/b=c"]),
            ("[a]\nb=", vec!["2 a/b="]),
            ("[a]\nb= ; c", vec!["2 a/b=; c"]),
            ("[a]\nb=\"c\"", vec!["2 a/b=\"c\""]),
            ("[a]\nb=c\n  d=e", vec!["2 a/b=c", "3 a/d=e"]),
            (
                "[a]\nb=c\n[d]\nb=e\n[a]\nb=f",
                vec!["2 a/b=c", "4 d/b=e", "6 a/b=f"],
            ),
            ("[a;b]\nc=d", vec!["2 a;b/c=d"]),
        ] {
            assert_eq!(read(parse_inih, text), entries, "{text}");
        }
    }

    #[test]
    fn a_file_means_what_it_means_to_python() {
        for (text, entries) in [
            ("[a]\nB = c", vec!["2 a/b=c"]),
            ("[a]\r\nb=c\r\n", vec!["2 a/b=c"]),
            ("# x\n; y\nrem z\nREM\n\n[a] x\nb=c", vec!["7 a/b=c"]),
            ("[a]\nb=c;d ;e", vec!["2 a/b=c;d ;e"]),
            ("[a]\nb=c ;e", vec!["2 a/b=c"]),
            ("[a]\nb=c # d", vec!["2 a/b=c # d"]),
            ("[a]\nb : c = d", vec!["2 a/b=c = d"]),
            ("[a]\nb=\"\"", vec!["2 a/b="]),
            ("[a]\nb=c\n  d=e", vec!["2 a/b=c\nd=e"]),
            ("[a]\n  b=c", vec!["2 a/b=c"]),
            ("[a]\nremote=c", vec!["2 a/remote=c"]),
        ] {
            assert_eq!(read(parse_config_parser, text), entries, "{text}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused_with_its_line() {
        for (parser, text, line) in [
            (parse_inih as Parser, "[a]\nb\n", 2),
            (parse_inih, "\n[a\nb=c", 2),
            (parse_inih, "[a ;]", 1),
            (parse_inih, "b ;=c", 1),
            (parse_config_parser, "[a]\nb\n", 2),
            (parse_config_parser, "[]\nb=c", 1),
            (parse_config_parser, "b=c", 1),
            (parse_config_parser, "[a]\n=c", 2),
        ] {
            assert_eq!(parser(text).expect_err(text).line, line, "{text}");
        }
    }
}
