//! Keys that mean nothing, and the one that was probably meant. What is known comes from the schema, never from a list.

use edgeloom::snapshot::wire::Config;
use schemars::schema_for;
use serde_json::Value;

/// Share of characters that must fit; swapped neighbours count as one that does not. Below it they are other words.
const LEAST_LIKENESS: f64 = 0.5;

/// JSON pointer of an ignored key.
pub fn pointer(path: &serde_ignored::Path) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}/{index}", pointer(parent)),
        // RFC 6901 escapes.
        Path::Map { parent, key } => {
            format!("{}/{}", pointer(parent), key.replace('~', "~0").replace('/', "~1"))
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            pointer(parent)
        }
    }
}

/// What is wrong with a key nobody knows.
pub fn message(pointer: &str) -> String {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    let known = known_keys(parent);
    let likeness = |name: &String| strsim::normalized_damerau_levenshtein(name, key);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(name) if likeness(name) >= LEAST_LIKENESS => {
            format!("there is no key `{key}` here; hint: did you mean `{name}`?")
        }
        Some(_) => format!("there is no key `{key}` here; hint: one of {}", known.join(", ")),
        None => format!("there is no key `{key}` here"),
    }
}

fn known_keys(parent: &str) -> Vec<String> {
    let schema = schema_for!(Config).to_value();
    let mut at = vec![&schema];
    for token in parent.split('/').skip(1) {
        at = at
            .into_iter()
            .flat_map(|node| resolve(node, &schema))
            .filter_map(|node| step(node, token))
            .collect();
    }
    let nodes = at.into_iter().flat_map(|node| resolve(node, &schema));
    nodes
        .filter_map(|node| node.get("properties")?.as_object())
        .flat_map(|keys| keys.keys().cloned())
        .collect()
}

/// The schemas a schema stands for: what it refers to, each of its alternatives.
fn resolve<'s>(node: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    if let Some(target) = node.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#')) {
        return schema.pointer(target).map_or_else(Vec::new, |node| resolve(node, schema));
    }
    let alternatives = ["anyOf", "oneOf"].iter().filter_map(|word| node.get(word)?.as_array()).flatten();
    std::iter::once(node).chain(alternatives.flat_map(|node| resolve(node, schema))).collect()
}

fn step<'s>(node: &'s Value, token: &str) -> Option<&'s Value> {
    let property = node.get("properties").and_then(|keys| keys.get(token));
    property.or_else(|| node.get("items")).or_else(|| node.get("additionalProperties"))
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn the_nearest_key_of_the_same_place_is_named() {
        for (pointer, meant) in [
            ("/slotz", "slots"),
            ("/slots/0/polcy", "policy"),
            ("/slots/0/policy/burnin", "burn_in"),
            ("/slots/3/arms/1/blok", "block"),
            ("/blocks/0/fields/photo/image/atl", "alt"),
            ("/privacy/consent/cokie", "cookie"),
        ] {
            assert!(message(pointer).ends_with(&format!("did you mean `{meant}`?")), "{}", message(pointer));
        }
    }

    #[test]
    fn where_nothing_is_near_the_known_keys_are_listed() {
        assert_eq!(message("/goals/0/zzz"), "there is no key `zzz` here; hint: one of id, path, value");
    }
}
