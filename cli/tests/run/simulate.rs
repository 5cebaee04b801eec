//! `edgeloom simulate` as it is run: results, plots, and what it says of files that have to change.

use crate::program::{Ran, fixtures, run};
use std::fs;
use std::path::PathBuf;

/// A folder with a configuration and rates for it.
fn folder(name: &str, rates: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let config = "site = \"shop\"\n[holdout]\nshare = 0.2\nsalt = \"a\"\n[[goals]]\nid = \"order\"\n\
                  [[slots]]\nid = \"hero\"\ngoal = \"order\"\npaths = [\"/news*\"]\n\
                  [[slots.arms]]\nid = \"original\"\n[[slots.arms]]\nid = \"sale\"\n";
    fs::write(folder.join("edgeloom.toml"), config).unwrap();
    fs::write(folder.join("rates.toml"), rates).unwrap();
    folder
}

const RATES: &str = "[slots.hero]\nuntouched = 0.02\n[slots.hero.arms]\noriginal = 0.02\nsale = 0.08\n";

fn simulate(folder: &std::path::Path, more: &[&str]) -> Ran {
    let call =
        ["simulate", "--rates", "rates.toml", "--weeks", "1", "--visitors-per-day", "200", "--runs", "5"];
    run(&[&call[..], more].concat(), &[], folder)
}

#[test]
fn equal_seeds_give_equal_answers_and_the_plot_is_written() {
    let folder = folder("simulate", RATES);
    let ran = simulate(&folder, &["--svg", "out.svg"]);
    assert_eq!((ran.code, ran.err.trim()), (0, "drawn to out.svg"), "{ran:?}");
    for text in [
        "5 runs of 1 week with 200 visitors a day, seed 1",
        "slot hero",
        "regret",
        "got sale",
        "over the holdout's",
    ] {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    assert!(fs::read_to_string(folder.join("out.svg")).unwrap().starts_with("<svg"));
    assert_eq!(simulate(&folder, &[]).out, ran.out);
    assert_ne!(simulate(&folder, &["--seed", "2"]).out, ran.out);
}

#[test]
fn amounts_that_are_learned_are_those_of_the_goal() {
    let folder = folder("simulate-amounts", RATES);
    let config = fs::read_to_string(folder.join("edgeloom.toml")).unwrap();
    let config = config.replace("id = \"order\"\n", "id = \"order\"\nvalue = 30\namounts = true\n");
    fs::write(folder.join("edgeloom.toml"), config).unwrap();
    let ran = simulate(&folder, &["--json"]);
    let share = ran.json()["slots"][0]["best_share"]["mean"].as_f64().unwrap();
    assert!(share > 0.8, "{share}");
}

#[test]
fn machines_get_one_value_with_every_day() {
    let ran = simulate(&folder("simulate-json", RATES), &["--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let slot = &ran.json()["slots"][0];
    assert_eq!((slot["best_arm"].as_str(), slot["arms"][0].as_str()), (Some("sale"), Some("original")));
    assert_eq!(slot["days"]["regret"].as_array().unwrap().len(), 7);
    let shares = slot["days"]["shares"][6].as_array().unwrap();
    assert!((shares.iter().map(|share| share.as_f64().unwrap()).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(slot["uplift"]["mean"].as_f64().unwrap() > 0.0);
}

#[test]
fn wrong_rates_are_shown_at_their_place() {
    let folder = folder("simulate-wrong", &RATES.replace("sale = 0.08", "sael = 8"));
    let ran = simulate(&folder, &[]);
    assert_eq!(ran.code, 1);
    for text in ["[rates.toml:5:1]", "did you mean `sale`?", "no rate for sale"] {
        assert!(ran.err.contains(text), "{text}\n{}", ran.err);
    }
    let machine = simulate(&folder, &["--json"]).json();
    assert_eq!(
        (machine["ok"].as_bool(), machine["problems"][0]["severity"].as_str()),
        (Some(false), Some("error"))
    );
}

#[test]
fn a_file_that_is_missing_or_a_configuration_with_errors_stops_it() {
    let folder = folder("simulate-missing", RATES);
    let ran = run(&["simulate", "--rates", "none.toml"], &[], &folder);
    assert!(
        ran.code == 2 && ran.err.contains("cannot read none.toml") && ran.err.contains("--help"),
        "{ran:?}"
    );
    let ran = run(&["simulate", "check/meaning.toml", "--rates", "none.toml"], &[], &fixtures());
    assert_eq!(ran.code, 1);
    let ran = simulate(&folder, &["--svg", "no/such/folder.svg"]);
    assert!(ran.code == 2 && ran.err.contains("cannot write no/such/folder.svg"), "{ran:?}");
    assert_eq!(simulate(&folder, &["--weeks", "0"]).code, 2);
}
