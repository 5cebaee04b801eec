//! Examples and laws of off-policy estimates, and their agreement with another implementation on a real log.

use super::*;
use proptest::prelude::*;
use std::io::Read;

const PLAIN: Settings = Settings { level: 0.95, least_effective_units: 2.0, resampling: Resampling::NONE };

fn row(unit: u64, reward: f64, propensity: f64, target: f64) -> Row {
    Row { unit, reward, propensity, target, prediction: None }
}

/// A log of `n` rows under propensities that change, with predictions; every third visitor comes twice.
fn sample(n: u64, seed: u64) -> Vec<Row> {
    let mut generator = Generator::new(seed);
    let row = |k: u64| {
        let p = 0.1 + 0.8 * generator.unit();
        let is_first = generator.unit() < p;
        let (propensity, target) = if is_first { (p, 0.3) } else { (1.0 - p, 0.7) };
        let reward = if generator.unit() < 0.3 { 1.0 } else { 0.0 };
        let prediction = Some(Prediction { logged: 0.2 + 0.1 * p, policy: 0.25 });
        Row { unit: k - u64::from(k % 3 == 1), reward, propensity, target, prediction }
    };
    (0..n).map(row).collect()
}

#[test]
fn the_behaviour_policy_itself_gets_the_plain_mean() {
    // Weights are 1: IPS and SNIPS are the mean of 0, 1, 1, 0 with s/√n.
    let rows: Vec<Row> = [0.0, 1.0, 1.0, 0.0].iter().zip(0..).map(|(r, k)| row(k, *r, 0.4, 0.4)).collect();
    let report = evaluate(&rows, &PLAIN).unwrap();
    for found in [report.ips, report.snips] {
        assert_eq!(found.value, 0.5);
        // s² = 4·0.25/3, over n = 4.
        assert!((found.standard_error - (1.0_f64 / 12.0).sqrt()).abs() < 1e-15);
    }
    assert_eq!((report.effective_rows, report.mean_weight, report.modelled), (4.0, 1.0, None));
    assert_eq!(report.warnings, []);
}

#[test]
fn a_visitor_who_comes_often_counts_once() {
    // Ten visitors, each with 50 equal rows: as sure as ten rows, not as 500.
    let rewards = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let once: Vec<Row> = (0..10).map(|k| row(k, rewards[k as usize], 0.5, 0.5)).collect();
    let often: Vec<Row> = once.iter().flat_map(|row| [*row; 50]).collect();
    let settings = Settings { resampling: Resampling { resamples: 500, seed: 1 }, ..PLAIN };
    let (once, often) = (evaluate(&once, &settings).unwrap(), evaluate(&often, &settings).unwrap());
    assert!((once.snips.standard_error - often.snips.standard_error).abs() < 1e-15);
    assert_eq!((often.effective_rows, often.effective_units), (500.0, 10.0));
    let ends = [once, often].map(|report| report.ips.bootstrap.unwrap());
    assert!((ends[0].low - ends[1].low).abs() < 1e-12 && (ends[0].high - ends[1].high).abs() < 1e-12);
}

#[test]
fn rows_that_can_not_be_are_refused_by_name() {
    let good = [row(0, 1.0, 0.5, 0.5), row(1, 0.0, 0.5, 0.5)];
    let with = |bad: Row| evaluate(&[good[0], good[1], bad], &PLAIN).unwrap_err();
    for found in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = with(row(2, 0.0, found, 0.5));
        assert!(matches!(error, OffPolicyError::Probability { row: 2, field: "propensity", .. }), "{error}");
    }
    for found in [-0.1, 1.1, f64::NAN] {
        let error = with(row(2, 0.0, 0.5, found));
        assert!(matches!(error, OffPolicyError::Probability { row: 2, field: "target", .. }), "{error}");
    }
    for found in [f64::NAN, f64::INFINITY] {
        assert_eq!(with(row(2, found, 0.5, 0.5)), OffPolicyError::NotFinite { row: 2, field: "reward" });
    }
    let prediction = Some(Prediction { logged: 0.1, policy: f64::NAN });
    assert_eq!(
        with(Row { prediction, ..good[0] }),
        OffPolicyError::PredictionMissing { row: 0 },
        "the first row that has none"
    );
    let all = good.map(|row| Row { prediction, ..row });
    let error = evaluate(&all, &PLAIN).unwrap_err();
    assert_eq!(error, OffPolicyError::NotFinite { row: 0, field: "prediction" });
    assert_eq!(evaluate(&[], &PLAIN).unwrap_err(), OffPolicyError::TooFewUnits { found: 0 });
    assert_eq!(evaluate(&[good[0]; 3], &PLAIN).unwrap_err(), OffPolicyError::TooFewUnits { found: 1 });
    assert_eq!(with(row(2, 1e300, 1e-200, 1.0)), OffPolicyError::TooLarge);
    assert_eq!(
        with(row(2, 0.0, 0.0, 0.5)).to_string(),
        "propensity of row 2 is 0; hint: a probability above 0 and up to 1 is needed"
    );
}

#[test]
fn too_little_overlap_is_refused_not_answered() {
    // One weight of 50 among 99 of 0.5: (99.5)²/(2500 + 24.75) = 3.92 effective units.
    let mut rows: Vec<Row> = (0..99).map(|k| row(k, 0.0, 1.0, 0.5)).collect();
    rows.push(row(99, 1.0, 0.01, 0.5));
    let error = evaluate(&rows, &Settings::default()).unwrap_err();
    assert!(
        matches!(error, OffPolicyError::TooThin { found, least: 100.0 } if (found - 3.92).abs() < 0.01),
        "{error}"
    );
    let warnings = evaluate(&rows, &PLAIN).unwrap().warnings;
    assert!(
        matches!(warnings[..], [Warning::Dominated { .. }, Warning::LittleOverlap { .. }]),
        "{warnings:?}"
    );
    // A policy that never does what was logged: nothing to tell.
    let nothing: Vec<Row> = (0..9).map(|k| row(k, 1.0, 0.5, 0.0)).collect();
    assert!(matches!(evaluate(&nothing, &PLAIN), Err(OffPolicyError::TooThin { found: 0.0, .. })));
    let unasked = Settings { least_effective_units: f64::NAN, ..PLAIN };
    assert!(matches!(evaluate(&rows, &unasked), Err(OffPolicyError::TooThin { .. })));
}

#[test]
fn arms_that_were_never_tried_show_in_the_mean_weight() {
    // Two arms tried evenly; half of what the policy wants is a third one.
    let rows: Vec<Row> = (0..400).map(|k| row(k, 0.0, 0.5, 0.25)).collect();
    let found = evaluate(&rows, &PLAIN).unwrap();
    assert_eq!(found.warnings, [Warning::MeanWeight { mean: 0.5, standard_error: 0.0 }]);
}

#[test]
fn a_perfect_model_leaves_nothing_to_correct() {
    let exact =
        |row: Row| Row { prediction: row.prediction.map(|p| Prediction { logged: row.reward, ..p }), ..row };
    let rows: Vec<Row> = sample(300, 5).into_iter().map(exact).collect();
    let Modelled { dm, dr, sndr } = evaluate(&rows, &PLAIN).unwrap().modelled.unwrap();
    assert_eq!((dm.value, dm.standard_error), (dr.value, dr.standard_error));
    assert_eq!(dm.value, sndr.value);
}

#[test]
fn a_seed_says_everything() {
    let rows = sample(200, 1);
    let with = |seed| Settings { resampling: Resampling { resamples: 50, seed }, ..PLAIN };
    let [one, again, other] = [1, 1, 2].map(|seed| evaluate(&rows, &with(seed)).unwrap());
    assert_eq!(one, again);
    assert_ne!(one.ips.bootstrap, other.ips.bootstrap);
    assert_eq!(evaluate(&rows, &PLAIN).unwrap().ips.bootstrap, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_constant_more_for_all_moves_what_is_normalised_by_just_that(seed in any::<u64>(), shift in -5.0..5.0_f64) {
        let rows = sample(150, seed);
        let moved: Vec<Row> = rows.iter().map(|row| Row { reward: row.reward + shift, ..*row }).collect();
        let (before, after) = (evaluate(&rows, &PLAIN).unwrap(), evaluate(&moved, &PLAIN).unwrap());
        prop_assert!((after.snips.value - before.snips.value - shift).abs() < 1e-12);
        prop_assert!((after.snips.standard_error - before.snips.standard_error).abs() < 1e-12);
        let [before, after] = [before, after].map(|report| report.modelled.unwrap());
        prop_assert!((after.sndr.value - before.sndr.value - shift).abs() < 1e-12);
        prop_assert_eq!(before.dm, after.dm);
    }

    #[test]
    fn the_unit_of_the_reward_does_not_matter(seed in any::<u64>(), scale in 0.01..1000.0_f64) {
        let rows = sample(150, seed);
        let scaled: Vec<Row> = rows.iter().map(|row| Row { reward: row.reward * scale, ..*row }).collect();
        let settings = Settings { resampling: Resampling { resamples: 20, seed }, ..PLAIN };
        let (before, after) = (evaluate(&rows, &settings).unwrap(), evaluate(&scaled, &settings).unwrap());
        for (before, after) in [(before.ips, after.ips), (before.snips, after.snips)] {
            prop_assert!((after.value - scale * before.value).abs() < 1e-12 * scale);
            prop_assert!((after.standard_error - scale * before.standard_error).abs() < 1e-12 * scale);
            let (before, after) = (before.bootstrap.unwrap(), after.bootstrap.unwrap());
            prop_assert!((after.low - scale * before.low).abs() < 1e-12 * scale);
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter(seed in any::<u64>()) {
        let mut rows = sample(100, seed);
        let ahead = evaluate(&rows, &PLAIN).unwrap();
        rows.reverse();
        let back = evaluate(&rows, &PLAIN).unwrap();
        prop_assert!((ahead.ips.value - back.ips.value).abs() < 1e-14);
        prop_assert!((ahead.snips.standard_error - back.snips.standard_error).abs() < 1e-14);
        prop_assert!(ahead.effective_units <= ahead.effective_rows + 1e-9);
        prop_assert!(ahead.effective_rows <= 100.0 + 1e-9);
    }

    #[test]
    fn any_numbers_get_an_answer_or_a_refusal(
        numbers in prop::collection::vec((any::<f64>(), any::<f64>(), any::<f64>(), 0_u64..4), 0..12)
    ) {
        let rows: Vec<Row> = numbers.iter().map(|&(r, p, t, unit)| row(unit, r, p, t)).collect();
        let settings = Settings { resampling: Resampling { resamples: 3, seed: 0 }, ..PLAIN };
        if let Ok(report) = evaluate(&rows, &settings) {
            prop_assert!(report.ips.value.is_finite() && report.snips.standard_error.is_finite());
        }
    }
}

/// The rows of one direction of the real log, or `None` without ../shared.
fn logged(file: &str) -> Option<Vec<Row>> {
    let path = format!("{}/../shared/reference/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).ok()?).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("action,position,reward,pscore,pi_e,qhat_logged,dm_row"));
    let row = |(unit, line): (u64, &str)| {
        let numbers: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let [_, _, reward, propensity, target, logged, policy] = numbers[..] else { panic!("{line}") };
        Row { unit, reward, propensity, target, prediction: Some(Prediction { logged, policy }) }
    };
    Some((0..).zip(lines).map(row).collect())
}

#[test]
fn both_directions_of_a_real_log_agree_with_another_implementation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/ope_obd.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared");
        return;
    };
    let reference: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (run, file) in [
        ("all:random->bts", "ope_rows_all_random_to_bts.csv.gz"),
        ("all:bts->random", "ope_rows_all_bts_to_random.csv.gz"),
    ] {
        let rows = logged(file).unwrap();
        let settings = Settings { resampling: Resampling { resamples: 500, seed: 7 }, ..Settings::default() };
        let report = evaluate(&rows, &settings).unwrap();
        let expected = &reference["runs"][run];
        assert_eq!(report.n_rows, expected["n"].as_u64().unwrap());
        let near = |found: f64, name: &serde_json::Value| {
            let exact = name.as_f64().unwrap();
            assert!((found - exact).abs() <= 1e-12 * exact, "{run}: {found} instead of {exact}");
            (found - exact).abs() / exact
        };
        let Modelled { dm, dr, sndr } = report.modelled.unwrap();
        let mut worst = 0.0_f64;
        let mut farthest = 0.0_f64;
        let named = [("ipw", report.ips), ("snipw", report.snips), ("dm", dm), ("dr", dr), ("sndr", sndr)];
        for (name, found) in named {
            worst = worst.max(near(found.value, &expected["estimates"][name]));
            // Their interval has 10,000 resamples, this one 500: each end is known to 0.12 standard errors (see `Resampling`), the
            // upper one, where values are sparser, to about 0.2.
            let bootstrap = found.bootstrap.unwrap();
            for (at, end) in [(0, bootstrap.low), (1, bootstrap.high)] {
                let exact = expected["ci95"][name][at].as_f64().unwrap();
                let distance = (end - exact).abs() / found.standard_error;
                assert!(distance < 0.5, "{run} {name}: {end} instead of {exact}");
                farthest = farthest.max(distance);
            }
        }
        near(report.mean_weight, &expected["weights"]["mean"]);
        near(report.largest_weight, &expected["weights"]["max"]);
        near(report.effective_rows, &expected["weights"]["ess"]);
        println!(
            "{run}: largest relative difference {worst:.1e}; ends of bootstrap within {farthest:.2} standard errors"
        );
        println!("{run}: {:?}", report.warnings);
    }
}
