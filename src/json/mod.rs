//! JSON text, `Value` and typed shapes: the one way between them, and no shape of its own.
//!
//! Everything goes text ↔ `Value` ↔ type. serde writes a parser per type *and* format; going through `Value` leaves one
//! parser of text, one writer of text and one step per type, which is a third of the wasm.

mod exact;
pub mod number;
mod parse;
mod shape;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What is wrong with a text or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

/// The value of a text.
///
/// # Errors
/// What is no JSON, is nested more than 127 levels deep, or has numbers beyond `f64`.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    parse::parse(text)
}

/// The text of a value.
#[inline(never)]
#[must_use]
pub fn text(value: &Value) -> String {
    // Writing a `Value` to memory can't fail: its keys are texts and its numbers finite.
    serde_json::to_string(value).unwrap_or_default()
}

/// What a text says, as a type.
///
/// # Errors
/// See [`parse()`] and [`shape()`].
pub fn read<T: for<'de> Deserialize<'de>>(text: &[u8]) -> Result<T, JsonError> {
    shape(&parse(text)?)
}

/// What a value says, as a type.
///
/// # Errors
/// A value of another shape.
pub fn shape<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, JsonError> {
    T::deserialize(shape::Part(value))
}

/// What keeps a value from being a type; nothing where it is one. As a function pointer it stands for the type, so that
/// what asks for several types need not be compiled for each.
pub fn fault<T: for<'de> Deserialize<'de>>(value: &Value) -> Option<JsonError> {
    shape::<T>(value).err()
}

/// The value of anything that has a shape.
///
/// # Errors
/// A shape that JSON has no form for, as a map whose keys are lists.
pub fn value(content: &impl Serialize) -> Result<Value, JsonError> {
    serde_json::to_value(content).map_err(|error| JsonError(error.to_string()))
}

/// The text of anything that has a shape; empty where JSON has no form for it.
pub fn write(content: &impl Serialize) -> String {
    value(content).as_ref().map(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_bit_for_bit(map: std::collections::BTreeMap<String, f64>) {
            let text = write(&map);
            prop_assert_eq!(&text, &serde_json::to_string(&map).unwrap());
            prop_assert_eq!(read::<std::collections::BTreeMap<String, f64>>(text.as_bytes()).unwrap(), map);
        }
    }

    #[test]
    fn nesting_is_refused_before_it_costs_the_stack() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
