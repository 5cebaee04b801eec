//! `edgeloom evaluate` and `edgeloom power` with a log whose truth is known.

use crate::program::run;
use edgeloom::seed::Generator;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A log of 30,000 visitors over ten days: a fifth is held out and converts with 4 %, a converts with 4 %, b with 7 %; the share of
/// b grows while the world gets worse by a tenth a day, so that plain means of arms are wrong.
fn log() -> String {
    let mut generator = Generator::new(5);
    let mut out = String::new();
    for n in 0..30_000_u64 {
        let day = n / 3_000;
        let world = 1.6 - 0.12 * day as f64;
        let p_b = 0.1 + 0.08 * day as f64;
        let (held_out, is_b) = (generator.unit() < 0.2, generator.unit() < p_b);
        let rate = world * if is_b && !held_out { 0.07 } else { 0.04 };
        let mut row = json!({
            "row": format!("{n:08x}"), "time_millis": 1_790_000_000_000 + n * 28_800, "slot": "hero",
            "arm": if is_b { "b" } else { "a" }, "propensity": if is_b { p_b } else { 1.0 - p_b },
            "unit": format!("{n:016x}"), "exposures": 1,
        });
        if held_out {
            row["held_out"] = true.into();
        }
        if generator.unit() < rate {
            row["rewards"] = json!({ "order": { "n": 1, "value": 20.0 + 20.0 * generator.unit() } });
        }
        writeln!(out, "{row}").unwrap();
    }
    out
}

fn within(found: &Value, truth: f64) -> bool {
    let numbers: Vec<f64> = found.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
    numbers[0] <= truth && truth <= numbers[2]
}

#[test]
fn a_log_tells_the_increment_and_what_other_policies_would_have_earned() {
    let folder = folder("evaluate");
    let text = log();
    // A row told again, as a later export does, and one line that broke off.
    let again = text.lines().next().unwrap();
    fs::write(folder.join("log.ndjson"), format!("{text}{again}\n{{\"row\":\"x\",\"slo\n")).unwrap();
    let arguments = ["evaluate", "log.ndjson", "--policy", "uniform", "--html", "report.html"];
    let ran = run(&[&arguments[..], &["--json"]].concat(), &[], &folder);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    assert_eq!(
        (&report["rows"], &report["repeated_lines"], &report["bad_lines"]),
        (&json!(30_000), &json!(1), &json!(1))
    );
    let slot = &report["slots"][0];
    // The world's mean is 1.06. Shown b's share and the world move against each other: Σ world·share = 0.43.
    let (a, b) = (1.06 * 0.04, 1.06 * 0.07);
    let shown = 0.04 * 1.06
        + 0.03
            * (0..10).map(|d| (1.6 - 0.12 * f64::from(d)) * (0.1 + 0.08 * f64::from(d)) / 10.0).sum::<f64>();
    assert!(within(&slot["increment"]["rate"]["difference"], shown - a), "{slot}");
    assert!(within(&slot["increment"]["value"]["difference"], 30.0 * (shown - a)), "{slot}");
    for (policy, truth) in
        [(&slot["arms"][0], a), (&slot["arms"][1], b), (&slot["policies"][0], (a + b) / 2.0)]
    {
        for estimate in ["ips", "snips", "dr"] {
            assert!(within(&policy[estimate], truth), "{estimate} {truth}: {policy}");
        }
    }
    assert!(slot["sample_ratio"].as_f64().unwrap() > 0.001, "{slot}");
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(
        page.contains("<h2>hero for order</h2>") && page.contains("always b") && !page.contains("<script")
    );
    let ran = run(&arguments, &[], &folder);
    assert!(ran.out.contains("hero for order") && ran.out.contains("effective units"), "{}", ran.out);
}

#[test]
fn a_log_that_is_none_and_names_that_are_not_there_are_said() {
    let folder = folder("evaluate-wrong");
    let row = r#"{"row":"a","slot":"hero","arm":"x","propensity":0.5,"rewards":{"order":{"n":1}}}"#;
    fs::write(folder.join("good.ndjson"), row).unwrap();
    fs::write(folder.join("bad.ndjson"), format!("{row}\n{{\"row\":1}}\n")).unwrap();
    for (arguments, part) in [
        (&["bad.ndjson"][..], "bad.ndjson:2: invalid type"),
        (&["absent.ndjson"][..], "cannot read absent.ndjson"),
        (&["good.ndjson", "--slot", "footer"][..], "there are: hero"),
        (&["good.ndjson", "--goal", "sale"][..], "there are: order"),
        (&["good.ndjson", "--policy", "arm=y"][..], "there is no arm 'y'"),
        (&["good.ndjson", "--policy", "absent.bin"][..], "cannot read absent.bin"),
    ] {
        let ran = run(&[&["evaluate"], arguments].concat(), &[], &folder);
        assert!(ran.code == 2 && ran.err.contains(part), "{part}: {ran:?}");
    }
}

#[test]
fn a_plan_says_how_many_and_how_long() {
    let folder = folder("power");
    let arguments =
        ["power", "--rate", "0.05", "--lift", "0.1", "--holdout", "0.1", "--visitors-per-day", "12000"];
    let found = run(&[&arguments[..], &["--json"]].concat(), &[], &folder).json();
    // The number that the formula's own example gives.
    assert_eq!((&found["visitors"], &found["days"]), (&json!(175_955), &json!(15)));
    let ran = run(&arguments, &[], &folder);
    assert!(ran.out.contains("become 0.055") && ran.out.contains("held out      17596"), "{}", ran.out);
    assert_eq!(run(&["power", "--rate", "5", "--lift", "0.1"], &[], &folder).code, 2);
}
