//! The stored shape of causal trees that were trained elsewhere: names here are a promise, a new field is optional. `forest` checks
//! them and compiles them. What follows is `docs/forests.md`, for those who write it.
//!
#![doc = include_str!("../../../docs/forests.md")]

use crate::json;
use serde::{Deserialize, Serialize};

/// A forest, or a tree alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Form {
    /// Names of the features, in the order that nodes count them in; each once.
    pub features: Vec<String>,
    /// The trees; what they say is averaged.
    pub trees: Vec<Tree>,
}

/// One tree.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tree {
    /// Its nodes, the root first; apart from that in any order. Each is reached from the root on one way.
    pub nodes: Vec<Node>,
}

/// A node: a branch has `feature`, `threshold`, `left` and `right`, a leaf has `value`. One that has of both is refused.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Which feature decides, as a place in [`Form::features`], from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<u32>,
    /// Left is where the feature is ≤ this, in the feature's own unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Place of the left child among the tree's nodes, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// Place of the right child.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<u32>,
    /// Where a visitor goes whose feature is missing. Without it the tree has no answer for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Child>,
    /// Uplift in the leaf, in units of the reward, within ±1e12.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Squared standard error of `value`, from 0 to 1e24; in all leaves or in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variance: Option<f64>,
    /// What the leaf counts against the leaves of other trees, from 1e-12 to 1e12; 1 where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

/// One of the two ways on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Child {
    /// As if the feature were small.
    #[default]
    Left,
    /// As if it were large.
    Right,
}

json::fields! {
    Form { needs features, trees; }
    Tree { needs nodes; }
    Node { may have feature, threshold, left, right, missing, value, variance, weight; }
}

json::words! { Child { "left" Left, "right" Right } }

impl Node {
    /// A branch; whoever misses the feature has no answer.
    #[must_use]
    pub fn branch(feature: u32, threshold: f64, left: u32, right: u32) -> Self {
        Self {
            feature: Some(feature),
            threshold: Some(threshold),
            left: Some(left),
            right: Some(right),
            ..Self::default()
        }
    }

    /// A leaf that counts once.
    #[must_use]
    pub fn leaf(value: f64) -> Self {
        Self { value: Some(value), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_form_is_what_the_docs_say_in_both_ways_of_reading() {
        let value = json!({
            "features": ["age"],
            "trees": [{ "nodes": [
                { "feature": 0, "threshold": 30.5, "left": 1, "right": 2, "missing": "right" },
                { "value": 0.02, "variance": 0.0001, "weight": 0.25 },
                { "value": -0.01, "variance": 0.0001, "weight": 0.2 },
            ] }],
        });
        let form: Form = json::shape(&value).unwrap();
        assert_eq!(form.trees[0].nodes[0].missing, Some(Child::Right));
        assert_eq!(Form::deserialize(&value).unwrap(), form);
        assert_eq!(json::value(&form), value);
        assert_eq!(serde_json::to_value(&form).unwrap(), value);
    }

    #[test]
    fn what_is_no_form_says_where() {
        let error = |text: &str| json::read::<Form>(text.as_bytes()).unwrap_err();
        assert_eq!(error("{}").to_string(), "missing field `features`");
        let bad = error(r#"{ "features": [], "trees": [{ "nodes": [{ "missing": "up" }] }] }"#);
        assert_eq!(bad.to_string(), "unknown word `up`, expected `left` or `right`");
        assert_eq!(bad.pointer(), "/trees/0/nodes/0/missing");
    }
}
