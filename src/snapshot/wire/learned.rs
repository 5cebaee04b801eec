//! The stored shapes of what is published: a configuration with what has been learned.

use super::Config;
use serde::{Deserialize, Serialize};

/// What is published: the configuration with what has been learned. The payload of the binary form.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Published {
    /// The configuration.
    pub config: Config,
    /// What has been learned, sorted by slot.
    pub learned: Vec<LearnedSlot>,
}

/// What has been learned about a slot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnedSlot {
    /// Name of the slot.
    pub slot: String,
    /// Its arms, sorted by name.
    pub arms: Vec<LearnedArm>,
    /// Why the slot shows its baseline only, where a tripwire has stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tripped: Option<String>,
    /// How much the place is looked at, relative to the first of those that it shares with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<f64>,
}

/// What has been learned about an arm.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnedArm {
    /// Name of the arm.
    pub arm: String,
    /// Exposures counted.
    pub exposures: u64,
    /// Exposures that were rewarded with the slot's goal.
    pub rewards: u64,
    /// P(best) among all arms of the slot that can be shown, in [0, 1].
    pub weight: f64,
    /// Exposures and rewards that are believed of its block from other places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooled: Option<[f64; 2]>,
    /// Exposures as they count, where some count less than others or not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighed: Option<f64>,
    /// Rewards of the slot's goals as they count, in the order of the slot's goals; left out where `rewards` says it all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<LearnedGoal>,
    /// What a contextual policy believes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regression: Option<Regression>,
    /// What the items of a list earned themselves; stands with its first place and is believed in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<LearnedItems>,
}

/// What the items of a list earned themselves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnedItems {
    /// Variance of what an exposure earns, around what is expected of its item.
    pub noise: f64,
    /// Those that were shown most, sorted by their short names.
    pub items: Vec<LearnedItem>,
}

/// What an item of a list earned.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnedItem {
    /// Short name of the item, see [`short_id`](crate::index::short_id).
    pub item: u32,
    /// Exposures as they count.
    pub exposures: f64,
    /// What they earned together, in the site's currency.
    pub worth: f64,
}

/// Rewards of a goal as they count.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnedGoal {
    /// How many.
    pub n: f64,
    /// Sum of their values, in the site's currency.
    pub value: f64,
    /// Sum of the squares of their values.
    pub squares: f64,
}

/// A regression's belief about what an arm is worth in a context, in the site's currency.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Regression {
    /// Which features it is of.
    pub set: u32,
    /// Expected coefficients, intercept first.
    pub mean: Vec<f64>,
    /// The inverse of the precision's Cholesky factor, row by row.
    pub factor: Vec<f64>,
}
