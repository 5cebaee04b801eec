//! Candidates of lists, from an index to a receipt and back.

use super::*;
use crate::decide::decide;
use crate::id::{DecisionId, VisitorKey};
use crate::index::build::{Item, Options, build};
use crate::index::{Index, Kind};
use crate::replay::{ReplayError, replay_with};
use crate::seed::{Generator, Seed};
use crate::snapshot::{compile, store};
use serde_json::json;

/// Items of two topics, which are two directions, with some noise.
fn catalogue(n: usize) -> Catalogue {
    let mut generator = Generator::new(5);
    let item = |at: usize| {
        let topic = at % 2;
        let values: Vec<f32> = (0..16)
            .map(|axis| generator.unit() as f32 * 0.4 + if axis % 2 == topic { 1.0 } else { 0.0 })
            .collect();
        let fields = json!({
            "topic": (["tea", "cups"][topic]), "title": format!("Item {at}"), "link": format!("/items/item-{at}"),
            "views": at * 10, "stock": at % 5,
        });
        Item {
            id: format!("item-{at}"),
            fields: fields.as_object().unwrap().clone(),
            embedding: Embedding::new(&values).unwrap(),
        }
    };
    let bytes = build((0..n).map(item).collect(), &Options::new("test", Kind::Flat)).unwrap();
    Catalogue::new(vec![Index::open(bytes).unwrap()]).unwrap()
}

fn snapshot(list: Value) -> Snapshot {
    let published = snapshot_config(list);
    let (snapshot, warnings) = compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap());
    assert_eq!(warnings, []);
    snapshot
}

fn snapshot_config(list: Value) -> wire::Published {
    let mut all =
        json!({ "index": "things", "block": "teaser", "length": 2, "candidates": 6, "popularity": "views" });
    all.as_object_mut().unwrap().extend(list.as_object().unwrap().clone());
    let config = json!({
        "site": "shop", "holdout": { "share": 0 }, "goals": [{ "id": "read" }],
        "blocks": [{ "id": "teaser", "template": "<a href=\"{{link}}\">{{title}}</a>", "fields": { "link": { "url": "/" }, "title": { "text": "" } } }],
        "indexes": [{ "id": "things", "path": "/items/{id}" }],
        "slots": [{ "id": "next", "goal": "read", "list": all, "arms": [] }],
    });
    wire::Published { config: serde_json::from_value(config).unwrap(), ..wire::Published::default() }
}

fn list(snapshot: &Snapshot) -> &List {
    &snapshot.slots[0].list.as_ref().unwrap().list
}

/// Names of what is found for a visit.
fn found(snapshot: &Snapshot, catalogue: &Catalogue, context: &Context) -> Vec<String> {
    let list = list(snapshot);
    let own = own_item(snapshot, &list.index, catalogue, &context.path);
    let lookup = lookup(catalogue, own, context);
    let popular = list.popularity.as_ref().map(|field| Popular::of(catalogue, field));
    let found = candidates(list, catalogue, popular.as_ref(), Interest { lookup: &lookup, declared: None });
    found.iter().map(|found| found.action.id.to_string()).collect()
}

fn topic(id: &str) -> usize {
    id.trim_start_matches("item-").parse::<usize>().unwrap() % 2
}

fn on(path: &str) -> Context {
    Context { path: path.into(), time_millis: 1_795_525_500_000, ..Context::default() }
}

#[test]
fn a_page_of_an_item_finds_its_like_and_never_itself() {
    let (snapshot, catalogue) = (snapshot(json!({})), catalogue(60));
    let found = found(&snapshot, &catalogue, &on("/items/item-8"));
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|id| topic(id) == 0 && id != "item-8"), "{found:?}");
}

#[test]
fn without_interest_what_is_popular_comes_first() {
    let (snapshot, catalogue) =
        (snapshot(json!({ "filters": [{ "field": "topic", "one_of": ["cups"] }] })), catalogue(60));
    assert_eq!(
        found(&snapshot, &catalogue, &on("/")),
        ["item-59", "item-57", "item-55", "item-53", "item-51", "item-49"]
    );
}

#[test]
fn what_was_seen_draws_and_does_not_come_again() {
    let catalogue = catalogue(60);
    let mut context = on("/");
    for seen in ["item-3", "item-5"] {
        context.trail.add(short_id(seen), context.time_millis);
    }
    let next = found(&snapshot(json!({})), &catalogue, &context);
    assert!(next.iter().all(|id| topic(id) == 1 && id != "item-3" && id != "item-5"), "{next:?}");
    let again = found(&snapshot(json!({ "repeats": true, "diversity": 0 })), &catalogue, &context);
    assert!(again.contains(&"item-5".into()), "{again:?}");
}

#[test]
fn filters_and_what_has_to_agree_are_asked_of_each_item() {
    let catalogue = catalogue(60);
    let only = |list: Value, is_right: &dyn Fn(&str) -> bool| {
        let found = found(&snapshot(list), &catalogue, &on("/items/item-7"));
        assert!(found.len() == 6 && found.iter().all(|id| is_right(id)), "{found:?}");
    };
    let number = |id: &str| id.trim_start_matches("item-").parse::<usize>().unwrap();
    only(json!({ "filters": [{ "field": "stock", "min": 1 }] }), &|id| number(id) % 5 >= 1);
    only(json!({ "filters": [{ "field": "topic", "none_of": ["cups"] }] }), &|id| topic(id) == 0);
    only(json!({ "filters": [{ "field": "views", "past": true }] }), &|_| true);
    only(json!({ "same": ["topic"], "filters": [{ "field": "views", "max": 300 }] }), &|id| {
        topic(id) == 1 && number(id) <= 30
    });
    let nothing = snapshot(json!({ "filters": [{ "field": "views", "future": true }] }));
    assert_eq!(found(&nothing, &catalogue, &on("/items/item-7")), Vec::<String>::new());
}

#[test]
fn diversity_gives_up_nearness_for_difference() {
    let catalogue = catalogue(60);
    let likeness = |diversity: f64| {
        let found = found(&snapshot(json!({ "diversity": diversity })), &catalogue, &on("/items/item-8"));
        let items: Vec<ItemRef> = found.iter().map(|id| catalogue.find(id).unwrap()).collect();
        let pairs = items.iter().enumerate().flat_map(|(at, a)| items[..at].iter().map(move |b| (*a, *b)));
        pairs.map(|(a, b)| catalogue.similarity(a, b)).sum::<f32>()
    };
    assert!(likeness(0.9) < likeness(0.0));
}

#[test]
fn a_receipt_tells_enough_to_look_up_and_choose_again() {
    let (snapshot, catalogue) = (snapshot(json!({})), catalogue(60));
    let mut context = on("/items/item-8");
    context.trail.add(short_id("item-5"), context.time_millis - 7_200_000);
    let list = list(&snapshot);
    let lookup = lookup(&catalogue, own_item(&snapshot, "things", &catalogue, &context.path), &context);
    let actions = again(list, &catalogue, &lookup, None).unwrap();
    context.actions = [("next".to_string(), actions)].into_iter().collect();
    context.lookups = [("next".to_string(), lookup)].into_iter().collect();
    for n in 1..100_u128 {
        let seed =
            Seed::of_visitor("shop", &VisitorKey(n.to_le_bytes()), DecisionId((n << 64 | n).to_le_bytes()));
        for choice in decide(&snapshot, &context, &seed).choices {
            let basis = choice.basis.as_deref().unwrap();
            let receipt = choice.receipt(&snapshot, &seed, context.time_millis).unwrap();
            // All that is left of the visit is in the receipt.
            let looked_up = again(list, &catalogue, basis.lookup.as_ref().unwrap(), None).unwrap();
            assert_eq!(replay_with(&snapshot, &receipt, &looked_up).unwrap().action, choice.action);
            let other = Lookup { own: None, ..basis.lookup.clone().unwrap() };
            let other = again(list, &catalogue, &other, None).unwrap();
            assert_eq!(replay_with(&snapshot, &receipt, &other), Err(ReplayError::Actions));
        }
    }
    let other = Lookup { index: 1, ..Lookup::default() };
    assert_eq!(again(list, &catalogue, &other, None), Err(LookupError::OtherIndex));
}

#[test]
fn a_look_up_that_many_share_tells_the_hour_only() {
    let catalogue = catalogue(10);
    let at = |minutes: u64, seen: Option<&str>| {
        let mut context = on("/");
        context.time_millis = 1_795_525_200_000 + minutes * 60_000;
        if let Some(item) = seen {
            context.trail.add(short_id(item), 1_795_525_200_000);
        }
        lookup(&catalogue, None, &context)
    };
    assert_eq!(at(1, None), at(59, None));
    assert_ne!(at(59, None), at(61, None));
    assert_ne!(at(1, Some("item-3")), at(59, Some("item-3")));
}

#[test]
fn two_lists_of_a_page_never_show_the_same_item_and_both_can_be_replayed() {
    let catalogue = catalogue(60);
    let mut published = snapshot_config(json!({}));
    let mut second = published.config.slots[0].clone();
    second.id = "more".into();
    published.config.slots.push(second);
    let (snapshot, warnings) = compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap());
    assert_eq!(warnings, []);
    let mut context = on("/items/item-8");
    let looked = lookup(&catalogue, own_item(&snapshot, "things", &catalogue, &context.path), &context);
    let actions = again(list(&snapshot), &catalogue, &looked, None).unwrap();
    for name in ["next", "more"] {
        context.actions.insert(name.to_string(), actions.clone());
        context.lookups.insert(name.to_string(), looked.clone());
    }
    for n in 1..60_u128 {
        let seed =
            Seed::of_visitor("shop", &VisitorKey(n.to_le_bytes()), DecisionId((n << 64 | n).to_le_bytes()));
        let choices = decide(&snapshot, &context, &seed).choices;
        let mut shown = Vec::new();
        for choice in &choices {
            let receipt = choice.receipt(&snapshot, &seed, context.time_millis).unwrap();
            let item = receipt.basis.action.clone().unwrap();
            assert!(!shown.contains(&item), "{shown:?} {item}");
            shown.push(item);
            assert_eq!(
                receipt.basis.lookup.as_ref().unwrap().above.len(),
                if choice.slot < 2 { 0 } else { 2 }
            );
            assert_eq!(replay_with(&snapshot, &receipt, &actions).unwrap().action, choice.action);
        }
        assert_eq!(shown.len(), 4);
    }
}

#[test]
fn an_item_that_its_block_cannot_show_is_no_candidate_of_a_replay_either() {
    let item = |id: &str, link: &str| Item {
        id: id.into(),
        fields: json!({ "link": link, "views": 1 }).as_object().unwrap().clone(),
        embedding: Embedding::new(&[1.0, 0.5]).unwrap(),
    };
    let items = vec![item("sound", "/a"), item("unsound", "javascript:alert(1)")];
    let bytes = build(items, &Options::new("test", Kind::Flat)).unwrap();
    let catalogue = Catalogue::new(vec![Index::open(bytes).unwrap()]).unwrap();
    let snapshot = snapshot(json!({}));
    let lookup = lookup(&catalogue, None, &on("/"));
    let found = again(list(&snapshot), &catalogue, &lookup, None).unwrap();
    assert_eq!(found.iter().map(|action| action.id.as_str()).collect::<Vec<_>>(), ["sound"]);
}
