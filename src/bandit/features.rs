//! From attributes to numbers: a declared set of features, each with its columns. What attributes a visit or an action has is the
//! caller's business; regressions see nothing but the vector.

use crate::bandit::score::held;
use crate::bandit::scorer::FeatureVector;
use crate::json::number::Decimal;
use crate::seed::{Purpose, hash};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Columns at most, the intercept included: a factor of that many takes half a megabyte.
pub const MAX_COLUMNS: usize = 256;

/// Standardised numbers are held to ± this, so that one odd value does not decide for everybody.
const MOST: f64 = 8.0;

/// Entries of a list that are looked at.
const MAX_ENTRIES: usize = 32;

/// How an attribute becomes numbers. What is missing, or of another kind, is 0 everywhere.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureKind {
    /// One column: (number − `mean`) / `scale`, held to ±8; 0 is the mean.
    Number {
        /// What is ordinary.
        mean: f64,
        /// How far numbers usually lie from it, > 0.
        scale: f64,
    },
    /// One column: ½ for true, −½ for false.
    Boolean,
    /// One column for each of these words: 1 for the words that the attribute is or has, else 0.
    OneOf(Vec<String>),
    /// Words of an open set in this many columns, 1 to 256: each word has a column and a sign by its hash (Weinberger et al. 2009,
    /// doi:10.1145/1553374.1553516), so that words that share a column cancel on average. n words weigh 1/√n each.
    Hashed {
        /// Number of columns.
        columns: usize,
    },
}

/// One attribute and how it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Name of the attribute.
    pub name: String,
    /// How it becomes numbers.
    pub kind: FeatureKind,
}

/// A set of features that can't be used.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureError {
    /// Mean or scale of a number that is not finite, or no scale above 0.
    Number {
        /// Name of the feature.
        name: String,
        /// The mean found.
        mean: f64,
        /// The scale found.
        scale: f64,
    },
    /// No words, or one of them twice.
    Words {
        /// Name of the feature.
        name: String,
    },
    /// Two features of this name.
    Twice {
        /// Name of the feature.
        name: String,
    },
    /// More columns than [`MAX_COLUMNS`], or hashing into none.
    Columns {
        /// Name of the feature.
        name: String,
        /// Columns up to and with this feature.
        found: usize,
    },
}

impl fmt::Display for FeatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { name, mean, scale } => {
                let [mean, scale] = [*mean, *scale].map(Decimal);
                write!(
                    f,
                    "feature {name} has mean {mean} and scale {scale}; hint: use numbers, the scale above 0"
                )
            }
            Self::Words { name } => {
                write!(f, "feature {name} lacks words or has one twice; hint: list each once")
            }
            Self::Twice { name } => write!(f, "feature {name} is declared twice; hint: leave one out"),
            Self::Columns { name, found } => {
                write!(f, "feature {name} makes it {found} columns; hint: use 1 to {MAX_COLUMNS} in all")
            }
        }
    }
}

impl std::error::Error for FeatureError {}

impl FeatureKind {
    fn n_columns(&self) -> usize {
        match self {
            Self::Number { .. } | Self::Boolean => 1,
            Self::OneOf(words) => words.len(),
            Self::Hashed { columns } => *columns,
        }
    }
}

/// A checked set of features; the first column is the intercept, which is always 1.
/// ```
/// use edgeloom::bandit::{Feature, FeatureKind, Features};
/// use serde_json::json;
/// use std::borrow::Cow;
///
/// let features = Features::new(vec![
///     Feature { name: "age".into(), kind: FeatureKind::Number { mean: 40.0, scale: 20.0 } },
///     Feature { name: "device".into(), kind: FeatureKind::OneOf(vec!["phone".into(), "desktop".into()]) },
/// ])?;
/// let visit = json!({ "age": 30, "device": "desktop" });
/// let x = features.vector(|name| visit.get(name).map(Cow::Borrowed));
/// assert_eq!(x.as_slice(), [1.0, -0.5, 0.0, 1.0]);
/// # Ok::<(), edgeloom::bandit::FeatureError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    list: Vec<Feature>,
    n_columns: usize,
    set: u32,
}

impl Features {
    /// Checks the declarations; their order is that of the columns, so it is a part of what was learned.
    ///
    /// # Errors
    /// The first declaration that can't be kept.
    pub fn new(list: Vec<Feature>) -> Result<Self, FeatureError> {
        let mut n_columns = 1_usize;
        for (at, Feature { name, kind }) in list.iter().enumerate() {
            let name = || name.clone();
            if list.iter().take(at).any(|other| other.name == name()) {
                return Err(FeatureError::Twice { name: name() });
            }
            match kind {
                FeatureKind::Number { mean, scale } => {
                    if !mean.is_finite() || !scale.is_finite() || *scale <= 0.0 {
                        return Err(FeatureError::Number { name: name(), mean: *mean, scale: *scale });
                    }
                }
                FeatureKind::OneOf(words) => {
                    let twice =
                        words.iter().enumerate().any(|(at, word)| words.iter().take(at).any(|w| w == word));
                    if words.is_empty() || twice {
                        return Err(FeatureError::Words { name: name() });
                    }
                }
                FeatureKind::Boolean | FeatureKind::Hashed { .. } => {}
            }
            let more = kind.n_columns();
            n_columns = n_columns.saturating_add(more);
            if more == 0 || n_columns > MAX_COLUMNS {
                return Err(FeatureError::Columns { name: name(), found: n_columns });
            }
        }
        let set = set_of(&list);
        Ok(Self { list, n_columns, set })
    }

    /// Hash of the declarations: sums that were counted with others don't fit.
    #[must_use]
    pub const fn set(&self) -> u32 {
        self.set
    }

    /// Number of columns, the intercept included.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// The column of a feature that is a number.
    #[must_use]
    pub fn column_of(&self, name: &str) -> Option<usize> {
        let is_number = |own: &Feature| own.name == name && matches!(own.kind, FeatureKind::Number { .. });
        self.list.iter().any(is_number).then(|| self.columns_of(name))?.map(|columns| columns.start)
    }

    /// The columns of a feature; which numbers are in them depends on its attribute alone.
    #[must_use]
    pub fn columns_of(&self, name: &str) -> Option<Range<usize>> {
        let mut start = 1;
        for feature in &self.list {
            let end = start + feature.kind.n_columns();
            if feature.name == name {
                return Some(start..end);
            }
            start = end;
        }
        None
    }

    /// The vector of what an `attribute` look-up says: of a visit, or of an action.
    #[must_use]
    pub fn vector<'v>(&self, attribute: impl Fn(&str) -> Option<Cow<'v, Value>>) -> FeatureVector {
        let mut numbers = Vec::with_capacity(self.n_columns);
        numbers.push(1.0);
        for Feature { name, kind } in &self.list {
            let value = attribute(name).unwrap_or(Cow::Owned(Value::Null));
            match kind {
                FeatureKind::Number { mean, scale } => numbers.push(standardised(&value, *mean, *scale)),
                FeatureKind::Boolean => numbers.push(match value.as_bool() {
                    Some(true) => 0.5,
                    Some(false) => -0.5,
                    None => 0.0,
                }),
                FeatureKind::OneOf(known) => {
                    let has = |known: &String| words(&value).any(|word| word == known);
                    numbers.extend(known.iter().map(|known| if has(known) { 1.0 } else { 0.0 }));
                }
                FeatureKind::Hashed { columns } => numbers.extend(hashed(name, &value, *columns)),
            }
        }
        FeatureVector::new(&numbers)
    }
}

/// The hash of some declarations, made once: every decision tells it.
fn set_of(list: &[Feature]) -> u32 {
    let mut text = Vec::new();
    for Feature { name, kind } in list {
        let mut part = |bytes: &[u8]| {
            text.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            text.extend_from_slice(bytes);
        };
        part(name.as_bytes());
        match kind {
            FeatureKind::Number { mean, scale } => part(&[mean.to_le_bytes(), scale.to_le_bytes()].concat()),
            FeatureKind::Boolean => part(b"boolean"),
            FeatureKind::OneOf(words) => words.iter().for_each(|word| part(word.as_bytes())),
            // 64 bits on every machine.
            FeatureKind::Hashed { columns } => part(&(*columns as u64).to_le_bytes()),
        }
    }
    // The upper half: 32 bits are enough to tell the few sets apart that a site has ever had.
    (hash(Purpose::Feature, &[&text]) >> 32) as u32
}

/// A number in units of its scale, held to ±8; 0 where it is none.
fn standardised(value: &Value, mean: f64, scale: f64) -> f64 {
    value.as_f64().map_or(0.0, |number| held((number - mean) / scale, MOST))
}

/// The text itself, or the texts of a list.
fn words(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().take(MAX_ENTRIES).filter_map(Value::as_str)
}

/// Signed hashing of words into columns.
fn hashed(name: &str, value: &Value, columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    let weight = 1.0 / (words(value).count().max(1) as f64).sqrt();
    for word in words(value) {
        let bits = hash(Purpose::Feature, &[name.as_bytes(), word.as_bytes()]);
        // One bit is the sign, the others the column.
        let column = usize::try_from((bits >> 1) % columns.max(1) as u64).ok();
        if let Some(sum) = column.and_then(|column| sums.get_mut(column)) {
            *sum += if bits & 1 == 1 { weight } else { -weight };
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn features(kinds: Vec<(&str, FeatureKind)>) -> Result<Features, FeatureError> {
        Features::new(kinds.into_iter().map(|(name, kind)| Feature { name: name.into(), kind }).collect())
    }

    fn numbers(kind: FeatureKind, value: Value) -> Vec<f64> {
        let vector = features(vec![("it", kind)]).unwrap().vector(|_| Some(Cow::Borrowed(&value)));
        vector.as_slice()[1..].to_vec()
    }

    #[test]
    fn each_kind_has_its_columns() {
        let age = || FeatureKind::Number { mean: 40.0, scale: 10.0 };
        assert_eq!(numbers(age(), json!(55)), [1.5]);
        assert_eq!(numbers(age(), json!(1e300)), [8.0]);
        assert_eq!(numbers(FeatureKind::Boolean, json!(true)), [0.5]);
        assert_eq!(numbers(FeatureKind::Boolean, json!(false)), [-0.5]);
        let one_of = || FeatureKind::OneOf(vec!["a".into(), "b".into(), "c".into()]);
        assert_eq!(numbers(one_of(), json!("b")), [0.0, 1.0, 0.0]);
        assert_eq!(numbers(one_of(), json!(["c", "a", "d"])), [1.0, 0.0, 1.0]);
    }

    #[test]
    fn what_is_missing_or_of_another_kind_is_zero() {
        let kinds = [
            FeatureKind::Number { mean: 40.0, scale: 10.0 },
            FeatureKind::Boolean,
            FeatureKind::OneOf(vec!["a".into()]),
            FeatureKind::Hashed { columns: 1 },
        ];
        for kind in kinds {
            for value in [json!(null), json!({ "a": 1 }), json!([7])] {
                assert_eq!(numbers(kind.clone(), value), [0.0]);
            }
        }
    }

    #[test]
    fn hashing_never_changes() {
        // Part of what was learned: these signs and places may not be edited. Computed by another SipHash-1-3.
        let columns = numbers(FeatureKind::Hashed { columns: 8 }, json!(["red", "green", "blue", "grey"]));
        assert_eq!(columns, [0.5, 0.0, 0.0, 0.0, -0.5, 0.5, -0.5, 0.0]);
    }

    #[test]
    fn words_spread_evenly_over_columns_and_signs() {
        let mut counts = [0.0; 16];
        for k in 0..8_000 {
            let columns = numbers(FeatureKind::Hashed { columns: 8 }, json!(format!("word-{k}")));
            let at = columns.iter().position(|number| *number != 0.0).unwrap();
            counts[2 * at + usize::from(columns[at] > 0.0)] += 1.0;
        }
        let found: f64 = counts.iter().map(|n| (n - 500.0) * (n - 500.0) / 500.0).sum();
        // χ²(15) > 50 has probability 1.2e-5.
        assert!(found < 50.0, "{found}");
    }

    #[test]
    fn declarations_that_cannot_be_kept_are_refused_by_name() {
        let error = |kinds| features(kinds).unwrap_err().to_string();
        let number = |scale| FeatureKind::Number { mean: 0.0, scale };
        assert!(error(vec![("age", number(0.0))]).starts_with("feature age has mean 0 and scale 0;"));
        assert!(error(vec![("age", number(f64::NAN))]).contains("scale NaN"));
        assert!(error(vec![("a", FeatureKind::OneOf(vec![]))]).starts_with("feature a lacks words"));
        assert!(error(vec![("a", FeatureKind::Boolean), ("a", FeatureKind::Boolean)]).contains("twice"));
        assert!(error(vec![("a", FeatureKind::Hashed { columns: 0 })]).contains("makes it 1 columns"));
        assert!(error(vec![("a", FeatureKind::Hashed { columns: 256 })]).contains("makes it 257 columns"));
        assert!(error(vec![("a", FeatureKind::Hashed { columns: usize::MAX })]).contains("columns"));
        assert_eq!(features(vec![("a", FeatureKind::Hashed { columns: 255 })]).unwrap().n_columns(), 256);
    }

    proptest! {
        #[test]
        fn any_attributes_make_a_vector_that_can_be_learned_from(
            number: f64, words in prop::collection::vec(".{0,9}", 0..50)
        ) {
            let features = features(vec![
                ("n", FeatureKind::Number { mean: 1.0, scale: 1e-3 }),
                ("one", FeatureKind::OneOf(vec!["a".into(), "b".into()])),
                ("words", FeatureKind::Hashed { columns: 2 }),
            ]).unwrap();
            let value = |name: &str| Some(Cow::Owned(if name == "n" { json!(number) } else { json!(words) }));
            let vector = features.vector(value);
            prop_assert_eq!(vector.len(), features.n_columns());
            prop_assert!(vector.as_slice().iter().all(|x| x.abs() <= crate::bandit::linear::MAX_FEATURE));
        }
    }
}
