//! `edgeloom check`: every fixture says in `#~` lines what is found in it, as `severity line:column pointer | hint`.

use crate::program::{Program, fixtures, sound};
use serde_json::Value;

struct Expected {
    place: String,
    hint: String,
}

fn expected(content: &str) -> Vec<Expected> {
    let lines = content.lines().filter_map(|line| line.strip_prefix("#~ "));
    let parts = lines.map(|line| line.split_once('|').unwrap());
    parts.map(|(place, hint)| Expected { place: place.trim().into(), hint: hint.trim().into() }).collect()
}

fn place(finding: &Value) -> String {
    let text = |key: &str| finding[key].as_str().unwrap();
    let at = finding["line"].as_u64().map_or("-".into(), |line| format!("{line}:{}", finding["column"]));
    let pointer = if text("pointer").is_empty() { "-" } else { text("pointer") };
    format!("{} {at} {pointer}", text("severity"))
}

#[test]
fn each_fixture_gets_the_findings_it_names_and_no_others() {
    let mut n_findings = 0;
    for (name, content) in fixtures("check") {
        let program = Program::new();
        program.write(&name, &content);
        let run = program.run(&["check", "--json", &name]);
        let document = run.json();
        let found = document["findings"].as_array().unwrap();
        let wanted = expected(&content);
        let places: Vec<_> = wanted.iter().map(|wanted| wanted.place.clone()).collect();
        assert_eq!(found.iter().map(place).collect::<Vec<_>>(), places, "{name}: {document:#}");
        for (finding, wanted) in found.iter().zip(&wanted) {
            let hint = finding["hint"].as_str().unwrap_or_default();
            assert!(hint.contains(&wanted.hint), "{name}: {hint:?} lacks {:?}", wanted.hint);
        }
        let has_errors = places.iter().any(|place| place.starts_with("error"));
        assert_eq!(run.code, Some(i32::from(has_errors)), "{name}");
        n_findings += places.len();
    }
    assert!(n_findings > 20, "{n_findings}");
}

#[test]
fn people_see_file_line_column_label_and_hint() {
    let program = Program::new();
    program.write("my.toml", sound().replace("goal = \"buy\"", "goal = \"sell\""));
    let run = program.run(&["check", "my.toml"]);
    for part in
        ["[my.toml:14:8]", "there is no goal 'sell'", "── /slots/0/goal", "help: define it under goals"]
    {
        assert!(run.err.contains(part), "{part}: {}", run.err);
    }
    assert_eq!(run.out, "my.toml: 1 error, 0 pieces of advice\n");
}

#[test]
fn a_byte_order_mark_and_foreign_line_ends_move_nothing() {
    let wrong = sound().replace("goal = \"buy\"", "goal = \"sell\"");
    for content in [wrong.clone(), format!("\u{feff}{wrong}"), wrong.replace('\n', "\r\n")] {
        let program = Program::new();
        program.write("edgeloom.toml", content);
        let document = program.run(&["check", "--json"]).json();
        assert_eq!(place(&document["findings"][0]), "error 14:8 /slots/0/goal");
    }
}

#[test]
fn a_fault_in_a_template_is_found_behind_foreign_line_ends() {
    let (_, content) =
        fixtures("check").into_iter().find(|(name, _)| name == "inside_a_template.toml").unwrap();
    let program = Program::new();
    program.write("edgeloom.toml", content.replace('\n', "\r\n"));
    let document = program.run(&["check", "--json"]).json();
    assert_eq!(place(&document["findings"][0]), "error 8:11 /blocks/0/template");
}

#[test]
fn an_empty_file_is_a_configuration_without_a_name() {
    let program = Program::new();
    program.write("edgeloom.toml", "");
    let run = program.run(&["check", "--json"]);
    assert_eq!((run.code, place(&run.json()["findings"][0]).as_str()), (Some(1), "error - /site"));
}

#[test]
fn what_is_no_text_or_no_file_is_said_plainly() {
    let program = Program::new();
    program.write("latin.toml", b"site = \"shop\"\n# caf\xe9\n");
    for (file, part) in
        [("latin.toml", "line 2, is not UTF-8"), ("absent.toml", "`edgeloom init`"), (".", "can't be read")]
    {
        let run = program.run(&["check", file]);
        assert_eq!(run.code, Some(2), "{file}");
        assert!(run.err.contains(part), "{file}: {}", run.err);
        assert!(program.run(&["check", "--json", file]).json()["error"]["message"].is_string());
    }
}

#[test]
fn nothing_in_a_file_steers_the_terminal() {
    let program = Program::new();
    program.write("edgeloom.toml", "site = \"\u{9b}2J\u{202e}\u{1b}[2J\"\n");
    let run = program.run(&["check"]);
    assert_eq!(run.code, Some(1));
    assert!(!run.err.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", run.err);
}

#[test]
fn any_bytes_are_answered_without_a_crash() {
    // A cut at every byte of a file that uses every way of writing tables.
    let (_, content) = fixtures("check").into_iter().find(|(name, _)| name == "unknown_keys.toml").unwrap();
    let program = Program::new();
    for end in (0..content.len()).step_by(7) {
        program.write("edgeloom.toml", &content.as_bytes()[..end]);
        let run = program.run(&["check"]);
        assert!(matches!(run.code, Some(0..=2)), "cut at {end}: {}", run.err);
        assert!(!run.err.contains("panicked"), "cut at {end}: {}", run.err);
    }
}
