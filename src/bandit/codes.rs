//! Features as whole numbers: what a decision reads, a receipt carries and the ledger adds up, the same to the last bit. How
//! attributes become features is the business of `features`.

use crate::bandit::scorer::FeatureVector;
use crate::bytes::{Reader, put_varint, unzigzag, zigzag};

/// Columns at most, the intercept included. A receipt with all of them filled has 350 characters more, and an arm's sums
/// 64 · 65 / 2 = 2,080 numbers.
pub const MAX_CODES: usize = 64;

/// One, in units of a code: 2^10. Standardised numbers are held to ±8, and 2^-10 of a standard deviation is finer than any
/// context is known.
pub const ONE: f64 = 1_024.0;

/// Features in units of 2^-10, and which set of features they are of.
/// ```
/// use edgeloom::bandit::codes::Codes;
///
/// let codes = Codes::new(7, &[1.0, -0.5, 0.0]).unwrap();
/// assert_eq!(codes.as_slice(), [1_024, -512, 0]);
/// assert_eq!(codes.vector().as_slice(), [1.0, -0.5, 0.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    set: u32,
    codes: Box<[i16]>,
}

impl Codes {
    /// The codes of some features, each rounded to 2^-10 and held to ±31.99; what is no number counts as 0. `None` for more
    /// than [`MAX_CODES`].
    #[must_use]
    pub fn new(set: u32, features: &[f64]) -> Option<Self> {
        // The cast of what is no number is 0, of what is too large the end of the range.
        let code = |feature: &f64| libm::round(feature * ONE) as i16;
        (features.len() <= MAX_CODES).then(|| Self { set, codes: features.iter().map(code).collect() })
    }

    /// Hash of the declaration that they follow: sums of different sets are kept apart.
    #[must_use]
    pub const fn set(&self) -> u32 {
        self.set
    }

    /// The numbers, in units of 2^-10, intercept first.
    #[must_use]
    pub const fn as_slice(&self) -> &[i16] {
        &self.codes
    }

    /// The features of a view in which the arm was worth only a part of what it is else: a regression of the rewards on these
    /// learns the whole.
    #[must_use]
    pub(crate) fn faded(&self, lost_256ths: u8) -> Self {
        let left = 256 - i32::from(lost_256ths);
        // Between -32,768 and 32,767 still; halves are rounded up.
        let code = |code: &i16| ((i32::from(*code) * left + 128) >> 8) as i16;
        Self { set: self.set, codes: self.codes.iter().map(code).collect() }
    }

    /// All products of a code of these with one of some others, rounded to 2^-10; with intercepts in both, each is a part of the
    /// result. `None` for more than [`MAX_CODES`].
    #[must_use]
    pub(crate) fn crossed(&self, other: &[i16], set: u32) -> Option<Self> {
        if self.codes.len() * other.len() > MAX_CODES {
            return None;
        }
        let product = |a: i16, b: i16| {
            let product = (i32::from(a) * i32::from(b) + 512) >> 10;
            product.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
        };
        let mut codes = Vec::with_capacity(self.codes.len() * other.len());
        for a in &self.codes {
            codes.extend(other.iter().map(|b| product(*a, *b)));
        }
        Some(Self { set, codes: codes.into() })
    }

    /// Each `nth` of the codes, from the first on: of products with so many codes that begin with a 1, the one factor.
    #[must_use]
    pub(crate) fn every(&self, nth: usize, set: u32) -> Self {
        Self { set, codes: self.codes.iter().step_by(nth.max(1)).copied().collect() }
    }

    /// The features again, as a decision scores them.
    #[must_use]
    pub fn vector(&self) -> FeatureVector {
        let mut vector = FeatureVector::default();
        self.vector_into(&mut vector);
        vector
    }

    /// The same in the place of another vector, for those who need many.
    pub(crate) fn vector_into(&self, vector: &mut FeatureVector) {
        vector.fill(self.codes.iter().map(|code| f64::from(*code) / ONE));
    }

    /// Most bytes of the stored form: set, two lengths, and a gap and a code of three bytes for each column.
    pub(crate) const MAX_BYTES: usize = 4 + 1 + 1 + 4 * MAX_CODES;

    /// Appends the stored form: set, number of columns, number of codes that are not 0, and for each of these how many zeros
    /// come before it and its value.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.set.to_le_bytes());
        put_varint(out, self.codes.len() as u64);
        put_varint(out, self.codes.iter().filter(|code| **code != 0).count() as u64);
        let mut zeros = 0;
        for code in &self.codes {
            if *code == 0 {
                zeros += 1;
                continue;
            }
            put_varint(out, zeros);
            put_varint(out, zigzag(i64::from(*code)));
            zeros = 0;
        }
    }

    /// Reads the stored form; `None` for everything that `write` would not write.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let set = u32::from_le_bytes(reader.array()?);
        let length = usize::try_from(reader.varint()?).ok().filter(|length| *length <= MAX_CODES)?;
        let mut codes = Vec::with_capacity(length);
        for _ in 0..reader.varint()? {
            let zeros = usize::try_from(reader.varint()?).ok()?;
            (codes.len().checked_add(zeros)? < length).then_some(())?;
            codes.resize(codes.len() + zeros, 0);
            codes.push(i16::try_from(unzigzag(reader.varint()?)).ok().filter(|code| *code != 0)?);
        }
        codes.resize(length, 0);
        Some(Self { set, codes: codes.into() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        /// Any codes, most of them 0.
        pub(crate) fn codes()(
            set: u32, codes in prop::collection::vec(prop_oneof![Just(0), any::<i16>()], 0..=MAX_CODES)
        ) -> Codes {
            Codes { set, codes: codes.into() }
        }
    }

    #[test]
    fn a_one_hot_context_takes_a_dozen_bytes() {
        let mut features = [0.0; 32];
        (features[0], features[9], features[20]) = (1.0, 1.0, -0.25);
        let mut bytes = Vec::new();
        Codes::new(1, &features).unwrap().write(&mut bytes);
        assert_eq!(bytes.len(), 15);
    }

    #[test]
    fn what_is_out_of_range_is_held_to_it() {
        let codes = Codes::new(0, &[f64::NAN, 1e9, -1e9, 1.0 / 4_096.0]).unwrap();
        assert_eq!(codes.as_slice(), [0, i16::MAX, i16::MIN, 0]);
        assert_eq!(Codes::new(0, &[0.0; MAX_CODES + 1]), None);
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back_and_nothing_else_is(codes in codes(), at: prop::sample::Index, byte: u8) {
            let mut bytes = Vec::new();
            codes.write(&mut bytes);
            prop_assert!(bytes.len() <= Codes::MAX_BYTES);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(Codes::read(&mut reader), Some(codes));
            prop_assert!(reader.end().is_some());
            // Whatever is read from damaged bytes has that very form.
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let mut reader = Reader::new(&bytes);
            if let (Some(read), Some(())) = (Codes::read(&mut reader), reader.end()) {
                let mut again = Vec::new();
                read.write(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn codes_survive_the_way_through_features(codes in codes()) {
            let features: Vec<f64> = codes.vector().as_slice().to_vec();
            prop_assert_eq!(Codes::new(codes.set(), &features), Some(codes));
        }
    }
}
