//! The pieces of indexes that the tests of the Worker push, in `tests/fixtures/pieces`: here is what they are made of, and that
//! the core still makes the same bytes of it.
//!
//! `EDGELOOM_WRITE_GOLDEN=1 cargo test --test pieces` writes them anew; that is a new form of pieces, which isolates have to read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use edgeloom::embedding::Embedding;
use edgeloom::index::Kind;
use edgeloom::index::build::{Item, Options, build};
use edgeloom::seed::Generator;
use serde_json::json;
use std::path::PathBuf;

fn item(id: &str, topic: &str, price: u32, numbers: &[f32]) -> Item {
    let fields = json!({ "title": id.to_uppercase(), "topic": topic, "price": price });
    let fields = fields.as_object().unwrap().clone();
    Item { id: id.into(), fields, embedding: Embedding::new(numbers).unwrap() }
}

/// A small shop.
fn shop() -> Vec<u8> {
    let items = vec![
        item("tea", "drinks", 3, &[1.0, 0.0, 0.0, 0.0]),
        item("coffee", "drinks", 4, &[0.9, 0.3, 0.0, 0.0]),
        item("cups", "kitchen", 9, &[0.5, 0.8, 0.0, 0.0]),
        item("pans", "kitchen", 30, &[0.0, 1.0, 0.2, 0.0]),
        item("socks", "clothes", 8, &[0.0, 0.0, 1.0, 0.0]),
        item("hats", "clothes", 20, &[0.0, 0.0, 0.9, 0.4]),
    ];
    build(items, &Options::new("test-model", Kind::Flat)).unwrap()
}

/// What changed in it: something new, something at another price, something gone.
fn changes() -> Vec<u8> {
    let items = vec![
        item("mate", "drinks", 5, &[0.95, 0.1, 0.0, 0.0]),
        item("coffee", "drinks", 2, &[0.9, 0.3, 0.0, 0.0]),
    ];
    let deleted = vec!["socks".to_string()];
    build(items, &Options { deleted, ..Options::new("test-model", Kind::Flat) }).unwrap()
}

/// Something from elsewhere.
fn other_model() -> Vec<u8> {
    let items = vec![item("tea", "drinks", 3, &[1.0, 0.0, 0.0])];
    build(items, &Options::new("other-model", Kind::Flat)).unwrap()
}

/// Forty items of two topics, which are two directions: even ones of tea, odd ones of cups.
fn things() -> Vec<u8> {
    let mut generator = Generator::new(5);
    let item = |at: usize| {
        let values: Vec<f32> = (0..16)
            .map(|axis| generator.unit() as f32 * 0.4 + if axis % 2 == at % 2 { 1.0 } else { 0.0 })
            .collect();
        let topic = if at.is_multiple_of(2) { "tea" } else { "cups" };
        let fields = json!({
            "topic": topic, "title": format!("Item {at}"), "link": format!("/items/item-{at}"), "views": at * 10,
        });
        let fields = fields.as_object().unwrap().clone();
        Item { id: format!("item-{at}"), fields, embedding: Embedding::new(&values).unwrap() }
    };
    build((0..40).map(item).collect(), &Options::new("test", Kind::Flat)).unwrap()
}

#[test]
fn the_pieces_of_the_tests_are_what_the_core_makes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pieces");
    let pieces =
        [("shop", shop()), ("changes", changes()), ("other-model", other_model()), ("things", things())];
    for (name, bytes) in pieces {
        let file = folder.join(name).with_extension("piece");
        if std::env::var_os("EDGELOOM_WRITE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "{name}");
    }
}
