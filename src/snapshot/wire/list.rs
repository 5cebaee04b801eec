//! The stored shapes of lists: slots that show items of an index, several at a time.

use super::{Config, Feature, Slot};
use crate::id::SlotId;
use crate::statistics::list_of;
use serde::{Deserialize, Serialize};

/// An index of vectors that lists show items of; `edgeloom index push` brings its content.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Index {
    /// Name of the index.
    pub id: String,
    /// Address of an item's page with `{id}` in it, as in `/articles/{id}`: lists there follow that item, and who was there has
    /// seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What a slot shows of an index: as many items as it has places, each chosen from those that are nearest to what the visit is
/// interested in. The slot's arms stand in for it where there are none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct List {
    /// The index.
    pub index: String,
    /// The block that each item is shown with: an item's fields take the place of the block's own that have the same name.
    pub block: String,
    /// Items at most, 1–12.
    pub length: u8,
    /// Items that the policy chooses among, 1–100; default five for each place, and 40 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<u8>,
    /// Only items of which all of this is true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<ItemFilter>,
    /// Only items that have the same words in these fields as the page's own item, where it has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<String>,
    /// How much candidates differ among each other, in [0, 1): 0 takes the nearest, more gives up nearness for it; default 0.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<f64>,
    /// What makes up the interest of a visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest: Option<Interest>,
    /// Field with a number of how popular an item is, such as its views: a feature, and what decides where a visit shows no interest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub popularity: Option<String>,
    /// Whether items that the visitor has seen may come again; default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<bool>,
    /// Prior belief [alpha, beta] about an item, both > 0; default [1, 19].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<[f64; 2]>,
    /// Exposures that what all items share is worth beside what an item earned itself, 1–100,000; default 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_weight: Option<f64>,
    /// What is known of an item: its fields, and `similarity`, `popularity` (0 to 1), `position` (from 1). Default those three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
}

/// A condition on a field of an item: exactly one of `one_of`, `none_of`, `past`, `future`, or one or both of `min` and `max`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct ItemFilter {
    /// Name of the field.
    pub field: String,
    /// It has one of these words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// It has none of these words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub none_of: Vec<String>,
    /// It is at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// It is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// True: it is a time that has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<bool>,
    /// True: it is a time to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future: Option<bool>,
    /// Whether items without the field pass; default only those of `none_of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<bool>,
}

/// What makes up the interest of a visit, each weight in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Interest {
    /// The item of the page; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<f64>,
    /// The item seen last before it, where the visitor consented to remembering; each before that half as much; default 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<f64>,
    /// A vector that the site knows of the visitor; default 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<f64>,
    /// How long until an item seen counts half, hours, 1–8760; default 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life_hours: Option<u16>,
}

impl Config {
    /// The slot of this name, or whose list has a place of this name.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        let find = |name: &str| self.slots.iter().find(|slot| slot.id == name);
        find(name).or_else(|| {
            let list = list_of(&SlotId::new(name).ok()?)?;
            find(list.as_str()).filter(|slot| slot.list.is_some())
        })
    }
}
