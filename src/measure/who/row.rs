//! What uplift is learned from: one logged visit, checked. How it is learned is the business of `learner`.

use crate::bandit::{FeatureVector, RegressionError};
use crate::json::number::Decimal;
use crate::measure::qini::Side;
use std::fmt;

/// One logged visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Who: rows of one visitor share it, and are never on both sides of a fold.
    pub unit: u64,
    /// What was known before, intercept first ([`crate::bandit::Features`]); nothing that the visit itself changed.
    pub x: FeatureVector,
    /// Whether the visitor was addressed.
    pub side: Side,
    /// What came of it, in the unit that uplift is asked in; ± [`crate::bandit::linear::MAX_REWARD`].
    pub reward: f64,
    /// e(x) = P(treated), in (0, 1), as it was when the side was drawn; may depend on `x` alone.
    pub propensity: f64,
}

/// Why there is no model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WhoError {
    /// A row whose features or reward the regression can't take.
    Row {
        /// Position of the row, from 0.
        position: usize,
        /// What the regression says.
        source: RegressionError,
    },
    /// A propensity that leaves one side without a chance.
    Propensity {
        /// Position of the row, from 0.
        position: usize,
        /// The number found.
        found: f64,
    },
    /// Nobody on one of the sides.
    Empty(Side),
    /// Nobody on one of the sides once a fold is left out.
    EmptyFold {
        /// The side.
        side: Side,
        /// The fold, from 0.
        fold: u32,
    },
    /// Fewer than two folds.
    Folds {
        /// Number of folds asked for.
        found: u32,
    },
    /// Beliefs that no posterior can be computed from.
    Beliefs(RegressionError),
}

impl fmt::Display for WhoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { position, source } => write!(f, "row {position}: {source}"),
            Self::Propensity { position, found } => write!(
                f,
                "propensity of row {position} is {}; hint: leave out who had no chance of one side",
                Decimal(*found)
            ),
            Self::Empty(side) => write!(f, "nobody {}; hint: uplift needs both groups", named(*side)),
            Self::EmptyFold { side, fold } => {
                write!(f, "nobody {} outside of fold {fold}; hint: use more rows", named(*side))
            }
            Self::Folds { found } => write!(f, "{found} folds; hint: use 2 or more, usually 5"),
            Self::Beliefs(source) => write!(f, "{source}"),
        }
    }
}

impl std::error::Error for WhoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Row { source, .. } | Self::Beliefs(source) => Some(source),
            _ => None,
        }
    }
}

fn named(side: Side) -> &'static str {
    match side {
        Side::Treated => "treated",
        Side::Control => "in the control group",
    }
}
