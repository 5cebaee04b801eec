//! From a `Value` to a typed shape: each type fills itself in place, and one function fills all structs by a table of their
//! fields.
//!
//! serde derives a reader of its own for every type: 8 KB gzip more for the two dozen there are. An unknown field is skipped
//! here; who wants to refuse it compares what was sent with what came back.

use super::JsonError;
use crate::sorted::SortedMap;
use serde_json::{Map, Value};

/// A type that JSON can fill. What serde derives reads the same from other formats.
pub trait Shape {
    /// Becomes what the value says.
    ///
    /// # Errors
    /// A value of another shape; what was to be filled is then neither the old nor the new.
    fn fill(&mut self, value: &Value) -> Result<(), JsonError>;
}

/// Makes structs a [`Shape`] that can be told, too: the fields it needs, those that it has in any case but that may be missing
/// in what it is read from, and those that are left out where they hold nothing.
macro_rules! fields {
    ($($of:ident {
        $(needs $($needed:ident),+;)?
        $(has $($kept:ident),+;)?
        $(may have $($spared:ident),+;)?
    })*) => {$(
        impl $of {
            const NEEDED: &[&str] = &[$($(stringify!($needed)),+)?];
            const KEPT: &[&str] = &[$($(stringify!($kept)),+)?];
            const NAMES: &[&str] =
                &[$($(stringify!($needed),)+)? $($(stringify!($kept),)+)? $($(stringify!($spared),)+)?];
        }

        impl $crate::json::Shape for $of {
            fn fill(&mut self, value: &serde_json::Value) -> Result<(), $crate::json::JsonError> {
                let Self { $($($needed,)+)? $($($kept,)+)? $($($spared,)+)? } = self;
                let places: &mut [&mut dyn $crate::json::Shape] =
                    &mut [$($($needed,)+)? $($($kept,)+)? $($($spared,)+)?];
                let names = (Self::NAMES, Self::NEEDED.len());
                $crate::json::fill_fields(value, concat!("struct ", stringify!($of)), names, places)
            }
        }

        impl $crate::json::Tell for $of {
            fn value(&self) -> serde_json::Value {
                let Self { $($($needed,)+)? $($($kept,)+)? $($($spared,)+)? } = self;
                let places: &[&dyn $crate::json::Tell] =
                    &[$($($needed,)+)? $($($kept,)+)? $($($spared,)+)?];
                $crate::json::tell_fields(Self::NAMES, Self::NEEDED.len() + Self::KEPT.len(), places)
            }
        }
    )*};
}

/// Makes an enum of words a [`Shape`] that can be told, too.
macro_rules! words {
    ($($of:ident { $($word:literal $variant:ident),* $(,)? })*) => {$(
        impl $crate::json::Shape for $of {
            fn fill(&mut self, value: &serde_json::Value) -> Result<(), $crate::json::JsonError> {
                let variants = [$(Self::$variant),*];
                let place = $crate::json::word(value, concat!("enum ", stringify!($of)), &[$($word),*])?;
                variants.get(place).into_iter().for_each(|variant| *self = *variant);
                Ok(())
            }
        }

        impl $crate::json::Tell for $of {
            fn value(&self) -> serde_json::Value {
                serde_json::Value::from(match self {
                    $(Self::$variant => $word),*
                })
            }
        }
    )*};
}

pub(crate) use {fields, words};

/// Fills the fields of a struct: their names with the number of those that have to be there, and their places in the same
/// order.
pub(crate) fn fill_fields(
    value: &Value,
    wanted: &str,
    (names, n_needed): (&[&str], usize),
    places: &mut [&mut dyn Shape],
) -> Result<(), JsonError> {
    let fields = object(value, wanted)?;
    for (position, (name, place)) in names.iter().zip(places).enumerate() {
        match fields.get(*name) {
            Some(value) => place.fill(value).map_err(|error| error.below(name))?,
            None if position < n_needed => return Err(JsonError::new(format!("missing field `{name}`"))),
            None => {}
        }
    }
    Ok(())
}

/// The one of some words that a value is, as its place among them.
pub(crate) fn word(value: &Value, wanted: &str, words: &[&str]) -> Result<usize, JsonError> {
    let (word, content) = variant(value, wanted)?;
    let place = words.iter().position(|own| *own == word).ok_or_else(|| unknown(word, words))?;
    if content.is_null() { Ok(place) } else { Err(refused(content, "a word alone")) }
}

/// One of several: its name, and what it holds; a word alone holds nothing.
pub(crate) fn variant<'v>(value: &'v Value, wanted: &str) -> Result<(&'v str, &'v Value), JsonError> {
    let only = |fields: &'v Map<String, Value>| fields.iter().next().filter(|_| fields.len() == 1);
    match value {
        Value::String(name) => Some((name, &Value::Null)),
        _ => value.as_object().and_then(only),
    }
    .map(|(name, content)| (name.as_str(), content))
    .ok_or_else(|| refused(value, wanted))
}

/// The refusal of a word that is not among those there are.
#[cold]
pub(crate) fn unknown(word: &str, words: &[&str]) -> JsonError {
    let expected = match words {
        [one, other] => format!("`{one}` or `{other}`"),
        _ => format!("one of `{}`", words.join("`, `")),
    };
    JsonError::new(format!("unknown word `{word}`, expected {expected}"))
}

#[cold]
#[inline(never)]
fn refused(value: &Value, wanted: &str) -> JsonError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "truth value",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    JsonError::new(format!("expected {wanted}, found {found}"))
}

fn object<'v>(value: &'v Value, wanted: &str) -> Result<&'v Map<String, Value>, JsonError> {
    value.as_object().ok_or_else(|| refused(value, wanted))
}

/// Goes through the items of a list.
fn each_item(value: &Value, take: &mut dyn FnMut(&Value) -> Result<(), JsonError>) -> Result<(), JsonError> {
    let items = value.as_array().ok_or_else(|| refused(value, "a list"))?;
    for (position, item) in items.iter().enumerate() {
        take(item).map_err(|error| error.below(&position.to_string()))?;
    }
    Ok(())
}

/// Goes through the pairs of an object.
fn each_pair(
    value: &Value,
    take: &mut dyn FnMut(&str, &Value) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    for (name, value) in object(value, "an object")? {
        take(name, value).map_err(|error| error.below(name))?;
    }
    Ok(())
}

/// A whole number from 0 to `most`.
fn whole(value: &Value, most: u64, wanted: &str) -> Result<u64, JsonError> {
    let number = value.as_u64().ok_or_else(|| refused(value, wanted))?;
    if number > most {
        Err(JsonError::new(format!("expected {wanted}, found another number")))
    } else {
        Ok(number)
    }
}

macro_rules! whole_numbers {
    ($($of:ident $wanted:literal)*) => {$(
        impl Shape for $of {
            fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
                *self = whole(value, u64::from(Self::MAX), $wanted)? as Self;
                Ok(())
            }
        }
    )*};
}

whole_numbers! {
    u8 "a whole number from 0 to 255"
    u16 "a whole number from 0 to 65,535"
    u32 "a whole number from 0 to 4,294,967,295"
    u64 "a whole number from 0 on"
}

macro_rules! alike {
    ($($of:ident $as:ident $wanted:literal)*) => {$(
        impl Shape for $of {
            fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
                *self = value.$as().ok_or_else(|| refused(value, $wanted))?.into();
                Ok(())
            }
        }
    )*};
}

alike! { bool as_bool "true or false" i64 as_i64 "a whole number" f64 as_f64 "a number" String as_str "a text" }

impl Shape for Value {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        self.clone_from(value);
        Ok(())
    }
}

impl<T: Shape + Default> Shape for Option<T> {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        *self = None;
        if value.is_null() { Ok(()) } else { self.insert(T::default()).fill(value) }
    }
}

impl<T: Shape + Default> Shape for Vec<T> {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        self.clear();
        each_item(value, &mut |value| {
            let mut item = T::default();
            item.fill(value)?;
            self.push(item);
            Ok(())
        })
    }
}

impl Shape for [f64; 2] {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        let mut items = Vec::new();
        items.fill(value)?;
        let n_items = items.len();
        *self = items.try_into().map_err(|_| match n_items.checked_sub(2) {
            Some(surplus) => JsonError::new(format!("{surplus} more in the list than expected")),
            None => JsonError::new(format!("invalid length {n_items}, expected a list of two")),
        })?;
        Ok(())
    }
}

impl<T: Shape + Default> Shape for SortedMap<String, T> {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        *self = Self::new();
        each_pair(value, &mut |name, value| self.or_default(name.to_string()).fill(value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, Tell};
    use crate::snapshot::wire::{Config, Published, Slot};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    /// What `serde_json` reads, or refuses, we read alike, or refuse, and write as it does.
    fn agrees<T: Shape + Tell + Default + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        value: &Value,
    ) {
        let (ours, theirs) = (super::super::shape::<T>(value), T::deserialize(value));
        let (ours, theirs) = (ours.ok(), theirs.ok());
        assert_eq!(ours, theirs, "{value}");
        assert_eq!(ours.map(|shape| shape.value()), theirs.map(|shape| json!(shape)), "{value}");
    }

    #[test]
    fn it_agrees_with_serde_json_on_whole_configurations_and_on_damaged_ones() {
        let slot = json!({
            "id": "hero", "selector": "#hero", "paths": ["/"], "enabled": true, "rollout": 0.5,
            "layer": { "id": "l", "from": 0, "to": 0.5 }, "goal": "buy",
            "policy": { "kind": "uniform", "assignment": "per_view", "burn_in": 7, "max_share": 1 },
            "arms": [{ "id": "a", "block": "b", "prior": [1, 2.5] }, {}], "unknown": [{}],
        });
        let config = json!({
            "site": "shop", "holdout": { "share": 0.1, "salt": "s" },
            "privacy": { "mode": "personal", "cookie_days": 30,
                "consent": { "cookie": "c", "measured": "m", "personal": "p" } },
            "pages": [{ "path": "/a", "life_seconds": 60, "shared": true }, { "path": "/b", "life_seconds": 1 }],
            "goals": [{ "id": "buy", "path": "/thanks", "value": 2.5 }, { "id": "join" }],
            "ledger": { "shards": 4, "window_hours": 9, "origins": ["https://a.example"] },
            "audiences": [{ "id": "x", "when": { "a": [null, true, -1, 1.5, "t", { "$in": [] }] } }],
            "blocks": [{ "id": "b", "template": "", "fields": {
                "t": { "text": "x" }, "i": { "image": { "src": "/", "alt": "", "width": 1 } }, "n": { "number": 1 },
                "r": { "rich": "<b>x</b>" }, "u": { "url": "/" } } }],
            "slots": [slot],
        });
        agrees::<Config>(&config);
        agrees::<Published>(
            &json!({ "config": config, "learned": [{ "slot": "hero", "arms": [{ "weight": 1e-300 }] }] }),
        );
        let others = [
            json!(null),
            json!(false),
            json!(-1),
            json!(300),
            json!(1.5),
            json!("word"),
            json!([1]),
            json!({ "text": 1 }),
        ];
        let mut pointers = vec![String::new()];
        while let Some(pointer) = pointers.pop() {
            match config.pointer(&pointer) {
                Some(Value::Object(fields)) => {
                    pointers.extend(fields.keys().map(|name| format!("{pointer}/{name}")))
                }
                Some(Value::Array(items)) => {
                    pointers.extend((0..items.len()).map(|at| format!("{pointer}/{at}")))
                }
                _ => {}
            }
            for other in &others {
                // The one difference: a list is no object here.
                let is_object = config.pointer(&pointer).is_some_and(Value::is_object);
                if is_object && other.is_array() {
                    continue;
                }
                let mut damaged = config.clone();
                *damaged.pointer_mut(&pointer).unwrap() = other.clone();
                agrees::<Config>(&damaged);
            }
        }
    }

    #[test]
    fn what_is_refused_is_said_in_words() {
        let said = |value: Value| super::super::shape::<Slot>(&value).unwrap_err().to_string();
        assert_eq!(said(json!({ "rollout": "all" })), "expected a number, found text");
        assert_eq!(said(json!({ "arms": [{ "prior": [1] }] })), "invalid length 1, expected a list of two");
        assert_eq!(said(json!({ "arms": [{ "prior": [1, 2, 3] }] })), "1 more in the list than expected");
        assert_eq!(said(json!({ "layer": {} })), "missing field `id`");
        assert_eq!(said(json!([])), "expected struct Slot, found list");
    }
}
