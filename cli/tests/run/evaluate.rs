//! `edgeloom evaluate` and `edgeloom power` with logs whose truth is known, and with a real one beside another implementation's
//! results.

use crate::program::run;
use edgeloom::bandit::{Feature, FeatureKind, Features};
use edgeloom::seed::Generator;
use edgeloom::snapshot::{store, wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

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
    assert!(slot["sample_ratio"]["p_value"].as_f64().unwrap() > 0.001, "{slot}");
    // Plain means would say that b is hardly better: it was shown when the world was worse.
    let over = &slot["arms"].as_array().unwrap().iter().find(|arm| arm["policy"] == "always b").unwrap()["less_most_shown"];
    assert!(within(over, b - a), "{over}");
    assert_eq!(slot["regret"]["best"], "b");
    // The world got worse, and that is told of every side.
    let told = slot["drift"]["rates"].as_array().unwrap();
    assert!(told.iter().all(|rate| rate["alarm"]["is_up"] == json!(false)), "{told:?}");
    assert_eq!(slot["calibration"]["is_off"], json!(true));
    assert_eq!(slot["increment"]["over_time"].as_array().unwrap().len(), 11);
    assert!(slot["who"]["missing"].as_str().unwrap().contains("no features"));
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(
        page.contains("<h2>hero for order</h2>")
            && page.contains("rate has fallen")
            && page.matches("<svg").count() == 3
    );
    for outside in ["http://", "https://", "<script", "url(", "<link", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
    let ran = run(&arguments, &[], &folder);
    for part in ["== hero for order ==", "a tenth more would show with"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

#[test]
fn a_log_that_is_none_and_names_that_are_not_there_are_said() {
    let folder = folder("evaluate-wrong");
    let row = r#"{"row":"a","slot":"hero","arm":"x","propensity":0.5,"rewards":{"order":{"n":1}}}"#;
    fs::write(folder.join("good.ndjson"), row).unwrap();
    fs::write(folder.join("bad.ndjson"), format!("{row}\n{{\"row\":1}}\n")).unwrap();
    for (arguments, part) in [
        (&["bad.ndjson"][..], "bad.ndjson:2: expected"),
        (&["absent.ndjson"][..], "cannot read absent.ndjson"),
        (&["good.ndjson", "--slot", "footer"][..], "there are: hero"),
        (&["good.ndjson", "--goal", "sale"][..], "there are: order"),
        (&["good.ndjson", "--policy", "arm=y"][..], "there is no arm 'y'"),
        (&["good.ndjson", "--policy", "absent.bin"][..], "a policy is uniform, shadow, arm=NAME"),
        (&["good.ndjson", "--policy", "new.toml"][..], "--config new.toml"),
        (&["good.ndjson", "--config", "bad.ndjson"][..], "bad.ndjson can't be published"),
        (&["good.ndjson", "--status", "bad.ndjson"][..], "bad.ndjson is no status of a site"),
        (&["good.ndjson", "--segments", "device"][..], "has nothing called 'device'"),
        (&["good.ndjson", "--html", "no/such/page.html"][..], "cannot write no/such/page.html"),
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
    // The other way round, and by value: (z₀.₉₇₅ + z₀.₈)²·σ²/(h(1 − h)·δ²).
    let by_value = ["--visitors", "175955", "--value", "2.5", "--value-sd", "12", "--json"];
    let found = run(&[&arguments[..], &by_value].concat(), &[], &folder).json();
    assert!((found["smallest_lift"].as_f64().unwrap() - 0.1).abs() < 1e-5, "{found}");
    let (z, ratio) = (1.959_964 + 0.841_621, 12.0 / 0.25);
    let visitors = found["value"]["visitors"].as_f64().unwrap();
    assert!((visitors - z * z * ratio * ratio / 0.09).abs() < 2.0, "{found}");
    let ran = run(&[&arguments[..], &by_value[..6]].concat(), &[], &folder);
    assert!(ran.out.contains("175955 visitors show a lift of the rate from 10.00 % on"), "{}", ran.out);
    assert_eq!(run(&["power", "--rate", "5", "--lift", "0.1"], &[], &folder).code, 2);
}

/// The features of the configuration below, and the name of their set as a log has it.
fn features() -> (Features, String) {
    let words = ["phone", "desktop"].map(String::from).to_vec();
    let features =
        Features::new(vec![Feature { name: "device".into(), kind: FeatureKind::OneOf(words) }]).unwrap();
    let set = format!("{:08x}", features.set());
    (features, set)
}

const CONFIG: &str = r#"
site = "shop"
[holdout]
share = 0.3
salt = "2026"
[[goals]]
id = "order"
value = 10
[[blocks]]
id = "red"
template = "<b>red</b>"
[[blocks]]
id = "blue"
template = "<b>blue</b>"
[[slots]]
id = "hero"
goal = "order"
arms = [{ id = "red", block = "red", cost = 0.2 }, { id = "blue", block = "blue", cost = 0.2 }]
[slots.policy]
kind = "contextual"
features = [{ name = "device", one_of = ["phone", "desktop"] }]
"#;

/// 24,000 visitors over eight days, three tenths held out, who convert with 10 %: on phones red converts with 18 % and blue with
/// 10 %; on desktops both with 10 %. Both are shown alike; a challenger would show red to three of four.
fn with_features() -> String {
    let mut generator = Generator::new(11);
    let (features, set) = features();
    let mut out = String::new();
    for n in 0..24_000_u64 {
        let device = if generator.unit() < 0.5 { "phone" } else { "desktop" };
        let (held_out, is_red, shadow) =
            (generator.unit() < 0.3, generator.unit() < 0.5, generator.unit() < 0.75);
        let rate = if device == "phone" && is_red && !held_out { 0.18 } else { 0.1 };
        let name = |is_red| if is_red { "red" } else { "blue" };
        let mut row = json!({
            "row": format!("{n:08x}"), "time_millis": 1_790_000_000_000 + n * 28_800, "slot": "hero", "arm": name(is_red),
            "propensity": 0.5, "unit": format!("{n:016x}"), "exposures": 1, "held_out": held_out, "features": set,
            "x": features.vector(|_| Some(std::borrow::Cow::Owned(device.into()))).as_slice(), "shadow": name(shadow), "country": if n % 3 == 0 { "de" } else { "fr" },
        });
        if generator.unit() < rate {
            row["rewards"] = json!({ "order": { "n": 1, "value": 10.0 } });
        }
        writeln!(out, "{row}").unwrap();
    }
    out
}

#[test]
fn features_tell_whom_it_helps_and_what_another_configuration_would_have_earned() {
    let folder = folder("evaluate-features");
    fs::write(folder.join("log.ndjson"), with_features()).unwrap();
    fs::write(folder.join("new.toml"), CONFIG).unwrap();
    fs::write(folder.join("status.json"), r#"{"refused":{"late":3,"crawler":70}}"#).unwrap();
    let arguments = [
        "evaluate",
        "log.ndjson",
        "--config",
        "new.toml",
        "--policy",
        "shadow",
        "--segments",
        "device",
        "--segments",
        "country",
        "--status",
        "status.json",
    ];
    let ran = run(&[&arguments[..], &["--json"]].concat(), &[], &folder);
    assert_eq!(ran.code, 0, "{ran:?}");
    let slot = ran.json()["slots"][0].clone();
    // Phones gain 4 points, desktops nothing; countries gain alike.
    let found = &slot["segments"][0]["segments"];
    let device =
        |name: &str| found.as_array().unwrap().iter().find(|segment| segment["segment"] == name).unwrap();
    assert!(within(&device("phone")["shrunk"], 0.04) && within(&device("desktop")["shrunk"], 0.0), "{found}");
    assert!(device("phone")["p_positive"].as_f64().unwrap() > 0.99);
    assert_eq!(slot["segments"][1]["by"], "country");
    // The challenger: half the visitors at 10 %, the others at 18 % with a chance of three quarters.
    let [shadow, config] = [0, 1].map(|at| slot["policies"][at].clone());
    assert!(within(&shadow["dr"], 0.5 * 0.1 + 0.5 * (0.75 * 0.18 + 0.25 * 0.1)), "{shadow}");
    // The configuration soon shows red to phones alone, and earns more than half of what that would bring.
    let dr = config["dr"][1].as_f64().unwrap();
    assert!(dr > 0.13 && within(&config["dr"], 0.139), "{config}");
    assert_eq!((config["policy"].as_str(), config["covered"].as_f64()), (Some("new.toml"), Some(1.0)));
    // What a phone gains is worth 0.4 and costs 0.2; a desktop gains nothing.
    let who = &slot["who"];
    assert!(
        who["x_learner"]["qini"].as_f64().unwrap() > 0.0
            && who["t_learner"]["auuc_over_random"].as_f64().unwrap() > 0.0
    );
    assert_eq!(who["cost"].as_f64().map(|cost| (cost * 10.0).round()), Some(2.0));
    let profit = &who["profit"];
    assert!((profit["share_addressed"].as_f64().unwrap() - 0.5).abs() < 0.1, "{who}");
    assert!(within(&profit["over_everybody"], 0.1) && within(&profit["nobody"], 1.0), "{profit}");
    // Nothing has changed, nothing is lost, and expectations come true.
    assert_eq!(slot["warnings"], json!([]), "{}", slot["warnings"]);
    assert_eq!(slot["calibration"]["is_off"], json!(false), "{}", slot["calibration"]);
    let mix = slot["drift"]["mix"].as_array().unwrap();
    assert!(
        mix.iter().any(|mix| mix["of"] == "device=phone") && mix.iter().all(|mix| mix["is_drift"] == false),
        "{mix:?}"
    );
    assert!(slot["sample_ratio"]["holdout"]["p_value"].as_f64().unwrap() > 0.001);
    assert_eq!(slot["traffic"]["refused"]["crawler"], 70);
    let ran = run(&arguments, &[], &folder);
    for part in ["X-learner", "per visitor more than showing it to everybody", "crawler 70", "phone"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

/// 20,000 visitors, of whom every third can get a alone and would never buy; c comes in the second half, when everything is twice as
/// good.
fn partly_open(names_candidates: bool) -> String {
    let mut generator = Generator::new(4);
    let mut text = String::new();
    for n in 0..20_000_u64 {
        let late = n >= 10_000;
        let arms: &[&str] = match (n % 3, late) {
            (0, _) => &["a"],
            (_, false) => &["a", "b"],
            (_, true) => &["a", "b", "c"],
        };
        let arm = arms[((generator.unit() * arms.len() as f64) as usize).min(arms.len() - 1)];
        let rate = if n % 3 == 0 { 0.0 } else { 0.1 } * if late { 2.0 } else { 1.0 };
        let mut row = json!({
            "row": format!("{n:x}"), "time_millis": 1_790_000_000_000 + n * 60_000, "slot": "hero", "arm": arm,
            "propensity": 1.0 / arms.len() as f64, "unit": format!("{n:x}"),
        });
        if names_candidates {
            row["candidates"] = json!(arms);
        }
        if generator.unit() < rate {
            row["rewards"] = json!({ "order": { "n": 1 } });
        }
        writeln!(text, "{row}").unwrap();
    }
    text
}

#[test]
fn arms_that_are_not_open_to_everybody_are_compared_where_they_are() {
    let folder = folder("evaluate-open");
    for names_candidates in [false, true] {
        fs::write(folder.join("log.ndjson"), partly_open(names_candidates)).unwrap();
        let ran = run(&["evaluate", "log.ndjson", "--json"], &[], &folder);
        let slot = ran.json()["slots"][0].clone();
        let arm = |name: &str| {
            let arms = slot["arms"].as_array().unwrap();
            arms.iter().find(|arm| arm["policy"] == format!("always {name}")).unwrap().clone()
        };
        // Where nobody noted who could choose, a is compared among those who had a choice; else it is told of everybody.
        let a = if names_candidates { 0.1 } else { 0.15 };
        assert!(within(&arm("a")["snips"], a) && within(&arm("b")["snips"], 0.15), "{slot}");
        assert!(within(&arm("c")["snips"], 0.2), "{slot}");
        let covered = if names_candidates { 1.0 / 3.0 } else { 0.5 };
        assert!((arm("c")["covered"].as_f64().unwrap() - covered).abs() < 0.02, "{}", arm("c"));
        assert_eq!(slot["arms"][0]["value"], Value::Null);
        let over: Vec<Value> = ["a", "b", "c"].map(|name| arm(name)["less_most_shown"].clone()).to_vec();
        let known: Vec<&Value> = over.iter().filter(|over| !over.is_null()).collect();
        assert!(known.len() == 2 && known.iter().all(|over| within(over, 0.0)), "{over:?}");
        assert!(slot["sample_ratio"]["p_value"].as_f64().unwrap() > 0.001, "{}", slot["sample_ratio"]);
        let warned = slot["warnings"].to_string().contains("had one arm to choose from");
        assert_eq!(warned, !names_candidates, "{}", slot["warnings"]);
    }
}

#[test]
fn arms_that_the_configuration_closes_to_some_do_not_make_the_sample_ratio_warn() {
    let folder = folder("evaluate-closed");
    let mut generator = Generator::new(6);
    let mut text = String::new();
    for n in 0..12_000_u64 {
        let arms: &[&str] = if n % 2 == 0 { &["a", "b"] } else { &["a", "b", "german"] };
        let arm = arms[((generator.unit() * arms.len() as f64) as usize).min(arms.len() - 1)];
        let row = json!({
            "row": format!("{n:x}"), "time_millis": 1_790_000_000_000 + n * 60_000, "slot": "hero", "arm": arm,
            "propensity": 1.0 / arms.len() as f64, "unit": format!("{n:x}"), "rewards": { "order": { "n": u8::from(n % 9 == 0) } },
        });
        writeln!(text, "{row}").unwrap();
    }
    fs::write(folder.join("log.ndjson"), text).unwrap();
    let config = "site = \"shop\"\n[[goals]]\nid = \"order\"\n[[audiences]]\nid = \"german\"\nwhen = { language = \"de\" }\n\
                  [[slots]]\nid = \"hero\"\ngoal = \"order\"\n\
                  arms = [{ id = \"a\" }, { id = \"b\" }, { id = \"german\", audience = \"german\" }]\n";
    fs::write(folder.join("edgeloom.toml"), config).unwrap();
    let p_value = |more: &[&str]| {
        let ran = run(&[&["evaluate", "log.ndjson", "--json"], more].concat(), &[], &folder);
        ran.json()["slots"][0]["sample_ratio"]["p_value"].as_f64().unwrap()
    };
    assert!(p_value(&[]) < 1e-6 && p_value(&["--config", "edgeloom.toml"]) > 0.01);
}

/// The lines of a gzipped CSV file beside the reference data, without its head; `None` where there is no ../shared.
fn csv(file: &str) -> Option<Vec<Vec<String>>> {
    let Ok(bytes) = fs::read(shared().join(file)) else {
        println!("skipped: no ../shared");
        return None;
    };
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    Some(text.lines().skip(1).map(|line| line.split(',').map(String::from).collect()).collect())
}

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")
}

/// Rows of the Open Bandit Dataset as lines of our log; a slot for each position, or one for all.
fn open_bandit(csv: &[Vec<String>], slot: impl Fn(&str) -> String) -> String {
    let line = |(k, fields): (usize, &Vec<String>)| {
        let mut row = json!({
            "row": format!("{k:x}"), "time_millis": 1_574_553_600_000 + k as u64, "slot": slot(&fields[3]),
            "arm": format!("item{}", fields[2]), "propensity": fields[5].parse::<f64>().unwrap(),
        });
        if fields[4] == "1" {
            row["rewards"] = json!({ "click": { "n": 1, "value": 1.0 } });
        }
        format!("{row}\n")
    };
    csv.iter().enumerate().map(line).collect()
}

fn reference(run: &str) -> Value {
    let bytes = fs::read(shared().join("reference/ope_obd.json")).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["runs"][run].clone()
}

fn same(ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() < 1e-6 * theirs, "{ours} {theirs}");
}

#[test]
fn the_uniform_policy_on_a_real_log_earns_what_another_implementation_says() {
    let Some(csv) = csv("data/open-bandit/bts_all.csv.gz") else { return };
    let folder = folder("evaluate-open-bandit");
    fs::write(folder.join("log.ndjson"), open_bandit(&csv, |_| "zozo".into())).unwrap();
    let ran = run(&["evaluate", "log.ndjson", "--json", "--policy", "uniform"], &[], &folder);
    let found = ran.json()["slots"][0]["policies"][0].clone();
    let reference = reference("all:bts->random");
    for (ours, theirs) in [("ips", "ipw"), ("snips", "snipw")] {
        same(found[ours][1].as_f64().unwrap(), &reference["estimates"][theirs]);
    }
    same(found["mean_weight"].as_f64().unwrap(), &reference["weights"]["mean"]);
    same(found["effective_rows"].as_f64().unwrap(), &reference["weights"]["ess"]);
    assert!(within(&found["dr"], reference["estimates"]["dr"].as_f64().unwrap()), "{found}");
    assert!(found["warnings"].to_string().contains("only"), "{found}");
    // Nothing was lost, though some items were shown with a chance of one in ten thousand.
    let ratio = &ran.json()["slots"][0]["sample_ratio"];
    assert!(ratio["p_value"].as_f64().unwrap() > 0.001, "{ratio}");
}

#[test]
fn a_snapshot_on_a_real_log_earns_what_another_implementation_says() {
    let Some(csv) = csv("data/open-bandit/random_all.csv.gz") else { return };
    let reference = reference("all:random->bts");
    let folder = folder("evaluate-open-bandit-snapshot");
    fs::write(folder.join("log.ndjson"), open_bandit(&csv, |position| format!("place{position}"))).unwrap();
    // The reference's policy has weights of its own for each of the three places: so has the snapshot.
    let table = reference["pi_e_by_action_position"].as_array().unwrap();
    let weights = |place: usize| -> BTreeMap<String, f64> {
        table
            .iter()
            .enumerate()
            .map(|(item, row)| (format!("item{item}"), row[place].as_f64().unwrap()))
            .collect()
    };
    let slots: Vec<(String, _)> =
        (0..3).map(|place| (format!("place{}", place + 1), weights(place))).collect();
    fs::write(folder.join("bts.bin"), snapshot(&slots)).unwrap();
    let ran = run(&["evaluate", "log.ndjson", "--json", "--policy", "bts.bin"], &[], &folder);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (mut rows, mut weight, mut rewards) = (0.0, 0.0, 0.0);
    for slot in ran.json()["slots"].as_array().unwrap() {
        let found = &slot["policies"][0];
        let n = found["rows"].as_f64().unwrap();
        rows += n;
        weight += n * found["mean_weight"].as_f64().unwrap();
        rewards += n * found["ips"][1].as_f64().unwrap();
    }
    assert_eq!(rows, 10_000.0);
    same(rewards / rows, &reference["estimates"]["ipw"]);
    same(rewards / weight, &reference["estimates"]["snipw"]);
    same(weight / rows, &reference["weights"]["mean"]);
}

/// A stored snapshot with a slot per name; learned weights by arm.
fn snapshot(slots: &[(String, BTreeMap<String, f64>)]) -> Vec<u8> {
    let slot = |(id, weights): &(String, BTreeMap<String, f64>)| {
        let arms: Value = weights.keys().map(|arm| json!({ "id": arm })).collect();
        json!({ "id": id, "goal": "click", "arms": arms, "policy": { "burn_in": 0, "exploration_floor": 0 } })
    };
    let config = json!({ "site": "shop", "goals": [{ "id": "click" }], "slots": slots.iter().map(slot).collect::<Value>() });
    let learned = slots.iter().map(|(slot, weights)| wire::LearnedSlot {
        slot: slot.clone(),
        arms: weights
            .iter()
            .map(|(arm, weight)| wire::LearnedArm { arm: arm.clone(), weight: *weight, ..Default::default() })
            .collect(),
        ..Default::default()
    });
    let published =
        wire::Published { config: serde_json::from_value(config).unwrap(), learned: learned.collect() };
    store::encode(&published, 1, 0).unwrap()
}
