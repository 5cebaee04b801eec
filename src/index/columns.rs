//! Columns of fields, for filters: numbers as they are, words by their place in a dictionary. What to do with them is the
//! filter's business.
//!
//! ```text
//! bytes       what, little endian
//! …           names of the columns, ascending, as `texts` stores them
//! for each column:
//!   4         0 for numbers, 1 for words
//!   4         bytes of what follows
//!   8·n       numbers: `f64`, not a number where the item has none
//!   or
//!   …         words: the dictionary, ascending, as `texts` stores it
//!   4·(n+1)   where the words of each item start and the last one's end, counted in words
//!   2·…       places in the dictionary
//! ```

use super::texts::{Texts, number_at};
use std::ops::Range;

/// Most columns of a piece.
pub(super) const MAX_COLUMNS: usize = 256;
/// Most words of a dictionary.
pub(super) const MAX_WORDS: usize = 4096;

/// Where the columns lie.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    names: Texts,
    columns: Vec<Column>,
}

/// Where a column lies.
#[derive(Debug, Clone)]
pub(super) enum Column {
    /// Numbers; truth values are 0 and 1.
    Numbers {
        /// Where the first one is.
        start: usize,
    },
    /// Words.
    Words {
        /// The dictionary.
        words: Texts,
        /// Where the starts are.
        starts: usize,
        /// Where the places are.
        places: usize,
    },
}

impl Columns {
    /// Checks the columns that take up a range; `None` where they are broken.
    pub(super) fn open(bytes: &[u8], range: Range<usize>, n_items: usize) -> Option<Self> {
        let (names, mut at) = Texts::open_front(bytes, range.clone())?;
        if names.len() > MAX_COLUMNS || !names.is_ascending(bytes) {
            return None;
        }
        let mut columns = Vec::with_capacity(names.len());
        for _ in 0..names.len() {
            let start = at + 8;
            let stop = start.checked_add(number_at(bytes, at + 4)? as usize)?;
            if stop > range.end {
                return None;
            }
            columns.push(match number_at(bytes, at)? {
                0 if stop - start == n_items.checked_mul(8)? => Column::Numbers { start },
                1 => Column::open_words(bytes, start..stop, n_items)?,
                _ => return None,
            });
            at = stop;
        }
        (at == range.end).then_some(Self { names, columns })
    }

    /// The column of a field.
    pub(super) fn of(&self, bytes: &[u8], field: &str) -> Option<&Column> {
        self.columns.get(self.names.search(bytes, field).ok()?)
    }

    /// Names of the fields that have one, ascending.
    pub(super) fn names<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = &'b str> {
        self.names.iter(bytes)
    }
}

impl Column {
    fn open_words(bytes: &[u8], range: Range<usize>, n_items: usize) -> Option<Self> {
        let (words, starts) = Texts::open_front(bytes, range.clone())?;
        if words.len() > MAX_WORDS || !words.is_ascending(bytes) {
            return None;
        }
        let rest = bytes.get(starts..range.end)?;
        let (numbers, list) = rest.split_at_checked(n_items.checked_add(1)?.checked_mul(4)?)?;
        let mut before = 0;
        for number in numbers.as_chunks::<4>().0 {
            let start = u32::from_le_bytes(*number);
            if start < before {
                return None;
            }
            before = start;
        }
        let (list, []) = list.as_chunks::<2>() else { return None };
        let fits = list.len() == before as usize && number_at(numbers, 0) == Some(0);
        let is_known = |place: &[u8; 2]| usize::from(u16::from_le_bytes(*place)) < words.len();
        let places = starts + numbers.len();
        (fits && list.iter().all(is_known)).then_some(Self::Words { words, starts, places })
    }

    /// The number of an item.
    pub(super) fn number(&self, bytes: &[u8], position: usize) -> Option<f64> {
        let Self::Numbers { start } = self else { return None };
        let number =
            bytes.get(start + 8 * position..)?.first_chunk().map(|eight| f64::from_le_bytes(*eight))?;
        (!number.is_nan()).then_some(number)
    }

    /// The words of an item, by their places in the dictionary.
    pub(super) fn places<'b>(
        &self,
        bytes: &'b [u8],
        position: usize,
    ) -> impl Iterator<Item = usize> + use<'b> {
        let list = match self {
            Self::Words { starts, places, .. } => number_at(bytes, starts + 4 * position)
                .zip(number_at(bytes, starts + 4 * (position + 1)))
                .and_then(|(start, end)| bytes.get(places + 2 * start as usize..places + 2 * end as usize)),
            Self::Numbers { .. } => None,
        };
        let list = list.unwrap_or_default().as_chunks::<2>().0;
        list.iter().map(|place| usize::from(u16::from_le_bytes(*place)))
    }

    /// The words of an item.
    pub(super) fn words<'b>(&self, bytes: &'b [u8], position: usize) -> impl Iterator<Item = &'b str> {
        let words = match self {
            Self::Words { words, .. } => Some(words.clone()),
            Self::Numbers { .. } => None,
        };
        self.places(bytes, position).filter_map(move |place| words.as_ref()?.at(bytes, place))
    }
}
