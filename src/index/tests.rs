//! Laws of the whole room: what is found is what a naive search finds, and nothing that is stored can break it.

use super::build::{Item, Options, build};
use super::*;
use crate::embedding::Embedding;
use crate::seed::Generator;
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
        let Value::Object(fields) = fields else { unreachable!() };
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
        assert!(catalogue.has_column("price") && !catalogue.has_column("mixed"));
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
