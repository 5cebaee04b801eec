//! The holes of a template and what fills them; where a value may stand is `template`'s business.

use super::fault::{Fault, Located};
use super::url::{LINK_SCHEMES, RESOURCE_SCHEMES};
use crate::json::number::decimal;
use crate::snapshot::wire::Field;
use crate::sorted::SortedMap;

/// Fields by name.
pub(super) type Fields = SortedMap<String, Field>;

/// What fills a hole.
pub(super) enum Value<'f> {
    /// Plain text.
    Text(String),
    /// Rich text, not yet verified.
    Rich(&'f str),
    /// An address, not yet checked, and the schemes it may have.
    Address(&'f str, &'static [&'static str]),
    /// An optional size that is not given.
    Absent,
}

impl Value<'_> {
    fn pixels(size: Option<u32>) -> Self {
        size.map_or(Value::Absent, |size| Value::Text(size.to_string()))
    }
}

/// A stretch of text or of a value: literal, or the name in a hole.
pub(super) struct Part<'a> {
    /// The literal text, or the trimmed name.
    pub(super) text: &'a str,
    /// It is a hole.
    pub(super) hole: bool,
    /// Where it stands in the template, bytes.
    pub(super) offset: usize,
}

/// Splits at holes; `start` is where `text` stands in the template.
///
/// # Errors
/// A hole without its end.
pub(super) fn parts(text: &str, start: usize) -> Result<Vec<Part<'_>>, Located> {
    let mut parts = Vec::new();
    let (mut rest, mut offset) = (text, start);
    while let Some((before, after)) = rest.split_once("{{") {
        if !before.is_empty() {
            parts.push(Part { text: before, hole: false, offset });
        }
        offset += before.len();
        let Some((name, behind)) = after.split_once("}}") else {
            return Err(Located { offset, fault: Fault::HoleUnclosed });
        };
        parts.push(Part { text: name.trim(), hole: true, offset });
        offset += name.len() + 4;
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part { text: rest, hole: false, offset });
    }
    Ok(parts)
}

/// Looks up fields and remembers which were asked for.
pub(super) struct Holes<'f> {
    fields: &'f Fields,
    used: Vec<&'f str>,
}

impl<'f> Holes<'f> {
    /// Holes to be filled from these fields.
    pub(super) fn new(fields: &'f Fields) -> Self {
        Self { fields, used: Vec::new() }
    }

    /// Names of the fields that filled a hole.
    pub(super) fn into_used(self) -> Vec<&'f str> {
        self.used
    }

    /// What fills the hole with this name.
    ///
    /// # Errors
    /// No such field, no such part of a picture, or a number that is none.
    pub(super) fn value(&mut self, hole: &str) -> Result<Value<'f>, Fault> {
        let (name, part) = match hole.rsplit_once('.') {
            // A field may have a point in its name.
            Some((name, part)) if !self.fields.contains_key(hole) => (name, Some(part)),
            _ => (hole, None),
        };
        let Some((name, field)) = self.fields.get_key_value(name) else {
            return Err(self.unknown(hole));
        };
        let value = match (field, part) {
            (Field::Text(text), None) => Value::Text(text.clone()),
            (Field::Rich(text), None) => Value::Rich(text),
            (Field::Url(url), None) => Value::Address(url, &LINK_SCHEMES),
            (Field::Number(number), None) if !number.is_finite() => {
                return Err(Fault::NotFinite { name: name.clone() });
            }
            // Adding zero turns -0 into 0; `Display` never writes an exponent.
            (Field::Number(number), None) => Value::Text(decimal(number + 0.0)),
            (Field::Image(image), Some("src")) => Value::Address(&image.src, &RESOURCE_SCHEMES),
            (Field::Image(image), Some("alt")) => Value::Text(image.alt.clone()),
            (Field::Image(image), Some("width")) => Value::pixels(image.width),
            (Field::Image(image), Some("height")) => Value::pixels(image.height),
            (Field::Image(_), _) => {
                let expected = "a picture has .src, .alt, .width and .height";
                return Err(Fault::WrongType { name: hole.into(), expected });
            }
            (_, Some(_)) => return Err(self.unknown(hole)),
        };
        self.used.push(name);
        Ok(value)
    }

    fn unknown(&self, hole: &str) -> Fault {
        // Twenty names help; hundreds would bury the message.
        let known: Vec<&str> = self.fields.keys().map(String::as_str).take(20).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Fault::UnknownField { name: hole.chars().take(64).collect(), known }
    }
}
