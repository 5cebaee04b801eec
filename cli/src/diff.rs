//! What publishing changes: two configurations compared item by item, by name and not by position.
//!
//! It compares JSON, not types, so that fields only a newer site knows show up as removed.

use edgeloom::snapshot::wire::Config;
use serde::Serialize;
use serde_json::{Map, Value};
use similar::TextDiff;
use std::collections::BTreeSet;

/// Longest value shown in a line, characters.
const MAX_SHOWN: usize = 60;

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// New.
    Added,
    /// Gone.
    Removed,
    /// Still there, with another value.
    Changed,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What happened.
    pub kind: Kind,
    /// The item, e.g. `slot hero, arm summer`; empty for the site itself.
    pub item: String,
    /// The field of the item, e.g. `policy.burn_in`; empty where it is the whole item.
    pub field: String,
    /// Value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// Value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// Lists whose items have names, and what one item is called.
const NAMED: [(&str, &str); 5] =
    [("audiences", "audience"), ("goals", "goal"), ("blocks", "block"), ("slots", "slot"), ("arms", "arm")];

/// The differences from `old` to `new`, in the order of the keys.
pub fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(&Place::default(), old, new, &mut found);
    found
}

#[derive(Clone, Default)]
struct Place {
    item: String,
    field: String,
}

impl Place {
    fn field(&self, name: &str) -> Self {
        let field = if self.field.is_empty() { name.to_string() } else { format!("{}.{name}", self.field) };
        Self { item: self.item.clone(), field }
    }

    fn item(&self, what: &str, name: &str) -> Self {
        let before = if self.item.is_empty() { String::new() } else { format!("{}, ", self.item) };
        Self { item: format!("{before}{what} {name}"), field: String::new() }
    }

    fn change(&self, old: Option<&Value>, new: Option<&Value>) -> Change {
        let kind = match (old, new) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            _ => Kind::Changed,
        };
        let (item, field) = (self.item.clone(), self.field.clone());
        Change { kind, item, field, old: old.cloned(), new: new.cloned() }
    }
}

fn compare(place: &Place, old: &Value, new: &Value, found: &mut Vec<Change>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) => compare_fields(place, old, new, found),
        _ => found.push(place.change(Some(old), Some(new))),
    }
}

fn compare_fields(
    place: &Place,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    found: &mut Vec<Change>,
) {
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (old.get(key), new.get(key));
        // An empty list is left out when it is stored.
        let list = |value: Option<&Value>| value.map_or(Some(Vec::new()), |value| value.as_array().cloned());
        let named = NAMED.iter().find(|(name, _)| name == key);
        if let (Some((_, what)), Some(before), Some(after)) = (named, list(before), list(after)) {
            compare_named(place, (key, what), &before, &after, found);
            continue;
        }
        match (before, after) {
            (Some(before), Some(after)) => compare(&place.field(key), before, after, found),
            _ => found.push(place.field(key).change(before, after)),
        }
    }
}

fn compare_named(
    place: &Place,
    (key, what): (&str, &str),
    old: &[Value],
    new: &[Value],
    found: &mut Vec<Change>,
) {
    let with = |list: &[Value], name: &str| list.iter().find(|item| name_of(item) == name).cloned();
    let names =
        |list: &[Value]| -> Vec<String> { list.iter().map(|item| name_of(item).to_string()).collect() };
    let (before, after) = (names(old), names(new));
    for name in before.iter().filter(|name| !after.contains(name)) {
        found.push(place.item(what, name).change(with(old, name).as_ref(), None));
    }
    for name in &after {
        let place = place.item(what, name);
        match (with(old, name), with(new, name)) {
            (Some(old), Some(new)) => compare(&place, &old, &new, found),
            (old, new) => found.push(place.change(old.as_ref(), new.as_ref())),
        }
    }
    // The first slot of a page chooses first; elsewhere the order means nothing.
    let kept = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|name| other.contains(name)).cloned().collect()
    };
    let (old_order, new_order) = (kept(&before, &after), kept(&after, &before));
    if key == "slots" && old_order != new_order {
        let place = place.field("order of slots");
        found.push(place.change(Some(&Value::from(old_order)), Some(&Value::from(new_order))));
    }
}

/// The name of an item; an arm without one has its block's, as in the core.
fn name_of(item: &Value) -> &str {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    text("id").or_else(|| text("block")).unwrap_or("page")
}

/// The differences for people, a line each.
pub fn text(changes: &[Change]) -> String {
    changes.iter().map(|change| line(change) + "\n").collect()
}

fn line(change: &Change) -> String {
    let sign = match change.kind {
        Kind::Added => '+',
        Kind::Removed => '-',
        Kind::Changed => '~',
    };
    let place = match (change.item.as_str(), change.field.as_str()) {
        ("", field) => field.to_string(),
        (item, "") => return format!("{sign} {item}"),
        (item, field) => format!("{item}: {field}"),
    };
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if shown(old) == shown(new) => format!("{sign} {place} changed"),
        (Some(old), Some(new)) => format!("{sign} {place} {} -> {}", shown(old), shown(new)),
        (Some(value), None) | (None, Some(value)) => format!("{sign} {place} {}", shown(value)),
        (None, None) => format!("{sign} {place}"),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

/// A unified diff of both configurations, written as the file would be.
pub fn unified(old: &Value, new: &Config) -> String {
    let as_toml = |config: &Config| toml::to_string_pretty(config).ok();
    let before = serde_json::from_value(old.clone()).ok().as_ref().and_then(as_toml);
    // A condition may hold a null, which only JSON can say.
    let (before, after) = match (before, as_toml(new)) {
        (Some(before), Some(after)) => (before, after),
        _ => (format!("{old:#}\n"), serde_json::to_string_pretty(new).unwrap_or_default() + "\n"),
    };
    TextDiff::from_lines(&before, &after).unified_diff().header("on the site", "to be published").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(old: &Value, new: &Value) -> Vec<String> {
        text(&changes(old, new)).lines().map(String::from).collect()
    }

    #[test]
    fn items_are_compared_by_name() {
        let old = json!({
            "site": "shop",
            "blocks": [{ "id": "a", "template": "<p>" }, { "id": "b", "template": "" }],
            "slots": [{ "id": "hero", "goal": "buy", "policy": { "burn_in": 100 },
                        "arms": [{ "block": "a" }, { "id": "old", "block": "b" }] }],
        });
        let new = json!({
            "site": "shop",
            "holdout": { "share": 0.1 },
            "blocks": [{ "id": "c", "template": "" }, { "id": "a", "template": "<b>" }],
            "slots": [{ "id": "hero", "goal": "sign-up", "policy": { "burn_in": 50 },
                        "arms": [{ "block": "c" }, { "block": "a", "prior": [1.0, 9.0] }] }],
        });
        assert_eq!(
            lines(&old, &new),
            [
                "- block b",
                "+ block c",
                "~ block a: template \"<p>\" -> \"<b>\"",
                "+ holdout {\"share\":0.1}",
                "- slot hero, arm old",
                "+ slot hero, arm c",
                "+ slot hero, arm a: prior [1.0,9.0]",
                "~ slot hero: goal \"buy\" -> \"sign-up\"",
                "~ slot hero: policy.burn_in 100 -> 50",
            ]
        );
    }

    #[test]
    fn equal_configurations_do_not_differ_and_an_absent_list_is_empty() {
        assert_eq!(lines(&json!({ "slots": [] }), &json!({})), [""; 0]);
        let block = json!({ "blocks": [{ "id": "a" }] });
        assert_eq!(lines(&block, &json!({})), ["- block a"]);
    }

    #[test]
    fn only_the_order_of_slots_matters() {
        let list = |key: &str, ids: [&str; 2]| json!({ key: [{ "id": ids[0] }, { "id": ids[1] }] });
        assert_eq!(lines(&list("goals", ["a", "b"]), &list("goals", ["b", "a"])), [""; 0]);
        assert_eq!(
            lines(&list("slots", ["a", "b"]), &list("slots", ["b", "a"])),
            ["~ order of slots [\"a\",\"b\"] -> [\"b\",\"a\"]"]
        );
    }

    #[test]
    fn long_values_are_cut_and_never_look_equal() {
        let long = |end: &str| json!({ "site": "x".repeat(100) + end });
        assert_eq!(lines(&long("a"), &long("b")), ["~ site changed"]);
    }

    #[test]
    fn the_unified_diff_reads_like_the_file() {
        let new = Config { site: "new".into(), ..Config::default() };
        let diff = unified(&json!({ "site": "old" }), &new);
        assert!(diff.contains("-site = \"old\"\n+site = \"new\"\n"), "{diff}");
    }
}
