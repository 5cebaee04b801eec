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
