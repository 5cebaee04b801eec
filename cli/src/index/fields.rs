//! The fields of an item: names that hold a time become milliseconds, so that filters can compare them.

use edgeloom::schedule::millis_of;
use serde_json::{Map, Value};

/// Names that hold a time unless others are given.
pub const TIME_FIELDS: [&str; 3] = ["published", "published_from", "published_to"];

/// Turns the texts of time fields into milliseconds since the epoch; numbers stay what they are.
///
/// # Errors
/// The name of the field, and why it is no time.
pub fn with_millis(fields: &mut Map<String, Value>, names: &[String]) -> Result<(), String> {
    for name in names {
        let Some(value) = fields.get_mut(name) else { continue };
        match value {
            Value::String(text) => {
                *value = Value::from(millis(text).map_err(|why| format!("field `{name}`: {why}"))?)
            }
            Value::Null | Value::Number(_) => {}
            _ => {
                return Err(format!(
                    "field `{name}` is no time; hint: write it as in 2026-12-01 or 2026-12-01T08:00:00Z"
                ));
            }
        }
    }
    Ok(())
}

fn millis(text: &str) -> Result<u64, String> {
    let text = text.trim();
    // A day is its first moment, UTC.
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_string() };
    millis_of(&whole).map_err(|error| format!("'{text}' is {error}, or 2026-12-01 for a day"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn days_and_times_become_milliseconds_and_other_fields_stay() {
        let mut item = fields(
            json!({ "published": "1970-01-02", "published_to": "1970-01-01T01:00:01+01:00", "day": "1970-01-02", "published_from": 5 }),
        );
        with_millis(&mut item, &TIME_FIELDS.map(String::from)).unwrap();
        assert_eq!(
            Value::Object(item),
            json!({ "published": 86_400_000, "published_to": 1_000, "day": "1970-01-02", "published_from": 5 })
        );
    }

    #[test]
    fn what_is_no_time_is_said_with_its_field() {
        for wrong in [json!("yesterday"), json!("2026-02-30"), json!([1])] {
            let why =
                with_millis(&mut fields(json!({ "published": wrong })), &["published".into()]).unwrap_err();
            assert!(why.contains("`published`") && why.contains("hint: "), "{why}");
        }
    }
}
