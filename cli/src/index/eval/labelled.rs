//! Labelled queries: lines of `{"query": …, "relevant": …}`. Reads and checks; answers nothing.

use super::metrics::Grades;
use crate::index::read::text;
use crate::index::record::{Faults, Place, name_of};
use crate::problem::Stop;
use serde_json::Value;
use std::path::Path;

/// Largest grade: 2^10 is as far as gains can sensibly lie apart.
const MAX_GRADE: f64 = 10.0;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// The name of an item, or else a text.
    Words(String),
    /// A vector.
    Vector(Vec<f32>),
}

/// A query and what people called relevant to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// What is asked.
    pub asked: Asked,
    /// What should come.
    pub relevant: Grades,
    /// Where it stands.
    pub place: Place,
}

/// Reads all lines.
///
/// # Errors
/// A file that can't be read, any line at fault, no line at all.
pub fn read(path: &Path) -> Result<Vec<Labelled>, Stop> {
    lines(path, parse)
}

/// Reads queries alone; what is relevant to them is not looked at.
///
/// # Errors
/// See [`read`].
pub fn read_unlabelled(path: &Path) -> Result<Vec<Labelled>, Stop> {
    lines(path, |line| Ok((asked(&value(line)?)?, Grades::new())))
}

fn lines(
    path: &Path,
    parse: impl Fn(&str) -> Result<(Asked, Grades), String>,
) -> Result<Vec<Labelled>, Stop> {
    let (file, mut faults, mut queries) = (name_of(path), Faults::default(), Vec::new());
    for (number, line) in text(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = Place::line(&file, number + 1);
        match parse(line) {
            Ok((asked, relevant)) => queries.push(Labelled { asked, relevant, place }),
            Err(what) => faults.add(&place, None, &what),
        }
    }
    faults.stop()?;
    if queries.is_empty() {
        let help = "lines of {\"query\": \"boots\", \"relevant\": [\"id\", …]}";
        return Err(Stop::new(format!("{file} holds no query"), help));
    }
    Ok(queries)
}

/// What a line looks like.
const SHAPE: &str =
    "hint: {\"query\": an id, a text or a vector, \"relevant\": [\"id\", …] or {\"id\": grade, …}}";

fn value(line: &str) -> Result<Value, String> {
    serde_json::from_str(line).map_err(|error| format!("unreadable JSON: {error}; {SHAPE}"))
}

fn asked(value: &Value) -> Result<Asked, String> {
    match value.get("query") {
        Some(Value::String(words)) if !words.trim().is_empty() => Ok(Asked::Words(words.clone())),
        Some(Value::Array(numbers)) => {
            let numbers: Option<Vec<f32>> =
                numbers.iter().map(|number| Some(number.as_f64()? as f32)).collect();
            numbers.map(Asked::Vector).ok_or_else(|| format!("the vector holds what is no number; {SHAPE}"))
        }
        _ => Err(format!("`query` is missing, empty, or neither text nor vector; {SHAPE}")),
    }
}

fn parse(line: &str) -> Result<(Asked, Grades), String> {
    let value = value(line)?;
    let asked = asked(&value)?;
    let relevant = match value.get("relevant") {
        Some(Value::Array(ids)) => ids.iter().map(|id| Some((id.as_str()?.to_string(), 1.0))).collect(),
        Some(Value::Object(grades)) => {
            grades.iter().map(|(id, grade)| Some((id.clone(), grade.as_f64()?))).collect::<Option<Grades>>()
        }
        _ => None,
    };
    let mut relevant: Grades =
        relevant.ok_or_else(|| format!("`relevant` is neither a list of ids nor grades by id; {SHAPE}"))?;
    if let Some((id, grade)) = relevant.iter().find(|(_, grade)| !(0.0..=MAX_GRADE).contains(*grade)) {
        return Err(format!("the grade of '{id}' is {grade}; hint: 0 (not relevant) to {MAX_GRADE}"));
    }
    relevant.retain(|_, grade| *grade > 0.0);
    if relevant.is_empty() {
        return Err(format!("nothing is relevant, so that no answer could be right; {SHAPE}"));
    }
    Ok((asked, relevant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_words_or_a_vector_and_what_is_relevant_a_list_or_grades() {
        let (asked, relevant) = parse(r#"{"query":"boots","relevant":["a","b"]}"#).unwrap();
        assert_eq!((asked, relevant.len()), (Asked::Words("boots".into()), 2));
        let (asked, relevant) = parse(r#"{"query":[1,0.5],"relevant":{"a":2,"b":0}}"#).unwrap();
        assert_eq!((asked, relevant), (Asked::Vector(vec![1.0, 0.5]), Grades::from([("a".into(), 2.0)])));
    }

    #[test]
    fn a_line_at_fault_says_what_to_do() {
        for (line, part) in [
            ("{", "unreadable JSON"),
            (r#"{"relevant":["a"]}"#, "`query` is missing"),
            (r#"{"query":["x"],"relevant":["a"]}"#, "no number"),
            (r#"{"query":"x","relevant":[1]}"#, "`relevant` is neither"),
            (r#"{"query":"x","relevant":{"a":-1}}"#, "the grade of 'a' is -1"),
            (r#"{"query":"x","relevant":[]}"#, "nothing is relevant"),
        ] {
            let what = parse(line).unwrap_err();
            assert!(what.contains(part) && what.contains("hint: "), "{part}: {what}");
        }
    }
}
