//! Compiled conditions and the one function that answers them: total, and without allocation.

use super::constants::CodeSet;
use super::facts::{Fact, Names, Seen};
use super::version;
use crate::json::number::decimal;
use regex_lite::Regex;
use serde_json::Value;
use std::cmp::Ordering;

/// A compiled condition.
/// Evaluated depth first with the first answer that settles it; its depth is that of the condition, which
/// [`MAX_DEPTH`](super::MAX_DEPTH) limits.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// Every one of them; nothing to ask is yes.
    All(Box<[Rule]>),
    /// At least one of them.
    Any(Box<[Rule]>),
    Not(Box<Rule>),
    /// A question about one fact, by its position among the [`Names`].
    Ask(u32, Test),
}

/// A question about one value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Equal to one of the constants.
    Is(CodeSet),
    /// Equal to one of the constants, or a list of which an element is.
    In(CodeSet),
    /// As `Is`, upper and lower case being the same.
    IsFolded(CodeSet),
    /// As `In`, upper and lower case being the same; other constants than text as usual.
    InFolded {
        texts: CodeSet,
        others: CodeSet,
    },
    /// The number it stands for is this one.
    Counts(f64),
    /// A script would take it for this.
    Truth(bool),
    /// Deeply equal.
    Equals(Value),
    /// On this side of a constant: two texts by their characters, everything else as numbers.
    Compare(Side, Bound),
    /// On this side of a version.
    Version(Side, Box<str>),
    Exists(bool),
    Kind(Kind),
    Pattern(Box<Regex>),
    /// A list whose length satisfies the rule.
    Size(Box<Rule>),
    /// A list with an element that satisfies the rule.
    Element(Box<Rule>),
    /// A list in which each rule finds an element.
    Each(Box<[Rule]>),
}

/// Which results of a comparison are a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Side {
    /// Whether a comparison that came out like this is a yes.
    pub(super) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Greater => ordering.is_gt(),
        }
    }
}

/// What a value is compared with.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) text: Option<Box<str>>,
    /// NaN where the text is no number.
    pub(super) number: f64,
}

/// Kinds of values, as `$type` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// Every kind with its word.
    pub(super) const WORDS: [(&'static str, Self); 6] = [
        ("null", Self::Null),
        ("boolean", Self::Boolean),
        ("number", Self::Number),
        ("string", Self::String),
        ("array", Self::Array),
        ("object", Self::Object),
    ];

    fn of(seen: Seen<'_>) -> Self {
        match seen {
            Seen::Nothing => Self::Null,
            Seen::Truth(_) => Self::Boolean,
            Seen::Number(_) => Self::Number,
            Seen::Text(_) => Self::String,
            Seen::List(_) => Self::Array,
            Seen::Object(_) => Self::Object,
        }
    }
}

/// Where the names of a rule are looked up.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// In the visit, resolved beforehand.
    Visit(&'a [Fact<'a>]),
    /// In a value, e.g. an element of a list; resolved when asked for.
    Value(Seen<'a>),
}

impl Rule {
    /// Every one of some rules; a single one is itself.
    pub(super) fn all(mut rules: Vec<Self>) -> Self {
        match (rules.len(), rules.pop()) {
            (1, Some(rule)) => rule,
            (_, last) => Self::All(rules.into_iter().chain(last).collect()),
        }
    }

    /// Whether the rule holds. `inside` are the names that rules about elements use.
    pub(super) fn holds(&self, place: Place<'_>, inside: &Names) -> bool {
        match self {
            Self::Ask(name, test) => match place {
                Place::Visit(facts) => facts.get(*name as usize).is_some_and(|fact| test.holds(fact, inside)),
                Place::Value(value) => inside
                    .attributes
                    .get(*name as usize)
                    .is_some_and(|attribute| test.holds(&attribute.in_value(value), inside)),
            },
            Self::All(rules) => rules.iter().all(|rule| rule.holds(place, inside)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(place, inside)),
            Self::Not(rule) => !rule.holds(place, inside),
        }
    }
}

impl Test {
    #[inline]
    fn holds(&self, fact: &Fact<'_>, inside: &Names) -> bool {
        match self {
            Self::In(set) => {
                set.contains(fact.code)
                    || elements(fact).any(|element| set.contains(fact.constants.code(element)))
            }
            Self::Is(set) => set.contains(fact.code),
            Self::Compare(side, bound) => compare(fact.seen, *side, bound),
            Self::Counts(number) => fact.seen.number() == *number,
            _ => self.holds_rare(fact, inside),
        }
    }

    /// The questions that cost more than asking where to go.
    #[inline(never)]
    fn holds_rare(&self, fact: &Fact<'_>, inside: &Names) -> bool {
        let seen = fact.seen;
        let each_element = |rule: &Rule| elements(fact).any(|e| rule.holds(Place::Value(e), inside));
        match self {
            Self::IsFolded(set) => set.contains(fact.folded),
            Self::InFolded { texts, others } => {
                texts.contains(fact.folded)
                    || others.contains(fact.code)
                    || elements(fact).any(|element| {
                        texts.contains(fact.constants.folded_code(element))
                            || others.contains(fact.constants.code(element))
                    })
            }
            Self::Truth(truth) => seen.truth() == Some(*truth),
            Self::Equals(constant) => seen.equals(constant),
            Self::Version(side, bound) => match seen {
                Seen::Text(text) => side.holds(version::compare(text, bound)),
                Seen::Number(number) => side.holds(version::compare(&decimal(number), bound)),
                _ => side.holds(version::compare("", bound)),
            },
            Self::Exists(wanted) => matches!(seen, Seen::Nothing) != *wanted,
            Self::Kind(kind) => Kind::of(seen) == *kind,
            Self::Pattern(pattern) => match seen {
                Seen::Text(text) => pattern.is_match(text),
                Seen::Number(number) => pattern.is_match(&decimal(number)),
                _ => false,
            },
            Self::Size(rule) => match seen {
                Seen::List(list) => rule.holds(Place::Value(Seen::Number(list.len() as f64)), inside),
                _ => false,
            },
            Self::Element(rule) => each_element(rule),
            Self::Each(rules) => matches!(seen, Seen::List(_)) && rules.iter().all(each_element),
            Self::In(_) | Self::Is(_) | Self::Compare(..) | Self::Counts(_) => false,
        }
    }
}

/// The elements of a list; none of anything else.
fn elements<'a>(fact: &Fact<'a>) -> impl Iterator<Item = Seen<'a>> {
    let list = if let Seen::List(list) = fact.seen { list } else { &[] };
    list.iter().map(Seen::from)
}

/// Compares as scripts do: two texts by their characters, everything else as numbers; what is no number is on no side.
#[inline]
fn compare(seen: Seen<'_>, side: Side, bound: &Bound) -> bool {
    if let (Seen::Text(text), Some(other)) = (seen, &bound.text) {
        return side.holds(text.cmp(other));
    }
    seen.number().partial_cmp(&bound.number).is_some_and(|ordering| side.holds(ordering))
}
