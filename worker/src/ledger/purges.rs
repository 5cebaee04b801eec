//! Purges: which copies of pages are no longer to be shown. They are kept here in the order of their time and written where
//! every isolate reads them; what matches an address is `purges.mjs`.

use super::root_store::{Deed, Meta, Store};
use crate::fields::{Kind, faults};
use crate::json;
use crate::platform::Result;
use crate::problem::Problem;
use edgeloom::json::object;
use serde_json::Value;

/// Most purges kept, and most bytes of them, for every isolate reads them all. Older ones are taken together: everything
/// from before the last of them.
const KEPT: usize = 100;
const KEPT_BYTES: usize = 64 * 1024;
/// What can be named.
const FIELDS: [(&str, Kind); 4] = [
    ("urls", Kind::Addresses),
    ("prefixes", Kind::Addresses),
    // Words of the page's `Cache-Tag` or `Surrogate-Key` header.
    ("tags", Kind::Names),
    ("everything", Kind::Truth),
];

/// Reads what is to be purged.
///
/// # Errors
/// Not JSON, an unknown field, words that can't be what they are said to be, or nothing at all.
pub fn check(body: &[u8]) -> Result<Value, Problem> {
    let purge = json::read(body).map_err(|error| Problem::new(400, "Not readable", error))?;
    let errors = faults(&purge, &FIELDS);
    let is_something = |(name, _): &(&str, Kind)| match purge.get(name) {
        Some(Value::Array(words)) => !words.is_empty(),
        other => other == Some(&Value::Bool(true)),
    };
    if !errors.is_empty() || !FIELDS.iter().any(is_something) {
        let hint =
            "Nothing was purged; hint: {\"urls\": [\"/news\"]}, prefixes, tags or {\"everything\": true}.";
        return Err(Problem::new(422, "Not a purge", hint).errors(errors));
    }
    Ok(purge)
}

/// Adds a purge to those that are kept, and returns it with its time.
///
/// # Errors
/// SQLite.
pub fn add(tables: &Store<'_>, purge: &Value, who: &str, message: &str, now_millis: u64) -> Result<Value> {
    let known = tables.meta(Meta::Purges)?.and_then(|text| json::read(text.as_bytes()).ok());
    let mut all = match known {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    let mut entry = purge.clone();
    // Two in one millisecond are two.
    let last = all.last().and_then(|last| last.get("at")?.as_u64()).unwrap_or(0);
    if let Value::Object(fields) = &mut entry {
        fields.insert("at".into(), now_millis.max(last + 1).into());
    }
    all.push(entry.clone());
    let text = shortened(all);
    let deed = Deed { what: "purge", version: "", who, message };
    tables.set_purges(&text, &deed, now_millis)?;
    Ok(entry)
}

/// The list as text, short enough to be kept.
fn shortened(mut all: Vec<Value>) -> String {
    let is_everything = |entry: &Value| entry.get("everything") == Some(&Value::Bool(true));
    // What was purged before everything was is in it.
    if let Some(last) = all.iter().rposition(is_everything) {
        all.drain(..last);
    }
    loop {
        let text = edgeloom::json::text(&Value::Array(all.clone()));
        if all.len() < 2 || (all.len() <= KEPT && text.len() <= KEPT_BYTES) {
            return text;
        }
        let half = all.len() / 2;
        if let Some(entry) = all.get_mut(half) {
            *entry = object(&[("everything", &true), ("at", &entry.get("at").cloned())]);
        }
        all.drain(..half);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_pages_is_a_purge_and_nothing_else_is() {
        for sound in [
            r#"{"urls":["/a?b=c","https://shop.example/a"]}"#,
            r#"{"prefixes":["/a/"],"tags":["news"],"urls":[]}"#,
            r#"{"everything":true}"#,
        ] {
            assert!(check(sound.as_bytes()).is_ok(), "{sound}");
        }
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"urls":[]}"#,
            r#"{"everything":false}"#,
            r#"{"url":["/a"]}"#,
            r#"{"urls":["b"]}"#,
            r#"{"tags":[""]}"#,
        ] {
            assert!(check(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
