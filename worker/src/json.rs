//! Reading JSON: one parser for everything, then plain look-ups. Each type with a parser of its own would cost the Worker
//! some kilobytes, and every cold start pays for them.

use edgeloom::event::Event;
use edgeloom::json;
use serde_json::Value;

/// Any JSON, nested 128 levels at most.
///
/// # Errors
/// What is wrong, and where.
pub fn read(bytes: &[u8]) -> Result<Value, String> {
    json::parse(bytes).map_err(|error| error.to_string())
}

/// A field with text.
pub fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// A field with a whole number; nothing counts as zero.
pub fn count(value: &Value, name: &str) -> usize {
    value.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}

/// An event in its stored form.
pub fn event(value: &Value) -> Option<Event> {
    Event::from_value(value).ok()
}
