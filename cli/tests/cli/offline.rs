//! Commands that need no server: `schema`, `init`, `replay`.

use crate::program::{Program, sound};
use edgeloom::context::Context;
use edgeloom::decide::decide;
use edgeloom::id::DecisionId;
use edgeloom::receipt::{Flags, Keyring, Receipt};
use edgeloom::seed::Seed;
use edgeloom::snapshot::{compile, store, wire};
use serde_json::{Value, json};
use std::path::Path;

const KEYS: &str = "1:test-only-receipt-key-not-a-secret-0000";

#[test]
fn the_committed_schema_is_the_current_one() {
    let run = Program::new().run(&["schema"]);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("edgeloom.schema.json");
    let committed = std::fs::read_to_string(committed).unwrap();
    assert_eq!(run.out, committed, "hint: cargo run -p edgeloom-cli -- schema > cli/edgeloom.schema.json");
}

#[test]
fn the_schema_knows_every_key_of_the_starter_and_refuses_others() {
    let schema: Value = Program::new().run(&["schema", "--json"]).json();
    assert_eq!(schema["additionalProperties"], json!(false));
    let keys = schema["properties"].as_object().unwrap();
    let starter: toml::Table = include_str!("../../starter.toml").parse().unwrap();
    assert!(starter.keys().all(|key| keys.contains_key(key)));
}

#[test]
fn the_starter_is_fine_and_never_overwrites() {
    let program = Program::new();
    assert_eq!(program.run(&["init"]).code, Some(0));
    let check = program.run(&["check"]);
    assert_eq!((check.code, check.out.as_str()), (Some(0), "edgeloom.toml: fine\n"), "{}", check.err);
    program.write("edgeloom.toml", "mine");
    let again = program.run(&["init"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("exists already"), "{}", again.err);
    assert_eq!(std::fs::read_to_string(program.path("edgeloom.toml")).unwrap(), "mine");
}

/// A snapshot, and the receipt of a decision made from it.
fn decided() -> (Vec<u8>, Receipt) {
    let config: wire::Config = toml::from_str(&sound()).unwrap();
    let published = wire::Published { config, learned: Vec::new() };
    let bytes = store::encode(&published, 7, 1_735_689_600_000).unwrap();
    let (snapshot, warnings) = compile(&store::decode(&bytes).unwrap());
    assert!(warnings.is_empty(), "{warnings:?}");
    let seed = Seed::of_view(DecisionId([3; 16]));
    let decision = decide(&snapshot, &Context { path: "/".into(), ..Context::default() }, &seed);
    let choice = &decision.choices[0];
    let slot = &snapshot.slots[choice.slot];
    let receipt = Receipt {
        decision: decision.id,
        unit: None,
        slot: slot.id.clone(),
        arm: choice.arm.map(|arm| slot.arms[arm].id.clone()),
        propensity: choice.propensity,
        version: snapshot.version,
        time_millis: 1_735_689_600_000,
        flags: Flags::default(),
        candidates: choice.candidates.clone(),
        shards: 1,
    };
    (bytes, receipt)
}

fn replay(change: impl FnOnce(&mut Receipt), keys: &str, more: &[&str]) -> crate::program::Run {
    let (bytes, mut receipt) = decided();
    change(&mut receipt);
    let token = Keyring::parse(KEYS).unwrap().sign(&receipt);
    let program = Program::new().with("RECEIPT_KEYS", keys);
    program.write("snapshot.bin", bytes);
    program.run(&[&["replay", "--snapshot", "snapshot.bin", &token], more].concat())
}

#[test]
fn a_receipt_is_borne_out_by_its_snapshot() {
    let (_, receipt) = decided();
    let arm = receipt.arm.unwrap();
    let run = replay(|_| {}, KEYS, &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    for part in ["the receipt fits", "hero", arm.as_str(), "as-it-is, offer", "2025-01-01 00:00:00Z"] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    let document = replay(|_| {}, KEYS, &["--json"]).json();
    assert_eq!((&document["arm"], &document["propensity"]), (&json!(arm.as_str()), &json!(0.5)));
}

#[test]
fn what_does_not_fit_is_said() {
    let other_keys = KEYS.replace("0000", "1111");
    let version = |receipt: &mut Receipt| receipt.version.0[0] ^= 1;
    for (run, code, part) in [
        (replay(|receipt| receipt.propensity = 0.25, KEYS, &[]), 1, "propensity 0.5 instead"),
        (replay(|receipt| receipt.arm = None, KEYS, &[]), 1, "instead"),
        (replay(version, KEYS, &[]), 1, "hint: fetch that one"),
        (replay(|_| {}, &other_keys, &[]), 1, "the receipt: "),
        (replay(|_| {}, "short", &[]), 2, "RECEIPT_KEYS: "),
    ] {
        assert_eq!(run.code, Some(code), "{part}: {}", run.err);
        assert!(run.err.contains(part), "{part}: {}", run.err);
        assert!(!run.err.contains(&KEYS[2..]), "a key was printed");
    }
}

#[test]
fn a_file_that_is_no_snapshot_is_said() {
    let program = Program::new().with("RECEIPT_KEYS", KEYS);
    program.write("snapshot.bin", "not one");
    for file in ["snapshot.bin", "absent.bin"] {
        let run = program.run(&["replay", "--snapshot", file, "x"]);
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains(file), "{}", run.err);
    }
}
