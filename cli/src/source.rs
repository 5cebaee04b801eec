//! A configuration file and the place of every item in it. It knows TOML's grammar, not what the keys mean.

use crate::problem::{Code, Problem, Stop};
use miette::NamedSource;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Largest file that is read, bytes; a site of 1,000 slots stays well below it.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The text of a file under the name it is shown with.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path as it was given.
    pub name: String,
    /// Content without byte order mark; all offsets count from here.
    pub text: Arc<str>,
}

/// A place a reader can go to, both numbers from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Source {
    /// Reads a file. Bytes that are not UTF-8 are a problem of the file, shown at their place.
    ///
    /// # Errors
    /// The file is missing, unreadable or larger than 16 MiB.
    pub fn read(path: &Path) -> Result<(Self, Option<Problem>), Stop> {
        let name = path.display().to_string();
        let cannot = |error: std::io::Error| {
            let help = match error.kind() {
                std::io::ErrorKind::NotFound => "`edgeloom init` writes one to start from",
                _ => "",
            };
            Stop::new(format!("cannot read {name}: {error}"), help)
        };
        let bytes_long = fs::metadata(path).map_err(cannot)?.len();
        if bytes_long > MAX_FILE_BYTES {
            let message = format!("{name} has {bytes_long} bytes");
            return Err(Stop::new(message, "16 MiB at most; keep pictures and pages outside"));
        }
        let bytes = fs::read(path).map_err(cannot)?;
        Ok(Self::of_bytes(name, &bytes))
    }

    fn of_bytes(name: String, bytes: &[u8]) -> (Self, Option<Problem>) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        // What was replaced is found by its first byte, which stands where the valid prefix ends.
        let problem = std::str::from_utf8(bytes).err().map(|error| {
            let mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            let at = error.valid_up_to().saturating_sub(mark);
            Problem::error(Code::Encoding, "not UTF-8; hint: save the file as UTF-8")
                .at(Some(at..at + char::REPLACEMENT_CHARACTER.len_utf8()), "this byte")
        });
        (Self { name, text: text.into() }, problem)
    }

    /// Where a byte stands.
    pub fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        }
    }

    /// Bytes of the file from an offset inside a string to the end of its line. `None` where the string is not
    /// written as it is read: with escapes, or by lines joined.
    pub fn within(&self, value: &Range<usize>, content: &str, offset: usize) -> Option<Range<usize>> {
        let start = value.start + self.text.get(value.clone())?.find(content)? + offset;
        let rest = content.get(offset..)?;
        let length = rest.find(['\r', '\n']).unwrap_or(rest.len()).max(1);
        Some(start..(start + length).min(value.end))
    }

    /// The file for miette. What a terminal would obey is replaced, by as many bytes: all places stay right.
    pub fn named(&self) -> NamedSource<Arc<str>> {
        let shown = |c: char| match (obeyed(c) && c != '\r' && c != '\t', c.len_utf8()) {
            (false, _) => c,
            (true, 1) => '?',
            (true, 2) => '\u{b7}',
            (true, _) => char::REPLACEMENT_CHARACTER,
        };
        NamedSource::new(&self.name, self.text.chars().map(shown).collect::<String>().into())
    }
}

/// Whether a terminal obeys a character instead of showing it: controls other than the line end, and marks that
/// turn the direction of what follows.
pub fn obeyed(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Where each item of a file stands: a tree by keys and, in lists, by decimal indices.
#[derive(Debug, Default)]
pub struct Outline {
    key: Option<Range<usize>>,
    value: Range<usize>,
    items: BTreeMap<String, Outline>,
}

impl Outline {
    /// The outline of a parsed file.
    pub fn of_table(table: &Spanned<DeTable<'_>>) -> Self {
        Self { key: None, value: 0..0, items: entries(table.get_ref()) }
    }

    fn of_value(key: Option<Range<usize>>, value: &Spanned<DeValue<'_>>) -> Self {
        let items = match value.get_ref() {
            DeValue::Table(table) => entries(table),
            DeValue::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, item)| (i.to_string(), Self::of_value(None, item)))
                .collect(),
            _ => BTreeMap::new(),
        };
        Self { key, value: value.span(), items }
    }

    /// Bytes of the value under the longest prefix of a JSON pointer that is in the file; the whole pointer
    /// may be missing, since what is wrong can be that something is not there.
    pub fn span(&self, pointer: &str) -> Option<Range<usize>> {
        let mut found = None;
        let mut node = self;
        for segment in segments(pointer) {
            let Some(item) = node.items.get(&segment) else { break };
            // A key written in a header or with dots may have no text of its own for its value.
            let own = if item.value.is_empty() { item.key.clone() } else { Some(item.value.clone()) };
            found = own.or(found);
            node = item;
        }
        found
    }

    /// Bytes of the key at a JSON pointer; of the value where it is an item of a list.
    pub fn key_span(&self, pointer: &str) -> Option<Range<usize>> {
        let node = segments(pointer).try_fold(self, |node, segment| node.items.get(&segment));
        node.and_then(|node| node.key.clone()).or_else(|| self.span(pointer))
    }

    /// The only key under a JSON pointer: how an enumeration with a value is written.
    pub fn only_key(&self, pointer: &str) -> Option<&str> {
        let node = segments(pointer).try_fold(self, |node, segment| node.items.get(&segment))?;
        let mut keys = node.items.keys();
        keys.next().filter(|_| keys.next().is_none()).map(String::as_str)
    }
}

fn entries(table: &DeTable<'_>) -> BTreeMap<String, Outline> {
    table
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), Outline::of_value(Some(key.span()), value)))
        .collect()
}

fn segments(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// A JSON pointer with one more segment.
pub fn join(pointer: &str, segment: &str) -> String {
    format!("{pointer}/{}", segment.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "site = \"a\"\n[holdout]\nshare = 2.0\n[[slots]]\nid = \"x\"\n\
                        policy.kind = \"thompson\"\n[[slots.arms]]\nblock = \"b\"\n[slots.\"a/b\"]\n";

    fn text_at(pointer: &str) -> Option<&'static str> {
        let table = DeTable::parse(FILE).unwrap();
        Outline::of_table(&table).span(pointer).map(|span| &FILE[span])
    }

    #[test]
    fn a_pointer_finds_its_value() {
        assert_eq!(text_at("/site"), Some("\"a\""));
        assert_eq!(text_at("/holdout/share"), Some("2.0"));
        assert_eq!(text_at("/slots/0/arms/0/block"), Some("\"b\""));
        assert_eq!(text_at("/slots/0/policy/kind"), Some("\"thompson\""));
    }

    #[test]
    fn a_pointer_to_nothing_finds_the_nearest_item_around_it() {
        assert_eq!(text_at("/slots/0/goal"), Some("[[slots]]"));
        assert_eq!(text_at("/slots/0/arms/0/prior"), Some("[[slots.arms]]"));
        assert_eq!(text_at("/slots/0/policy/exploration_floor"), Some("policy"));
        assert_eq!(text_at("/slots/0/a~1b/c"), Some("[slots.\"a/b\"]"));
        assert_eq!(text_at("/privacy/mode"), None);
        assert_eq!(text_at(""), None);
    }

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let (source, problem) = Source::of_bytes("f".into(), "\u{feff}a\r\nüb = 1".as_bytes());
        assert_eq!(problem, None);
        let b = source.text.find('b').unwrap();
        assert_eq!(source.position(b), Position { line: 2, column: 2 });
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(usize::MAX).line, 2);
    }

    #[test]
    fn what_a_terminal_would_obey_is_replaced_byte_for_byte() {
        let text = "a\u{1b}[2J\u{9b}\u{202e}\t\r\n\u{fc}";
        let (source, _) = Source::of_bytes("f".into(), text.as_bytes());
        let shown = source.named().inner().to_string();
        assert_eq!(shown, "a?[2J\u{b7}\u{fffd}\t\r\n\u{fc}");
        assert_eq!(shown.len(), text.len());
    }

    #[test]
    fn a_place_inside_a_string_is_found_where_it_is_written_as_it_is_read() {
        let (source, _) = Source::of_bytes("f".into(), b"t = '''\nab\r\ncd\n'''\nu = \"a\\nb\"");
        let text = |range: Range<usize>| source.text[range].to_string();
        assert_eq!(source.within(&(4..17), "ab\r\ncd\n", 5).map(text).as_deref(), Some("d"));
        assert_eq!(source.within(&(22..28), "a\nb", 2), None);
        assert_eq!(source.within(&(4..17), "ab\r\ncd\n", 99), None);
    }

    #[test]
    fn a_byte_that_is_not_utf_8_is_shown_at_its_place() {
        for mark in [&b""[..], b"\xef\xbb\xbf"] {
            let bytes = [mark, b"site = \"caf\xe9\"\n"].concat();
            let (source, problem) = Source::of_bytes("f".into(), &bytes);
            let span = problem.unwrap().span.unwrap();
            assert_eq!(&source.text[span.clone()], "\u{fffd}");
            assert_eq!(source.position(span.start), Position { line: 1, column: 12 });
        }
    }
}
