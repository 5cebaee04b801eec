//! Which fields become columns, and their bytes. How columns are read is another file's business.

use super::build::{BuildError, Item};
use super::columns::{MAX_COLUMNS, MAX_WORDS};
use super::texts;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which fields filters can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Columns {
    /// All that fit: texts and lists of texts of at most 4,096 different words, or numbers and truth values. Of a mixed field what
    /// most items have counts, texts where it is a draw; an item with something else lacks it.
    #[default]
    Fitting,
    /// Some, each of which has to fit.
    Named(Vec<String>),
}

/// What is known of a field after having seen some items.
#[derive(Debug, Default)]
struct Seen<'i> {
    /// Items with a number or a truth value.
    n_numbers: usize,
    /// Items with a text or a list.
    n_texts: usize,
    words: BTreeSet<&'i str>,
}

impl<'i> Seen<'i> {
    /// Looks at one more value. Says what is wrong with the field, if it is to be a column of all of them.
    fn add(&mut self, value: &'i Value) -> Result<(), &'static str> {
        match value {
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) => self.n_numbers += 1,
            Value::String(word) => {
                self.n_texts += 1;
                self.words.insert(word);
            }
            Value::Array(list) => {
                self.n_texts += usize::from(!list.is_empty());
                self.words.extend(list.iter().filter_map(Value::as_str));
                if list.iter().any(|value| !value.is_string()) {
                    return Err("it is a list of something else than texts");
                }
            }
            Value::Object(_) => return Err("it is an object"),
        }
        match (self.n_numbers > 0 && self.n_texts > 0, self.words.len() > MAX_WORDS) {
            (true, _) => Err("it is of another type than before"),
            (_, true) => Err("it is one word too many"),
            _ => Ok(()),
        }
    }

    const fn is_number(&self) -> bool {
        self.n_numbers > self.n_texts
    }

    /// Whether a column of what most items have is one.
    fn fits(&self) -> bool {
        self.is_number() || (self.n_texts > 0 && self.words.len() <= MAX_WORDS)
    }
}

/// The columns that there will be, ascending: their fields, and whether they are of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan(Vec<(String, bool)>);

impl Plan {
    /// Decides by all items, so that the pieces of one index agree.
    pub(super) fn new(items: &[Item], wanted: &Columns) -> Result<Self, BuildError> {
        let mut seen: BTreeMap<&str, Seen<'_>> = BTreeMap::new();
        if let Columns::Named(names) = wanted {
            seen.extend(names.iter().map(|name| (name.as_str(), Seen::default())));
        }
        for item in items {
            for (field, value) in &item.fields {
                let place = match wanted {
                    Columns::Fitting => seen.entry(field).or_default(),
                    Columns::Named(_) => match seen.get_mut(field.as_str()) {
                        Some(place) => place,
                        None => continue,
                    },
                };
                let added = place.add(value);
                if let Err(fault) = added
                    && *wanted != Columns::Fitting
                {
                    return Err(BuildError::Column { field: field.clone(), id: item.id.clone(), fault });
                }
            }
        }
        let fitting = seen.into_iter().filter(|(_, seen)| seen.fits());
        let columns: Vec<_> = fitting.map(|(field, seen)| (field.to_owned(), seen.is_number())).collect();
        if columns.len() > MAX_COLUMNS {
            return Err(BuildError::TooManyColumns { n_columns: columns.len() });
        }
        Ok(Self(columns))
    }

    /// The stored form of the columns of some items; `None` where it has 2^32 bytes or more.
    pub(super) fn columns(&self, items: &[Item]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        texts::put(&mut out, self.0.iter().map(|(field, _)| field.as_str()))?;
        for (field, is_number) in &self.0 {
            let values = items.iter().map(|item| item.fields.get(field).unwrap_or(&Value::Null));
            let column = if *is_number { numbers(values) } else { words(values)? };
            out.extend(u32::from(!is_number).to_le_bytes());
            out.extend(u32::try_from(column.len()).ok()?.to_le_bytes());
            out.extend(column);
        }
        Some(out)
    }
}

fn numbers<'i>(values: impl Iterator<Item = &'i Value>) -> Vec<u8> {
    let number = |value: &Value| match value {
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        // One bit pattern for what is missing, so that the same items are the same bytes.
        _ => value.as_f64().unwrap_or(f64::from_bits(0x7ff8_0000_0000_0000)),
    };
    values.flat_map(|value| number(value).to_le_bytes()).collect()
}

fn words<'i>(values: impl Iterator<Item = &'i Value> + Clone) -> Option<Vec<u8>> {
    let dictionary: BTreeSet<&str> = values.clone().flat_map(words_of).collect();
    let dictionary: Vec<&str> = dictionary.into_iter().collect();
    let mut out = Vec::new();
    texts::put(&mut out, dictionary.iter().copied())?;
    let (mut places, mut n_places) = (Vec::new(), 0_u32);
    out.extend(n_places.to_le_bytes());
    for value in values {
        // A set: a word that is there twice counts once.
        for word in words_of(value).collect::<BTreeSet<_>>() {
            places.extend(u16::try_from(dictionary.binary_search(&word).ok()?).ok()?.to_le_bytes());
            n_places = n_places.checked_add(1)?;
        }
        out.extend(n_places.to_le_bytes());
    }
    out.extend(places);
    Some(out)
}

fn words_of(value: &Value) -> impl Iterator<Item = &str> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        value => std::slice::from_ref(value),
    };
    list.iter().filter_map(Value::as_str)
}
