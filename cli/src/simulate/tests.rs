//! Simulations against references and against themselves.

use super::rates::Rates;
use super::run::{Course, Extent, runs};
use super::summary::{Mean, Summary, summaries};
use super::world::World;
use super::{DAYS, plot};
use edgeloom::id::SnapshotVersion;
use edgeloom::snapshot::store::Stored;
use edgeloom::snapshot::{compile, wire::Published};
use serde_json::{Value, json};

/// A world of one slot with arms 0, 1, … of these rates.
fn world(rates: &[f64], policy: Value, holdout: f64) -> World {
    let arms: Value = (0..rates.len()).map(|arm| json!({ "id": arm.to_string() })).collect();
    let config = json!({
        "site": "test",
        "holdout": { "share": holdout, "salt": "" },
        "goals": [{ "id": "order" }],
        "slots": [{ "id": "hero", "goal": "order", "policy": policy, "arms": arms }],
    });
    let published = Published { config: serde_json::from_value(config).unwrap(), learned: Vec::new() };
    let version = SnapshotVersion([0; 16]);
    let stored = Stored { version, sequence: 0, published_millis: 0, published, warnings: Vec::new() };
    let arms: serde_json::Map<String, Value> =
        rates.iter().enumerate().map(|(arm, rate)| (arm.to_string(), json!(rate))).collect();
    let rates: Rates =
        serde_json::from_value(json!({ "slots": { "hero": { "untouched": 0.03, "arms": arms } } })).unwrap();
    let (snapshot, warnings) = compile(&stored);
    assert!(warnings.iter().all(|warning| warning.pointer == "/privacy/mode"), "{warnings:?}");
    World::new(stored, &snapshot, &rates)
}

fn extent(days: usize, runs: usize) -> Extent {
    Extent { days, visitors_per_day: 1_000, publications_per_day: 1, runs, seed: 7 }
}

fn of(world: &World, extent: &Extent) -> Summary {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    summaries(world, extent, &runs(world, extent, threads, &|| {})).remove(0)
}

#[test]
fn the_number_of_threads_changes_nothing_and_the_seed_does() {
    let world = world(&[0.03, 0.05], json!({}), 0.1);
    let extent = Extent { visitors_per_day: 150, publications_per_day: 4, ..extent(5, 6) };
    let alone = runs(&world, &extent, 1, &|| {});
    assert_eq!(alone, runs(&world, &extent, 4, &|| {}));
    assert_ne!(alone, runs(&world, &Extent { seed: 8, ..extent }, 1, &|| {}));
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn every_visitor_is_counted_once_and_the_holdout_gets_its_share() {
    let world = world(&[0.03, 0.05], json!({}), 0.2);
    let extent = Extent { visitors_per_day: 997, publications_per_day: 7, ..extent(3, 1) };
    let courses: Vec<Course> = runs(&world, &extent, 1, &|| {}).remove(0);
    let (personalised, held_out) = (courses[0].personalised.0, courses[0].held_out.0);
    assert_eq!(personalised + held_out, 3 * 997);
    let shown: u32 = courses[0].exposures.iter().flatten().sum();
    assert_eq!(u64::from(shown), personalised);
    // 20 % of 2,991 with the deviation 22: beyond 100 once in 180,000 seeds.
    assert!(held_out.abs_diff(598) < 100, "{held_out}");
}

#[test]
fn with_equal_chances_regret_is_what_arithmetic_says() {
    let world = world(&[0.02, 0.05], json!({ "kind": "uniform" }), 0.0);
    let summary = of(&world, &extent(7, 20));
    // Half of 7,000 visitors lose 0.03 each; the deviation of a run is 0.03·√1,750 = 1.25.
    assert!((summary.regret.mean - 105.0).abs() < 1.5, "{:?}", summary.regret);
    assert!((summary.best_share.mean - 0.5).abs() < 0.01);
    assert_eq!(summary.best_name(), "1");
    assert!(summary.decided > 0.9 && summary.decided_right == Some(1.0), "{summary:?}");
    assert_eq!((summary.uplift, summary.held_out_rate), (None, None));
}

#[test]
fn uplift_is_the_difference_of_the_rates() {
    let world = world(&[0.06], json!({}), 0.5);
    let summary = of(&world, &extent(7, 30));
    let uplift = summary.uplift.unwrap();
    // Of 30 runs the half width is 1.96 standard errors; twice that once in 11,000 seeds.
    assert!((uplift.mean - 0.03).abs() < 2.0 * uplift.half_width, "{uplift:?}");
    assert!(uplift.half_width < 0.003);
    assert_eq!((summary.regret.mean, summary.decided), (0.0, 0.0));
}

#[test]
fn a_mean_has_the_width_of_the_textbook() {
    let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]);
    // Variance 5/3, four numbers: 1.96·√(5/12).
    assert!((mean.mean - 2.5).abs() < 1e-12 && (mean.half_width - 1.265_151).abs() < 1e-5, "{mean:?}");
    assert_eq!(Mean::of(&[]), Mean::default());
}

#[test]
fn the_drawing_names_all_that_it_shows() {
    let world = world(&[0.03, 0.05], json!({}), 0.1);
    let extent = Extent { visitors_per_day: 100, ..extent(DAYS, 3) };
    let svg = plot::svg(&[of(&world, &extent)], &extent).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for text in
        ["hero: regret", "rewards lost so far", "hero: share of visits by arm", "1 (best at the end)", "day"]
    {
        assert!(svg.contains(text), "{text}");
    }
    assert_eq!(svg, plot::svg(&[of(&world, &extent)], &extent).unwrap());
}

/// What another implementation found of Thompson sampling that learns in batches: its name there, the floor, visits between two
/// publications. The batches of 100 come last: they take most of the time.
const REFERENCES: [(&str, f64, u32); 5] = [
    ("beta_ts_batch_1000", 0.0, 1_000),
    ("beta_ts_batch_1000_floor_1pct", 0.01, 1_000),
    ("beta_ts_batch_1000_floor_5pct", 0.05, 1_000),
    ("beta_ts_batch_5000", 0.0, 5_000),
    ("beta_ts_batch_100", 0.0, 100),
];

/// Runs our policies in the environments of the reference, as often as asked, and compares.
fn compare(n_runs: usize, policies: &[(&str, f64, u32)], assignment: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/reference/regret.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared");
        return;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    for (name, environment) in file["envs"].as_object().unwrap() {
        let rates: Vec<f64> = serde_json::from_value(environment["rates"].clone()).unwrap();
        // The second environment is stated with 30,000 visits, but its uniform policy lost 280.0 ± 0.0 rewards: at 0.0056 each
        // that takes 50,000. What was run counts.
        let best = rates.iter().copied().fold(0.0, f64::max);
        let mean_loss = best - rates.iter().sum::<f64>() / rates.len() as f64;
        let uniform = environment["policies"]["uniform_ab"]["regret"].as_f64().unwrap();
        let visits = 1_000.0 * (uniform / mean_loss / 1_000.0).round();
        for (policy, floor, batch) in policies {
            // There a uniform arm comes with this probability; our floor is what each arm has of it.
            let floor = floor / rates.len() as f64;
            let limits = json!({ "exploration_floor": floor, "burn_in": 0, "assignment": assignment });
            let days = (visits / f64::from(*batch)) as usize;
            let extent = Extent { visitors_per_day: *batch, ..extent(days, n_runs) };
            let ours = of(&world(&rates, limits, 0.0), &extent).regret;
            let reference = &environment["policies"][*policy];
            let theirs = reference["regret"].as_f64().unwrap();
            // The reference's half width is one standard error, as its 95 % points tell; ours is 1.96. (Its 85.0 ± 0.9 for five arms
            // and batches of 1,000 is on the low side: 6,000 runs of a third implementation, in C, gave 86.5 ± 0.5.)
            let (our_error, their_error) =
                (ours.half_width / 1.96, reference["half_width"].as_f64().unwrap());
            let error = (our_error * our_error + their_error * their_error).sqrt();
            println!(
                "{name} {policy} {assignment}: {:.1} ± {our_error:.1}, reference {theirs} ± {their_error}",
                ours.mean
            );
            // Beyond 3.5 errors to either side once in 2,000 comparisons.
            assert!(
                (ours.mean - theirs).abs() < 3.5 * error,
                "{name} {policy}: {ours:?} instead of {theirs}"
            );
            // Clearly below equal chances: by a third at least, whatever the error of so few runs.
            assert!(
                ours.mean + 3.5 * our_error < uniform * 2.0 / 3.0,
                "{name} {policy}: {ours:?} is not clearly below {uniform}"
            );
        }
    }
}

#[test]
fn regret_is_that_of_the_reference_and_clearly_below_that_of_equal_chances() {
    compare(12, &REFERENCES[..4], "sticky");
}

#[test]
#[ignore = "2,000 runs of ten settings: half an hour, and only of use when optimised"]
fn regret_is_that_of_the_reference_to_a_hundredth() {
    for assignment in ["sticky", "per_view"] {
        compare(2_000, &REFERENCES, assignment);
    }
}
