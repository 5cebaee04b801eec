//! A bad item costs only itself: every kind of mistake, what it leaves, and where the warning points.

use super::wire::Config;
use super::{Severity, Since, check, compile, learn, store};
use crate::event::{Event, Treatment};
use crate::fold::{Tokens, fold};
use crate::id::{ArmId, DecisionId, SlotId, SnapshotVersion};
use crate::receipt::{Basis, Candidates, Flags, Receipt};
use crate::snapshot::wire::Published;
use crate::statistics::Statistics;
use serde_json::{Value, json};

/// A sound configuration of two slots.
fn sound() -> Value {
    json!({
        "site": "shop",
        "holdout": { "share": 0.05, "salt": "s" },
        "audiences": [{ "id": "german", "when": { "language": { "$regex": "^de" } } }],
        "goals": [{ "id": "order", "path": "/thanks" }],
        "blocks": [
            { "id": "one", "template": "<p>{{t}}</p>", "fields": { "t": { "text": "x" } } },
            { "id": "two", "template": "<p>two</p>" }
        ],
        "slots": [
            { "id": "hero", "goal": "order", "arms": [{ "block": "one" }, { "block": "two", "audience": "german" }] },
            { "id": "cta", "goal": "order", "selector": "div.cta", "arms": [{ "block": "two" }] }
        ]
    })
}

fn config(change: impl FnOnce(&mut Value)) -> Config {
    let mut config = sound();
    change(&mut config);
    serde_json::from_value(config).unwrap()
}

/// The errors of a configuration, and what is left: slots and arms of the first.
fn outcome(config: &Config) -> (Vec<String>, usize, usize) {
    let published = Published { config: config.clone(), learned: Vec::new() };
    let stored = store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap();
    let (snapshot, warnings) = compile(&stored);
    let errors =
        warnings.iter().filter(|w| w.severity == Severity::Error).map(|w| w.pointer.clone()).collect();
    (errors, snapshot.slots.len(), snapshot.slots.first().map_or(0, |slot| slot.arms.len()))
}

#[test]
fn a_sound_configuration_leaves_no_warning() {
    assert_eq!(check(&config(|_| ())), []);
}

#[test]
fn every_mistake_points_to_its_place_and_costs_only_its_item() {
    type Change = fn(&mut Value);
    let cases: &[(Change, &str, usize, usize)] = &[
        (|c| c["site"] = json!("my shop"), "/site", 2, 2),
        (|c| c["holdout"]["share"] = json!(1.5), "/holdout/share", 2, 2),
        (|c| c["privacy"] = json!({ "cookie_days": 0 }), "/privacy/cookie_days", 2, 2),
        (|c| c["ledger"] = json!({ "shards": 65 }), "/ledger/shards", 2, 2),
        (|c| c["pages"] = json!([{ "path": "a", "life_seconds": 1 }]), "/pages/0/path", 2, 2),
        (|c| c["pages"] = json!([{ "path": "/a", "life_seconds": 86_401 }]), "/pages/0/life_seconds", 2, 2),
        (|c| c["ledger"] = json!({ "origins": ["example.org"] }), "/ledger/origins/0", 2, 2),
        (|c| c["goals"][0]["path"] = json!("no slash"), "/goals/0/path", 0, 0),
        (|c| c["goals"][0]["value"] = json!(1e12), "/goals/0/value", 0, 0),
        (|c| c["blocks"][0]["template"] = json!("<script>{{t}}</script>"), "/blocks/0/template", 2, 1),
        (|c| c["blocks"][1]["id"] = json!("one"), "/blocks/1/id", 1, 1),
        (|c| c["slots"][1]["id"] = json!("hero"), "/slots/1/id", 1, 2),
        (|c| c["slots"][1]["selector"] = json!("div:has(p)"), "/slots/1/selector", 1, 2),
        (|c| c["slots"][1]["paths"] = json!(["/ok", "bad"]), "/slots/1/paths/1", 1, 2),
        (|c| c["slots"][1]["rollout"] = json!(-0.1), "/slots/1/rollout", 1, 2),
        (|c| c["slots"][1]["layer"] = json!({ "id": "l", "from": 0.5, "to": 0.4 }), "/slots/1/layer", 1, 2),
        (|c| c["slots"][1]["goal"] = json!("fame"), "/slots/1/goal", 1, 2),
        (|c| c["slots"][1]["audience"] = json!("martians"), "/slots/1/audience", 1, 2),
        (|c| c["slots"][0]["arms"][1]["audience"] = json!("martians"), "/slots/0/arms/1/audience", 2, 1),
        (|c| c["slots"][0]["arms"][1]["block"] = json!("three"), "/slots/0/arms/1/block", 2, 1),
        (|c| c["slots"][0]["arms"][1]["prior"] = json!([0, 1]), "/slots/0/arms/1/prior", 2, 1),
        (|c| c["slots"][0]["arms"][1] = json!({ "block": "one" }), "/slots/0/arms/1/id", 2, 1),
        (|c| c["slots"][1]["arms"] = json!([]), "/slots/1/arms", 1, 2),
        (
            |c| c["slots"][1]["policy"] = json!({ "exploration_floor": 2 }),
            "/slots/1/policy/exploration_floor",
            1,
            2,
        ),
        (|c| c["slots"][1]["policy"] = json!({ "kind": "fixed" }), "/slots/1/policy/baseline", 1, 2),
        (|c| c["slots"][1]["policy"] = json!({ "baseline": "x" }), "/slots/1/policy/baseline", 1, 2),
    ];
    for (change, pointer, n_slots, n_arms) in cases {
        let (errors, slots, arms) = outcome(&config(change));
        assert!(errors.iter().any(|e| e.starts_with(pointer)), "{pointer} is not in {errors:?}");
        assert_eq!((slots, arms), (*n_slots, *n_arms), "{pointer}");
    }
}

#[test]
fn every_mistake_in_an_experiment_points_to_its_place_and_costs_only_its_item() {
    let slot = |field: &str, value: Value| config(|c| c["slots"][1][field] = value);
    let (early, late) = ("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
    let contextual = |features: Value| json!({ "kind": "contextual", "features": features });
    let cases = [
        (config(|c| c["goals"][0]["margin"] = json!(11)), "/goals/0/margin", 0, 0),
        (config(|c| c["goals"][0]["window_hours"] = json!(1_000)), "/goals/0/window_hours", 0, 0),
        (config(|c| c["blocks"][0]["cap"] = json!({ "times": 0, "hours": 1 })), "/blocks/0/cap", 2, 2),
        (slot("also", json!(["fame"])), "/slots/1/also/0", 1, 2),
        (slot("also", json!(["order"])), "/slots/1/also/0", 1, 2),
        (slot("start", json!("soon")), "/slots/1/start", 1, 2),
        (
            config(|c| (c["slots"][1]["start"], c["slots"][1]["end"]) = (json!(late), json!(early))),
            "/slots/1/end",
            1,
            2,
        ),
        (
            slot("ramp", json!([{ "from": late, "share": 0.1 }, { "from": early, "share": 1 }])),
            "/slots/1/ramp/1/from",
            1,
            2,
        ),
        (slot("ramp", json!([{ "from": late, "share": 2 }])), "/slots/1/ramp/0/share", 1, 2),
        (slot("holdout", json!({ "share": 2 })), "/slots/1/holdout/share", 1, 2),
        (slot("tripwires", json!([{ "goal": "fame" }])), "/slots/1/tripwires/0/goal", 1, 2),
        (
            slot("tripwires", json!([{ "goal": "order", "probability": 1 }])),
            "/slots/1/tripwires/0/probability",
            1,
            2,
        ),
        (slot("half_life_hours", json!(1)), "/slots/1/half_life_hours", 1, 2),
        (slot("cap", json!({ "times": 1, "hours": 10_000 })), "/slots/1/cap", 1, 2),
        (slot("policy", contextual(json!([]))), "/slots/1/policy/features", 1, 2),
        (slot("policy", contextual(json!([{ "name": "device" }]))), "/slots/1/policy/features/0", 1, 2),
        (
            slot("policy", contextual(json!([{ "name": "device", "hashed": 64 }]))),
            "/slots/1/policy/features",
            1,
            2,
        ),
        (
            slot("policy", json!({ "features": [{ "name": "device", "hashed": 2 }] })),
            "/slots/1/policy/features",
            1,
            2,
        ),
        // A challenger is never shown, so the slot goes on without it.
        (slot("challenger", json!({ "kind": "fixed" })), "/slots/1/challenger/baseline", 2, 2),
        (slot("arms", json!([{ "block": "two", "cost": 1e12 }])), "/slots/1/arms/0/cost", 1, 2),
        (slot("arms", json!([{ "block": "two", "shadow": true }])), "/slots/1/policy", 1, 2),
    ];
    for (config, pointer, n_slots, n_arms) in cases {
        let (errors, slots, arms) = outcome(&config);
        assert!(errors.iter().any(|e| e == pointer), "{pointer} is not in {errors:?}");
        assert_eq!((slots, arms), (n_slots, n_arms), "{pointer}");
    }
}

#[test]
fn a_slot_that_the_ledger_has_no_room_for_costs_no_other() {
    let arms: Vec<Value> = (0..8).map(|n| json!({ "id": n.to_string() })).collect();
    let contextual = |id: &str, columns: u8| {
        let policy = json!({ "kind": "contextual", "features": [{ "name": "device", "hashed": columns }] });
        json!({ "id": id, "goal": "order", "policy": policy, "arms": arms })
    };
    let plain = json!({ "id": "plain", "goal": "order", "arms": arms });
    // 8 · 49 · 50 / 2 = 9,800 sums and 8 · 64 · 65 / 2 = 16,640 do not fit together; 9,800 and 8 · 3 do.
    let slots = json!([contextual("a", 48), contextual("b", 63), contextual("c", 1), plain]);
    let (errors, slots, _) = outcome(&config(|c| c["slots"] = slots));
    assert_eq!((errors, slots), (vec!["/slots/1/policy/features".to_string()], 3));

    let fading = |id: &str, n: usize| {
        let arms: Vec<Value> = (0..n).map(|n| json!({ "id": n.to_string() })).collect();
        json!({ "id": id, "goal": "order", "half_life_hours": 48, "arms": arms })
    };
    let slots = json!([fading("a", 60), fading("b", 60), fading("c", 40), plain]);
    let (errors, slots, _) = outcome(&config(|c| c["slots"] = slots));
    assert_eq!((errors, slots), (vec!["/slots/1/arms".to_string()], 3));
}

#[test]
fn the_first_entry_for_a_page_says_how_long_it_stands() {
    let pages = json!([{ "path": "/a/b", "life_seconds": 5 }, { "path": "/a/*", "life_seconds": 60 }]);
    let published = Published { config: config(|c| c["pages"] = pages), learned: Vec::new() };
    let (snapshot, _) = compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap());
    assert_eq!(
        ["/a/b", "/a/c", "/b"].map(|path| snapshot.page_at(path).map(|page| page.life_seconds)),
        [Some(5), Some(60), None]
    );
}

#[test]
fn a_condition_that_cannot_be_read_costs_the_slots_that_need_it() {
    let (errors, slots, arms) =
        outcome(&config(|c| c["audiences"][0]["when"] = json!({ "language": { "$regex": "(" } })));
    assert!(errors.iter().any(|e| e.starts_with("/audiences/0/when/language")), "{errors:?}");
    // The arm for that audience is gone; nobody else gets to see it.
    assert_eq!((slots, arms), (2, 1));
}

#[test]
fn what_was_learned_is_published_with_its_chance_to_be_best() {
    let mut statistics = Statistics::default();
    for n in 0..600_u16 {
        let arm = if n % 2 == 0 { "one" } else { "two" };
        let receipt = Receipt {
            decision: DecisionId([
                (n % 251) as u8,
                (n / 251) as u8,
                3,
                4,
                5,
                6,
                7,
                8,
                9,
                10,
                11,
                12,
                13,
                14,
                15,
                16,
            ]),
            unit: None,
            slot: SlotId::new("hero").unwrap(),
            arm: Some(ArmId::new(arm).unwrap()),
            propensity: 0.5,
            version: SnapshotVersion([0; 16]),
            time_millis: 0,
            flags: Flags::default(),
            candidates: Candidates::All,
            shards: 1,
            basis: Basis::default(),
        };
        let mut tokens = Tokens::default();
        statistics.apply(&fold(&mut tokens, &Event::exposure(&receipt, None)).1);
        if arm == "two" && n % 10 == 1 {
            let goal = crate::id::GoalId::new("order").unwrap();
            statistics.apply(&fold(&mut tokens, &Event::reward(&receipt, &goal, 1.0, None).unwrap()).1);
        }
    }
    let learned = learn(&config(|_| ()), &statistics, Since::default());
    assert_eq!(learned.iter().map(|l| l.slot.as_str()).collect::<Vec<_>>(), ["cta", "hero"]);
    let hero = &learned[1].arms;
    assert_eq!((hero[0].exposures, hero[0].rewards, hero[1].exposures, hero[1].rewards), (300, 0, 300, 60));
    assert!(hero[1].weight > 0.999_999 && (hero[0].weight + hero[1].weight - 1.0).abs() < 1e-9);
    let treatment = Treatment::Arm(ArmId::new("two").unwrap());
    assert!(statistics.counts(&SlotId::new("hero").unwrap(), &treatment).is_some());

    let stored = store::encode(&Published { config: config(|_| ()), learned }, 1, 1).unwrap();
    let (snapshot, _) = compile(&store::decode(&stored).unwrap());
    // Published weights are used as they are: the default floor of 0.01 is what the worse arm keeps.
    let shares = snapshot.slots[0].chooser.shares().unwrap();
    assert!((shares[0] - 0.01).abs() < 1e-6 && (shares[1] - 0.99).abs() < 1e-6, "{shares:?}");
}
