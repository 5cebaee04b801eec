//! The fields of a JSON body: which there may be, and what each has to be. A misspelt name or a wrong kind is named with its
//! place, for it would change what is done without a word.

use crate::problem::{FieldError, NO_FIELD};
use crate::visitor::Address;
use edgeloom::embedding::MAX_DIMENSION;
use edgeloom::id::{ArmId, DecisionId};
use edgeloom::json::push_token;
use serde_json::Value;

/// Most items of a list.
const MAX_ITEMS: usize = 100;
/// Longest of them, bytes.
const MAX_ITEM_BYTES: usize = 2_048;

/// What a field holds.
#[derive(Clone, Copy)]
pub enum Kind {
    /// An id of 32 hexadecimal digits.
    Key,
    /// An absolute address.
    Url,
    /// A path without query and fragment.
    Path,
    /// Any text.
    Text,
    /// Any object.
    Object,
    /// Milliseconds since the epoch.
    Millis,
    /// How many of something.
    Count,
    /// A short list of texts.
    Names,
    /// A short list of paths and absolute addresses.
    Addresses,
    /// Slots with short lists of actions: names, and objects of features.
    Actions,
    /// A list of numbers, as many as an embedding has at most.
    Numbers,
    /// Yes or no.
    Truth,
}

impl Kind {
    const fn expected(self) -> &'static str {
        match self {
            Self::Key => "32 hexadecimal digits",
            Self::Url => "an address with https://",
            Self::Path => "a path: /first, without ? and #",
            Self::Text => "a text",
            Self::Object => "an object",
            Self::Millis => "milliseconds since 1970",
            Self::Count => "a whole number",
            Self::Names => "a list of at most 100 names",
            Self::Addresses => "a list of at most 100 addresses: /first or https://",
            Self::Actions => {
                "slots, each with a list of at most 100 actions: an id of letters, digits, `-`, `_`, `.`, and features, an object"
            }
            Self::Numbers => "a list of at most 4096 numbers",
            Self::Truth => "true or false",
        }
    }

    fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null)
            | (Self::Text, Value::String(_))
            | (Self::Object, Value::Object(_))
            | (Self::Truth, Value::Bool(_)) => true,
            (Self::Key, Value::String(text)) => DecisionId::parse(text).is_ok(),
            (Self::Url, Value::String(text)) => !Address::of(text).host().is_empty(),
            (Self::Path, Value::String(text)) => {
                text.starts_with('/') && !text.bytes().any(|byte| matches!(byte, b'?' | b'#'))
            }
            (Self::Millis | Self::Count, Value::Number(number)) => number.is_u64(),
            (Self::Names, Value::Array(names)) => all(names, |_| true),
            (Self::Addresses, Value::Array(addresses)) => {
                all(addresses, |text| text.starts_with('/') || !Address::of(text).host().is_empty())
            }
            (Self::Numbers, Value::Array(list)) => {
                list.len() <= MAX_DIMENSION && list.iter().all(Value::is_number)
            }
            (Self::Actions, Value::Object(slots)) => slots.values().all(are_actions),
            _ => false,
        }
    }
}

/// Whether these are actions and nothing else.
fn are_actions(list: &Value) -> bool {
    let is_action = |action: &Value| {
        let id = action.get("id").and_then(Value::as_str).is_some_and(|id| ArmId::new(id).is_ok());
        let has_features =
            action.get("features").is_none_or(|features| features.is_object() || features.is_null());
        let has_nothing_else = action
            .as_object()
            .is_some_and(|all| all.keys().all(|key| matches!(key.as_str(), "id" | "features")));
        id && has_features && has_nothing_else
    };
    list.as_array().is_some_and(|list| list.len() <= MAX_ITEMS && list.iter().all(is_action))
}

/// Whether a list is short and each of its items is a text that will do.
fn all(items: &[Value], will_do: impl Fn(&str) -> bool) -> bool {
    let is_sound = |item: &Value| {
        item.as_str().is_some_and(|text| (1..=MAX_ITEM_BYTES).contains(&text.len()) && will_do(text))
    };
    items.len() <= MAX_ITEMS && items.iter().all(is_sound)
}

/// What is wrong with a body. All fields may be missing or null.
pub fn faults(body: &Value, known: &[(&str, Kind)]) -> Vec<FieldError> {
    let Value::Object(fields) = body else {
        return vec![FieldError { pointer: String::new(), detail: "has to be an object".to_string() }];
    };
    let mut faults = Vec::new();
    for (name, value) in fields {
        let kind = known.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        let detail = match kind {
            Some(kind) if kind.holds(value) => continue,
            Some(kind) => format!("has to be {}", kind.expected()),
            None => NO_FIELD.to_string(),
        };
        let mut pointer = String::new();
        push_token(&mut pointer, name);
        faults.push(FieldError { pointer, detail });
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FIELDS: [(&str, Kind); 4] =
        [("visitor", Kind::Key), ("path", Kind::Path), ("html", Kind::Truth), ("urls", Kind::Addresses)];

    #[test]
    fn every_field_may_be_missing_or_null_and_a_wrong_one_is_named() {
        assert!(faults(&json!({}), &FIELDS).is_empty());
        let nothing = FIELDS.iter().map(|(name, _)| ((*name).to_string(), Value::Null)).collect();
        assert!(faults(&Value::Object(nothing), &FIELDS).is_empty());
        let wrong = faults(
            &json!({ "path": "news", "a/b~": null, "html": true, "visitor": "7", "urls": ["b"] }),
            &FIELDS,
        );
        let named: Vec<_> =
            wrong.iter().map(|fault| (fault.pointer.as_str(), fault.detail.as_str())).collect();
        assert_eq!(
            named,
            [
                ("/a~1b~0", NO_FIELD),
                ("/path", "has to be a path: /first, without ? and #"),
                ("/urls", "has to be a list of at most 100 addresses: /first or https://"),
                ("/visitor", "has to be 32 hexadecimal digits"),
            ]
        );
    }
}
