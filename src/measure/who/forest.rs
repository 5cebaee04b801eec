//! Causal trees that were trained elsewhere (Athey, Tibshirani & Wager 2019, doi:10.1214/18-AOS1709), checked, flattened and walked:
//! 16 bytes a node, no allocation. It grows no tree; the stored shape is that of `wire`.

use super::wire::{self, Child, Form};
use crate::json;

mod fault;

pub use fault::{Fault, ForestError};

/// Bytes of JSON at most: 128 for each of the most nodes, 134 MB. As a `Value` they take some times as much for a moment, on the
/// computer that imports, not at the edge.
pub const MAX_BYTES: usize = 128 * MAX_NODES;

/// Nodes of all trees at most: of 16 bytes each they take 16 MB, an eighth of what an isolate has.
pub const MAX_NODES: usize = 1 << 20;

/// Trees at most. One walk takes some hundredths of a microsecond, so that this many take less than a millisecond.
pub const MAX_TREES: usize = 4_096;

/// Features at most; their places take two bytes.
pub const MAX_FEATURES: usize = 1_024;

/// Branches on the way to a leaf at most. Balanced trees of all [`MAX_NODES`] have 19.
pub const MAX_DEPTH: usize = 64;

/// A node as it is walked. The left child follows its parent, children come after their parents: every walk ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    Branch {
        missing: Missing,
        feature: u16,
        right: u32,
        threshold: f64,
    },
    /// In single precision, 6e-8 of the number: no forest knows its uplift better.
    Leaf {
        value: f32,
        weight: f32,
        variance: f32,
    },
}

/// Where a visitor goes whose feature is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Left,
    Right,
    Nowhere,
}

/// What a forest says of one visitor, in units of the reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Σ w·value / Σ w over the trees that answer: the expected uplift.
    pub mean: f64,
    /// Standard deviation between trees, weighted alike; `None` where one tree answers alone.
    ///
    /// It says how much trees disagree, not how far the forest is off: the mean over trees varies less than a tree, by as
    /// much as trees are independent, and all may err alike. As an `sd` for [`super::targeting::Rule`] it is careful.
    pub between_sd: Option<f64>,
    /// Root of the mean variance that the leaves state: how far *one* tree is off by what it learned from.
    pub within_sd: Option<f64>,
    /// Trees that answered; the others lack a feature.
    pub n_trees: u32,
}

/// A checked forest, made ready.
///
/// ```
/// use edgeloom::measure::who::forest::Forest;
///
/// let forest = Forest::parse(br#"{
///     "features": ["age", "visits"],
///     "trees": [
///         { "nodes": [{ "feature": 0, "threshold": 30.5, "left": 1, "right": 2 }, { "value": 0.02 }, { "value": -0.01 }] },
///         { "nodes": [{ "value": 0.01 }] }
///     ]
/// }"#)?;
/// let x = forest.row(|name| if name == "age" { Some(25.0) } else { None });
/// let found = forest.predict(&x).unwrap();
/// assert!((found.mean - 0.015).abs() < 1e-8 && found.n_trees == 2);
/// // Who has no age gets an answer from the other tree alone.
/// assert_eq!(forest.predict(&[]).unwrap().n_trees, 1);
/// # Ok::<(), edgeloom::measure::who::forest::ForestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    features: Vec<String>,
    roots: Vec<u32>,
    nodes: Vec<Node>,
    has_variance: bool,
}

impl Forest {
    /// The forest of a JSON text.
    ///
    /// # Errors
    /// Too long a text, no JSON, another shape, or what [`Forest::compile`] refuses.
    pub fn parse(text: &[u8]) -> Result<Self, ForestError> {
        if text.len() > MAX_BYTES {
            return Err(ForestError::TooLong { found: text.len() });
        }
        Self::compile(&json::read(text).map_err(ForestError::Json)?)
    }

    /// Checks a form and makes it ready.
    ///
    /// # Errors
    /// No or too many features, trees or nodes; names that stand twice; the first node that makes no tree.
    pub fn compile(form: &Form) -> Result<Self, ForestError> {
        let Form { features, trees } = form;
        let number = |what, found, most| {
            if (1..=most).contains(&found) { Ok(()) } else { Err(ForestError::Number { what, found, most }) }
        };
        number("features", features.len(), MAX_FEATURES)?;
        number("trees", trees.len(), MAX_TREES)?;
        // At most 4,096 lengths, each of a list in memory: no overflow.
        number("nodes", trees.iter().map(|tree| tree.nodes.len()).sum(), MAX_NODES)?;
        let mut names: Vec<&String> = features.iter().collect();
        names.sort_unstable();
        let twice = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b).map(|(a, _)| *a);
        if let Some(name) = twice.or_else(|| features.iter().find(|name| name.is_empty())) {
            return Err(ForestError::Name { name: name.clone() });
        }
        let has_variance = trees.iter().flat_map(|tree| &tree.nodes).any(|node| node.variance.is_some());
        let mut forest = Self { features: features.clone(), roots: vec![], nodes: vec![], has_variance };
        for (tree, shape) in trees.iter().enumerate() {
            forest.roots.push(forest.nodes.len() as u32);
            forest.plant(&shape.nodes).map_err(|(node, fault)| ForestError::Node { tree, node, fault })?;
        }
        Ok(forest)
    }

    /// Adds the nodes of a tree, each branch followed by all that is left of it.
    fn plant(&mut self, shapes: &[wire::Node]) -> Result<(), (usize, Fault)> {
        let mut is_reached = vec![false; shapes.len()];
        // What is still to come: the node, the branches above it, and whose right child it is.
        let mut rest: Vec<(usize, usize, Option<usize>)> = vec![(0, 0, None)];
        while let Some((place, depth, parent)) = rest.pop() {
            let at = self.nodes.len();
            // A tree without nodes has no root.
            let (Some(shape), Some(reached)) = (shapes.get(place), is_reached.get_mut(place)) else {
                return Err((place, Fault::Kind));
            };
            if std::mem::replace(reached, true) {
                return Err((place, Fault::Twice));
            }
            if depth > MAX_DEPTH {
                return Err((place, Fault::Deep));
            }
            if let Some(Node::Branch { right, .. }) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
                *right = at as u32;
            }
            let (node, children) = self.node(shape, shapes.len()).map_err(|fault| (place, fault))?;
            self.nodes.push(node);
            if let Some((left, right)) = children {
                rest.push((right, depth + 1, Some(at)));
                rest.push((left, depth + 1, None));
            }
        }
        match is_reached.iter().position(|reached| !reached) {
            Some(place) => Err((place, Fault::Unreached)),
            None => Ok(()),
        }
    }

    /// A node, and where its children are among `n` shapes. Its own place to the right is not known yet.
    fn node(&self, shape: &wire::Node, n: usize) -> Result<(Node, Option<(usize, usize)>), Fault> {
        let in_range = |field, found: f64, least: f64, most: f64| {
            if (least..=most).contains(&found) { Ok(found) } else { Err(Fault::Number { field, found }) }
        };
        let place = |field, found: u32, n: usize| {
            let place = usize::try_from(found).unwrap_or(usize::MAX);
            if place < n { Ok(place) } else { Err(Fault::Place { field, found, n }) }
        };
        let wire::Node { feature, threshold, left, right, missing, value, variance, weight } = shape;
        match (feature, threshold, left, right, missing, value, variance, weight) {
            (Some(feature), Some(threshold), Some(left), Some(right), missing, None, None, None) => {
                let feature = place("feature", *feature, self.features.len())? as u16;
                let threshold = in_range("threshold", *threshold, f64::MIN, f64::MAX)?;
                let children = (place("left", *left, n)?, place("right", *right, n)?);
                let missing = match missing {
                    Some(Child::Left) => Missing::Left,
                    Some(Child::Right) => Missing::Right,
                    None => Missing::Nowhere,
                };
                Ok((Node::Branch { missing, feature, right: 0, threshold }, Some(children)))
            }
            (None, None, None, None, None, Some(value), variance, weight) => {
                if variance.is_some() != self.has_variance {
                    return Err(Fault::Variance);
                }
                let value = in_range("value", *value, -1e12, 1e12)? as f32;
                let variance = in_range("variance", variance.unwrap_or(0.0), 0.0, 1e24)? as f32;
                let weight = in_range("weight", weight.unwrap_or(1.0), 1e-12, 1e12)? as f32;
                Ok((Node::Leaf { value, weight, variance }, None))
            }
            _ => Err(Fault::Kind),
        }
    }

    /// Names of the features, in the order of a row.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// A row of the forest's features by name, each in the unit that the forest was trained in.
    #[must_use]
    pub fn row(&self, feature: impl Fn(&str) -> Option<f64>) -> Vec<Option<f64>> {
        self.features.iter().map(|name| feature(name)).collect()
    }

    /// What the trees say of a row; `None` where none has an answer. A feature that is not there, or is not a number, is missing.
    ///
    /// One pass with the running mean and squares of West (1979, doi:10.1145/359146.359153).
    #[must_use]
    pub fn predict(&self, row: &[Option<f64>]) -> Option<Prediction> {
        let (mut n_trees, mut total, mut mean, mut squares, mut variances) = (0_u32, 0.0, 0.0, 0.0, 0.0);
        for root in &self.roots {
            let Some([value, weight, variance]) = self.walk(*root as usize, row) else { continue };
            n_trees += 1;
            total += weight;
            let off = value - mean;
            mean += off * (weight / total);
            squares += weight * off * (value - mean);
            variances += weight * variance;
        }
        let n = f64::from(n_trees);
        (n_trees > 0).then(|| Prediction {
            mean,
            between_sd: (n_trees > 1).then(|| (squares / total * n / (n - 1.0)).max(0.0).sqrt()),
            within_sd: self.has_variance.then(|| (variances / total).sqrt()),
            n_trees,
        })
    }

    /// Value, weight and variance of the leaf that a row ends in.
    fn walk(&self, root: usize, row: &[Option<f64>]) -> Option<[f64; 3]> {
        let mut at = root;
        loop {
            match *self.nodes.get(at)? {
                Node::Leaf { value, weight, variance } => {
                    return Some([value, weight, variance].map(f64::from));
                }
                Node::Branch { missing, feature, right, threshold } => {
                    let number = row.get(usize::from(feature)).copied().flatten().filter(|x| !x.is_nan());
                    let is_left = match (number, missing) {
                        (Some(number), _) => number <= threshold,
                        (None, Missing::Left) => true,
                        (None, Missing::Right) => false,
                        (None, Missing::Nowhere) => return None,
                    };
                    at = if is_left { at + 1 } else { right as usize };
                }
            }
        }
    }

    /// The forest in its stored shape again, nodes in the order of walking.
    #[must_use]
    pub fn form(&self) -> Form {
        let ends = self.roots.iter().skip(1).map(|root| *root as usize).chain([self.nodes.len()]);
        let tree = |(root, end): (&u32, usize)| {
            let nodes = self.nodes.iter().zip(0_u32..).take(end).skip(*root as usize);
            let shape = |(node, at): (&Node, u32)| match *node {
                Node::Branch { missing, feature, right, threshold } => wire::Node {
                    missing: match missing {
                        Missing::Left => Some(Child::Left),
                        Missing::Right => Some(Child::Right),
                        Missing::Nowhere => None,
                    },
                    ..wire::Node::branch(u32::from(feature), threshold, at + 1 - root, right - root)
                },
                Node::Leaf { value, weight, variance } => wire::Node {
                    weight: Some(f64::from(weight)),
                    variance: self.has_variance.then_some(f64::from(variance)),
                    ..wire::Node::leaf(f64::from(value))
                },
            };
            wire::Tree { nodes: nodes.map(shape).collect() }
        };
        Form { features: self.features.clone(), trees: self.roots.iter().zip(ends).map(tree).collect() }
    }
}

#[cfg(test)]
mod tests;
