//! What slots can be configured with, a row each; a new feature that decides about arms gets a new row.
//!
//! A row needs a configuration, and, where visits differ in what they bring, their kinds: in a cell of kind, candidates, arms of
//! earlier slots and what was seen before, an arm must have one propensity. Where a cell has two, the test says so, and the row has
//! to tell its kinds apart.

use crate::site::{NOW, of_visitor};
use edgeloom::context::{Action, Context, Device};
use edgeloom::decide::Decision;
use edgeloom::id::{ArmId, BlockId};
use edgeloom::saturation::{Seen, SeenKey};
use edgeloom::seed::Seed;
use serde_json::{Value, json};

/// One configuration and who visits it. A visitor is of one kind and comes some times, every seven hours, remembering what was shown.
pub struct Case {
    pub name: &'static str,
    pub config: Value,
    /// Kinds of visits; times and what is remembered are added. All that decides about a propensity but for the history.
    pub visits: Vec<Context>,
    /// Views of each visitor.
    pub views: u64,
    /// Who comes.
    pub seeds: fn(u64, u64) -> Seed,
    /// Share of visitors, by slot and view, that take part.
    pub takes_part: Vec<(&'static str, u64, f64)>,
    /// Whether those who took part once go on to.
    pub stays: bool,
    /// Share of these that is held out.
    pub held_out: f64,
    /// A slot that a tripwire has stopped.
    pub tripped: Option<&'static str>,
    /// What must hold in every decision; says what doesn't.
    pub law: Option<fn(&Decision) -> Option<String>>,
    /// Choices per decision that are compared, at least: nobody is to believe a case that compares nothing.
    pub choices_least: f64,
}

/// Some slots, with visits of one kind that come once.
fn case(name: &'static str, slots: Value) -> Case {
    let config = json!({
        "site": "shop",
        "holdout": { "share": 0.1, "salt": "2026" },
        "audiences": [
            { "id": "phones", "when": { "device": "phone" } },
            { "id": "german", "when": { "language": { "$regex": "^de" } } }
        ],
        "goals": [
            { "id": "order", "value": 48, "margin": 0.4 },
            { "id": "signup", "value": 3 },
            { "id": "return", "value": 30, "margin": -0.5 },
            { "id": "basket", "value": 40, "margin": 0.3, "amounts": true },
            { "id": "reply", "window_hours": 48 }
        ],
        "blocks": [
            block("a"), block("b"), block("c"), block("d"),
            { "id": "once", "template": "<p>once</p>", "cap": { "times": 1, "hours": 20 } },
            { "id": "twice", "template": "<p>twice</p>", "cap": { "times": 2, "hours": 48 } }
        ],
        "slots": slots,
    });
    Case {
        name,
        config,
        visits: vec![Context { path: "/".into(), ..Context::default() }],
        views: 1,
        seeds: of_visitor,
        takes_part: Vec::new(),
        stays: false,
        held_out: 0.1,
        tripped: None,
        law: None,
        choices_least: 0.9,
    }
}

fn block(id: &str) -> Value {
    json!({ "id": id, "template": format!("<p>{id}</p>") })
}

/// The same slot twice on one page: with visitors who keep their arm, and with new draws at each view.
fn both(policy: Value, slot: Value) -> Value {
    let with = |id: &str, assignment: &str| {
        let mut slot = slot.clone();
        slot["id"] = json!(id);
        slot["goal"] = slot.get("goal").cloned().unwrap_or(json!("order"));
        slot["policy"] = policy.clone();
        slot["policy"]["assignment"] = json!(assignment);
        slot
    };
    json!([with("kept", "sticky"), with("drawn", "per_view")])
}

/// Four arms without blocks, so that two slots take nothing from each other.
fn four() -> Value {
    json!({ "arms": [{ "id": "1" }, { "id": "2" }, { "id": "3" }, { "id": "4" }] })
}

/// Phones and desktops, German and English.
fn four_kinds() -> Vec<Context> {
    let kinds = [Device::Phone, Device::Desktop].map(|device| ["de-at", "en"].map(|word| (device, word)));
    let visit = |(device, language): (Device, &str)| Context {
        path: "/".into(),
        device,
        language: Some(language.into()),
        ..Context::default()
    };
    kinds.as_flattened().iter().copied().map(visit).collect()
}

fn contextual(more: Value) -> Value {
    let mut policy = json!({
        "kind": "contextual",
        "features": [{ "name": "device", "one_of": ["phone"] }, { "name": "language", "hashed": 2 }]
    });
    for (name, value) in more.as_object().unwrap() {
        policy[name] = value.clone();
    }
    policy
}

/// All that is compared.
pub fn cases() -> Vec<Case> {
    [plain(), values(), candidates(), slates(), taking_part(), with_context()].into_iter().flatten().collect()
}

/// Thompson sampling, how long a visitor keeps an arm, and limits.
fn plain() -> Vec<Case> {
    let limited = |policy| both(policy, four());
    vec![
        case("thompson", limited(json!({}))),
        Case { views: 4, ..case("visitors who come back", limited(json!({}))) },
        Case {
            seeds: |visitor, view| Seed::of_view(of_visitor(visitor, view).decision),
            ..case("nobody known", limited(json!({})))
        },
        case("exploration floor", limited(json!({ "exploration_floor": 0.06 }))),
        // Of 1,500 visits some arms have got as many and some have not.
        case("burn-in", limited(json!({ "burn_in": 680 }))),
        case("maximum share", limited(json!({ "max_share": 0.4 }))),
        case("baseline share", limited(json!({ "baseline": "3", "baseline_share": 0.3 }))),
        case(
            "all limits",
            limited(
                json!({ "exploration_floor": 0.03, "max_share": 0.45, "baseline": "2", "baseline_share": 0.2 }),
            ),
        ),
        case("uniform", limited(json!({ "kind": "uniform", "baseline": "1", "baseline_share": 0.4 }))),
        case("fixed", limited(json!({ "kind": "fixed", "baseline": "1" }))),
        Case { tripped: Some("kept"), ..case("tripped", limited(json!({ "baseline": "4" }))) },
    ]
}

/// What arms are compared by.
fn values() -> Vec<Case> {
    let arms = json!([{ "id": "1", "cost": 0.1 }, { "id": "2" }, { "id": "3", "cost": 0.05 }]);
    let slot = |goal: &str, also: Value| json!({ "goal": goal, "also": also, "arms": arms });
    let mut fading = four();
    fading["half_life_hours"] = json!(480);
    vec![
        case("worth of several goals", both(json!({}), slot("order", json!(["signup", "return"])))),
        case(
            "amounts that are learned",
            both(json!({ "exploration_floor": 0.02 }), slot("basket", json!([]))),
        ),
        case("what was learned fades", both(json!({}), fading)),
        case("goals that take their time", both(json!({}), slot("reply", json!(["order"])))),
    ]
}

/// Who may be chosen: audiences, caps, blocks that stand on the page already.
fn candidates() -> Vec<Case> {
    let of_audiences = json!({ "arms": [
        { "id": "1", "audience": "phones" }, { "id": "2" }, { "id": "3", "audience": "german" }, { "id": "4" }, { "id": "5" }
    ] });
    let capped = json!({ "arms": [{ "block": "once" }, { "block": "twice" }, { "id": "2" }, { "id": "3" }] });
    let limits = json!({ "exploration_floor": 0.02, "baseline": "2", "baseline_share": 0.3 });
    let slate = |policies: [Value; 3]| {
        let [first, second, third] = policies;
        json!([
            { "id": "first", "goal": "order", "policy": first, "arms": [{ "block": "a" }, { "block": "b" }, { "block": "c" }] },
            { "id": "second", "goal": "order", "policy": second, "arms": [{ "block": "a" }, { "block": "b" }, {}] },
            { "id": "third", "goal": "order", "policy": third, "arms": [{ "block": "a" }, { "block": "c" }, { "block": "d" }, { "block": "b" }] }
        ])
    };
    let even = json!({ "kind": "uniform", "assignment": "per_view", "baseline": "c", "baseline_share": 0.5 });
    let mut seen_before = Seen::default();
    seen_before.add(SeenKey::of_block(&BlockId::new("once").unwrap()), 20, NOW);
    let known = [Seen::default(), seen_before];
    let visits = known.map(|seen| Context { path: "/".into(), seen, ..Context::default() }).to_vec();
    let mut one_cap = both(limits.clone(), capped);
    one_cap.as_array_mut().unwrap().truncate(1);
    vec![
        Case { visits: four_kinds(), ..case("arms of audiences", both(json!({}), of_audiences.clone())) },
        Case {
            visits: four_kinds(),
            ..case("arms of audiences with limits", both(limits.clone(), of_audiences))
        },
        Case { visits, views: 6, ..case("caps of blocks, some of them reached elsewhere", one_cap) },
        Case {
            views: 5,
            choices_least: 0.5,
            ..case(
                "cap of a slot",
                both(json!({}), json!({ "cap": { "times": 2, "hours": 24 }, "arms": four()["arms"] })),
            )
        },
        Case { views: 2, ..case("slates", slate([json!({}), json!({}), even])) },
    ]
}

/// What blocks mean to each other on a page, and worth that falls.
fn slates() -> Vec<Case> {
    let slot = |id: &str, assignment: &str, blocks: &[&str]| {
        let arms: Vec<Value> = blocks.iter().map(|block| json!({ "block": block })).collect();
        json!({ "id": id, "goal": "order", "policy": { "assignment": assignment, "exploration_floor": 0.02 }, "arms": arms })
    };
    let page = |name, combinations: Value| {
        let all = ["a", "b", "c", "d"];
        let slots = json!([
            slot("first", "sticky", &all),
            slot("second", "per_view", &all),
            slot("third", "sticky", &all[1..])
        ]);
        let mut case = Case { views: 2, choices_least: 0.8, ..case(name, slots) };
        case.config["combinations"] = combinations;
        for (at, tags) in [(0, ["offer"]), (1, ["offer"]), (2, ["offer"]), (3, ["story"])] {
            case.config["blocks"][at]["tags"] = json!(tags);
        }
        case
    };
    let mut tiring = Case {
        views: 5,
        ..case(
            "worth that falls with each view",
            json!([slot("kept", "sticky", &["a", "b", "c"]), slot("drawn", "per_view", &["a", "d"])]),
        )
    };
    tiring.config["blocks"][0]["fades"] = json!({ "factor": 0.6, "hours": 20 });
    tiring.config["blocks"][1]["fades"] = json!({ "factor": 0.8, "hours": 100 });
    tiring.config["slots"][0]["arms"][2]["cost"] = json!(0.1);
    let together = json!([{ "blocks": ["a", "b", "c"], "pinned": true }]);
    let mut challenged = page("challenger beside what belongs together", together);
    challenged.config["slots"][1]["challenger"] = json!({ "kind": "uniform" });
    vec![
        challenged,
        page(
            "no more of a kind than may be",
            json!([{ "tag": "offer", "most": 1 }, { "blocks": ["b", "d"], "most": 1 }]),
        ),
        page(
            "what belongs together",
            json!([{ "blocks": ["a", "b"], "pinned": true }, { "blocks": ["c", "d"], "pinned": true }]),
        ),
        page(
            "worth less beside its like",
            json!([{ "tag": "offer", "fades": 0.7 }, { "blocks": ["a", "d"], "fades": 0.9 }]),
        ),
        tiring,
    ]
}

/// Who takes part at all, and in whose sight.
fn taking_part() -> Vec<Case> {
    let with = |field: &str, value: Value| {
        let mut slot = four();
        slot[field] = value;
        both(json!({}), slot)
    };
    let ramp = json!([
        { "from": "2026-11-01T00:00:00Z", "share": 0.2 },
        { "from": "2026-11-24T15:00:00Z", "share": 0.5 },
        { "from": "2026-11-25T00:00:00Z", "share": 1.0 }
    ]);
    let mut layered = both(json!({}), four());
    layered[0]["layer"] = json!({ "id": "l", "from": 0.0, "to": 0.35 });
    layered[1]["layer"] = json!({ "id": "l", "from": 0.35, "to": 1.0 });
    let meets = |decision: &Decision| {
        let n = decision.choices.iter().filter(|choice| choice.arm.or(choice.ghost).is_some()).count();
        (n != 1).then(|| format!("{n} parts of one layer"))
    };
    let challenged = |challenger: Value| {
        let mut slot = four();
        slot["challenger"] = challenger;
        slot["arms"].as_array_mut().unwrap().push(json!({ "id": "5", "shadow": true, "prior": [5, 80] }));
        both(json!({ "exploration_floor": 0.03 }), slot)
    };
    vec![
        Case {
            takes_part: vec![("kept", 0, 0.4), ("drawn", 0, 0.4)],
            choices_least: 0.5,
            ..case("roll-out", with("rollout", json!(0.4)))
        },
        Case {
            views: 3,
            stays: true,
            takes_part: vec![("kept", 0, 0.2), ("kept", 1, 0.5), ("drawn", 1, 0.5), ("drawn", 2, 1.0)],
            ..case("a pilot that grows", with("ramp", ramp))
        },
        Case {
            takes_part: vec![("kept", 0, 0.35), ("drawn", 0, 0.65)],
            law: Some(meets),
            ..case("layers", layered)
        },
        Case { held_out: 0.28, ..case("a slot's own holdout", with("holdout", json!({ "share": 0.2 }))) },
        case("challenger", challenged(json!({ "max_share": 0.3 }))),
        case("challenger that draws", challenged(json!({ "assignment": "per_view" }))),
        Case {
            visits: four_kinds(),
            ..case("challenger with context", json!([challenged(contextual(json!({})))[0]]))
        },
    ]
}

/// Policies that look at the visit.
fn with_context() -> Vec<Case> {
    let limits =
        json!({ "exploration_floor": 0.03, "baseline": "2", "baseline_share": 0.25, "max_share": 0.6 });
    let kinds = |name, slots| Case { visits: four_kinds(), ..case(name, slots) };
    let three = json!({ "arms": [{ "id": "1" }, { "id": "2" }, { "id": "3", "cost": 0.2 }] });
    let offered = json!({ "arms": [
        { "id": "1" }, { "id": "x" }, { "id": "products", "block": "a", "actions": [{ "name": "price", "number": { "mean": 20, "scale": 10 } }] }
    ] });
    let action = |(id, price): (&str, f64)| Action {
        id: ArmId::new(id).unwrap(),
        features: json!({ "price": price }).as_object().unwrap().clone(),
    };
    let bring = |mut visit: Context| {
        // Phones are brought three actions, desktops two, and the English ones among them none.
        let n = match (visit.device, visit.language.as_deref()) {
            (Device::Phone, _) => 3,
            (_, Some("en")) => 0,
            _ => 2,
        };
        let actions: Vec<Action> =
            [("x", 10.0), ("y", 25.0), ("z", 60.0)].into_iter().take(n).map(action).collect();
        visit.actions =
            ["kept", "drawn"].map(|slot| (slot.to_string(), actions.clone())).into_iter().collect();
        visit
    };
    let partial = json!({ "arms": [{ "id": "1", "audience": "phones" }, { "id": "2" }, { "block": "twice" }, { "id": "3" }] });
    let mut brought = Case {
        visits: four_kinds().into_iter().map(bring).collect(),
        views: 3,
        ..case(
            "arms that come with the request, one with the name of another, and fade",
            both(contextual(json!({ "exploration_floor": 0.02 })), offered),
        )
    };
    brought.config["blocks"][0]["fades"] = json!({ "factor": 0.7, "hours": 24 });
    // A block stands once on a page, so each has a page of its own.
    brought.config["slots"].as_array_mut().unwrap().truncate(1);
    let item = |(id, similarity, topic): (&str, f64, &str)| Action {
        id: ArmId::new(id).unwrap(),
        features: json!({ "similarity": similarity, "topic": topic }).as_object().unwrap().clone(),
    };
    let look_up = |mut visit: Context| {
        // Of four items for three places phones find all, desktops two, and the German ones among them none.
        let n = match (visit.device, visit.language.as_deref()) {
            (Device::Phone, _) => 4,
            (_, Some("de")) => 0,
            _ => 2,
        };
        let items = [("p", 0.9, "tea"), ("q", 0.7, "tea"), ("r", 0.5, "cups"), ("s", 0.2, "cups")];
        let items = items.into_iter().take(n).map(item).collect();
        visit.actions = [("next".to_string(), items)].into_iter().collect();
        visit
    };
    let listed = json!([{
        "id": "next", "goal": "order", "also": ["signup"],
        "policy": { "exploration_floor": 0.02, "features": [{ "name": "device", "one_of": ["phone"] }] },
        "arms": [{ "block": "a" }, { "block": "b" }],
        "list": {
            "index": "things", "block": "c", "length": 3, "candidates": 4, "shared_weight": 20,
            "features": [
                { "name": "similarity", "number": { "mean": 0.5, "scale": 0.25 } },
                { "name": "position", "number": { "mean": 1, "scale": 2 } },
                { "name": "topic", "one_of": ["tea"] }
            ],
        },
    }]);
    let mut lists = Case {
        visits: four_kinds().into_iter().map(look_up).collect(),
        views: 2,
        choices_least: 1.2,
        ..case("lists", listed)
    };
    lists.config["indexes"] = json!([{ "id": "things" }]);
    let slot = |policy: Value, slot: &Value, at: usize| json!([both(policy, slot.clone())[at]]);
    vec![
        kinds("context", slot(contextual(json!({})), &three, 0)),
        kinds("context, drawn anew, with limits", slot(contextual(limits), &three, 1)),
        Case { views: 4, ..kinds("context, audiences and caps", slot(contextual(json!({})), &partial, 0)) },
        brought,
        lists,
    ]
}
