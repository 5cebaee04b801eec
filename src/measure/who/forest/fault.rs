//! What is wrong with a forest, and with which of its nodes; it checks nothing itself.

use super::{MAX_BYTES, MAX_DEPTH};
use crate::json::JsonError;
use crate::json::number::Decimal;
use std::fmt;

/// A forest that can't be used.
#[derive(Debug, Clone, PartialEq)]
pub enum ForestError {
    /// A text longer than [`MAX_BYTES`].
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// No JSON, or JSON of another shape.
    Json(JsonError),
    /// More of something than is allowed, or none.
    Number {
        /// Of what.
        what: &'static str,
        /// How many were found.
        found: usize,
        /// How many are allowed.
        most: usize,
    },
    /// A feature without a name, or two of one name.
    Name {
        /// The name.
        name: String,
    },
    /// A node that makes no tree.
    Node {
        /// Which tree, from 0.
        tree: usize,
        /// Which of its nodes, from 0.
        node: usize,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Parts of a branch are missing, it has parts of a leaf too, or is neither.
    Kind,
    /// A place that there is nothing at.
    Place {
        /// Which field.
        field: &'static str,
        /// The place found.
        found: u32,
        /// How many there are.
        n: usize,
    },
    /// A number outside of its range.
    Number {
        /// Which field.
        field: &'static str,
        /// The number found.
        found: f64,
    },
    /// Reached from the root on two ways, or from itself.
    Twice,
    /// Not reached from the root.
    Unreached,
    /// More than [`MAX_DEPTH`] branches above it.
    Deep,
    /// A variance where other leaves have none, or none where they have.
    Variance,
}

impl fmt::Display for ForestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { found } => {
                write!(f, "{found} bytes; hint: export fewer trees, {MAX_BYTES} bytes are the limit")
            }
            Self::Json(source) if source.pointer().is_empty() => write!(f, "{source}"),
            Self::Json(source) => write!(f, "{}: {source}", source.pointer()),
            Self::Number { what, found, most } => write!(f, "{found} {what}; hint: use 1 to {most}"),
            Self::Name { name } => {
                write!(f, "feature \"{name}\" stands twice or has no name; hint: name each once")
            }
            Self::Node { tree, node, fault } => write!(f, "node {node} of tree {tree} {fault}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str(
                "is no node; hint: give feature, threshold, left and right to a branch, and value to a leaf",
            ),
            Self::Place { field, found, n } => {
                write!(f, "has {field} {found} of {n}; hint: count from 0")
            }
            Self::Number { field, found } => {
                write!(f, "has {field} {}; hint: see the ranges in docs/forests.md", Decimal(*found))
            }
            Self::Twice => f.write_str("is reached twice; hint: give each child one parent"),
            Self::Unreached => f.write_str("is not reached from node 0; hint: leave it out"),
            Self::Deep => write!(f, "lies too deep; hint: train with a depth of at most {MAX_DEPTH}"),
            Self::Variance => {
                f.write_str("is alone with or without a variance; hint: give it to all leaves or to none")
            }
        }
    }
}

impl std::error::Error for ForestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(source) => Some(source),
            _ => None,
        }
    }
}
