//! Checks a configuration before it is stored: every field that is wrong or unknown is named.

use crate::problem::{FieldError, NO_FIELD, Problem};
use edgeloom::json::{self, JsonError, push_token};
use edgeloom::snapshot::wire::{self, Config};
use edgeloom::snapshot::{Severity, check as compile_check};
use serde_json::Value;

/// The configuration in its canonical form, and remarks that don't stop it.
///
/// # Errors
/// Not JSON, wrong types, unknown fields, another site's, or items that would be left out.
pub fn check(body: &[u8], site: &str) -> Result<(String, Vec<FieldError>), Problem> {
    let (canonical, config, mut errors) = read(body)?;
    if config.site != site {
        let detail = format!("'{}' is not the site of this Worker; hint: '{site}', or set SITE", config.site);
        errors.push(FieldError { pointer: "/site".into(), detail });
    }
    let mut remarks = Vec::new();
    for warning in compile_check(&config) {
        let list = if warning.severity == Severity::Error { &mut errors } else { &mut remarks };
        list.push(FieldError { pointer: warning.pointer, detail: warning.message });
    }
    if !errors.is_empty() {
        return Err(refused(errors));
    }
    Ok((json::text(&canonical), remarks))
}

fn refused(errors: Vec<FieldError>) -> Problem {
    Problem::new(422, "Configuration refused", "Nothing was stored; see the fields below.").errors(errors)
}

fn at(pointer: &str, detail: impl ToString) -> FieldError {
    FieldError { pointer: pointer.to_string(), detail: detail.to_string() }
}

/// The configuration, and the fields it has too many.
fn read(body: &[u8]) -> Result<(Value, Config, Vec<FieldError>), Problem> {
    let raw = json::parse(body).map_err(|error| refused(vec![at("", error)]))?;
    let config = json::shape::<Config>(&raw).map_err(|error| refused(wrong_types(&raw, &error)))?;
    let canonical = json::value(&config);
    let mut unknown = Vec::new();
    surplus(&raw, &canonical, &mut String::new(), &mut unknown);
    Ok((canonical, config, unknown))
}

/// The fields of the wrong shape, one of each item; what is left is looked for in the whole.
fn wrong_types(raw: &Value, whole: &JsonError) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (list, fault) in wire::ITEMS {
        let items = raw.get(list).and_then(Value::as_array).into_iter().flatten();
        for (position, item) in items.enumerate() {
            if let Some(error) = fault(item) {
                errors.push(at(&format!("/{list}/{position}{}", error.pointer()), error));
            }
        }
    }
    if errors.is_empty() {
        errors.push(at(whole.pointer(), whole));
    }
    errors
}

/// Fields that were sent and did not come back from the typed form. Empty ones may be left out by it.
pub fn surplus(sent: &Value, kept: &Value, pointer: &mut String, unknown: &mut Vec<FieldError>) {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let children: Vec<(String, &Value, Option<&Value>)> = match sent {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), value, kept.get(name))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (i.to_string(), value, kept.get(i))).collect()
        }
        _ => return,
    };
    for (name, value, kept) in children {
        let length = pointer.len();
        push_token(pointer, &name);
        match kept {
            Some(kept) => surplus(value, kept, pointer, unknown),
            None if empty(value) => {}
            None => unknown.push(at(pointer, NO_FIELD)),
        }
        pointer.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(config: &Value) -> Vec<String> {
        let problem = match check(config.to_string().as_bytes(), "shop") {
            Ok(_) => return Vec::new(),
            Err(problem) => json::value(&problem),
        };
        let errors = problem["errors"].as_array().unwrap();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_string()).collect()
    }

    fn sound() -> Value {
        json!({
            "site": "shop",
            "goals": [{ "id": "buy" }],
            "slots": [{ "id": "hero", "goal": "buy", "arms": [{ "id": "a" }, { "id": "b" }] }],
        })
    }

    #[test]
    fn a_sound_configuration_passes_in_one_form() {
        let (json, _) = check(sound().to_string().as_bytes(), "shop").unwrap_or_default();
        let (again, _) = check(json.as_bytes(), "shop").unwrap_or_default();
        assert!(json.contains("\"site\":\"shop\""));
        assert_eq!(json, again);
    }

    #[test]
    fn each_wrong_field_is_named() {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut config = sound();
            change(&mut config);
            pointers(&config)
        };
        assert_eq!(with(&|c| c["site"] = json!("other")), ["/site"]);
        assert_eq!(with(&|c| c["slots"][0]["colour"] = json!(1)), ["/slots/0/colour"]);
        assert_eq!(with(&|c| c["slots"][0]["a/b~"] = json!(1)), ["/slots/0/a~1b~0"]);
        assert_eq!(with(&|c| c["slots"][0]["rollout"] = json!("all")), ["/slots/0/rollout"]);
        assert_eq!(with(&|c| c["slots"][0]["goal"] = json!("sell")), ["/slots/0/goal"]);
        assert_eq!(with(&|c| c["slots"][0]["arms"][1]["prior"] = json!([1])), ["/slots/0/arms/1/prior"]);
        assert_eq!(with(&|c| c["ledger"] = json!({ "shards": "many" })), ["/ledger/shards"]);
        assert_eq!(with(&|c| c["goals"][0] = json!({ "path": "/" })), ["/goals/0"], "a missing field");
        let two = with(&|c| {
            c["goals"][0]["value"] = json!("1");
            c["slots"][0]["enabled"] = json!("no");
        });
        assert_eq!(two, ["/goals/0/value", "/slots/0/enabled"]);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "[]x", "{", "{\"site\":\"shop\"} x", &"[".repeat(10_000)] {
            assert!(check(text.as_bytes(), "shop").is_err(), "{text:.20}");
        }
    }
}
