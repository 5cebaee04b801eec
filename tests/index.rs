//! Golden pieces of an index: the same bytes from the same items, and the same hits natively and in the built wasm, to the bit.
//!
//! `EDGELOOM_WRITE_GOLDEN=1 cargo test --test index --features graph` writes them anew. That makes stored indexes unreadable or
//! changes what they find, so look at the difference and say in the commit why. `tests/fixtures/index/`:
//!
//! ```text
//! flat.edx sketch.edx graph.edx    a piece each of the same 300 items of 48 numbers; the graph needs the feature `graph`
//! queries.json                     what is asked, and for each kind what is found: ids with their similarities
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use edgeloom::embedding::Embedding;
use edgeloom::index::build::{Item, Options, build};
use edgeloom::index::{Catalogue, Filter, Index, IndexError, Kind};
use edgeloom::seed::Generator;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

const MODEL: &str = "golden-model";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Case {
    embedding: Vec<f32>,
    k: usize,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    filter: Option<Filter>,
    /// By kind.
    found: BTreeMap<String, Vec<(String, f32)>>,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/index").join(name)
}

fn is_writing() -> bool {
    std::env::var_os("EDGELOOM_WRITE_GOLDEN").is_some()
}

fn numbers(generator: &mut Generator) -> Vec<f32> {
    (0..48)
        .map(|_| ((generator.unit() + generator.unit() + generator.unit()) * 64.0 - 96.0).round() as f32)
        .collect()
}

fn items() -> Vec<Item> {
    let mut generator = Generator::new(20_26);
    let centres: Vec<Vec<f32>> = (0..12).map(|_| numbers(&mut generator)).collect();
    let item = |number: usize| {
        let own = numbers(&mut generator);
        let around: Vec<f32> =
            own.iter().zip(&centres[number % 12]).map(|(own, centre)| own + centre).collect();
        let fields = json!({
            "title": format!("Thing {number}"),
            "topic": (["tea", "cups", "kettles"][number % 3]),
            "price": number as f64 / 4.0,
        });
        let Value::Object(fields) = fields else { panic!() };
        Item { id: format!("thing-{number:03}"), fields, embedding: Embedding::new(&around).unwrap() }
    };
    (0..300).map(item).collect()
}

fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| cfg!(feature = "graph") || *kind != Kind::Graph)
}

fn found(kind: Kind, case: &Case) -> Vec<(String, f32)> {
    let index = Index::open(std::fs::read(path(&format!("{}.edx", kind.name()))).unwrap()).unwrap();
    let catalogue = Catalogue::new(vec![index]).unwrap();
    let query = catalogue.query(Some(MODEL), &Embedding::new(&case.embedding).unwrap()).unwrap();
    let allowed = case.filter.as_ref().map(|filter| catalogue.allow(filter));
    let hits = catalogue.nearest(&query, case.k, allowed.as_ref(), &[]);
    hits.iter().map(|hit| (catalogue.id(hit.item).unwrap().to_owned(), hit.similarity)).collect()
}

#[test]
fn the_same_items_are_the_bytes_they_always_were() {
    for kind in kinds() {
        let depth = (kind != Kind::Flat).then_some(30);
        let bytes = build(items(), &Options { depth, ..Options::new(MODEL, kind) }).unwrap();
        let path = path(&format!("{}.edx", kind.name()));
        if is_writing() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{}", kind.name());
    }
    if cfg!(not(feature = "graph")) {
        assert_eq!(Index::open(std::fs::read(path("graph.edx")).unwrap()).unwrap_err(), IndexError::Graph);
    }
    if is_writing() {
        write_queries();
    }
}

#[test]
fn what_is_found_is_what_was_always_found() {
    if is_writing() {
        return;
    }
    let text = std::fs::read_to_string(path("queries.json")).expect("golden file; see the head of this test");
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 10);
    for (number, case) in cases.iter().enumerate() {
        for kind in kinds() {
            assert_eq!(found(kind, case), case.found[kind.name()], "{number} {}", kind.name());
        }
    }
}

fn write_queries() {
    let mut generator = Generator::new(3);
    let filters = [
        None,
        Some(json!({"tests": [{"field": "topic", "one_of": ["tea", "cups"]}]})),
        Some(json!({"tests": [{"field": "price", "max": 9}, {"field": "topic", "none_of": ["tea"]}]})),
    ];
    let case = |number: usize| Case {
        embedding: numbers(&mut generator),
        k: [5, 10, 14][number % 3],
        filter: filters[number % 3].clone().map(|filter| serde_json::from_value(filter).unwrap()),
        found: BTreeMap::new(),
    };
    let mut cases: Vec<Case> = (0..12).map(case).collect();
    for case in &mut cases {
        case.found = kinds().map(|kind| (kind.name().to_owned(), found(kind, case))).collect();
    }
    let lines: Vec<String> = cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
    std::fs::write(path("queries.json"), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}
