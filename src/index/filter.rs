//! Which items may come back: tests of their fields, answered by columns as one bit for each item, before anything is compared.

use super::bits::Bits;
use super::columns::Column;
use super::piece::Index;
use crate::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Tests that an item has to pass, all of them.
///
/// ```
/// use edgeloom::index::Filter;
///
/// let filter: Filter = serde_json::from_str(
///     r#"{"tests": [{"field": "topic", "one_of": ["tea", "cups"]}, {"field": "price", "max": 30}]}"#,
/// )?;
/// assert_eq!(filter.tests.len(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The tests; without one every item passes.
    #[serde(default)]
    pub tests: Vec<Test>,
}

/// A test of one field. What is not said is not asked; what is said has to hold, all of it. A test that says nothing asks
/// whether the item has the field.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The field; in a piece without a column of it, it is missing throughout.
    pub field: String,
    /// One of these is the item's value, or among its values: texts, numbers, truth values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// None of these is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_of: Option<Vec<Value>>,
    /// The least number that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest number that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// What becomes of an item without the field. Where it is not said it fails, but for a test that has `none_of` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// What becomes of an item without a field. An empty list is no field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// It passes.
    Passes,
    /// It fails.
    #[default]
    Fails,
}

json::fields! {
    Filter { may have tests; }
    Test { needs field; may have one_of, none_of, min, max, missing; }
}

json::words! { Missing { "passes" Passes, "fails" Fails } }

impl Filter {
    /// The positions of a piece that pass.
    pub(super) fn allowed(&self, index: &Index) -> Bits {
        let mut allowed = Bits::all(index.len());
        for test in &self.tests {
            allowed.intersect(&test.allowed(index));
        }
        allowed
    }
}

impl Test {
    /// Whether an item without the field passes.
    fn is_passed_by_missing(&self) -> bool {
        match self.missing {
            Some(missing) => missing == Missing::Passes,
            None => {
                self.none_of.is_some() && self.one_of.is_none() && self.min.is_none() && self.max.is_none()
            }
        }
    }

    fn allowed(&self, index: &Index) -> Bits {
        let (bytes, missing) = (index.bytes(), self.is_passed_by_missing());
        match index.column(&self.field) {
            None if missing => Bits::all(index.len()),
            None => Bits::none(index.len()),
            Some(column @ Column::Numbers { .. }) => Bits::of(index.len(), |position| {
                column.number(bytes, position).map_or(missing, |number| self.is_passed_by_number(number))
            }),
            Some(column @ Column::Words { words, .. }) => {
                // Each word of the dictionary is looked at once, not once for each item.
                let place = |value: &Value| words.search(bytes, value.as_str()?).ok();
                let set = |values: &[Value]| {
                    let mut set = Bits::none(words.len());
                    values.iter().filter_map(place).for_each(|place| set.insert(place));
                    set
                };
                let (one_of, none_of) = (self.one_of.as_deref().map(set), self.none_of.as_deref().map(set));
                let has_range = self.min.is_some() || self.max.is_some();
                Bits::of(index.len(), |position| {
                    let mut places = column.places(bytes, position).peekable();
                    if places.peek().is_none() {
                        return missing;
                    }
                    let (mut is_one, mut is_none) = (one_of.is_none(), true);
                    for place in places {
                        is_one |= one_of.as_ref().is_some_and(|set| set.contains(place));
                        is_none &= !none_of.as_ref().is_some_and(|set| set.contains(place));
                    }
                    is_one && is_none && !has_range
                })
            }
        }
    }

    fn is_passed_by_number(&self, number: f64) -> bool {
        let is_it = |value: &Value| match value {
            Value::Bool(truth) => f64::from(u8::from(*truth)) == number,
            Value::Number(own) => own.as_f64() == Some(number),
            _ => false,
        };
        self.one_of.as_ref().is_none_or(|values| values.iter().any(is_it))
            && !self.none_of.as_ref().is_some_and(|values| values.iter().any(is_it))
            && self.min.is_none_or(|min| number >= min)
            && self.max.is_none_or(|max| number <= max)
    }
}
