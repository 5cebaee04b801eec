//! A compiled forest against one that is walked as it is written, and what is refused.

use super::super::wire::{Node as Shape, Tree};
use super::*;
use crate::seed::Generator;
use proptest::prelude::*;

const FEATURES: u32 = 3;

/// A number from 0 to below `n`.
fn below(generator: &mut Generator, n: u32) -> u32 {
    (generator.unit() * f64::from(n)) as u32
}

/// A random tree, its nodes in random order but for the root.
fn grown(generator: &mut Generator, has_variance: bool) -> Tree {
    let mut nodes = vec![Shape::default()];
    let mut rest = vec![(0, 0)];
    while let Some((at, depth)) = rest.pop() {
        nodes[at] = if depth < 7 && generator.unit() < 0.7 {
            let left = nodes.len();
            nodes.extend([Shape::default(), Shape::default()]);
            rest.extend([(left, depth + 1), (left + 1, depth + 1)]);
            let (left, right) = (left as u32, left as u32 + 1);
            let missing = [None, Some(Child::Left), Some(Child::Right)][below(generator, 3) as usize];
            // Few different thresholds, so that some rows lie on them.
            let threshold = f64::from(below(generator, 5)) / 4.0;
            Shape { missing, ..Shape::branch(below(generator, FEATURES), threshold, left, right) }
        } else {
            Shape {
                variance: has_variance.then(|| generator.unit()),
                weight: (generator.unit() < 0.5).then(|| 2.0 * generator.unit()),
                ..Shape::leaf(generator.unit() - 0.5)
            }
        };
    }
    // Node i moves to order[i].
    let mut order: Vec<u32> = (0..nodes.len() as u32).collect();
    for i in (2..order.len()).rev() {
        order.swap(i, 1 + below(generator, i as u32) as usize);
    }
    let mut moved = vec![Shape::default(); nodes.len()];
    for (node, to) in nodes.into_iter().zip(&order) {
        let place = |child: Option<u32>| child.map(|child| order[child as usize]);
        moved[*to as usize] = Shape { left: place(node.left), right: place(node.right), ..node };
    }
    Tree { nodes: moved }
}

fn forest(seed: u64, n_trees: usize) -> Form {
    let mut generator = Generator::new(seed);
    let has_variance = seed.is_multiple_of(2);
    let features = ["a", "b", "c"].map(String::from).to_vec();
    Form { features, trees: (0..n_trees).map(|_| grown(&mut generator, has_variance)).collect() }
}

fn row(generator: &mut Generator) -> Vec<Option<f64>> {
    (0..FEATURES)
        .map(|_| match below(generator, 8) {
            0 => None,
            1 => Some(f64::NAN),
            n => Some(f64::from(n) / 4.0 - 0.5),
        })
        .collect()
}

/// The leaf that a row ends in, by the words of the format alone.
fn leaf<'f>(tree: &'f Tree, at: usize, row: &[Option<f64>]) -> Option<&'f Shape> {
    let node = &tree.nodes[at];
    let Some(feature) = node.feature else { return Some(node) };
    let side = match row[feature as usize].filter(|x| !x.is_nan()) {
        Some(x) => Some(if x <= node.threshold.unwrap() { Child::Left } else { Child::Right }),
        None => node.missing,
    };
    let child = if side? == Child::Left { node.left } else { node.right };
    leaf(tree, child.unwrap() as usize, row)
}

fn close(a: f64, b: f64) -> bool {
    // Leaves are kept in single precision.
    (a - b).abs() < 1e-6
}

proptest! {
    #[test]
    fn the_compiled_forest_says_what_the_written_one_does(seed: u64, n_trees in 1..6_usize) {
        let form = forest(seed, n_trees);
        let compiled = Forest::compile(&form).unwrap();
        let mut generator = Generator::new(!seed);
        for _ in 0..20 {
            let row = row(&mut generator);
            let leaves: Vec<&Shape> = form.trees.iter().filter_map(|tree| leaf(tree, 0, &row)).collect();
            let Some(found) = compiled.predict(&row) else {
                prop_assert!(leaves.is_empty());
                continue;
            };
            let of = |leaf: &Shape| (leaf.weight.unwrap_or(1.0), leaf.value.unwrap());
            let n = leaves.len() as f64;
            let total: f64 = leaves.iter().map(|leaf| of(leaf).0).sum();
            let mean = leaves.iter().map(|leaf| of(leaf).0 * of(leaf).1).sum::<f64>() / total;
            let squares: f64 = leaves.iter().map(|leaf| of(leaf).0 * (of(leaf).1 - mean) * (of(leaf).1 - mean)).sum();
            prop_assert!(f64::from(found.n_trees) == n && close(found.mean, mean), "{:?} {}", found, mean);
            match found.between_sd {
                Some(sd) => prop_assert!((sd * sd - squares / total * n / (n - 1.0)).abs() < 1e-6),
                None => prop_assert_eq!(found.n_trees, 1),
            }
            let variances: Option<f64> = leaves.iter().map(|leaf| Some(of(leaf).0 * leaf.variance?)).sum();
            prop_assert_eq!(found.within_sd.is_some(), variances.is_some());
            if let (Some(sd), Some(sum)) = (found.within_sd, variances) {
                prop_assert!((sd * sd - sum / total).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn what_is_written_again_is_the_same_forest(seed: u64, n_trees in 1..4_usize) {
        let compiled = Forest::compile(&forest(seed, n_trees)).unwrap();
        let text = json::write(&compiled.form());
        prop_assert_eq!(Forest::parse(text.as_bytes()).unwrap(), compiled);
    }

    #[test]
    fn any_bytes_are_a_forest_or_an_error(bytes: Vec<u8>) {
        let _ = Forest::parse(&bytes);
    }

    #[test]
    fn a_damaged_text_is_a_forest_that_answers_or_an_error(seed: u64, at: prop::sample::Index, byte: u8, cut: bool) {
        let mut text = json::write(&forest(seed, 2)).into_bytes();
        let at = at.index(text.len());
        if cut { text.truncate(at) } else { text[at] = byte }
        if let Ok(forest) = Forest::parse(&text) {
            let found = forest.predict(&[Some(0.5); FEATURES as usize]);
            prop_assert!(found.is_some_and(|found| found.mean.is_finite()));
        }
    }

    #[test]
    fn any_places_and_numbers_make_a_forest_that_answers_or_an_error(
        nodes in prop::collection::vec((0..5_u32, 0..3_u32, 0..6_u32, 0..6_u32, any::<u64>()), 0..6)
    ) {
        let node = |(kind, feature, left, right, bits): (u32, u32, u32, u32, u64)| match kind {
            0 | 1 => Shape::branch(feature, f64::from_bits(bits), left, right),
            2 => Shape::leaf(f64::from_bits(bits)),
            3 => Shape::leaf(0.1),
            _ => Shape { left: Some(left), ..Shape::leaf(0.2) },
        };
        let tree = Tree { nodes: nodes.into_iter().map(node).collect() };
        let form = Form { features: vec!["a".into(), "b".into()], trees: vec![tree] };
        if let Ok(forest) = Forest::compile(&form) {
            prop_assert!(forest.predict(&[Some(0.0), Some(1.0)]).is_some_and(|found| found.mean.is_finite()));
            prop_assert_eq!(Forest::compile(&forest.form()).unwrap(), forest);
        }
    }
}

fn fault(nodes: Vec<Shape>) -> (usize, Fault) {
    let form = Form { features: vec!["a".into()], trees: vec![Tree { nodes }] };
    match Forest::compile(&form) {
        Err(ForestError::Node { tree: 0, node, fault }) => (node, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_tree_is_refused_by_node() {
    let (branch, leaf) = (|left, right| Shape::branch(0, 1.0, left, right), || Shape::leaf(0.1));
    assert_eq!(fault(vec![Shape::default()]), (0, Fault::Kind));
    assert_eq!(fault(vec![Shape { value: Some(1.0), ..branch(1, 2) }, leaf(), leaf()]), (0, Fault::Kind));
    // Round in a circle, twice the same child, an orphan, a place that is none.
    assert_eq!(fault(vec![branch(0, 1), leaf()]), (0, Fault::Twice));
    assert_eq!(fault(vec![branch(1, 2), branch(0, 2), leaf()]), (0, Fault::Twice));
    assert_eq!(fault(vec![branch(1, 1), leaf()]), (1, Fault::Twice));
    assert_eq!(fault(vec![leaf(), leaf()]), (1, Fault::Unreached));
    assert_eq!(fault(vec![branch(1, 9), leaf()]), (0, Fault::Place { field: "right", found: 9, n: 2 }));
    let other = Shape::branch(1, 1.0, 1, 2);
    assert_eq!(fault(vec![other, leaf(), leaf()]), (0, Fault::Place { field: "feature", found: 1, n: 1 }));
    assert_eq!(fault(vec![Shape::leaf(2e12)]), (0, Fault::Number { field: "value", found: 2e12 }));
    let light = Shape { weight: Some(0.0), ..leaf() };
    assert_eq!(fault(vec![branch(1, 2), leaf(), light]), (2, Fault::Number { field: "weight", found: 0.0 }));
    let sure = Shape { variance: Some(0.1), ..leaf() };
    assert_eq!(fault(vec![branch(1, 2), sure, leaf()]), (2, Fault::Variance));
}

#[test]
fn errors_say_where_and_what_to_do() {
    let said = |text: &str| Forest::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(said("[]"), "expected struct Form, found list");
    assert_eq!(said(r#"{ "features": ["a"], "trees": [] }"#), "0 trees; hint: use 1 to 4096");
    let twice = r#"{ "features": ["a", "b", "a"], "trees": [{ "nodes": [{ "value": 1 }] }] }"#;
    assert_eq!(said(twice), "feature \"a\" stands twice or has no name; hint: name each once");
    let wrong = r#"{ "features": ["a"], "trees": [{ "nodes": [{ "value": "1" }] }] }"#;
    assert_eq!(said(wrong), "/trees/0/nodes/0/value: expected a number, found text");
    let place = r#"{ "features": ["a"], "trees": [{ "nodes": [{ "feature": 0, "threshold": 1, "left": 1, "right": 2 }, { "value": 1 }] }] }"#;
    assert_eq!(said(place), "node 0 of tree 0 has right 2 of 2; hint: count from 0");
}

/// A tree that has so many branches on its longest way.
fn chain(depth: u32) -> Form {
    let mut nodes: Vec<Shape> = (0..depth)
        .flat_map(|i| [Shape::branch(0, f64::from(i), 2 * i + 1, 2 * i + 2), Shape::leaf(f64::from(i))])
        .collect();
    nodes.push(Shape::leaf(-1.0));
    Form { features: vec!["a".into()], trees: vec![Tree { nodes }] }
}

#[test]
fn depth_has_a_limit() {
    let forest = Forest::compile(&chain(64)).unwrap();
    assert_eq!(forest.predict(&[Some(63.0)]).unwrap().mean, 63.0);
    assert_eq!(forest.predict(&[Some(64.0)]).unwrap().mean, -1.0);
    let deep = Forest::compile(&chain(65)).unwrap_err();
    assert!(matches!(deep, ForestError::Node { fault: Fault::Deep, .. }), "{deep}");
    // A hundred thousand deep costs no stack.
    assert!(Forest::compile(&chain(100_000)).is_err());
}

#[test]
fn sizes_have_limits() {
    let one = Tree { nodes: vec![Shape::leaf(0.0)] };
    let of = |n_features: usize, n_trees: usize| {
        let features = (0..n_features).map(|i| i.to_string()).collect();
        Forest::compile(&Form { features, trees: vec![one.clone(); n_trees] })
    };
    assert!(of(MAX_FEATURES, MAX_TREES).is_ok());
    assert!(matches!(of(MAX_FEATURES + 1, 1), Err(ForestError::Number { what: "features", .. })));
    assert!(matches!(of(1, MAX_TREES + 1), Err(ForestError::Number { what: "trees", .. })));
    let many = Tree { nodes: vec![Shape::default(); MAX_NODES + 1] };
    let refused = Forest::compile(&Form { features: vec!["a".into()], trees: vec![many] });
    assert!(matches!(refused, Err(ForestError::Number { what: "nodes", .. })));
    // A tree without nodes, beside one that has some.
    let empty = Form { features: vec!["a".into()], trees: vec![one, Tree::default()] };
    let refused = Forest::compile(&empty).unwrap_err();
    assert_eq!(refused, ForestError::Node { tree: 1, node: 0, fault: Fault::Kind });
    assert_eq!(size_of::<Node>(), 16);
}
