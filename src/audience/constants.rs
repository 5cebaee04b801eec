//! Numbers for the constants that one attribute is compared with, so that comparing is arithmetic.
//! A visit's value is looked up once per attribute and gives one number. Every `$eq` and `$in` on that attribute is then a test
//! of a bit, however many conditions there are; only a set with a constant beyond the attribute's first 64 is searched, by
//! halves.

use super::facts::Seen;
use super::lower::small;
use super::table::Table;
use crate::sorted::sort_by;
use std::borrow::Cow;

/// Equal to no constant. Shifting a mask by it gives nothing, which is the right answer.
pub(super) const NO_CODE: u32 = u32::MAX;

/// Codes that every table has, so that the common constants need no entry.
const NOTHING: u32 = 0;
const FALSE: u32 = 1;
const TRUE: u32 = 2;
/// The first number given to a text or a number.
const FIRST: usize = 3;

/// The constants of one attribute; a constant keeps its number while others are added.
#[derive(Debug, Clone, Default)]
pub(super) struct Constants {
    texts: Table,
    /// By the bits of the number.
    numbers: Table,
    /// Lower case; numbered on their own.
    folded: Table,
}

/// A number as a key: equal numbers have equal bytes, NaN being equal to itself.
fn bytes(number: f64) -> [u8; 8] {
    // Both zeros are one number.
    if number == 0.0 { [0; 8] } else { number.to_bits().to_le_bytes() }
}

/// The next free number. A table of 2^32 constants does not fit into the memory there is.
fn next(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(NO_CODE)
}

/// Lower case; borrowed where it is already, as most identifiers are.
fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(small).collect())
    }
}

impl Constants {
    /// The number of a scalar constant, new or known; none for a list or an object.
    pub(super) fn add(&mut self, constant: Seen<'_>) -> Option<u32> {
        let new = next(FIRST + self.texts.len() + self.numbers.len());
        match constant {
            Seen::Nothing => Some(NOTHING),
            Seen::Truth(false) => Some(FALSE),
            Seen::Truth(true) => Some(TRUE),
            Seen::Number(number) => Some(self.numbers.get_or_insert(&bytes(number), new)),
            Seen::Text(text) => Some(self.texts.get_or_insert(text.as_bytes(), new)),
            Seen::List(_) | Seen::Object(_) => None,
        }
    }

    /// As [`Constants::add`] for a text whose case does not matter.
    pub(super) fn add_folded(&mut self, text: &str) -> u32 {
        let new = next(self.folded.len());
        self.folded.get_or_insert(fold(text).as_bytes(), new)
    }

    /// The number of the constant equal to a value, or [`NO_CODE`].
    pub(super) fn code(&self, value: Seen<'_>) -> u32 {
        match value {
            Seen::Nothing => NOTHING,
            Seen::Truth(false) => FALSE,
            Seen::Truth(true) => TRUE,
            Seen::Number(number) => self.numbers.get(&bytes(number)).unwrap_or(NO_CODE),
            Seen::Text(text) => self.texts.get(text.as_bytes()).unwrap_or(NO_CODE),
            Seen::List(_) | Seen::Object(_) => NO_CODE,
        }
    }

    /// Whether any condition on this attribute ignores case.
    pub(super) fn folds(&self) -> bool {
        self.folded.len() > 0
    }

    /// As [`Constants::code`] among the constants whose case does not matter.
    pub(super) fn folded_code(&self, value: Seen<'_>) -> u32 {
        let Seen::Text(text) = value else { return NO_CODE };
        self.folded.get(fold(text).as_bytes()).unwrap_or(NO_CODE)
    }
}

/// A set of constants: one machine word where their numbers are small, else as long as the list.
#[derive(Debug, Clone)]
pub(super) enum CodeSet {
    Mask(u64),
    Sorted(Box<[u32]>),
}

impl CodeSet {
    pub(super) fn new(mut codes: Vec<u32>) -> Self {
        let mut mask = 0;
        for code in &codes {
            let Some(bit) = 1_u64.checked_shl(*code) else {
                sort_by(&mut codes, u32::cmp);
                return Self::Sorted(codes.into());
            };
            mask |= bit;
        }
        Self::Mask(mask)
    }

    #[inline]
    pub(super) fn contains(&self, code: u32) -> bool {
        match self {
            Self::Mask(mask) => mask.checked_shr(code).is_some_and(|rest| rest & 1 == 1),
            Self::Sorted(codes) => codes.binary_search(&code).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_constants_have_one_number_and_different_ones_two() {
        let mut constants = Constants::default();
        let all = [
            Seen::Nothing,
            Seen::Truth(false),
            Seen::Truth(true),
            Seen::Number(1.0),
            Seen::Text("1"),
            Seen::Number(0.0),
            Seen::Text(""),
        ];
        let codes: Vec<_> = all.iter().map(|c| constants.add(*c).unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
        assert!(all.iter().zip(codes).all(|(c, code)| constants.code(*c) == code));
        assert_eq!(constants.code(Seen::Number(-0.0)), 5);
        assert_eq!(constants.code(Seen::Text("other")), NO_CODE);
    }

    #[test]
    fn a_set_is_the_same_set_in_either_form() {
        for codes in [vec![], vec![0], vec![5, 63, 2], vec![64], vec![900, 3, 64, 3]] {
            let set = CodeSet::new(codes.clone());
            for code in (0..1000).chain([NO_CODE]) {
                assert_eq!(set.contains(code), codes.contains(&code), "{codes:?} {code}");
            }
        }
    }

    #[test]
    fn case_is_folded_beyond_ascii() {
        let mut constants = Constants::default();
        let code = constants.add_folded("MÜNCHEN");
        assert_eq!(constants.folded_code(Seen::Text("münchen")), code);
        assert_eq!(constants.folded_code(Seen::Text("MüNCHEN")), code);
        assert_eq!(constants.folded_code(Seen::Text("munchen")), NO_CODE);
        let code = constants.add_folded("ΟΔΟΣ");
        assert_eq!(constants.folded_code(Seen::Text("οδος")), code);
    }
}
