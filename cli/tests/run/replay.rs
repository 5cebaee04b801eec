//! `edgeloom replay` with a real snapshot and real receipts.

use crate::program::{Ran, fixtures, run};
use edgeloom::context::Context;
use edgeloom::decide::decide;
use edgeloom::id::DecisionId;
use edgeloom::receipt::{Basis, Flags, Keyring, Receipt};
use edgeloom::seed::Seed;
use edgeloom::snapshot::{compile, store, wire};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

const KEYS: &str = "1:dev-only-receipt-key-of-a-test-0000";

/// A snapshot, and the receipt of a decision made from it.
fn decided() -> (Vec<u8>, Receipt) {
    let text = fs::read_to_string(fixtures().join("shop.toml")).unwrap().replace(" onclick='x()'", "");
    let config: wire::Config = toml::from_str(&text).unwrap();
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
        basis: Basis::default(),
    };
    (bytes, receipt)
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Replays a receipt that was changed before it was signed.
fn replay(name: &str, change: impl FnOnce(&mut Receipt), keys: &str, more: &[&str]) -> Ran {
    let (bytes, mut receipt) = decided();
    change(&mut receipt);
    let token = Keyring::parse(KEYS).unwrap().sign(&receipt);
    let folder = folder(name);
    fs::write(folder.join("snapshot.bin"), bytes).unwrap();
    let arguments = [&["replay", "--snapshot", "snapshot.bin", &token], more].concat();
    let ran = run(&arguments, &[("RECEIPT_KEYS", keys)], &folder);
    assert!(!ran.out.contains(&KEYS[2..]) && !ran.err.contains(&KEYS[2..]), "a key was printed: {ran:?}");
    ran
}

#[test]
fn a_receipt_is_borne_out_by_its_snapshot() {
    let (_, receipt) = decided();
    let arm = receipt.arm.unwrap();
    let ran = replay("fits", |_| {}, KEYS, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let why = format!("shows {arm}, chosen with the propensity 0.5 (SPLIT)");
    for part in [
        "the receipt fits",
        "hero",
        arm.as_str(),
        "propensity  0.5",
        "original, sale",
        "chances: original with 0.5",
        &why,
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let document = replay("fits", |_| {}, KEYS, &["--json"]).json();
    assert_eq!((&document["arm"], &document["propensity"]), (&json!(arm.as_str()), &json!(0.5)));
}

#[test]
fn what_does_not_fit_is_said() {
    let other_keys = KEYS.replace("0000", "1111");
    let other_snapshot = |receipt: &mut Receipt| receipt.version.0[0] ^= 1;
    for (ran, code, part) in [
        (replay("propensity", |receipt| receipt.propensity = 0.25, KEYS, &[]), 1, "propensity 0.5 instead"),
        (replay("arm", |receipt| receipt.arm = None, KEYS, &[]), 1, "instead"),
        (replay("snapshot", other_snapshot, KEYS, &[]), 1, "help: fetch that one"),
        (replay("signature", |_| {}, &other_keys, &[]), 1, "the receipt is refused"),
        (replay("keys", |_| {}, "short", &[]), 2, "RECEIPT_KEYS: "),
    ] {
        assert_eq!(ran.code, code, "{part}: {ran:?}");
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
}

#[test]
fn a_visit_is_explained_rule_by_rule() {
    let (bytes, _) = decided();
    let folder = folder("explain");
    fs::write(folder.join("snapshot.bin"), bytes).unwrap();
    let explain = |visit: &str, more: &[&str]| {
        run(&[&["explain", "--snapshot", "snapshot.bin", visit], more].concat(), &[], &folder)
    };
    let ran = explain(r#"{"path":"/","decision":"03030303030303030303030303030303"}"#, &["--slot", "hero"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in ["hero\n", "the policy keeps", "original with 0.5", "with the propensity 0.5 (SPLIT)"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let document = explain("{}", &["--json"]).json();
    assert_eq!(document["slots"][0]["slot"], "hero");
    for (visit, more, part) in [
        ("nonsense", &[][..], "the visit can't be read"),
        ("{}", &["--slot", "nowhere"][..], "on / there are: hero"),
        (r#"{"visitor":"x"}"#, &[][..], "32 hexadecimal digits"),
        (r#"{"devise":"phone"}"#, &[][..], "did you mean `device`?"),
        (r#"{"device":"fone"}"#, &[][..], "there are phone, tablet"),
        (r#"{"seen":{"nothing":1}}"#, &[][..], "no block and no slot is called 'nothing'"),
    ] {
        let ran = explain(visit, more);
        assert!(ran.code == 2 && ran.err.contains(part), "{part}: {ran:?}");
    }
}

#[test]
fn what_a_visitor_has_seen_is_explained() {
    let config = json!({
        "site": "shop",
        "holdout": { "share": 0.0 },
        "goals": [{ "id": "order" }],
        "blocks": [
            { "id": "offer", "template": "<p>o</p>", "cap": { "times": 2, "hours": 24 }, "fades": { "factor": 0.5, "hours": 24 } },
            { "id": "story", "template": "<p>s</p>" }
        ],
        "slots": [{ "id": "hero", "goal": "order", "arms": [{ "block": "offer" }, { "block": "story" }] }],
    });
    let config: wire::Config = serde_json::from_value(config).unwrap();
    let published = wire::Published { config, learned: Vec::new() };
    let folder = folder("explain-seen");
    fs::write(folder.join("snapshot.bin"), store::encode(&published, 1, 0).unwrap()).unwrap();
    for (visit, part) in [
        (r#"{"seen":{"offer":1}}"#, "offer is worth 0.5 of what it is else"),
        (
            r#"{"seen":{"offer":2}}"#,
            "offer is no candidate: the visitor has seen it as often as its cap allows",
        ),
    ] {
        let ran = run(&["explain", "--snapshot", "snapshot.bin", visit], &[], &folder);
        assert!(ran.code == 0 && ran.out.contains(part), "{part}: {ran:?}");
    }
}

#[test]
fn a_file_that_is_no_snapshot_is_said() {
    let folder = folder("no-snapshot");
    fs::write(folder.join("text.bin"), "not one").unwrap();
    for file in ["text.bin", "absent.bin"] {
        let ran = run(&["replay", "--snapshot", file, "x"], &[("RECEIPT_KEYS", KEYS)], &folder);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(file), "{}", ran.err);
    }
    let ran = run(&["replay", "--snapshot", "text.bin", "x"], &[], &folder);
    assert!(ran.code == 2 && ran.err.contains("RECEIPT_KEYS holds no keys"), "{ran:?}");
}

#[test]
fn a_list_is_explained_with_its_index() {
    let folder = folder("explain-list");
    let config: wire::Config = serde_json::from_value(json!({
        "site": "shop", "goals": [{ "id": "order" }], "indexes": [{ "id": "teas", "path": "/teas/{id}" }],
        "blocks": [{ "id": "usual", "template": "<p>usual</p>" }, { "id": "teaser", "template": "<p>{{title}}</p>", "fields": { "title": { "text": "" } } }],
        "slots": [{ "id": "next", "goal": "order", "arms": [{ "block": "usual" }], "list": { "index": "teas", "block": "teaser", "length": 1 } }]
    }))
    .unwrap();
    let published = wire::Published { config, learned: Vec::new() };
    fs::write(folder.join("snapshot.bin"), store::encode(&published, 1, 1).unwrap()).unwrap();
    let items = ["sencha", "matcha", "mate"].map(|id| format!(r#"{{"id":"{id}","text":"green {id} tea"}}"#));
    fs::write(folder.join("teas.jsonl"), items.join("\n")).unwrap();
    let built = run(&["index", "build", "teas.jsonl", "-o", "teas.index"], &[], &folder);
    assert_eq!(built.code, 0, "{built:?}");
    let explain = |more: &[&str]| {
        run(
            &[&["explain", "--snapshot", "snapshot.bin", r#"{"path":"/teas/mate"}"#], more].concat(),
            &[],
            &folder,
        )
    };
    let without = explain(&[]);
    assert!(without.code == 0 && without.out.contains("give the pieces with --index"), "{without:?}");
    let with = explain(&["--index", "teas.index"]);
    assert!(with.code == 0 && with.out.contains("shows items") && !with.out.contains("--index"), "{with:?}");
    let damaged = explain(&["--index", "teas.jsonl"]);
    assert!(damaged.code != 0 && damaged.err.contains("teas.jsonl"), "{damaged:?}");
    fs::remove_dir_all(folder).unwrap();
}
