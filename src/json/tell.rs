//! From a typed shape to a `Value`: the way back of `shape`, and made alike, with one function for all structs.

use crate::sorted::SortedMap;
use serde_json::{Map, Value};

/// A type that has a form in JSON. What serde derives writes the same in other formats.
pub trait Tell {
    /// What it is as JSON.
    fn value(&self) -> Value;

    /// Whether a field that may be left out is left out with it.
    fn is_nothing(&self) -> bool {
        false
    }
}

/// An object of some fields.
/// ```
/// use edgeloom::json::{object, text};
///
/// assert_eq!(text(&object(&[("n", &2_u64), ("as", &Some("two"))])), r#"{"as":"two","n":2}"#);
/// ```
#[must_use]
pub fn object(fields: &[(&str, &dyn Tell)]) -> Value {
    let (names, places): (Vec<_>, Vec<_>) = fields.iter().copied().unzip();
    tell_fields(&names, names.len(), &places)
}

/// The fields of a struct, `places` in the order of `names`; behind the first `n_kept` only those that hold something.
#[must_use]
pub fn tell_fields(names: &[&str], n_kept: usize, places: &[&dyn Tell]) -> Value {
    let mut fields = Map::new();
    for (position, (name, place)) in names.iter().zip(places).enumerate() {
        if position < n_kept || !place.is_nothing() {
            fields.insert((*name).to_string(), place.value());
        }
    }
    Value::Object(fields)
}

/// Gives structs a form in JSON: all their fields, each under its name.
#[macro_export]
macro_rules! told {
    ($($of:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::json::Tell for $of {
            fn value(&self) -> $crate::Value {
                let Self { $($field),* } = self;
                let names = &[$(stringify!($field)),*];
                $crate::json::tell_fields(names, names.len(), &[$($field),*])
            }
        }
    )*};
}

macro_rules! alike {
    ($($of:ty)*) => {$(
        impl Tell for $of {
            fn value(&self) -> Value {
                Value::from(self.clone())
            }
        }
    )*};
}

alike! { u8 u16 u32 u64 usize i64 f64 String &str Value Map<String, Value> }

impl Tell for bool {
    fn value(&self) -> Value {
        Value::Bool(*self)
    }

    fn is_nothing(&self) -> bool {
        !*self
    }
}

impl<T: Tell> Tell for Option<T> {
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::value)
    }

    fn is_nothing(&self) -> bool {
        self.is_none()
    }
}

impl<T: Tell> Tell for [T] {
    fn value(&self) -> Value {
        let mut items = Vec::new();
        self.iter().for_each(|item| items.push(item.value()));
        Value::Array(items)
    }
}

impl<T: Tell> Tell for &[T] {
    fn value(&self) -> Value {
        (**self).value()
    }
}

impl<T: Tell> Tell for Vec<T> {
    fn value(&self) -> Value {
        self.as_slice().value()
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

impl Tell for [f64; 2] {
    fn value(&self) -> Value {
        self.as_slice().value()
    }
}

impl<T: Tell> Tell for SortedMap<String, T> {
    fn value(&self) -> Value {
        let mut fields = Map::new();
        self.iter().for_each(|(name, own)| drop(fields.insert(name.clone(), own.value())));
        Value::Object(fields)
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}
