//! Purges: which copies of pages are no longer to be shown. They are kept here in the order of their time and written where
//! every isolate reads them; what matches an address is `purges.mjs`.

use super::publish::WRITE_LIMIT;
use super::root_store::{Deed, Meta, Store};
use crate::bindings::{STATE, Settings};
use crate::json;
use crate::platform::{self, Env, Error, Result};
use crate::problem::{FieldError, Problem};
use serde_json::{Value, json};

/// Most purges kept. Older ones are taken together: everything from before the last of them.
const KEPT: usize = 100;
/// Most addresses, prefixes or tags of one call.
const MAX_WORDS: usize = 100;
/// Longest of them, bytes.
const MAX_WORD_BYTES: usize = 2_048;
/// What can be named, and how it has to begin.
const KINDS: [(&str, &[&str], &str); 3] = [
    ("urls", &["/", "http://", "https://"], "an address, such as /news?page=2 or https://your.site/news"),
    ("prefixes", &["/", "http://", "https://"], "the beginning of addresses, such as /news/"),
    ("tags", &[""], "a word of the page's Cache-Tag or Surrogate-Key header"),
];

/// Checks what is to be purged, and brings it into the form that is kept.
///
/// # Errors
/// Not JSON, an unknown field, words that can't be what they are said to be, or nothing at all.
pub fn check(body: &[u8]) -> Result<Value, Problem> {
    let refuse = |pointer: String, detail: String| {
        Err(Problem::new(422, "Not a purge", "Nothing was purged.")
            .errors(vec![FieldError { pointer, detail }]))
    };
    let asked = match json::read(body) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return refuse(String::new(), "not an object; hint: {\"urls\": [\"/news\"]}".into()),
        Err(error) => return refuse(String::new(), error),
    };
    if asked.get("everything") == Some(&Value::Bool(true)) {
        return Ok(json!({ "everything": true }));
    }
    let mut purge = serde_json::Map::new();
    for (kind, value) in &asked {
        let Some((kind, starts, what)) = KINDS.into_iter().find(|(name, ..)| name == kind) else {
            return refuse(format!("/{kind}"), "unknown; hint: urls, prefixes, tags or everything".into());
        };
        let words = value.as_array().map_or(&[][..], Vec::as_slice);
        let is_sound = |word: &Value| {
            word.as_str().is_some_and(|word| {
                (1..=MAX_WORD_BYTES).contains(&word.len())
                    && starts.iter().any(|start| word.starts_with(start))
            })
        };
        if words.len() > MAX_WORDS {
            return refuse(
                format!("/{kind}"),
                format!("{} of them; hint: {MAX_WORDS} at a time, or prefixes", words.len()),
            );
        }
        if let Some(at) = words.iter().position(|word| !is_sound(word)) {
            return refuse(format!("/{kind}/{at}"), format!("is not {what}"));
        }
        if !words.is_empty() {
            purge.insert(kind.into(), value.clone());
        }
    }
    if purge.is_empty() {
        return refuse(
            String::new(),
            "names nothing; hint: {\"urls\": [\"/news\"]} or {\"everything\": true}".into(),
        );
    }
    Ok(Value::Object(purge))
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
    fn what_names_pages_is_a_purge_and_everything_else_is_refused_by_its_place() {
        let pointer = |body: &str| match check(body.as_bytes()) {
            Ok(_) => None,
            Err(problem) => Some(
                serde_json::to_value(problem).unwrap()["errors"][0]["pointer"].as_str().unwrap().to_string(),
            ),
        };
        for sound in
            [r#"{"urls":["/a?b=c"]}"#, r#"{"prefixes":["/a/"],"tags":["news"]}"#, r#"{"everything":true}"#]
        {
            assert_eq!(pointer(sound), None, "{sound}");
        }
        for (body, at) in [
            ("", ""),
            ("[]", ""),
            ("{}", ""),
            (r#"{"urls":[]}"#, ""),
            (r#"{"everything":false}"#, "/everything"),
            (r#"{"url":["/a"]}"#, "/url"),
            (r#"{"urls":["/a","b"]}"#, "/urls/1"),
            (r#"{"tags":[""]}"#, "/tags/0"),
            (r#"{"tags":[1]}"#, "/tags/0"),
        ] {
            assert_eq!(pointer(body).as_deref(), Some(at), "{body}");
        }
    }
}
