//! What conditions see of one visit: each name looked up once, each text turned into a number once.

use super::constants::{Constants, NO_CODE};
use super::sieve::Refused;
use crate::context::Context;
use crate::json::number;
use crate::sorted::SortedMap;
use serde_json::{Map, Value};

/// A value as the language sees it; borrowed, and without a difference between missing and `null`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen<'a> {
    Nothing,
    Truth(bool),
    Number(f64),
    Text(&'a str),
    List(&'a [Value]),
    Object(&'a Map<String, Value>),
}

impl<'a> From<&'a Value> for Seen<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(truth) => Self::Truth(*truth),
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Self::Text(text),
            Value::Array(list) => Self::List(list),
            Value::Object(map) => Self::Object(map),
        }
    }
}

impl<'a> From<Option<&'a Value>> for Seen<'a> {
    fn from(value: Option<&'a Value>) -> Self {
        value.map_or(Self::Nothing, Self::from)
    }
}

/// Where a visit keeps the fact of a name: found once, when a condition is compiled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Source {
    Path,
    Query,
    Referrer,
    Country,
    Language,
    Device,
    Time,
    /// An attribute of the site.
    #[default]
    Own,
}

impl Source {
    fn of(name: &str) -> Self {
        match name {
            "path" => Self::Path,
            "query" => Self::Query,
            "referrer" => Self::Referrer,
            "country" => Self::Country,
            "language" => Self::Language,
            "device" => Self::Device,
            "hour" | "weekday" => Self::Time,
            _ => Self::Own,
        }
    }
}

impl<'a> Seen<'a> {
    /// As [`Context::attribute`], but borrowed: a decision copies no text and no map.
    pub(super) fn in_context(context: &'a Context, source: Source, name: &str) -> Self {
        let text = |t: &'a Option<String>| t.as_deref().map_or(Self::Nothing, Self::Text);
        match source {
            Source::Path => Self::Text(&context.path),
            Source::Query => Self::Object(&context.query),
            Source::Referrer => text(&context.referrer),
            Source::Country => text(&context.country),
            Source::Language => text(&context.language),
            Source::Device => Self::Text(context.device.as_str()),
            // Made of the time, not stored; the one place that says how is `Context`.
            Source::Time => {
                let number = context.attribute(name).and_then(|v| v.as_f64());
                number.map_or(Self::Nothing, Self::Number)
            }
            Source::Own => context.attributes.get(name).into(),
        }
    }

    /// The value one step further down: a key of an object or a position (from 0) in a list.
    fn step(self, part: &str) -> Self {
        match self {
            Self::Object(map) => map.get(part).into(),
            Self::List(list) => part.parse().ok().and_then(|i: usize| list.get(i)).into(),
            _ => Self::Nothing,
        }
    }

    /// The value where a number is asked for: nothing and blank text are 0, what is no number is NaN.
    pub(super) fn number(self) -> f64 {
        match self {
            Self::Nothing => 0.0,
            Self::Truth(truth) => f64::from(u8::from(truth)),
            Self::Number(number) => number,
            Self::Text(text) => number_in(text),
            Self::List(_) | Self::Object(_) => f64::NAN,
        }
    }

    /// Whether a script would take it for true; nothing is neither true nor false.
    pub(super) fn truth(self) -> Option<bool> {
        match self {
            Self::Nothing => None,
            Self::Truth(truth) => Some(truth),
            Self::Number(number) => Some(number != 0.0),
            Self::Text(text) => Some(!text.is_empty()),
            Self::List(_) | Self::Object(_) => Some(true),
        }
    }

    /// Deep equality; the order of keys does not matter, 1 and 1.0 are the same.
    ///
    /// Recursion ends where `constant` ends, and its depth was checked when it was compiled.
    pub(super) fn equals(self, constant: &Value) -> bool {
        match (self, Seen::from(constant)) {
            (Self::Nothing, Seen::Nothing) => true,
            (Self::Truth(a), Seen::Truth(b)) => a == b,
            (Self::Number(a), Seen::Number(b)) => a == b,
            (Self::Text(a), Seen::Text(b)) => a == b,
            (Self::List(a), Seen::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Seen::from(a).equals(b))
            }
            (Self::Object(a), Seen::Object(b)) => {
                a.len() == b.len()
                    && b.iter().all(|(key, b)| a.get(key).is_some_and(|a| Seen::from(a).equals(b)))
            }
            _ => false,
        }
    }
}

/// The number a text stands for: decimal with optional exponent, blank is 0, everything else NaN.
pub(super) fn number_in(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    number::parse(text).unwrap_or(f64::NAN)
}

/// A name used by conditions, cut at its dots, with the constants it is compared with.
#[derive(Debug, Clone, Default)]
pub(super) struct Attribute {
    /// Empty: the value itself.
    path: Box<[Box<str>]>,
    /// What the first step means in a visit.
    source: Source,
    pub(super) constants: Constants,
}

impl Attribute {
    fn named(name: &str) -> Self {
        let path: Box<[Box<str>]> = name.split('.').map(Box::from).collect();
        let source = path.first().map_or(Source::Own, |first| Source::of(first));
        Self { path, source, constants: Constants::default() }
    }

    fn in_context<'a>(&'a self, context: &'a Context) -> Fact<'a> {
        let mut parts = self.path.iter();
        let first = parts.next().map_or(Seen::Nothing, |name| Seen::in_context(context, self.source, name));
        Fact::new(parts.fold(first, |seen, part| seen.step(part)), &self.constants)
    }

    /// The fact of this name inside a value, e.g. an element of a list.
    pub(super) fn in_value<'a>(&'a self, value: Seen<'a>) -> Fact<'a> {
        Fact::new(self.path.iter().fold(value, |seen, part| seen.step(part)), &self.constants)
    }
}

/// All names used in one kind of place: in the visit, or inside the elements of lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    index: SortedMap<Box<str>, u32>,
    pub(super) attributes: Vec<Attribute>,
}

/// Position of "the value itself" in [`Names::inside`].
pub(super) const ITSELF: u32 = 0;

impl Names {
    /// The names used inside values; the first has no name and is the value itself.
    pub(super) fn inside() -> Self {
        Self { index: SortedMap::new(), attributes: vec![Attribute::default()] }
    }

    /// The position of a name, new or known.
    pub(super) fn of(&mut self, name: &str) -> u32 {
        if let Some(index) = self.index.get(name) {
            return *index;
        }
        // A name costs more than one byte of configuration: four billion do not fit in memory.
        let index = u32::try_from(self.attributes.len()).unwrap_or(u32::MAX);
        self.attributes.push(Attribute::named(name));
        self.index.insert(name.into(), index);
        index
    }

    /// The constants that the name at a position is compared with.
    pub(super) fn constants(&mut self, index: u32) -> Option<&mut Constants> {
        self.attributes.get_mut(index as usize).map(|attribute| &mut attribute.constants)
    }

    /// Forgets every name but the first `n`: those that a refused condition brought.
    pub(super) fn truncate(&mut self, n: usize) {
        self.attributes.truncate(n);
        self.index.retain(|_, index| (*index as usize) < n);
    }
}

/// One value with its numbers in the table of constants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact<'a> {
    pub(super) seen: Seen<'a>,
    /// Number of the constant equal to it, or [`NO_CODE`].
    pub(super) code: u32,
    /// Number of the constant equal to it but for upper and lower case, or [`NO_CODE`].
    pub(super) folded: u32,
    pub(super) constants: &'a Constants,
}

impl<'a> Fact<'a> {
    fn new(seen: Seen<'a>, constants: &'a Constants) -> Self {
        let folded = if constants.folds() { constants.folded_code(seen) } else { NO_CODE };
        Self { seen, code: constants.code(seen), folded, constants }
    }
}

/// The facts of one visit, as one [`AudienceSet`](super::AudienceSet) asks for them.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// In the order of the [`Names`].
    pub(super) all: Vec<Fact<'a>>,
    /// What follows from them at once.
    pub(super) refused: Refused,
}

impl Names {
    /// The facts of a visit.
    pub(super) fn in_context<'a>(&'a self, context: &'a Context) -> Vec<Fact<'a>> {
        self.attributes.iter().map(|attribute| attribute.in_context(context)).collect()
    }

    /// As [`Names::in_context`] for a plain map, where no name is built in.
    pub(super) fn in_map<'a>(&'a self, map: &'a Map<String, Value>) -> Vec<Fact<'a>> {
        let map = Seen::Object(map);
        self.attributes.iter().map(|attribute| attribute.in_value(map)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{BUILT_IN, Device};
    use serde_json::json;

    #[test]
    fn a_borrowed_fact_is_what_the_context_says() {
        let empty = Context::default();
        let full = Context {
            path: "/shop".into(),
            query: json!({"q": "1"}).as_object().cloned().unwrap(),
            referrer: Some("example.org".into()),
            country: Some("DE".into()),
            language: Some("de-at".into()),
            device: Device::Phone,
            time_millis: 1_795_525_500_000,
            attributes: json!({"plan": "pro", "path": "shadow"}).as_object().cloned().unwrap(),
            ..Context::default()
        };
        for context in [&empty, &full] {
            for name in BUILT_IN.into_iter().chain(["plan", "unknown"]) {
                let owned = context.attribute(name).unwrap_or(Value::Null);
                assert!(Seen::in_context(context, Source::of(name), name).equals(&owned), "{name}");
            }
        }
    }

    #[test]
    fn text_is_a_number_only_where_all_of_it_is() {
        assert_eq!(number_in(" 8.5e1 "), 85.0);
        assert_eq!(number_in(""), 0.0);
        for text in ["8 apples", "inf", "NaN", "0x10", "1_000", "+-1", "."] {
            assert!(number_in(text).is_nan(), "{text}");
        }
    }
}
