//! `edgeloom check`, `init` and `schema` as they are run: exit codes, places in the file, JSON.

use crate::program::{Ran, fixtures, run};
use std::fs;
use std::path::PathBuf;

fn check(folder: &std::path::Path, file: &str) -> Ran {
    run(&["check", file], &[], folder)
}

/// An empty folder of one test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn every_fixture_gives_the_exit_code_and_the_lines_beside_it() {
    let folder = fixtures().join("check");
    let mut n_cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        n_cases += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let ran = check(&folder, name);
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
        let mut lines = expected.lines();
        assert_eq!(lines.next(), Some(format!("exit {}", ran.code).as_str()), "{name}\n{}", ran.err);
        for line in lines {
            assert!(ran.err.contains(line), "{name} lacks: {line}\n{}", ran.err);
        }
    }
    assert!(n_cases >= 10, "{n_cases}");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_move_no_place() {
    let folder = folder("windows");
    let text = fs::read_to_string(fixtures().join("check/unknown-keys.toml")).unwrap();
    fs::write(folder.join("unknown-keys.toml"), format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    let ran = check(&folder, "unknown-keys.toml");
    assert_eq!(ran.code, 1);
    for place in ["[unknown-keys.toml:3:3]", "[unknown-keys.toml:8:1]"] {
        assert!(ran.err.contains(place), "{}", ran.err);
    }
}

#[test]
fn a_file_that_is_not_text_is_a_problem_and_one_that_is_not_there_another() {
    let folder = folder("not-text");
    fs::write(folder.join("latin.toml"), b"site = \"caf\xe9\"\n").unwrap();
    let ran = check(&folder, "latin.toml");
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("[latin.toml:1:12]") && ran.err.contains("save the file as UTF-8"),
        "{}",
        ran.err
    );
    let ran = check(&folder, "missing.toml");
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("cannot read missing.toml") && ran.err.contains("`edgeloom init`"),
        "{}",
        ran.err
    );
    let deep = format!("site = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    fs::write(folder.join("deep.toml"), deep).unwrap();
    assert_eq!(check(&folder, "deep.toml").code, 1);
}

#[test]
fn machines_get_every_problem_with_its_place() {
    let ran = run(&["check", "--json", "check/meaning.toml"], &[], &fixtures());
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let answer = ran.json();
    assert_eq!(answer["ok"], false);
    let problems = answer["problems"].as_array().unwrap();
    let goal = problems.iter().find(|problem| problem["pointer"] == "/slots/1/goal").unwrap();
    assert_eq!((goal["line"].as_u64(), goal["column"].as_u64()), (Some(19), Some(8)));
    assert_eq!((goal["code"].as_str(), goal["severity"].as_str()), (Some("meaning"), Some("error")));
    let ran = run(&["--json", "check", "missing.toml"], &[], &fixtures());
    assert_eq!((ran.code, ran.json()["ok"].clone()), (2, false.into()));
}

#[test]
fn what_init_writes_is_fine_and_is_never_overwritten() {
    let folder = folder("init");
    assert_eq!(run(&["init"], &[], &folder).code, 0);
    let ran = run(&["check"], &[], &folder);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.err);
    let text = fs::read_to_string(folder.join("edgeloom.toml")).unwrap();
    let schema = text.lines().next().unwrap().strip_prefix("#:schema ./").unwrap();
    assert_eq!(fs::read_to_string(folder.join(schema)).unwrap(), run(&["schema"], &[], &folder).out);
    fs::write(folder.join("edgeloom.toml"), "site = \"mine\"\n").unwrap();
    let ran = run(&["init"], &[], &folder);
    assert_eq!(ran.code, 2);
    assert_eq!(fs::read_to_string(folder.join("edgeloom.toml")).unwrap(), "site = \"mine\"\n");
}

#[test]
fn a_wrong_call_is_exit_code_2() {
    for call in [&["publis"][..], &["check", "--frobnicate"], &[], &["rollback"]] {
        assert_eq!(run(call, &[], &fixtures()).code, 2, "{call:?}");
    }
}

#[test]
fn a_forest_is_read_from_the_file_that_is_named() {
    let folder = folder("forest");
    let site = "site = \"shop\"\n[[goals]]\nid = \"order\"\n[[slots]]\nid = \"a\"\ngoal = \"order\"\narms = [{ id = \"1\" }]\n";
    let targeting = "targeting = { forest = \"uplift.json\", least = 0.01 }\n";
    fs::write(folder.join("edgeloom.toml"), format!("{site}{targeting}")).unwrap();
    for (forest, said) in [
        (None, "cannot read uplift.json"),
        (Some("{"), "uplift.json is no JSON"),
        (Some(r#"{ "features": [], "trees": [] }"#), "features"),
        (Some(r#"{ "features": ["hour"], "trees": [{ "nodes": [{ "value": 0.1 }] }] }"#), ""),
    ] {
        if let Some(forest) = forest {
            fs::write(folder.join("uplift.json"), forest).unwrap();
        }
        let ran = run(&["check"], &[], &folder);
        assert_eq!(ran.code, i32::from(!said.is_empty()), "{}", ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
        assert_eq!(ran.err.contains("edgeloom.toml:8:"), !said.is_empty(), "{}", ran.err);
    }
}
