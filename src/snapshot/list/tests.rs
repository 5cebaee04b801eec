//! Lists from their stored form to what is learned of them.

use crate::context::{Action, Context};
use crate::decide::{Choice, arms, counted, decide};
use crate::event::Event;
use crate::fold::{Tokens, fold};
use crate::id::{ArmId, DecisionId, GoalId, VisitorKey};
use crate::replay::{ReplayError, replay_with};
use crate::seed::{Generator, Seed};
use crate::snapshot::{Since, Snapshot, Warning, compile, learn, store, wire};
use crate::sorted::SortedMap;
use crate::statistics::{Statistics, list_of};
use serde_json::{Value, json};
use std::sync::Arc;

fn config(change: impl FnOnce(&mut Value)) -> wire::Config {
    let mut config = json!({
        "site": "magazine",
        "holdout": { "share": 0.1 },
        "goals": [{ "id": "read" }],
        "blocks": [
            { "id": "teaser", "template": "<a href=\"{{link}}\">{{title}}</a>", "fields": { "link": { "url": "/" }, "title": { "text": "" } } },
            { "id": "usual", "template": "<p>the usual</p>" }
        ],
        "indexes": [{ "id": "articles", "path": "/articles/{id}" }],
        "slots": [{
            "id": "next", "goal": "read", "arms": [{ "block": "usual" }],
            "list": { "index": "articles", "block": "teaser", "length": 3 },
        }],
    });
    change(&mut config);
    serde_json::from_value(config).unwrap()
}

fn compiled(config: &wire::Config, learned: Vec<wire::LearnedSlot>) -> (Snapshot, Vec<Warning>) {
    let published = wire::Published { config: config.clone(), learned };
    compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap())
}

fn sound(config: &wire::Config, learned: Vec<wire::LearnedSlot>) -> Snapshot {
    let (snapshot, warnings) = compiled(config, learned);
    assert_eq!(warnings, []);
    snapshot
}

/// Items with falling similarity.
fn context(n_items: usize) -> Context {
    let item = |n: usize| Action {
        id: ArmId::new(&format!("item-{n}")).unwrap(),
        features: json!({ "similarity": 0.9 - 0.05 * n as f64 }).as_object().unwrap().clone(),
    };
    let actions = [("next".to_string(), (0..n_items).map(item).collect())].into_iter().collect();
    Context { path: "/articles/x".into(), actions, ..Context::default() }
}

fn seed(n: u64) -> Seed {
    let id = u128::from(n + 1) * 0x9e37_79b9_7f4a_7c15_1234_5678;
    Seed::of_visitor("magazine", &VisitorKey(id.to_le_bytes()), DecisionId(id.to_le_bytes()))
}

fn action(choice: &Choice) -> Option<&str> {
    choice.basis.as_ref()?.action.as_ref().map(ArmId::as_str)
}

#[test]
fn what_was_read_beforehand_is_chosen_like_what_is_read_now() {
    let snapshot = sound(&config(|_| {}), Vec::new());
    let now = context(6);
    let assortment = snapshot.slots[0].assortment(now.actions.get("next").unwrap()).unwrap();
    let assortments = [("next".to_string(), Arc::new(assortment))].into_iter().collect();
    let before = Context { actions: SortedMap::new(), assortments, ..now.clone() };
    for n in 0..50 {
        let seed = seed(n);
        assert_eq!(decide(&snapshot, &before, &seed), decide(&snapshot, &now, &seed));
    }
    // One that other features were read of is none.
    let other = sound(
        &config(|c| {
            c["slots"][0]["list"]["features"] =
                json!([{ "name": "similarity", "number": { "mean": 0.4, "scale": 0.25 } }]);
        }),
        Vec::new(),
    );
    assert!(decide(&other, &before, &seed(1)).choices.iter().all(|choice| choice.action.is_none()));
}

#[test]
fn each_place_has_another_item_and_its_own_receipt_that_can_be_replayed() {
    let snapshot = sound(&config(|_| {}), Vec::new());
    assert_eq!(
        snapshot.slots.iter().map(|slot| slot.id.as_str()).collect::<Vec<_>>(),
        ["next.1", "next.2", "next.3"]
    );
    assert!(
        snapshot.slots.iter().all(|slot| slot.css == snapshot.slots[0].css && slot.chooser.is_per_view())
    );
    let context = context(6);
    let all = &context.actions.get("next").unwrap()[..];
    for n in 0..200 {
        let seed = seed(n);
        let decision = decide(&snapshot, &context, &seed);
        let mut taken: Vec<&str> = Vec::new();
        for choice in &decision.choices {
            let item = action(choice).unwrap();
            assert!(!taken.contains(&item), "{taken:?} {item}");
            assert!(choice.propensity > 0.0 && choice.propensity < 1.0);
            assert_eq!(choice.arm.is_none(), decision.held_out);
            let receipt = choice.receipt(&snapshot, &seed, 0).unwrap();
            assert_eq!(replay_with(&snapshot, &receipt, all).unwrap().propensity, choice.propensity);
            assert_eq!(replay_with(&snapshot, &receipt, &all[1..]), Err(ReplayError::Actions));
            taken.push(item);
        }
    }
}

#[test]
fn without_items_the_arms_stand_in_and_other_places_stay_empty() {
    let snapshot = sound(&config(|_| {}), Vec::new());
    let without = Context { path: "/".into(), ..Context::default() };
    let shown = |context: &Context, n| {
        let decision = decide(&snapshot, context, &seed(n));
        let name = |choice: &Choice| {
            Some(snapshot.slots[choice.slot].arms[choice.arm.or(choice.ghost)?].id.to_string())
        };
        decision.choices.iter().map(name).collect::<Vec<_>>()
    };
    for n in 0..50 {
        assert_eq!(shown(&without, n), [Some("usual".to_string()), None, None]);
        // Two items for three places.
        assert_eq!(shown(&context(2), n), [Some("items".to_string()), Some("items".to_string()), None]);
    }
}

#[test]
fn nearer_items_come_first_before_anything_was_learned() {
    let snapshot = sound(&config(|_| {}), Vec::new());
    let mut counts = [0_u32; 10];
    for n in 0..4_000 {
        let decision = decide(&snapshot, &context(10), &seed(n));
        let item = action(&decision.choices[0]).unwrap();
        counts[item.trim_start_matches("item-").parse::<usize>().unwrap()] += 1;
    }
    assert!(counts[0] > counts[9] * 3 / 2, "{counts:?}");
    assert!(counts.iter().all(|n| *n > 40), "every item has its chance: {counts:?}");
}

#[test]
fn what_an_item_earned_anywhere_is_believed_everywhere() {
    let config = config(|_| {});
    let (mut statistics, mut learned) = (Statistics::default(), Vec::new());
    let goal = GoalId::new("read").unwrap();
    let mut generator = Generator::new(11);
    let mut firsts = Vec::new();
    for round in 0..4_u64 {
        let snapshot = sound(&config, learned);
        let mut first = [0_u32; 10];
        for n in 0..1_500 {
            let seed = seed(round * 10_000 + n);
            for choice in decide(&snapshot, &context(10), &seed).choices {
                let Some(item) = action(&choice) else { continue };
                // The seventh is read far more often than its similarity says, in whichever place it stands.
                let rate = if item == "item-7" { 0.3 } else { 0.05 };
                if choice.slot == 0 {
                    first[item.trim_start_matches("item-").parse::<usize>().unwrap()] += 1;
                }
                let receipt = choice.receipt(&snapshot, &seed, 0).unwrap();
                let mut tokens = Tokens::default();
                statistics.apply(&fold(&mut tokens, &Event::exposure(&receipt, None)).1);
                if generator.unit() < rate {
                    let reward = Event::reward(&receipt, &goal, 1.0, None).unwrap();
                    statistics.apply(&fold(&mut tokens, &reward).1);
                }
            }
        }
        firsts.push(first);
        learned = learn(&config, &statistics, Since::default());
    }
    let share = |first: &[u32; 10]| f64::from(first[7]) / f64::from(first.iter().sum::<u32>());
    assert!(share(&firsts[0]) < 0.2, "{firsts:?}");
    // The floor leaves nine others a hundredth each.
    assert!(share(&firsts[3]) > 0.85, "{firsts:?}");
    let items = learned[0].arms.iter().find_map(|arm| arm.items.as_ref()).unwrap();
    assert_eq!(items.items.len(), 10);
    let exposures: f64 = items.items.iter().map(|item| item.exposures).sum();
    let counted: u64 = learned
        .iter()
        .flat_map(|slot| &slot.arms)
        .filter(|arm| arm.arm == "items")
        .map(|arm| arm.exposures)
        .sum();
    assert_eq!(exposures, counted as f64);
    assert!(learned[1].arms.iter().all(|arm| arm.items.is_none()), "published once");
    let bytes = statistics.to_bytes();
    assert_eq!(Statistics::from_bytes(&bytes), Ok(statistics));
}

#[test]
fn the_visitors_of_a_list_are_the_same_in_all_places() {
    let config = config(|config| {
        config["slots"][0]["rollout"] = json!(0.5);
        config["slots"][0]["holdout"] = json!({ "share": 0.3 });
    });
    let snapshot = sound(&config, Vec::new());
    for n in 0..300 {
        let choices = decide(&snapshot, &context(5), &seed(n)).choices;
        assert!(choices.iter().all(|choice| choice.reason == choices[0].reason), "{choices:?}");
    }
}

#[test]
fn a_cap_is_of_the_list_and_the_arms_alone_are_those_of_the_decision() {
    let snapshot =
        sound(&config(|config| config["slots"][0]["cap"] = json!({ "times": 2, "hours": 24 })), Vec::new());
    for n in 0..200 {
        let mut context = context(2 + n as usize % 4);
        for view in 0..3 {
            let seed = seed(1_000 * view + n);
            let decision = decide(&snapshot, &context, &seed);
            let expected: Vec<_> = decision.choices.iter().map(|choice| (choice.slot, choice.arm)).collect();
            assert_eq!(arms(&snapshot, &context, &seed).collect::<Vec<_>>(), expected);
            let is_filled = decision.choices.iter().any(|choice| choice.arm.or(choice.ghost).is_some());
            assert_eq!(is_filled, view < 2, "all places or none");
            for choice in &decision.choices {
                for (key, hours) in counted(&snapshot.slots[choice.slot], choice) {
                    context.seen.add(key, hours, context.time_millis);
                }
            }
        }
    }
}

#[test]
fn a_list_that_cannot_be_used_costs_only_itself() {
    let change = |pointer: &str, value: Value| {
        let config = config(|config| {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(parent).unwrap()[name] = value;
        });
        let (snapshot, warnings) = compiled(&config, Vec::new());
        (snapshot.slots.len(), warnings.iter().map(|w| w.pointer.clone()).collect::<Vec<_>>())
    };
    for (pointer, value) in [
        ("/slots/0/list/index", json!("novels")),
        ("/slots/0/list/block", json!("nothing")),
        ("/slots/0/list/length", json!(0)),
        ("/slots/0/list/length", json!(13)),
        ("/slots/0/list/candidates", json!(2)),
        ("/slots/0/list/diversity", json!(1.5)),
        ("/slots/0/list/shared_weight", json!(0)),
        ("/slots/0/list/prior", json!([0, 1])),
        ("/slots/0/list/filters", json!([{ "field": "stock", "min": 1, "one_of": ["a"] }])),
        ("/slots/0/list/filters", json!([{ "field": "stock", "min": 2, "max": 1 }])),
        ("/slots/0/list/interest", json!({ "seen": 2 })),
        ("/slots/0/policy", json!({ "kind": "uniform" })),
        ("/slots/0/challenger", json!({ "kind": "uniform" })),
        ("/slots/0/arms", json!([{ "block": "usual" }, { "id": "items" }])),
        ("/slots/0/list/features", json!([{ "name": "similarity" }])),
    ] {
        let (n_slots, pointers) = change(pointer, value.clone());
        assert_eq!((n_slots, pointers.len()), (0, 1), "{pointer} {value} {pointers:?}");
        assert!(pointers[0].starts_with(pointer), "{pointer} {pointers:?}");
    }
    let (n_slots, pointers) = change("/indexes/0/path", json!("/articles/*"));
    assert_eq!((n_slots, &pointers[..]), (3, &["/indexes/0/path".to_string()][..]));
    // The names of its places are taken, as is its own.
    for id in ["next", "next.2"] {
        let config = config(|config| {
            let slot = json!({ "id": id, "goal": "read", "arms": [{ "block": "usual" }] });
            config["slots"].as_array_mut().unwrap().push(slot);
        });
        let (snapshot, warnings) = compiled(&config, Vec::new());
        assert_eq!((snapshot.slots.len(), warnings.len()), (3, 1), "{id}");
    }
}

#[test]
fn a_page_of_an_index_names_its_item() {
    let snapshot = sound(&config(|_| {}), Vec::new());
    let index = &snapshot.indexes[0];
    assert_eq!(index.item_at("/articles/tea"), Some("tea"));
    assert_eq!(
        (index.item_at("/articles/"), index.item_at("/articles/tea/more"), index.item_at("/")),
        (None, None, None)
    );
    assert_eq!(list_of(&snapshot.slots[2].id).map(|list| list.to_string()).as_deref(), Some("next"));
}
