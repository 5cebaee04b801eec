//! From the text of a file to a configuration: syntax, types, unknown keys. What the values mean is not judged here.

use crate::plain::plain;
use crate::problem::{Code, Problem, Reading, did_you_mean};
use crate::schema;
use crate::source::{Outline, Source, join};
use serde_ignored::Path;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Reads the configuration; all syntax errors at once, then the first wrong type and all unknown keys.
pub fn parse(source: &Source) -> (Reading, Outline) {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let outline = Outline::of_table(&table);
    if !errors.is_empty() {
        return (Reading { config: None, problems: syntax(&errors) }, outline);
    }
    let mut problems = Vec::new();
    foreign_values(table.get_ref(), "", &mut problems);
    let mut ignored = Vec::new();
    let read = serde_ignored::deserialize(toml::Deserializer::from(table), |path| {
        ignored.push(pointer_of(&path, &outline));
    });
    let document = schema::document();
    problems.extend(ignored.into_iter().map(|pointer| unknown_key(&pointer, &outline, &document)));
    let config = read.map_err(|error| {
        // What can't be sent may also not fit its type; once is enough.
        if error.span().is_none_or(|span| problems.iter().all(|known| known.span.as_ref() != Some(&span))) {
            problems.push(wrong_type(&error));
        }
    });
    let config = config.ok();
    (Reading { config, problems }, outline)
}

/// Errors of the grammar, as problems of the file.
pub fn syntax(errors: &[toml::de::Error]) -> Vec<Problem> {
    // One slip can make the parser stumble several times at the same place.
    let mut places = BTreeSet::new();
    errors
        .iter()
        .filter(|error| places.insert(error.span().map(|span| span.start)))
        .map(|error| {
            Problem::error(Code::Syntax, error.message()).at(error.span(), "the parser stopped here")
        })
        .collect()
}

/// A value of another type than is read, or a word that is none of those known.
pub fn wrong_type(error: &toml::de::Error) -> Problem {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let is_word = message.starts_with("unknown variant") || message.starts_with("unknown field");
    let word = is_word.then(|| quoted.next()).flatten();
    let help = word.and_then(|found| did_you_mean(found, quoted));
    Problem::error(Code::Type, &plain(message)).at(error.span(), "here").helped(help)
}

fn unknown_key(pointer: &str, outline: &Outline, schema: &Value) -> Problem {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    let known = schema::keys_at(schema, parent.split('/').skip(1));
    let help = did_you_mean(key, known.iter().map(String::as_str)).or_else(|| {
        let listed: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
        (!known.is_empty()).then(|| format!("there are {}", listed.join(", ")))
    });
    Problem::error(Code::UnknownKey, &format!("unknown key `{key}`"))
        .at(outline.key_span(pointer), "not read by anything")
        .helped(help)
        .about(pointer)
}

/// The JSON pointer of a path; where it enters a value of an enumeration, the file says which.
fn pointer_of(path: &Path<'_>, outline: &Outline) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => join(&pointer_of(parent, outline), &index.to_string()),
        Path::Map { parent, key } => join(&pointer_of(parent, outline), key),
        Path::Some { parent } | Path::NewtypeStruct { parent } => pointer_of(parent, outline),
        Path::NewtypeVariant { parent } => {
            let pointer = pointer_of(parent, outline);
            let variant = outline.only_key(&pointer).map(|key| join(&pointer, key));
            variant.unwrap_or(pointer)
        }
    }
}

/// Dates and numbers without end: TOML has them, the JSON that is sent has not.
fn foreign_values(table: &DeTable<'_>, pointer: &str, problems: &mut Vec<Problem>) {
    for (key, value) in table {
        foreign_value(value.get_ref(), value.span(), &join(pointer, key.get_ref()), problems);
    }
}

fn foreign_value(value: &DeValue<'_>, span: Range<usize>, pointer: &str, problems: &mut Vec<Problem>) {
    let message = match value {
        DeValue::Table(table) => return foreign_values(table, pointer, problems),
        DeValue::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                foreign_value(item.get_ref(), item.span(), &join(pointer, &i.to_string()), problems);
            }
            return;
        }
        DeValue::Datetime(_) => "dates are compared as text; hint: put it in quotes",
        DeValue::Float(float) if !float.as_str().parse::<f64>().is_ok_and(f64::is_finite) => {
            "not a number that can be sent; hint: write a finite number"
        }
        _ => return,
    };
    problems.push(Problem::error(Code::Value, message).at(Some(span), "here").about(pointer));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str) -> Vec<(Code, String, Option<String>, String)> {
        let source = Source { name: "edgeloom.toml".into(), text: text.into() };
        let (reading, _) = parse(&source);
        let place = |span: Option<Range<usize>>| span.map_or(String::new(), |span| text[span].to_string());
        let shown = |p: Problem| (p.code, p.message, p.help, place(p.span));
        reading.problems.into_iter().map(shown).collect()
    }

    #[test]
    fn a_sound_file_has_no_problem() {
        assert_eq!(problems_of("site = \"shop\"\r\n[holdout]\r\nshare = 1\r\n"), []);
        assert_eq!(problems_of(""), []);
    }

    #[test]
    fn an_unknown_key_is_shown_with_what_was_probably_meant() {
        let found =
            problems_of("site = \"a\"\n[[slots]]\nid = \"x\"\n[slots.policy]\nexploraton_floor = 0.1\n");
        let help = Some("did you mean `exploration_floor`?".to_string());
        let key = "exploraton_floor".to_string();
        assert_eq!(found, [(Code::UnknownKey, format!("unknown key `{key}`"), help, key)]);
    }

    #[test]
    fn an_unknown_key_inside_a_typed_field_is_found() {
        let text = "[[blocks]]\nid = \"b\"\ntemplate = \"\"\n[blocks.fields]\n\
                    hero = { image = { src = \"/a\", alt = \"\", widht = 3 } }\n";
        let found = problems_of(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].2.as_deref(), Some("did you mean `width`?"));
        assert_eq!(found[0].3, "widht");
    }

    #[test]
    fn far_from_every_key_all_keys_are_listed() {
        let found = problems_of("[holdout]\nshare = 0.1\nfrobnicate = true\n");
        assert_eq!(found[0].2.as_deref(), Some("there are `salt`, `share`"));
    }

    #[test]
    fn a_wrong_type_points_at_the_value() {
        let found = problems_of("[holdout]\nshare = \"ten\"\n");
        assert_eq!(found[0].0, Code::Type);
        assert_eq!(found[0].3, "\"ten\"");
        let found = problems_of("[[slots]]\nid = \"x\"\npolicy = { kind = \"thomson\" }\n");
        assert_eq!(found[0].2.as_deref(), Some("did you mean `thompson`?"));
        assert_eq!(found[0].3, "\"thomson\"");
    }

    #[test]
    fn a_typing_error_in_a_required_key_is_named_beside_what_is_missing() {
        let found = problems_of("[[blocks]]\nid = \"b\"\ntempalte = \"x\"\n");
        assert_eq!(found[0].2.as_deref(), Some("did you mean `template`?"));
        assert_eq!(found[1].1, "missing field `template`");
        assert_eq!(found[1].3, "[[blocks]]");
    }

    #[test]
    fn all_syntax_errors_are_shown_at_once() {
        let found = problems_of("site = \nfoo bar\n[holdout\nshare = 1\n");
        assert!(found.len() >= 3, "{found:?}");
        assert!(found.iter().all(|problem| problem.0 == Code::Syntax));
    }

    #[test]
    fn a_key_written_twice_is_a_syntax_error_at_the_second() {
        let found = problems_of("site = \"a\"\nsite = \"b\"\n");
        assert_eq!(
            (found[0].0, found[0].1.as_str(), found[0].3.as_str()),
            (Code::Syntax, "duplicate key", "site")
        );
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused_where_they_stand() {
        for (number, code) in [("1e999", Code::Value), ("nan", Code::Value), ("-inf", Code::Value)] {
            let found = problems_of(&format!("[holdout]\nshare = {number}\n"));
            assert_eq!((found[0].0, found[0].3.as_str()), (code, number), "{found:?}");
        }
        let huge = "123456789012345678901234567890123456789012345678901234567890";
        let found = problems_of(&format!("[ledger]\nwindow_hours = {huge}\n"));
        assert_eq!((found[0].0, found[0].3.as_str()), (Code::Type, huge), "{found:?}");
    }

    #[test]
    fn a_date_in_a_condition_must_be_quoted() {
        let found = problems_of("[[audiences]]\nid = \"a\"\nwhen = { day = { \"$gt\" = 2026-01-01 } }\n");
        assert_eq!((found[0].0, found[0].3.as_str()), (Code::Value, "2026-01-01"));
    }
}
