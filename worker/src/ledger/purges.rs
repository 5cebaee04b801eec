//! Purges: which copies of pages are no longer to be shown. They are kept here in the order of their time and written where
//! every isolate reads them; what matches an address is `purges.mjs`.

use super::publish::WRITE_LIMIT;
use super::root_store::{Deed, Meta, Store};
use crate::bindings::{STATE, Settings};
use crate::fields::{Kind, faults};
use crate::json;
use crate::platform::{self, Env, Error, Result};
use crate::problem::Problem;
use serde_json::{Value, json};

/// Most purges kept. Older ones are taken together: everything from before the last of them.
const KEPT: usize = 100;
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
    if all.len() > KEPT {
        let merged = all.len() - KEPT;
        if let Some(at) = all.get(merged).and_then(|entry| entry.get("at")).cloned() {
            all.drain(..=merged);
            all.insert(0, json!({ "everything": true, "at": at }));
        }
    }
    let deed = Deed { what: "purge", version: "", who, message };
    tables.set_purges(&edgeloom::json::text(&Value::Array(all)), &deed, now_millis)?;
    Ok(entry)
}

/// Brings what is kept where isolates read it.
///
/// # Errors
/// SQLite or KV.
pub async fn write(tables: &Store<'_>, env: &Env, settings: &Settings) -> Result<()> {
    let Some(text) = tables.meta(Meta::Purges)? else { return Ok(()) };
    let written = platform::kv_put(env, STATE, &settings.purges_key(), text.as_bytes(), WRITE_LIMIT).await;
    written.map_err(|error| Error::new(format_args!("KV: {error}")))
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
