//! JSON lines: `{"id": …, "fields": {…}, "vector": […]}`, or flat objects in which everything else is a field.

use super::super::record::{Faults, Place, Record};
use super::Names;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Reads all lines; those at fault are noted and left out.
pub fn read(text: &str, file: &Arc<str>, names: &Names, faults: &mut Faults) -> Vec<Record> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.filter_map(|(number, line)| record(line, Place::line(file, number + 1), names, faults)).collect()
}

/// Reads one line.
pub fn record(line: &str, place: Place, names: &Names, faults: &mut Faults) -> Option<Record> {
    let object = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            faults.add(
                &place,
                None,
                "not an object; hint: one JSON object on each line, as in {\"id\":\"a\",\"vector\":[…]}",
            );
            return None;
        }
        Err(error) => {
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            let what = format!(
                "unreadable JSON: {what}, at column {}; hint: one whole object on each line",
                error.column()
            );
            faults.add(&place, None, &what);
            return None;
        }
    };
    of_object(object, place, names, faults)
}

/// Takes an object apart.
pub fn of_object(
    mut object: Map<String, Value>,
    place: Place,
    names: &Names,
    faults: &mut Faults,
) -> Option<Record> {
    let id = match object.remove(&names.id) {
        Some(Value::String(id)) if !id.trim().is_empty() => id,
        Some(Value::Number(id)) if !id.is_f64() => id.to_string(),
        found => {
            let what = if found.is_some() { "is neither a text nor a whole number" } else { "is missing" };
            faults.add(
                &place,
                None,
                &format!("`{}` {what}; hint: each item needs one, or --id names another key", names.id),
            );
            return None;
        }
    };
    let vector = match object.remove(&names.vector).map(numbers) {
        Some(Err(what)) => {
            faults.add(&place, Some(&id), &format!("`{}` {what}", names.vector));
            return None;
        }
        found => found.and_then(Result::ok),
    };
    let mut fields = match object.remove("fields") {
        Some(Value::Object(fields)) => fields,
        Some(other) => Map::from_iter([("fields".to_string(), other)]),
        None => Map::new(),
    };
    let mut texts = Vec::new();
    for name in &names.text {
        // What stands beside the id is there for the embedder; what stands under `fields` stays a field.
        let text = object.remove(name).or_else(|| fields.get(name).cloned());
        texts.extend(
            text.as_ref()
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(String::from),
        );
    }
    for (name, value) in object {
        fields.entry(name).or_insert(value);
    }
    let text = (!texts.is_empty()).then(|| texts.join("\n"));
    Some(Record { id, fields, vector, text, place })
}

/// Numbers of a vector.
fn numbers(value: Value) -> Result<Vec<f32>, String> {
    let Value::Array(items) = value else {
        return Err("is no list; hint: write it as in [0.1, -0.2, …]".into());
    };
    let number = |(at, item): (usize, &Value)| match item.as_f64() {
        Some(number) => Ok(number as f32),
        None => Err(format!("holds {item} at place {}; hint: finite numbers only", at + 1)),
    };
    items.iter().enumerate().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        Names { id: "id".into(), vector: "vector".into(), text: vec!["text".into()], tensor: None }
    }

    fn told(text: &str) -> String {
        let mut faults = Faults::default();
        read(text, &"a.jsonl".into(), &names(), &mut faults);
        faults.stop().map_err(|stop| stop.message).unwrap_err()
    }

    #[test]
    fn fields_stand_in_an_object_or_beside_the_id() {
        let mut faults = Faults::default();
        let text = "{\"id\":\"a\",\"fields\":{\"k\":1},\"vector\":[1,0.5]}\n\n{\"id\":7,\"k\":1,\"text\":\" hi \",\"tags\":[\"x\"]}";
        let read = read(text, &"a.jsonl".into(), &names(), &mut faults);
        assert_eq!(faults.stop(), Ok(()));
        assert_eq!((read[0].id.as_str(), read[0].vector.as_deref()), ("a", Some(&[1.0, 0.5][..])));
        assert_eq!(Value::Object(read[0].fields.clone()), json!({ "k": 1 }));
        assert_eq!((read[1].id.as_str(), read[1].text.as_deref()), ("7", Some("hi")));
        assert_eq!(Value::Object(read[1].fields.clone()), json!({ "k": 1, "tags": ["x"] }));
        assert_eq!(read[1].place.to_string(), "a.jsonl:3");
    }

    #[test]
    fn a_text_under_fields_is_embedded_and_stays_a_field() {
        let names = Names { text: vec!["title".into(), "body".into()], ..names() };
        let line = r#"{"id":"a","fields":{"title":"T"},"body":"B"}"#;
        let record = record(line, Place::line(&"f".into(), 1), &names, &mut Faults::default()).unwrap();
        assert_eq!(record.text.as_deref(), Some("T\nB"));
        assert_eq!(Value::Object(record.fields), json!({ "title": "T" }));
    }

    #[test]
    fn lines_at_fault_say_where_and_what_to_do() {
        for (line, part) in [
            ("{\"id\":\"a\"", "unreadable JSON: EOF"),
            ("[1]", "not an object"),
            ("{\"vector\":[1]}", "`id` is missing"),
            ("{\"id\":\" \",\"vector\":[1]}", "`id` is neither"),
            ("{\"id\":1.5,\"vector\":[1]}", "`id` is neither"),
            ("{\"id\":\"a\",\"vector\":[1,null]}", "id 'a': `vector` holds null at place 2"),
            ("{\"id\":\"a\",\"vector\":\"1,2\"}", "id 'a': `vector` is no list"),
        ] {
            let told = told(&format!("{{\"id\":\"z\"}}\n{line}"));
            assert!(
                told.contains("a.jsonl:2: ") && told.contains(part) && told.contains("hint: "),
                "{part}: {told}"
            );
        }
    }
}
