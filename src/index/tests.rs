//! Laws of the whole room: what is found is what a naive search finds, and nothing that is stored can break it.

use super::build::{BuildError, Columns, Item, Options, build, build_sharded};
use super::*;
use crate::embedding::Embedding;
use crate::seed::Generator;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The kinds that this build knows.
pub(super) fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| cfg!(feature = "graph") || *kind != Kind::Graph)
}

/// A number from a bell curve, near enough: the sum of twelve even ones.
fn bell(generator: &mut Generator) -> f32 {
    ((0..12).map(|_| generator.unit()).sum::<f64>() - 6.0) as f32
}

/// Embeddings around centres, as texts on some topics are.
pub(super) fn clustered(n: usize, dimension: usize, seed: u64) -> Vec<Embedding> {
    let mut generator = Generator::new(seed);
    let point = |generator: &mut Generator| (0..dimension).map(|_| bell(generator)).collect::<Vec<_>>();
    let centres: Vec<Vec<f32>> = (0..40).map(|_| point(&mut generator)).collect();
    let mut around = || {
        let mut numbers: Vec<f32> = point(&mut generator).into_iter().map(|noise| 0.5 * noise).collect();
        for _ in 0..3 {
            let centre = &centres[generator.bits() as usize % centres.len()];
            let weight = generator.unit() as f32;
            numbers.iter_mut().zip(centre).for_each(|(number, centre)| *number += weight * centre);
        }
        Embedding::new(&numbers).unwrap()
    };
    (0..n).map(|_| around()).collect()
}

/// Items with some fields, of which not all have all.
pub(super) fn items(n: usize, dimension: usize, seed: u64) -> Vec<Item> {
    let item = |(number, embedding): (usize, Embedding)| {
        let mut fields = json!({
            "topic": (["tea", "cups", "kettles"][number % 3]),
            "tags": [format!("t{}", number % 7), "all"],
            "price": number as f64 / 4.0,
            "new": number % 5 == 0,
            "mixed": if number % 2 == 0 { json!(1) } else { json!("one") },
        });
        if number % 4 == 3 {
            fields.as_object_mut().unwrap().remove("price");
            fields["topic"] = Value::Null;
        }
        let Value::Object(fields) = fields else { panic!("{fields}") };
        Item { id: format!("item-{:05}", number * 7919 % 100_003), fields, embedding }
    };
    clustered(n, dimension, seed).into_iter().enumerate().map(item).collect()
}

pub(super) fn one_piece(items: Vec<Item>, kind: Kind) -> Catalogue {
    let bytes = build(items, &Options::new("test-model", kind)).unwrap();
    Catalogue::new(vec![Index::open(bytes).unwrap()]).unwrap()
}

/// What a plain search over the same bytes finds.
fn naive(catalogue: &Catalogue, query: &Query, k: usize, is_allowed: impl Fn(ItemRef) -> bool) -> Vec<Hit> {
    let similarity = |item: ItemRef| {
        let index = catalogue.pieces().nth(usize::from(item.piece)).unwrap();
        let (row, scale) = index.row(item.position as usize).unwrap();
        let products = row.iter().zip(&query.levels).map(|(a, b)| i32::from(*a as i8) * i32::from(*b));
        products.sum::<i32>() as f32 * (scale * query.scale)
    };
    let items = catalogue.items().filter(|item| is_allowed(*item));
    let mut hits: Vec<Hit> = items.map(|item| Hit { item, similarity: similarity(item) }).collect();
    let key = |hit: &Hit| catalogue.id(hit.item).unwrap().to_owned();
    hits.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(key(a).cmp(&key(b))));
    hits.truncate(k);
    hits
}

#[test]
fn what_was_built_is_read() {
    for kind in kinds() {
        let items = items(50, 20, 1);
        let catalogue = one_piece(items.clone(), kind);
        assert_eq!((catalogue.len(), catalogue.dimension(), catalogue.model()), (50, 20, "test-model"));
        for item in &items {
            let found = catalogue.find(&item.id).unwrap();
            assert_eq!(catalogue.id(found), Some(item.id.as_str()));
            let short = catalogue.find_short(short_id(&item.id)).unwrap();
            assert_eq!(short_id(catalogue.id(short).unwrap()), short_id(&item.id));
            let fields: Value = serde_json::from_str(catalogue.fields(found).unwrap()).unwrap();
            assert_eq!(fields, Value::Object(item.fields.clone()));
            assert_eq!(catalogue.number(found, "price"), item.fields.get("price").and_then(Value::as_f64));
            assert_eq!(catalogue.number(found, "new").map(|new| new == 1.0), item.fields["new"].as_bool());
            let topic: Vec<&str> = catalogue.words(found, "topic").collect();
            assert_eq!(topic, item.fields["topic"].as_str().into_iter().collect::<Vec<_>>());
            assert_eq!(catalogue.words(found, "tags").count(), 2);
            assert!(catalogue.embedding(found).unwrap().dot(&item.embedding) > 0.9999);
        }
        assert_eq!(catalogue.find("nothing"), None);
        assert!(catalogue.has_column("price") && !catalogue.has_column("unknown"));
    }
}

#[test]
fn flat_finds_what_a_naive_search_finds() {
    let catalogue = one_piece(items(333, 37, 2), Kind::Flat);
    for embedding in clustered(20, 37, 3) {
        let query = catalogue.query(None, &embedding).unwrap();
        for k in [0, 1, 10, 332, 400] {
            assert_eq!(catalogue.nearest(&query, k, None, &[]), naive(&catalogue, &query, k, |_| true));
        }
    }
}

fn catalogue(pieces: impl IntoIterator<Item = Vec<u8>>) -> Catalogue {
    Catalogue::new(pieces.into_iter().map(|bytes| Index::open(bytes).unwrap()).collect()).unwrap()
}

/// Whether an item passes a test, by its fields instead of columns.
fn passes(item: &Item, test: &Test) -> bool {
    let values: Vec<Value> = match item.fields.get(&test.field) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.clone(),
        Some(value) => vec![value.clone()],
    };
    // Half of the mixed ones are texts, and a draw is theirs.
    if values.is_empty() || (test.field == "mixed" && !values[0].is_string()) {
        let only_none_of =
            test.none_of.is_some() && test.one_of.is_none() && test.min.is_none() && test.max.is_none();
        let passes = only_none_of && test.field != "unknown";
        return test.missing.map_or(passes, |missing| missing == Missing::Passes);
    }
    // Truth values are 0 and 1, for ranges, too.
    let number = |value: &Value| value.as_f64().or(value.as_bool().map(|truth| f64::from(u8::from(truth))));
    let is_in = |list: &Vec<Value>| {
        let same = |a: &Value, b: &Value| if number(a).is_some() { number(a) == number(b) } else { a == b };
        values.iter().any(|value| list.iter().any(|own| same(own, value)))
    };
    let number = number(&values[0]);
    test.one_of.as_ref().is_none_or(is_in)
        && !test.none_of.as_ref().is_some_and(is_in)
        && test.min.is_none_or(|min| number.is_some_and(|number| number >= min))
        && test.max.is_none_or(|max| number.is_some_and(|number| number <= max))
}

fn a_test() -> impl Strategy<Value = Test> {
    let topics = ["tea", "cups", "none", "t1", "t2", "all"].map(Value::from);
    let values = [topics.to_vec(), vec![json!(true), json!(2.5), json!(1)]].concat();
    let list = proptest::option::of(proptest::sample::subsequence(values, 0..4));
    let missing = proptest::sample::select(vec![None, Some(Missing::Passes), Some(Missing::Fails)]);
    let bound = || proptest::option::of(0.0_f64..60.0);
    let range = prop_oneof![3 => Just((None, None)), 1 => (bound(), bound())];
    let field = proptest::sample::select(vec!["topic", "tags", "price", "new", "mixed", "unknown"]);
    (field, list.clone(), list, range, missing).prop_map(|(field, one_of, none_of, (min, max), missing)| {
        Test { field: field.into(), one_of, none_of, min, max, missing }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_filtered_search_is_a_search_of_what_passes(
        tests in proptest::collection::vec(a_test(), 0..3),
        seed in 0_u64..1000,
        k in 0_usize..40,
    ) {
        let items = items(200, 17, 4);
        let filter = Filter { tests };
        for kind in [Kind::Flat, Kind::Sketch] {
            let options = Options { depth: Some(12), ..Options::new("m", kind) };
            let catalogue = catalogue([build(items.clone(), &options).unwrap()]);
            let allowed = catalogue.allow(&filter);
            let passing = |item: ItemRef| {
                let id = catalogue.id(item).unwrap();
                let item = items.iter().find(|item| item.id == id).unwrap();
                filter.tests.iter().all(|test| passes(item, test))
            };
            prop_assert!(catalogue.items().all(|item| allowed.contains(item) == passing(item)));
            let query = catalogue.query(Some("m"), &clustered(1, 17, seed)[0]).unwrap();
            let except: Vec<ItemRef> = catalogue.items().step_by(7).collect();
            let found = catalogue.nearest(&query, k, Some(&allowed), &except);
            let is_allowed = |item: ItemRef| allowed.contains(item) && !except.contains(&item);
            let expected = naive(&catalogue, &query, k, is_allowed);
            prop_assert_eq!(found.len(), expected.len());
            if kind == Kind::Flat {
                prop_assert_eq!(found, expected);
            } else {
                prop_assert!(found.iter().all(|hit| is_allowed(hit.item)));
                prop_assert!(found.is_sorted_by(|a, b| a.similarity >= b.similarity));
            }
        }
    }

    #[test]
    fn a_sketch_that_hands_on_all_is_flat(seed in 0_u64..1000, k in 1_usize..30) {
        let sketch = Options { depth: Some(150), ..Options::new("m", Kind::Sketch) };
        let sketch = catalogue([build(items(150, 70, 5), &sketch).unwrap()]);
        let flat = catalogue([build(items(150, 70, 5), &Options::new("m", Kind::Flat)).unwrap()]);
        let embedding = &clustered(1, 70, seed)[0];
        let found = |catalogue: &Catalogue| {
            catalogue.nearest(&catalogue.query(None, embedding).unwrap(), k, None, &[])
        };
        prop_assert_eq!(found(&sketch), found(&flat));
    }

    #[test]
    fn changes_are_as_good_as_a_new_index(
        steps in proptest::collection::vec((proptest::collection::vec(0_usize..60, 0..12), proptest::collection::vec(0_usize..60, 0..6)), 0..4),
    ) {
        let all = items(120, 9, 6);
        let options = Options::new("m", Kind::Flat);
        let mut current: std::collections::BTreeMap<String, Item> =
            all[..40].iter().map(|item| (item.id.clone(), item.clone())).collect();
        let mut pieces = vec![build(all[..40].to_vec(), &options).unwrap()];
        for (changed, deleted) in steps {
            let deleted: Vec<String> = deleted.iter().map(|number| all[*number].id.clone()).collect();
            deleted.iter().for_each(|id| drop(current.remove(id)));
            // Changed items get another embedding: that of one of the back half.
            let mut changed = changed;
            changed.sort_unstable();
            changed.dedup();
            let changed: Vec<Item> = changed.iter().map(|number| {
                Item { embedding: all[number + 60].embedding.clone(), ..all[*number].clone() }
            }).collect();
            current.extend(changed.iter().map(|item| (item.id.clone(), item.clone())));
            pieces.push(build(changed, &Options { deleted, ..options.clone() }).unwrap());
        }
        let changed = catalogue(pieces);
        let fresh = catalogue([build(current.values().cloned().collect(), &options).unwrap()]);
        prop_assert_eq!(changed.len(), fresh.len());
        let query = &clustered(1, 9, 8)[0];
        let found = |catalogue: &Catalogue| -> Vec<(String, f32)> {
            let hits = catalogue.nearest(&catalogue.query(None, query).unwrap(), 70, None, &[]);
            hits.iter().map(|hit| (catalogue.id(hit.item).unwrap().to_owned(), hit.similarity)).collect()
        };
        prop_assert_eq!(found(&changed), found(&fresh));
        for item in &all {
            prop_assert_eq!(changed.find(&item.id).is_some(), fresh.find(&item.id).is_some());
            prop_assert_eq!(changed.find_short(short_id(&item.id)).is_some(), fresh.find(&item.id).is_some());
        }
    }
}

#[test]
fn the_same_items_in_any_order_are_the_same_bytes() {
    for kind in kinds() {
        let (forward, mut backward) = (items(130, 24, 7), items(130, 24, 7));
        backward.reverse();
        let deleted = |ids: [&str; 2]| ids.map(String::from).to_vec();
        let options = Options { exact: Exact::F16, deleted: deleted(["b", "a"]), ..Options::new("m", kind) };
        let bytes = build(forward, &options).unwrap();
        let again = build(backward, &Options { deleted: deleted(["a", "b"]), ..options }).unwrap();
        assert!(bytes == again, "{kind:?}");
    }
}

#[test]
fn floats_make_similarities_exact() {
    for (exact, tolerance) in [(Exact::F16, 1e-4), (Exact::F32, 0.0)] {
        for kind in kinds() {
            let items = items(150, 33, 8);
            let catalogue =
                catalogue([build(items.clone(), &Options { exact, ..Options::new("m", kind) }).unwrap()]);
            let embedding = &clustered(1, 33, 9)[0];
            let query = catalogue.query(None, embedding).unwrap();
            for hit in catalogue.nearest(&query, 20, None, &[]) {
                let item =
                    items.iter().find(|item| Some(item.id.as_str()) == catalogue.id(hit.item)).unwrap();
                assert!((hit.similarity - item.embedding.dot(embedding)).abs() <= tolerance);
                let kept = catalogue.embedding(hit.item).unwrap();
                assert!(kept.dot(&item.embedding) > 0.999_99);
            }
        }
    }
}

#[test]
fn shards_are_as_good_as_one_piece() {
    let options = Options { deleted: vec!["gone".into()], ..Options::new("m", Kind::Sketch) };
    let whole = build(items(400, 40, 10), &options).unwrap();
    let limit = whole.len() / 3;
    let shards = build_sharded(items(400, 40, 10), &options, limit).unwrap();
    assert!(shards.len() <= 5 && shards.iter().all(|shard| shard.len() <= limit));
    let (whole, shards) = (catalogue([whole]), catalogue(shards));
    let embedding = &clustered(1, 40, 11)[0];
    let found = |catalogue: &Catalogue| -> Vec<(String, f32)> {
        let hits = catalogue.nearest(&catalogue.query(None, embedding).unwrap(), 25, None, &[]);
        hits.iter().map(|hit| (catalogue.id(hit.item).unwrap().to_owned(), hit.similarity)).collect()
    };
    assert_eq!(found(&whole), found(&shards));
    assert_eq!(shards.pieces().flat_map(Index::deleted).collect::<Vec<_>>(), ["gone"]);
    assert_eq!(build_sharded(Vec::new(), &options, 1).unwrap().len(), 1);
    let error = build_sharded(items(3, 40, 10), &options, 100).unwrap_err();
    assert!(matches!(error, BuildError::TooLargeItem { .. }), "{error}");
}

/// Asks a piece for everything there is to be asked.
fn exercise(index: Index) {
    let dimension = index.dimension();
    let positions = [0, 1, index.len() / 2, index.len().saturating_sub(1), index.len(), usize::MAX];
    for position in positions {
        let fields = ["price", "topic", "tags", "new"].map(|field| index.words(position, field).count());
        let number = index.number(position, "price");
        let _ = (index.id(position), index.fields(position), index.embedding(position), number, fields);
    }
    let _ = (index.deleted().count(), index.columns().count(), index.find("item-00500"), index.find_short(7));
    let catalogue = Catalogue::new(vec![index]).unwrap();
    let numbers: Vec<f32> = (0..dimension).map(|at| 1.0 + at as f32).collect();
    let query = catalogue.query(None, &Embedding::new(&numbers).unwrap()).unwrap();
    let test = Test { field: "topic".into(), one_of: Some(vec![json!("tea")]), ..Test::default() };
    let price = Test { field: "price".into(), max: Some(5.0), ..Test::default() };
    let allowed = catalogue.allow(&Filter { tests: vec![test, price] });
    for k in [1, 10] {
        for allowed in [None, Some(&allowed)] {
            for hit in catalogue.nearest(&query, k, allowed, &[]) {
                let _ = (catalogue.id(hit.item), catalogue.similarity(hit.item, hit.item));
            }
        }
    }
}

#[test]
fn whatever_is_changed_in_a_piece_it_is_refused_or_safe() {
    let mut generator = Generator::new(12);
    for (kind, exact) in kinds().zip([Exact::None, Exact::F16, Exact::F32]) {
        let options =
            Options { depth: Some(4), exact, deleted: vec!["gone".into()], ..Options::new("m", kind) };
        let bytes = build(items(30, 5, 12), &options).unwrap();
        exercise(Index::open(bytes.clone()).unwrap());
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (generator.bits() % 8);
            assert!(Index::open(changed.clone()).is_err(), "{kind:?}: {place}");
            // As if the sum had been computed after the damage.
            for value in [changed[place], 0, 0xff, generator.bits() as u8] {
                changed[place] = value;
                format::seal(&mut changed);
                Index::open(changed.clone()).into_iter().for_each(exercise);
            }
        }
        for length in (0..bytes.len()).step_by(7) {
            let mut cut = bytes[..length].to_vec();
            assert!(Index::open(cut.clone()).is_err(), "{kind:?}: {length}");
            if length >= 16 {
                format::seal(&mut cut);
                assert!(Index::open(cut).is_err(), "{kind:?}: {length}");
            }
        }
        for _ in 0..2_000 {
            // Numbers of the head and the lengths of sections, and what moves with them.
            let mut changed = bytes.clone();
            for _ in 0..=generator.bits() % 3 {
                let place = 20 + 4 * (generator.bits() % 15) as usize;
                let number =
                    [0, 1, 16, u32::MAX, generator.bits() as u32 % 4096][generator.bits() as usize % 5];
                let old = u32::from_le_bytes(*changed[place..].first_chunk().unwrap());
                let new = if generator.bits().is_multiple_of(2) { number } else { old.wrapping_add(number) };
                changed[place..place + 4].copy_from_slice(&new.to_le_bytes());
            }
            format::seal(&mut changed);
            Index::open(changed).into_iter().for_each(exercise);
        }
    }
}

#[test]
fn what_is_no_piece_is_refused() {
    assert_eq!(Index::open(Vec::new()).unwrap_err(), IndexError::Foreign);
    assert_eq!(Index::open(vec![b'{'; 500]).unwrap_err(), IndexError::Foreign);
    let mut later = build(items(1, 1, 1), &Options::new("m", Kind::Flat)).unwrap();
    later[16] = 2;
    assert_eq!(Index::open(later).unwrap_err(), IndexError::Version { version: 2 });
}

#[test]
fn what_cannot_be_built_is_refused_by_name() {
    let refusal = |change: &dyn Fn(&mut Vec<Item>, &mut Options)| {
        let (mut items, mut options) = (items(3, 4, 1), Options::new("m", Kind::Flat));
        change(&mut items, &mut options);
        build(items, &options).unwrap_err().to_string()
    };
    let with_id = |id: &'static str| refusal(&move |items, _| items[1].id = id.into());
    assert_eq!(with_id(""), "the id \"\" is empty");
    assert_eq!(with_id("a\nb"), "the id \"a\\nb\" has a control character");
    assert!(refusal(&|items, _| items[1].id = "x".repeat(201)).ends_with("has more than 200 bytes"));
    assert_eq!(refusal(&|items, _| items[1].id = items[0].id.clone()), "two items have the id `item-00000`");
    let mixed = refusal(&|items, _| items[1].embedding = Embedding::new(&[1.0; 5]).unwrap());
    assert!(mixed.starts_with("the embedding of item `item-07919` has 5 numbers, others have 4"), "{mixed}");
    assert_eq!(refusal(&|_, options| options.model.clear()), "the name of the model \"\" is empty");
    let column = refusal(&|_, options| options.columns = Columns::Named(vec!["mixed".into()]));
    assert!(
        column.starts_with("field `mixed` can't be filtered by: in item `item-07919` it is of another type")
    );
}

#[test]
fn pieces_of_several_models_and_queries_of_another_are_refused() {
    let piece = |model: &str, dimension| {
        Index::open(build(items(3, dimension, 1), &Options::new(model, Kind::Flat)).unwrap()).unwrap()
    };
    assert_eq!(Catalogue::new(Vec::new()).unwrap_err(), CatalogueError::Empty);
    for other in [piece("b", 4), piece("a", 5)] {
        assert!(matches!(
            Catalogue::new(vec![piece("a", 4), other]),
            Err(CatalogueError::Mixed { piece: 1, .. })
        ));
    }
    let catalogue = Catalogue::new(vec![piece("a", 4)]).unwrap();
    let embedding = Embedding::new(&[1.0; 4]).unwrap();
    assert!(catalogue.query(Some("a"), &embedding).is_ok());
    assert!(matches!(catalogue.query(Some("b"), &embedding), Err(QueryError::Model { .. })));
    let short = Embedding::new(&[1.0]).unwrap();
    assert_eq!(catalogue.query(None, &short).unwrap_err(), QueryError::Dimension { expected: 4, found: 1 });
}

#[test]
fn a_piece_of_deletions_alone_and_one_of_nothing_are_pieces() {
    let options = Options::new("m", Kind::Flat);
    let empty = build(Vec::new(), &options).unwrap();
    assert!(catalogue([empty.clone()]).is_empty());
    let deletions = Options { deleted: vec!["item-00000".into()], ..options.clone() };
    let deletions = build(Vec::new(), &deletions).unwrap();
    let all = catalogue([empty, build(items(3, 4, 1), &options).unwrap(), deletions]);
    assert_eq!((all.len(), all.dimension(), all.find("item-00000")), (2, 4, None));
}

#[test]
fn a_filter_with_an_unknown_word_is_refused() {
    let filter = |text: &str| serde_json::from_str::<Filter>(text);
    assert!(filter(r#"{"tests": [{"field": "a", "missing": "passes"}]}"#).is_ok());
    assert!(filter(r#"{"tests": [{"field": "a", "oneof": []}]}"#).is_err());
    assert!(filter(r#"{"test": []}"#).is_err());
    let text = r#"{"tests":[{"field":"a","max":2.5,"missing":"passes","one_of":["b",3]}]}"#;
    assert_eq!(crate::json::read::<Filter>(text.as_bytes()).unwrap(), filter(text).unwrap());
    assert_eq!(crate::json::write(&filter(text).unwrap()), text);
}

#[cfg(feature = "graph")]
#[test]
fn a_walk_finds_what_is_allowed() {
    let all = items(700, 24, 13);
    let catalogue = one_piece(all, Kind::Graph);
    let test = Test { field: "new".into(), one_of: Some(vec![json!(false)]), ..Test::default() };
    let allowed = catalogue.allow(&Filter { tests: vec![test] });
    let mut n_found = 0;
    for embedding in clustered(30, 24, 14) {
        let query = catalogue.query(None, &embedding).unwrap();
        let found = catalogue.nearest(&query, 10, Some(&allowed), &[]);
        assert!(found.len() == 10 && found.iter().all(|hit| allowed.contains(hit.item)));
        let expected = naive(&catalogue, &query, 10, |item| allowed.contains(item));
        n_found += found.iter().filter(|hit| expected.contains(hit)).count();
    }
    assert!(n_found >= 290, "{n_found}");
}
