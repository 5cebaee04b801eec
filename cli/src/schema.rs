//! The JSON Schema of the configuration: for editors, and for knowing which keys there are.

use edgeloom::snapshot::wire::Config;
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema as it is written to files: pretty, with a newline at the end.
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// The schema.
pub fn document() -> Value {
    let mut schema = schemars::schema_for!(Config);
    schema.insert("title".into(), "edgeloom.toml".into());
    schema.to_value()
}

/// The keys that may stand at a place, sorted; empty where anything may or nothing.
///
/// `path` is made of keys and of indices as decimal numbers.
pub fn keys_at<'a>(document: &Value, path: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut nodes = alternatives(document, document);
    for segment in path {
        let next = nodes.iter().filter_map(|node| {
            node.pointer("/properties")
                .and_then(|properties| properties.get(segment))
                .or_else(|| node.get("items"))
                .or_else(|| node.get("additionalProperties"))
        });
        nodes = next.flat_map(|node| alternatives(document, node)).collect();
    }
    let properties = nodes.iter().filter_map(|node| node.get("properties")?.as_object());
    properties.flat_map(|keys| keys.keys().cloned()).collect()
}

/// A node itself and everything it may stand for, references followed. The configuration's types don't
/// contain themselves, so this ends.
fn alternatives<'a>(document: &'a Value, node: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![node];
    let referred =
        node.get("$ref").and_then(Value::as_str).and_then(|r| document.pointer(r.strip_prefix('#')?));
    let branches =
        ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| node.get(word)?.as_array()).flatten();
    for branch in referred.into_iter().chain(branches) {
        found.extend(alternatives(document, branch));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &[&str]) -> Vec<String> {
        keys_at(&document(), path.iter().copied()).into_iter().collect()
    }

    #[test]
    fn keys_are_found_through_lists_options_and_enumerations() {
        assert!(keys(&[]).contains(&"holdout".to_string()));
        assert_eq!(keys(&["holdout"]), ["salt", "share"]);
        assert!(keys(&["slots", "3", "policy"]).contains(&"exploration_floor".to_string()));
        assert_eq!(keys(&["blocks", "0", "fields", "hero"]), ["image", "number", "rich", "text", "url"]);
        assert_eq!(keys(&["blocks", "0", "fields", "hero", "image"]), ["alt", "height", "src", "width"]);
        assert_eq!(keys(&["audiences", "0", "when"]), [""; 0]);
    }

    #[test]
    fn the_committed_schema_is_current() {
        let committed: Value = serde_json::from_str(include_str!("../edgeloom.schema.json")).unwrap();
        assert!(
            committed == document(),
            "cli/edgeloom.schema.json is old; run `cargo run -p edgeloom-cli -- schema > cli/edgeloom.schema.json`"
        );
    }
}
