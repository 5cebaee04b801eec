//! Golden cases: the same draws, weights and decisions natively and in the built wasm (`golden.test.mjs` runs the same files).
//!
//! `EDGELOOM_WRITE_GOLDEN=1 cargo test --test golden` writes them anew; that changes what visitors see, so look at the
//! difference and say in the commit why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use edgeloom::bandit::{BetaPosterior, p_best, sampler};
use edgeloom::decide::{Choice, decide};
use edgeloom::receipt::{Keyring, Receipt};
use edgeloom::replay::replay;
use edgeloom::seed::{Generator, Purpose, hash};
use edgeloom::snapshot::wire::Published;
use edgeloom::snapshot::{compile, store};
use edgeloom::wire::{Told, Visit};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Probabilities agree to this; choices and draws agree exactly.
const TOLERANCE: f64 = 1e-12;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Draws {
    alpha: f64,
    beta: f64,
    /// Decimal text: JavaScript's numbers end at 2^53.
    seed: String,
    draws: Vec<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Weights {
    arms: Vec<[f64; 2]>,
    weights: Vec<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Decisions {
    published: Published,
    /// The stored form, hexadecimal: what the edge reads.
    stored: String,
    cases: Vec<Case>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Case {
    visit: Visit,
    told: Told,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden").join(name)
}

fn writing() -> bool {
    std::env::var_os("EDGELOOM_WRITE_GOLDEN").is_some()
}

fn load<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let text = std::fs::read_to_string(path(name)).expect("golden file; see the head of this test");
    serde_json::from_str(&text).expect("golden file of the right shape")
}

fn save<T: Serialize>(name: &str, value: &T) {
    std::fs::write(path(name), serde_json::to_string_pretty(value).unwrap() + "\n").unwrap();
}

const SHAPES: [[f64; 2]; 9] = [
    [1.0, 1.0],
    [2.0, 5.0],
    [0.5, 0.5],
    [0.001, 0.002],
    [1.0, 1e-3],
    [121.0, 2881.0],
    [30_001.0, 970_001.0],
    [1e6, 1.0],
    [3.5, 1e9],
];

fn draw(alpha: f64, beta: f64, seed: &str, n: usize) -> Vec<f64> {
    let posterior = BetaPosterior::new(alpha, beta).unwrap();
    let mut generator = Generator::new(seed.parse().unwrap());
    (0..n).map(|_| sampler::draw(&posterior, &mut generator)).collect()
}

#[test]
fn draws_are_the_same_bits() {
    if writing() {
        let cases = SHAPES.iter().enumerate().map(|(i, [alpha, beta])| {
            let seed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string();
            Draws { alpha: *alpha, beta: *beta, draws: draw(*alpha, *beta, &seed, 64), seed }
        });
        save("draws.json", &cases.collect::<Vec<_>>());
    }
    let cases: Vec<Draws> = load("draws.json");
    assert!(cases.len() >= SHAPES.len());
    for case in cases {
        assert_eq!(draw(case.alpha, case.beta, &case.seed, case.draws.len()), case.draws);
    }
}

#[test]
fn weights_are_the_same_numbers() {
    let weigh = |arms: &[[f64; 2]]| {
        p_best(&arms.iter().map(|[a, b]| BetaPosterior::new(*a, *b).unwrap()).collect::<Vec<_>>())
    };
    if writing() {
        let sets = [&SHAPES[..2], &SHAPES[..6], &SHAPES[2..5], &SHAPES[5..7], &SHAPES];
        let cases = sets.map(|arms| Weights { arms: arms.to_vec(), weights: weigh(arms) });
        save("weights.json", &cases);
    }
    let cases: Vec<Weights> = load("weights.json");
    assert!(cases.len() >= 5);
    for case in cases {
        for (found, expected) in weigh(&case.arms).iter().zip(&case.weights) {
            assert!((found - expected).abs() <= TOLERANCE, "{found} is not {expected}");
        }
    }
}

/// Visits of every kind the configuration tells apart.
fn visits() -> Vec<Visit> {
    let pick = |n: u64, purpose: u64, of: &[&str]| {
        of[hash(Purpose::Draw, &[&n.to_le_bytes(), &purpose.to_le_bytes()]) as usize % of.len()].to_string()
    };
    let visit = |n: u64| Visit {
        path: pick(n, 1, &["/", "/shop/tea", "/about"]),
        country: Some(pick(n, 2, &["DE", "AT", "FR", "US"])),
        language: Some(pick(n, 3, &["de", "de-at", "fr", "en-us"])),
        device: pick(n, 4, &["phone", "desktop", "tablet", "other"]),
        time_millis: 1_795_500_000_000 + n * 977_777,
        attributes: [
            ("plan".to_string(), pick(n, 5, &["free", "pro"]).into()),
            ("age".to_string(), (n % 90).into()),
        ]
        .into_iter()
        .collect(),
        visitor: (!n.is_multiple_of(3)).then(|| format!("{:032x}", u128::from(n) * 0x1_0000_0001)),
        decision: format!("{:032x}", u128::from(n) * 0x9e37_79b9_7f4a_7c15_f39c_c060),
        ..Visit::default()
    };
    (0..300).map(visit).collect()
}

#[test]
fn decisions_are_the_same_and_can_be_replayed_from_their_receipts() {
    if writing() {
        let published: Published = load("published.json");
        let bytes = store::encode(&published, 1, 1_795_500_000_000).unwrap();
        let stored = store::decode(&bytes).unwrap();
        let (snapshot, warnings) = compile(&stored);
        assert_eq!(warnings, []);
        let cases = visits().into_iter().map(|visit| {
            let (context, seed) = visit.clone().open(&snapshot.site).unwrap();
            Case { told: Told::of(&snapshot, &decide(&snapshot, &context, &seed)), visit }
        });
        let cases = cases.collect();
        let stored = bytes.iter().map(|b| format!("{b:02x}")).collect();
        save("decisions.json", &Decisions { published, stored, cases });
    }
    let golden: Decisions = load("decisions.json");
    let bytes: Vec<u8> = (0..golden.stored.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&golden.stored[i..i + 2], 16).unwrap())
        .collect();
    let stored = store::decode(&bytes).unwrap();
    assert_eq!(stored.published, golden.published);
    let (snapshot, warnings) = compile(&stored);
    assert_eq!(warnings, []);
    let keyring = Keyring::parse("1:only-for-golden-cases-not-a-secret-at-all").unwrap();
    let mut reasons = std::collections::BTreeMap::new();
    for case in golden.cases {
        let (context, seed) = case.visit.open(&snapshot.site).unwrap();
        let decision = decide(&snapshot, &context, &seed);
        let told = Told::of(&snapshot, &decision);
        assert_eq!((told.held_out, &told.snapshot), (case.told.held_out, &case.told.snapshot));
        for (found, expected) in told.slots.iter().zip(&case.told.slots) {
            assert_eq!(
                (&found.slot, &found.arm, &found.reason),
                (&expected.slot, &expected.arm, &expected.reason)
            );
            assert!((found.propensity - expected.propensity).abs() <= TOLERANCE);
        }
        assert_eq!(told.slots.len(), case.told.slots.len());
        for choice in &decision.choices {
            *reasons.entry(choice.reason.as_str()).or_insert(0) += 1;
            if choice.reason.as_str() == "DEFAULT" {
                continue;
            }
            let receipt = choice.receipt(&snapshot, &seed, context.time_millis).unwrap();
            let read = keyring.verify(&keyring.sign(&receipt)).unwrap();
            // A receipt carries the basis; a replay has no need to make it again.
            let replayed = Choice { basis: choice.basis.clone(), ..replay(&snapshot, &read).unwrap() };
            assert_eq!(replayed, *choice);
            let other = Receipt { propensity: receipt.propensity / 2.0, ..receipt.clone() };
            assert!(replay(&snapshot, &other).is_err());
        }
    }
    // The corpus is worth nothing if it meets only one way of choosing.
    assert!(
        ["SPLIT", "STATIC", "DEFAULT", "HOLDOUT"].iter().all(|r| reasons.get(r) >= Some(&10)),
        "{reasons:?}"
    );
}
