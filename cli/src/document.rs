//! A configuration file as text: where in it a value stands. It knows nothing of what the values mean.

use crate::failure::Failure;
use crate::finding::Finding;
use std::fs;
use std::ops::Range;
use std::path::Path;
use toml_edit::{Document as Parsed, Item, Key, TableLike, Value};

/// Largest file that is read; the service takes 1 MiB of JSON.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Some editors put it first; it is no part of the text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file's text with its name.
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, is too large, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let cannot = |error: std::io::Error| {
            let hint = if error.kind() == std::io::ErrorKind::NotFound {
                "; hint: `edgeloom init` writes one"
            } else {
                ""
            };
            Failure::unusable(format_args!("{name} can't be read: {error}{hint}"))
        };
        let size = fs::metadata(path).map_err(cannot)?.len();
        if size > MAX_FILE_BYTES {
            return Err(Failure::unusable(format_args!(
                "{name} has {size} bytes; hint: {MAX_FILE_BYTES} at most"
            )));
        }
        let text = String::from_utf8(fs::read(path).map_err(cannot)?).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count();
            Failure::unusable(format_args!("{name}, line {line}, is not UTF-8; hint: save the file as UTF-8"))
        })?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).map(ToString::to_string).unwrap_or(text);
        Ok(Self { name, text })
    }

    /// The file as it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        (before.matches('\n').count() + 1, column + 1)
    }
}

/// A file that is TOML.
pub struct Document(Parsed<String>);

/// Where something stands: its key, and its value where that is in one place.
#[derive(Default, Clone)]
struct Place {
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

impl Document {
    /// Parses a file.
    ///
    /// # Errors
    /// It is no TOML; the finding says where it ceases to be.
    pub fn parse(source: &Source) -> Result<Self, Finding> {
        Parsed::parse(source.text.clone()).map(Self).map_err(|error| {
            Finding::error(format_args!("this is no TOML: {}", error.message())).at("", error.span())
        })
    }

    /// The table the whole file is.
    pub fn root(&self) -> &Item {
        self.0.as_item()
    }

    /// Bytes of the value a JSON pointer means, or of the longest part of the pointer that exists.
    pub fn span(&self, pointer: &str) -> Option<Range<usize>> {
        let place = self.place(pointer);
        place.value.or(place.key)
    }

    /// Bytes of the key a JSON pointer ends in.
    pub fn key_span(&self, pointer: &str) -> Option<Range<usize>> {
        let place = self.place(pointer);
        place.key.or(place.value)
    }

    /// Bytes from an offset inside a string to the end of its line, where the string stands in the file as it is read:
    /// without escapes.
    pub fn span_in_string(&self, pointer: &str, content: &str, offset: usize) -> Option<Range<usize>> {
        let value = self.span(pointer)?;
        let written = self.0.raw().get(value.clone())?;
        let start = value.start + written.find(content)? + offset;
        let rest = content.get(offset..)?;
        let length = rest.find(['\r', '\n']).unwrap_or(rest.len()).max(1);
        Some(start..(start + length).min(value.end))
    }

    fn place(&self, pointer: &str) -> Place {
        let mut item = Node::Item(self.root());
        let mut place = Place::default();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let Some((key, next)) = item.child(&token) else { break };
            let found = Place { key: key.and_then(Key::span), value: next.span() };
            // A table made of dotted keys stands nowhere: its parent is the best there is.
            if found.key.is_some() || found.value.is_some() {
                place = found;
            }
            item = next;
        }
        place
    }
}

/// TOML writes lists and tables in two ways each; here they are one.
#[derive(Clone, Copy)]
enum Node<'d> {
    Item(&'d Item),
    Value(&'d Value),
    Table(&'d toml_edit::Table),
}

impl<'d> Node<'d> {
    fn child(self, token: &str) -> Option<(Option<&'d Key>, Self)> {
        let index = || token.parse::<usize>().ok();
        let entry = |table: &'d dyn TableLike| {
            table.get_key_value(token).map(|(key, item)| (Some(key), Self::Item(item)))
        };
        match self {
            Self::Item(Item::ArrayOfTables(tables)) => Some((None, Self::Table(tables.get(index()?)?))),
            Self::Item(Item::Value(value)) => Self::Value(value).child(token),
            Self::Item(item) => entry(item.as_table_like()?),
            Self::Value(Value::Array(array)) => Some((None, Self::Value(array.get(index()?)?))),
            Self::Value(value) => entry(value.as_inline_table()?),
            Self::Table(table) => entry(table),
        }
    }

    fn span(self) -> Option<Range<usize>> {
        match self {
            Self::Item(item) => item.span(),
            Self::Value(value) => value.span(),
            Self::Table(table) => table.span(),
        }
    }
}
