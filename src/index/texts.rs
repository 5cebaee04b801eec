//! Lists of texts in stored bytes: where each one starts, and all of them in one piece. Checked once, read in place.
//!
//! ```text
//! bytes        what, little endian
//! 4            n, number of texts
//! 4·(n + 1)    where each one starts and the last one ends, counted from the first
//! …            the texts, UTF-8
//! ```

use std::ops::Range;

/// Where a list of texts lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts {
    n: usize,
    /// Where the starts begin.
    starts: usize,
    /// Where the texts begin.
    text: usize,
}

impl Texts {
    /// Checks the list that takes up the whole of a range; `None` where it is broken.
    pub(super) fn open(bytes: &[u8], range: Range<usize>) -> Option<Self> {
        let (list, end) = Self::open_front(bytes, range.clone())?;
        (end == range.end).then_some(list)
    }

    /// The same of a list that a range begins with. Says where it ends, too.
    pub(super) fn open_front(bytes: &[u8], range: Range<usize>) -> Option<(Self, usize)> {
        let section = bytes.get(range.clone())?;
        let (n, rest) = section.split_first_chunk::<4>()?;
        let n = usize::try_from(u32::from_le_bytes(*n)).ok()?;
        let (starts, rest) = rest.split_at_checked(n.checked_add(1)?.checked_mul(4)?)?;
        let starts = starts.as_chunks::<4>().0.iter().map(|start| u32::from_le_bytes(*start) as usize);
        let text = std::str::from_utf8(rest.get(..starts.clone().next_back()?)?).ok()?;
        let mut before = 0;
        for (place, start) in starts.enumerate() {
            if start < before || (place == 0 && start != 0) || !text.is_char_boundary(start) {
                return None;
            }
            before = start;
        }
        let list = Self { n, starts: range.start + 4, text: range.start + 4 + 4 * (n + 1) };
        let end = list.text + text.len();
        Some((list, end))
    }

    /// Number of texts.
    pub(super) const fn len(&self) -> usize {
        self.n
    }

    /// A text by its place.
    pub(super) fn at<'b>(&self, bytes: &'b [u8], place: usize) -> Option<&'b str> {
        if place >= self.n {
            return None;
        }
        let start = self.text + number_at(bytes, self.starts + 4 * place)? as usize;
        let end = self.text + number_at(bytes, self.starts + 4 * (place + 1))? as usize;
        std::str::from_utf8(bytes.get(start..end)?).ok()
    }

    /// All texts.
    pub(super) fn iter<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = &'b str> {
        (0..self.n).filter_map(move |place| self.at(bytes, place))
    }

    /// The place of a text in an ascending list, or the one it belongs to.
    pub(super) fn search(&self, bytes: &[u8], text: &str) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.n);
        while low < high {
            let middle = low.midpoint(high);
            match self.at(bytes, middle).unwrap_or_default().cmp(text) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Whether the texts ascend, none of them twice.
    pub(super) fn is_ascending(&self, bytes: &[u8]) -> bool {
        let mut texts = self.iter(bytes);
        let Some(mut before) = texts.next() else { return true };
        texts.all(|text| std::mem::replace(&mut before, text) < text)
    }
}

/// Four bytes as a number.
pub(super) fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

/// Appends a list; `None` where it has 2^32 bytes or more.
pub(super) fn put<'t>(
    out: &mut Vec<u8>,
    texts: impl ExactSizeIterator<Item = &'t str> + Clone,
) -> Option<()> {
    out.extend(u32::try_from(texts.len()).ok()?.to_le_bytes());
    let mut end = 0_u32;
    out.extend(end.to_le_bytes());
    for text in texts.clone() {
        end = end.checked_add(u32::try_from(text.len()).ok()?)?;
        out.extend(end.to_le_bytes());
    }
    texts.for_each(|text| out.extend(text.as_bytes()));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_is_read(mut texts: Vec<String>, other: String) {
            texts.sort();
            texts.dedup();
            let mut bytes = vec![7; 3];
            put(&mut bytes, texts.iter().map(String::as_str)).unwrap();
            let list = Texts::open(&bytes, 3..bytes.len()).unwrap();
            prop_assert!(list.iter(&bytes).eq(texts.iter().map(String::as_str)));
            prop_assert!(list.is_ascending(&bytes));
            for text in texts.iter().chain([&other]) {
                prop_assert_eq!(list.search(&bytes, text), texts.binary_search(text));
            }
        }

        #[test]
        fn anything_else_is_refused_or_safe(bytes: Vec<u8>, n in 0_u32..3) {
            let bytes = [&n.to_le_bytes()[..], &bytes].concat();
            if let Some((list, _)) = Texts::open_front(&bytes, 0..bytes.len()) {
                prop_assert_eq!(list.iter(&bytes).count(), list.len());
            }
        }
    }
}
