//! Checks a configuration before it is stored: every field that is wrong or unknown is named.

use crate::problem::{FieldError, Problem};
use edgeloom::snapshot::wire::Config;
use edgeloom::snapshot::{Severity, check as compile_check};
use serde_path_to_error::{Segment, Track};

/// The configuration in its canonical form, and remarks that don't stop it.
///
/// # Errors
/// Not JSON, wrong types, unknown fields, another site's, or items that would be left out.
pub fn check(body: &[u8], site: &str) -> Result<(String, Vec<FieldError>), Problem> {
    let (config, mut errors) = read(body)?;
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
    let json = serde_json::to_string(&config).map_err(|error| refused(vec![at("", error)]))?;
    Ok((json, remarks))
}

fn refused(errors: Vec<FieldError>) -> Problem {
    Problem::new(422, "Configuration refused", "Nothing was stored; see the fields below.").errors(errors)
}

fn at(pointer: &str, detail: impl ToString) -> FieldError {
    FieldError { pointer: pointer.to_string(), detail: detail.to_string() }
}

/// The configuration, and the fields it has too many.
fn read(body: &[u8]) -> Result<(Config, Vec<FieldError>), Problem> {
    let mut track = Track::new();
    let mut unknown = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let config = serde_ignored::deserialize(tracked, |path| {
        unknown.push(at(&pointer_of_ignored(&path), "there is no such field; hint: check its spelling"));
    });
    let config: Config = config.map_err(|error| {
        let mut errors = std::mem::take(&mut unknown);
        errors.push(at(&pointer(&track.path()), error));
        refused(errors)
    })?;
    json.end().map_err(|error| refused(vec![at("", error)]))?;
    Ok((config, unknown))
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            // The name of a variant is the key of its object.
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    pointer
}

fn pointer_of_ignored(path: &serde_ignored::Path) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => pushed(parent, &index.to_string()),
        Path::Map { parent, key } => pushed(parent, key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            pointer_of_ignored(parent)
        }
    }
}

fn pushed(parent: &serde_ignored::Path, token: &str) -> String {
    let mut pointer = pointer_of_ignored(parent);
    push(&mut pointer, token);
    pointer
}

/// Adds a token, escaped as RFC 6901 wants it.
fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pointers(config: &Value) -> Vec<String> {
        let problem = match check(config.to_string().as_bytes(), "shop") {
            Ok(_) => return Vec::new(),
            Err(problem) => serde_json::to_value(problem).unwrap(),
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
        assert!(json.starts_with("{\"site\":\"shop\""));
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
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "[]x", "{", "{\"site\":\"shop\"} x", &"[".repeat(10_000)] {
            assert!(check(text.as_bytes(), "shop").is_err(), "{text:.20}");
        }
    }
}
