//! From a `Value` to a typed shape: serde's derived readers, told only what our shapes ask for.
//!
//! Less generous than `serde_json`'s own: an object is never read from a list, nor a number from a text. What is never
//! called is never compiled, and what is refused is said in words of our own.

use super::JsonError;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::{Map, Value};
use std::fmt::Display;

impl de::Error for JsonError {
    #[inline(never)]
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    #[cold]
    fn invalid_type(found: Unexpected, wanted: &dyn Expected) -> Self {
        Self(format!("expected {wanted}, found {}", word(&found)))
    }

    #[cold]
    fn invalid_value(found: Unexpected, wanted: &dyn Expected) -> Self {
        Self(format!("expected {wanted}, found another {}", word(&found)))
    }
}

/// A word for what was found; the standard one would format floats, which is a lot of code.
const fn word(found: &Unexpected) -> &'static str {
    match found {
        Unexpected::Unit => "null",
        Unexpected::Bool(_) => "truth value",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "number",
        Unexpected::Str(_) | Unexpected::Char(_) => "text",
        Unexpected::Seq => "list",
        Unexpected::Map => "object",
        _ => "kind of value",
    }
}

/// A value, or a part of one, as something to read from.
#[derive(Clone, Copy)]
pub(super) struct Part<'de>(pub(super) &'de Value);

impl<'de> Part<'de> {
    #[cold]
    #[inline(never)]
    fn refused(self, wanted: &dyn Expected) -> JsonError {
        let found = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(truth) => Unexpected::Bool(*truth),
            Value::Number(_) => Unexpected::Float(0.0),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        de::Error::invalid_type(found, wanted)
    }
}

/// Readers of one kind of value: what fits is shown, anything else is refused.
macro_rules! reads {
    ($($reader:ident $of:ident $shows:ident)*) => {$(
        fn $reader<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            match self.0.$of() {
                Some(found) => visitor.$shows(found),
                None => Err(self.refused(&visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Part<'de> {
    type Error = JsonError;

    reads! {
        deserialize_bool as_bool visit_bool
        deserialize_i8 as_i64 visit_i64
        deserialize_i16 as_i64 visit_i64
        deserialize_i32 as_i64 visit_i64
        deserialize_i64 as_i64 visit_i64
        deserialize_u8 as_u64 visit_u64
        deserialize_u16 as_u64 visit_u64
        deserialize_u32 as_u64 visit_u64
        deserialize_u64 as_u64 visit_u64
        deserialize_f32 as_f64 visit_f64
        deserialize_f64 as_f64 visit_f64
        deserialize_char as_str visit_str
        deserialize_str as_str visit_str
        deserialize_string as_str visit_str
        deserialize_identifier as_str visit_str
    }

    /// Only `Value` itself asks for anything.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        let Value::Array(items) = self.0 else { return Err(self.refused(&visitor)) };
        let mut items = Items(items.iter());
        let read = visitor.visit_seq(&mut items)?;
        match items.0.len() {
            0 => Ok(read),
            surplus => Err(JsonError(format!("{surplus} more in the list than expected"))),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        let Value::Object(pairs) = self.0 else { return Err(self.refused(&visitor)) };
        visitor.visit_map(Pairs { rest: pairs.iter(), value: &Value::Null })
    }

    /// Shown as the list of the fields it should have: what serde derives for lists is half of what it derives for maps,
    /// where names come in any order, and some twice.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        let Value::Object(object) = self.0 else { return Err(self.refused(&visitor)) };
        let mut fields = Fields { names: names.iter(), object, missing: None };
        visitor.visit_seq(&mut fields).map_err(|error| fields.blame(error))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant { name, content: &Value::Null }),
            Value::Object(fields) if fields.len() == 1 => match fields.iter().next() {
                Some((name, content)) => visitor.visit_enum(Variant { name, content }),
                None => Err(self.refused(&visitor)),
            },
            _ => Err(self.refused(&visitor)),
        }
    }

    /// Nothing is shown of what nobody wants.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct tuple_struct }
}

/// The items of a list.
struct Items<'de>(std::slice::Iter<'de, Value>);

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, JsonError> {
        self.0.next().map(|item| seed.deserialize(Part(item))).transpose()
    }
}

/// The fields of an object in the order of a shape.
struct Fields<'de> {
    names: std::slice::Iter<'static, &'static str>,
    object: &'de Map<String, Value>,
    /// The field asked for last, where there is none of that name.
    missing: Option<&'static str>,
}

impl<'de> Fields<'de> {
    fn next(&mut self) -> Option<Part<'de>> {
        let name = *self.names.next()?;
        let value = self.object.get(name);
        self.missing = value.is_none().then_some(name);
        value.map(Part)
    }

    /// A reader that finds no field gives up at once, unless it has a default.
    #[cold]
    fn blame(&self, error: JsonError) -> JsonError {
        self.missing.map_or(error, |name| JsonError(format!("missing field `{name}`")))
    }
}

impl<'de> SeqAccess<'de> for &mut Fields<'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, JsonError> {
        self.next().map(|part| seed.deserialize(part)).transpose()
    }
}

/// The pairs of an object, and the value whose name was read last.
struct Pairs<'de> {
    rest: serde_json::map::Iter<'de>,
    value: &'de Value,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, JsonError> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(Name(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, JsonError> {
        seed.deserialize(Part(self.value))
    }
}

/// The name of a field or a variant.
struct Name<'de>(&'de str);

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_str(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// One of several: its name, and what it holds.
struct Variant<'de> {
    name: &'de str,
    content: &'de Value,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = JsonError;
    type Variant = Part<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Part<'de>), JsonError> {
        Ok((seed.deserialize(Name(self.name))?, Part(self.content)))
    }
}

impl<'de> VariantAccess<'de> for Part<'de> {
    type Error = JsonError;

    fn unit_variant(self) -> Result<(), JsonError> {
        if self.0.is_null() { Ok(()) } else { Err(self.refused(&"a word alone")) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, JsonError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use crate::snapshot::wire::{Config, Published, Slot};
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    /// What `serde_json` reads, or refuses, we read alike, or refuse.
    fn agrees<T: DeserializeOwned + PartialEq + std::fmt::Debug>(value: &Value) {
        let (ours, theirs) = (super::super::shape::<T>(value), T::deserialize(value));
        assert_eq!(ours.ok(), theirs.ok(), "{value}");
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
            "site": "shop", "holdout": { "share": 0.1 }, "privacy": { "mode": "personal", "cookie_days": 30 },
            "ledger": { "shards": 4, "origins": ["https://a.example"] },
            "audiences": [{ "id": "x", "when": { "a": [null, true, -1, 1.5, "t", { "$in": [] }] } }],
            "blocks": [{ "id": "b", "template": "", "fields": {
                "t": { "text": "x" }, "i": { "image": { "src": "/", "alt": "", "width": 1 } }, "n": { "number": 1 } } }],
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
        assert_eq!(said(json!({ "rollout": "all" })), "expected f64, found text");
        assert_eq!(
            said(json!({ "arms": [{ "prior": [1] }] })),
            "invalid length 1, expected an array of length 2"
        );
        assert_eq!(said(json!({ "arms": [{ "prior": [1, 2, 3] }] })), "1 more in the list than expected");
        assert_eq!(said(json!({ "layer": {} })), "missing field `id`");
        assert_eq!(said(json!([])), "expected struct Slot, found list");
    }
}
