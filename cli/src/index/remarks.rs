//! What is odd about items or a filter, and hinders nothing: it is told beside what was done.

use crate::problem::did_you_mean;
use edgeloom::id::ArmId;
use edgeloom::index::build::Item;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Fields whose values have several kinds that are told.
const MOST_MIXED: usize = 5;

/// What is odd about items that are to be filtered by these fields.
pub fn of_items(items: &[Item], wanted: &[String]) -> Vec<String> {
    let fields: BTreeSet<&str> =
        items.iter().flat_map(|item| item.fields.keys().map(String::as_str)).collect();
    let unknown = unknown(wanted.iter().map(String::as_str), &fields);
    unknown.into_iter().chain(mixed(items)).chain(nameless(items)).collect()
}

/// Fields to filter by that no item has.
pub fn unknown<'n>(names: impl Iterator<Item = &'n str>, known: &BTreeSet<&str>) -> Option<String> {
    let unknown: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
    let help = did_you_mean(unknown.first()?, known.iter().copied())
        .map_or(String::new(), |help| format!("; {help}"));
    let names: Vec<String> = unknown.iter().map(|name| format!("`{name}`")).collect();
    Some(format!("no item has {} as a field to filter by{help}", names.join(", ")))
}

/// Fields that have a text in one item and a number in another.
fn mixed(items: &[Item]) -> Vec<String> {
    let mut seen: BTreeMap<&str, [Vec<&str>; 2]> = BTreeMap::new();
    for Item { id, fields, .. } in items {
        for (name, kind) in kinds(fields) {
            let [texts, numbers] = seen.entry(name).or_default();
            if kind == Kind::Text { texts } else { numbers }.push(id);
        }
    }
    let told = seen.iter().filter_map(|(name, [texts, numbers])| {
        let is_number = numbers.len() > texts.len();
        let (few, what) = if is_number { (texts, "a text") } else { (numbers, "a number or a truth value") };
        let (first, usual) = (few.first()?, if is_number { "numbers" } else { "texts" });
        Some(format!("field `{name}` has {usual}, but {what} in {} of the items, such as `{first}`: filters take it for missing there", few.len()))
    });
    told.take(MOST_MIXED).collect()
}

#[derive(PartialEq)]
enum Kind {
    Text,
    Number,
}

/// The fields that could be filtered by, with the kind of what is in them.
fn kinds(fields: &Map<String, Value>) -> impl Iterator<Item = (&str, Kind)> {
    fields.iter().filter_map(|(name, value)| match value {
        // An empty list is no value.
        Value::Array(list) if list.is_empty() => None,
        Value::String(_) | Value::Array(_) => Some((name.as_str(), Kind::Text)),
        Value::Number(_) | Value::Bool(_) => Some((name.as_str(), Kind::Number)),
        Value::Null | Value::Object(_) => None,
    })
}

/// Items that no list can show, for their names stand in receipts and links.
fn nameless(items: &[Item]) -> Option<String> {
    let mut refused = items.iter().filter_map(|item| Some((&item.id, ArmId::new(&item.id).err()?)));
    let (id, why) = refused.next()?;
    let n = 1 + refused.count();
    let items = if n == 1 { "one item".into() } else { format!("{n} items") };
    Some(format!("{items} can be found, but no list shows them, such as `{id}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeloom::embedding::Embedding;
    use serde_json::json;

    fn items(all: &[(&str, Value)]) -> Vec<Item> {
        let item = |(id, fields): &(&str, Value)| Item {
            id: (*id).into(),
            fields: fields.as_object().unwrap().clone(),
            embedding: Embedding::new(&[1.0]).unwrap(),
        };
        all.iter().map(item).collect()
    }

    #[test]
    fn what_is_in_order_needs_no_remark() {
        let items = items(&[
            ("a", json!({ "price": 3, "topic": "tea", "deep": {} })),
            ("b", json!({ "price": true, "topic": ["tea", "cups"], "deep": null })),
            ("c", json!({ "price": [], "topic": [] })),
        ]);
        assert_eq!(of_items(&items, &["price".into()]), Vec::<String>::new());
    }

    #[test]
    fn each_oddity_is_told_with_an_example() {
        let items = items(&[
            ("a", json!({ "price": 3 })),
            ("b", json!({ "price": "3 €" })),
            ("tea/green", json!({})),
            ("", json!({})),
        ]);
        let told = of_items(&items, &["prize".into()]);
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[0], "no item has `prize` as a field to filter by; did you mean `price`?");
        assert!(
            told[1].contains("field `price` has texts") && told[1].contains("1 of the items, such as `a`"),
            "{told:?}"
        );
        assert!(told[2].contains("2 items") && told[2].contains("`tea/green`"), "{told:?}");
    }
}
