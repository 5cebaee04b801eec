//! What is known of one visit; missing is explicit and nothing here identifies anybody.

use crate::assortment::Assortment;
use crate::crawler;
use crate::id::ArmId;
use crate::lookup::Lookup;
use crate::saturation::Seen;
use crate::seed::HOUR_MILLIS;
use crate::sorted::SortedMap;
use crate::trail::Trail;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// Kind of device, as coarse as it can be and still choose an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// Nothing said, or nothing understood.
    #[default]
    Unknown,
    /// A small touch screen.
    Phone,
    /// A large touch screen.
    Tablet,
    /// Everything else with a screen.
    Desktop,
    /// A program that says so.
    Crawler,
}

impl Device {
    /// The word conditions compare with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Phone => "phone",
            Self::Tablet => "tablet",
            Self::Desktop => "desktop",
            Self::Crawler => "crawler",
        }
    }

    /// The device of a word; anything else is unknown.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "phone" => Self::Phone,
            "tablet" => Self::Tablet,
            "desktop" => Self::Desktop,
            "crawler" => Self::Crawler,
            _ => Self::Unknown,
        }
    }

    /// The class of a `User-Agent` header; the header itself is not kept.
    #[must_use]
    pub fn of_user_agent(user_agent: &str) -> Self {
        if crawler::is_crawler(user_agent) {
            return Self::Crawler;
        }
        let has = |needle: &str| user_agent.contains(needle);
        if has("iPad") || has("Tablet") || (has("Android") && !has("Mobile")) {
            Self::Tablet
        } else if has("Mobi") || has("iPhone") {
            Self::Phone
        } else if has("Windows") || has("Macintosh") || has("X11") || has("CrOS") {
            Self::Desktop
        } else {
            Self::Unknown
        }
    }
}

/// Something that a request brings and that may be shown: an arm of this one view.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Its name.
    pub id: ArmId,
    /// What is known of it.
    pub features: Map<String, Value>,
}

/// The facts of one visit at decision time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    /// Path of the page, decoded as little as the request had it; starts with `/`.
    pub path: String,
    /// Query parameters, decoded; the first of equal names.
    pub query: Map<String, Value>,
    /// Host of the referring page; never its path.
    pub referrer: Option<String>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
    /// First language the browser asks for, lower case, e.g. `de-at`.
    pub language: Option<String>,
    /// Class of device.
    pub device: Device,
    /// Time of the request, milliseconds since the epoch, UTC.
    pub time_millis: u64,
    /// Whatever the site adds.
    pub attributes: Map<String, Value>,
    /// What the visitor has seen before, where that may be remembered; for caps only, conditions can't ask for it.
    pub seen: Seen,
    /// The items the visitor looked at last, where that may be remembered; conditions can't ask for it either.
    pub trail: Trail,
    /// What the request brings, by slot; for arms that stand for actions only.
    pub actions: SortedMap<String, Vec<Action>>,
    /// What an index brings, by list, as the list's policy reads it; goes before `actions` of the same name.
    pub assortments: SortedMap<String, Arc<Assortment>>,
    /// How an index was asked for what it brings: for a replay.
    pub lookups: SortedMap<String, Lookup>,
}

/// Names that [`Context::attribute`] answers itself; the site's own attributes can't shadow them.
pub const BUILT_IN: [&str; 8] =
    ["path", "query", "referrer", "country", "language", "device", "hour", "weekday"];

/// Whether the name is one of [`BUILT_IN`]; told by lengths, for most names.
fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|built_in| built_in.len() == name.len() && *built_in == name)
}

impl Context {
    /// The value a feature reads: an attribute, or with dots in its name a part of one, as in `query.campaign`.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<Cow<'_, Value>> {
        // What the site adds is lent: a visit may have dozens of attributes, and most of their names have no dot.
        if !name.bytes().any(|byte| byte == b'.') && !is_built_in(name) {
            return self.attributes.get(name).map(Cow::Borrowed);
        }
        let mut parts = name.split('.');
        let mut value = self.attribute(parts.next().unwrap_or_default())?;
        for part in parts {
            value = value.get_mut(part)?.take();
        }
        Some(Cow::Owned(value))
    }

    /// The value a condition sees under a name: a built-in fact, else an attribute of the site.
    ///
    /// `hour` is 0–23 UTC, `weekday` 1 (Monday) – 7 (Sunday) UTC; a missing fact is `None`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Value> {
        let text = |t: &Option<String>| t.as_deref().map(Value::from);
        match name {
            "path" => Some(Value::from(self.path.as_str())),
            "query" => Some(Value::Object(self.query.clone())),
            "referrer" => text(&self.referrer),
            "country" => text(&self.country),
            "language" => text(&self.language),
            "device" => Some(Value::from(self.device.as_str())),
            "hour" => Some(Value::from(self.time_millis / HOUR_MILLIS % 24)),
            // 1 January 1970 was a Thursday, day 4.
            "weekday" => Some(Value::from((self.time_millis / 86_400_000 + 3) % 7 + 1)),
            _ => self.attributes.get(name).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hour_and_weekday_follow_from_the_time() {
        // 2026-11-24 13:05 UTC, a Tuesday.
        let context = Context { time_millis: 1_795_525_500_000, ..Context::default() };
        assert_eq!(context.attribute("hour"), Some(Value::from(13)));
        assert_eq!(context.attribute("weekday"), Some(Value::from(2)));
    }

    #[test]
    fn a_site_attribute_cannot_shadow_a_built_in_fact() {
        let mut context = Context::default();
        context.attributes.insert("device".into(), Value::from("toaster"));
        assert_eq!(context.attribute("device"), Some(Value::from("unknown")));
        assert_eq!(context.attribute("country"), None);
    }

    #[test]
    fn a_user_agent_becomes_a_class() {
        let phone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";
        let desktop = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";
        assert_eq!(Device::of_user_agent(phone), Device::Phone);
        assert_eq!(Device::of_user_agent(desktop), Device::Desktop);
        assert_eq!(Device::of_user_agent(""), Device::Unknown);
    }
}
