//! What two configurations differ in, by item. Only names and contents count, not how they were written down.

use edgeloom::snapshot::wire::Config;
use serde::Serialize;
use serde_json::{Map, Value};
use similar::TextDiff;
use std::collections::BTreeMap;

/// A difference of one item.
#[derive(Debug, PartialEq, Serialize)]
pub struct Change {
    /// `added`, `removed`, `changed` or `moved`.
    pub change: &'static str,
    /// `slot`, `arm`, `block`, `audience`, `goal` or `settings`.
    pub kind: &'static str,
    /// Name of the item; of an arm `slot/arm`.
    pub id: String,
    #[serde(skip)]
    before: String,
    #[serde(skip)]
    after: String,
}

/// Lists of the configuration and what one of their items is called.
const LISTS: [(&str, &str); 4] =
    [("slots", "slot"), ("blocks", "block"), ("audiences", "audience"), ("goals", "goal")];

type Items = BTreeMap<(&'static str, String), Value>;

/// What changes from one configuration to another.
pub fn changes(before: &Config, after: &Config) -> Vec<Change> {
    let (old, new) = (items(before), items(after));
    let mut changes: Vec<Change> = Vec::new();
    for (key, value) in &new {
        match old.get(key) {
            None => changes.push(change("added", key, None, Some(value))),
            Some(was) if was != value => changes.push(change("changed", key, Some(was), Some(value))),
            Some(_) => {}
        }
    }
    for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        changes.push(change("removed", key, Some(value), None));
    }
    changes.sort_by(|a, b| (rank(a.kind), &a.id).cmp(&(rank(b.kind), &b.id)));
    changes.extend(moved(before, after));
    changes
}

/// Settings first, then from the place to what fills it.
fn rank(kind: &str) -> usize {
    ["settings", "slot", "arm", "block", "audience", "goal"]
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(usize::MAX)
}

/// The order of slots matters: an earlier one takes a block first.
fn moved(before: &Config, after: &Config) -> Option<Change> {
    let order = |config: &Config, other: &Config| -> Vec<String> {
        let ids = config.slots.iter().map(|slot| slot.id.clone());
        ids.filter(|id| other.slots.iter().any(|slot| slot.id == *id)).collect()
    };
    let (old, new) = (order(before, after), order(after, before));
    (old != new).then(|| Change {
        change: "moved",
        kind: "slot",
        id: new.join(", "),
        before: old.join("\n"),
        after: new.join("\n"),
    })
}

fn change(
    what: &'static str,
    key: &(&'static str, String),
    before: Option<&Value>,
    after: Option<&Value>,
) -> Change {
    let written = |value: Option<&Value>| value.map(as_text).unwrap_or_default();
    Change { change: what, kind: key.0, id: key.1.clone(), before: written(before), after: written(after) }
}

fn items(config: &Config) -> Items {
    let mut items = Items::new();
    let Ok(Value::Object(mut settings)) = serde_json::to_value(config) else { return items };
    for (list, kind) in LISTS {
        let Some(Value::Array(entries)) = settings.remove(list) else { continue };
        for mut entry in entries {
            let id = text_at(&entry, "id");
            if let Some(Value::Array(arms)) = entry.as_object_mut().and_then(|slot| slot.remove("arms")) {
                items.extend(arms.into_iter().map(|arm| (("arm", format!("{id}/{}", arm_id(&arm))), arm)));
            }
            items.insert((kind, id), entry);
        }
    }
    items.extend(settings.into_iter().map(|(name, value)| (("settings", name), value)));
    items
}

/// An arm without a name has its block's.
fn arm_id(arm: &Value) -> String {
    let id = text_at(arm, "id");
    if id.is_empty() { text_at(arm, "block") } else { id }
}

fn text_at(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_string()
}

/// In the language of the file, so that templates have their lines.
fn as_text(value: &Value) -> String {
    let table = match value {
        Value::Object(table) => table.clone(),
        other => Map::from_iter([("value".to_string(), other.clone())]),
    };
    toml::to_string_pretty(&table).or_else(|_| serde_json::to_string_pretty(value)).unwrap_or_default()
}

/// A line per change; with `Detail::Lines` also what changes inside.
pub fn render(changes: &[Change], detail: Detail) -> String {
    let mut text = String::new();
    for change in changes {
        let sign = match change.change {
            "added" => '+',
            "removed" => '-',
            _ => '~',
        };
        let what = if change.change == "moved" { "order of slots:" } else { change.kind };
        text.push_str(&format!("{sign} {what} {}\n", change.id));
        if detail == Detail::Lines {
            let diff = TextDiff::from_lines(change.before.as_str(), change.after.as_str());
            for line in diff.unified_diff().context_radius(2).to_string().lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
    }
    text.trim_end().to_string()
}

/// How much of a change is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// That there is one.
    Items,
    /// Each line.
    Lines,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        render(&changes(&config(before), &config(after)), Detail::Items)
            .lines()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn each_kind_of_item_is_told_by_name() {
        let before = "site = 'a'\n[[goals]]\nid='g'\n[[slots]]\nid='s'\ngoal='g'\n[[slots.arms]]\nid='old'\n[[blocks]]\nid='b'\ntemplate='x'";
        let after = "site = 'b'\n[[goals]]\nid='g'\n[[goals]]\nid='h'\n[[slots]]\nid='s'\ngoal='h'\n[[slots.arms]]\nblock='b'\n[[blocks]]\nid='b'\ntemplate='y'";
        assert_eq!(
            told(before, after),
            ["~ settings site", "~ slot s", "+ arm s/b", "- arm s/old", "~ block b", "+ goal h"]
        );
        assert!(told(before, before).is_empty());
    }

    #[test]
    fn the_order_of_slots_is_a_difference_and_that_of_goals_is_none() {
        let slots = |a, b| format!("[[slots]]\nid='{a}'\n[[slots]]\nid='{b}'");
        assert_eq!(told(&slots("a", "b"), &slots("b", "a")), ["~ order of slots: b, a"]);
        let goals = |a, b| format!("[[goals]]\nid='{a}'\n[[goals]]\nid='{b}'");
        assert!(told(&goals("a", "b"), &goals("b", "a")).is_empty());
    }

    #[test]
    fn lines_of_a_template_are_compared_one_by_one() {
        let block = |line| format!("[[blocks]]\nid='b'\ntemplate='''\n<p>\n{line}\n</p>\n'''");
        let text = render(&changes(&config(&block("one")), &config(&block("two"))), Detail::Lines);
        assert!(text.contains("    -one\n    +two\n"), "{text}");
    }
}
