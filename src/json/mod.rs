//! JSON text, `Value` and typed shapes: the one way between them, and no shape of its own.
//!
//! Everything goes text ↔ `Value` ↔ type. serde writes a parser per type *and* format; going through `Value` leaves one
//! parser of text, one writer of text and one table of fields per type: a third of the wasm, and 12 KB gzip less again. What
//! serde derives serves other formats: TOML, and objects of JavaScript.

mod exact;
pub mod number;
mod parse;
mod shape;
mod tell;

pub use shape::Shape;
pub(crate) use shape::{fields, fill_fields, unknown, variant, word, words};
pub use tell::{Tell, object, tell_fields};

use crate::id::IdError;
use serde_json::Value;
use std::fmt;

/// What is wrong with a text or a value, and with which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    what: String,
    pointer: String,
}

impl JsonError {
    pub(crate) const fn new(what: String) -> Self {
        Self { what, pointer: String::new() }
    }

    /// The same of what holds the value under a name.
    #[cold]
    #[inline(never)]
    fn below(mut self, name: &str) -> Self {
        let below = std::mem::take(&mut self.pointer);
        push_token(&mut self.pointer, name);
        self.pointer.push_str(&below);
        self
    }

    /// JSON pointer (RFC 6901) to the part that has another shape; empty for the whole, or where the text is no JSON.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for JsonError {}

impl From<IdError> for JsonError {
    fn from(error: IdError) -> Self {
        Self::new(error.to_string())
    }
}

/// Adds a token to a pointer, escaped as RFC 6901 wants it.
pub fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

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
pub fn read<T: Shape + Default>(text: &[u8]) -> Result<T, JsonError> {
    shape(&parse(text)?)
}

/// What a value says, as a type.
///
/// # Errors
/// A value of another shape.
pub fn shape<T: Shape + Default>(value: &Value) -> Result<T, JsonError> {
    let mut shape = T::default();
    shape.fill(value)?;
    Ok(shape)
}

/// What keeps a value from being a type; nothing where it is one. As a function pointer it stands for the type, so that
/// what asks for several types need not be compiled for each.
pub fn fault<T: Shape + Default>(value: &Value) -> Option<JsonError> {
    shape::<T>(value).err()
}

/// The value of anything that has a form in JSON.
pub fn value(content: &dyn Tell) -> Value {
    content.value()
}

/// The text of anything that has a form in JSON.
pub fn write(content: &dyn Tell) -> String {
    text(&content.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_bit_for_bit(list: Vec<f64>) {
            let text = write(&list);
            prop_assert_eq!(&text, &serde_json::to_string(&list).unwrap());
            prop_assert_eq!(read::<Vec<f64>>(text.as_bytes()).unwrap(), list);
        }
    }

    #[test]
    fn nesting_is_refused_before_it_costs_the_stack() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
