//! JSON shapes of a visit and of a decision, for faces that hand them over as data: browser, console, command line,
//! golden cases. Field names are promises; new fields are optional.

use crate::context::{Action, Context, Device};
use crate::decide::Decision;
use crate::id::{ArmId, IdError};
use crate::seed::Seed;
use crate::snapshot::Snapshot;
use crate::trail::Trail;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A visit as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Visit {
    /// Path of the page.
    pub path: String,
    /// Query parameters.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub query: Map<String, Value>,
    /// Host of the referring page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
    /// ISO country, upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// First language, lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// `phone`, `tablet`, `desktop` or `crawler`; anything else is unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// Milliseconds since the epoch.
    pub time_millis: u64,
    /// Whatever the site adds.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// What the request brings, by slot: names and features.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub actions: BTreeMap<String, Vec<Offered>>,
    /// The items looked at last, newest first, by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<String>,
    /// Key of the visitor, 32 hexadecimal digits; without one the view stands for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitor: Option<String>,
    /// Id of the decision, 32 hexadecimal digits.
    pub decision: String,
}

/// Something that a request brings, as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Offered {
    /// Its name: letters, digits, `-`, `_`, `.`.
    pub id: String,
    /// What is known of it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub features: Map<String, Value>,
}

impl Offered {
    /// The action of this name.
    ///
    /// # Errors
    /// A name that is none.
    pub fn action(self) -> Result<Action, IdError> {
        Ok(Action { id: ArmId::new(&self.id)?, features: self.features })
    }
}

impl Visit {
    /// The facts and the seed of the visit at a site.
    ///
    /// # Errors
    /// A visitor or a decision that is not 32 hexadecimal digits, an action without a proper name.
    pub fn open(self, site: &str) -> Result<(Context, Seed), IdError> {
        let seed = Seed::of_text(site, self.visitor.as_deref(), &self.decision)?;
        let device = Device::of_word(&self.device);
        let Self {
            path, query, referrer, country, language, time_millis, attributes, actions, trail, ..
        } = self;
        let actions = actions.into_iter().map(|(slot, offered)| {
            let actions: Result<Vec<Action>, IdError> = offered.into_iter().map(Offered::action).collect();
            Ok((slot, actions?))
        });
        Ok((
            Context {
                path,
                query,
                referrer,
                country,
                language,
                device,
                time_millis,
                attributes,
                trail: Trail::of_ids(trail.iter().map(String::as_str), time_millis),
                actions: actions.collect::<Result<_, IdError>>()?,
                ..Context::default()
            },
            seed,
        ))
    }
}

/// A decision as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The snapshot decided from, 32 hexadecimal digits.
    pub snapshot: String,
    /// Whether the visit is in the holdout.
    pub held_out: bool,
    /// One entry per slot of the page.
    pub slots: Vec<ToldSlot>,
}

/// The choice for one slot as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToldSlot {
    /// Name of the slot.
    pub slot: String,
    /// Name of the arm; none is the page as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// Name of the action, where the arm stands for what the request brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// P(this choice), in (0, 1].
    pub propensity: f64,
    /// [`crate::decide::Reason`] as a word.
    pub reason: String,
}

impl Told {
    /// A decision with the names of its snapshot.
    #[must_use]
    pub fn of(snapshot: &Snapshot, decision: &Decision) -> Self {
        let told = decision.choices.iter().filter_map(|choice| {
            let slot = snapshot.slots.get(choice.slot)?;
            Some(ToldSlot {
                slot: slot.id.to_string(),
                arm: choice.arm.and_then(|arm| slot.arms.get(arm)).map(|arm| arm.id.to_string()),
                action: choice.action_shown().map(ToString::to_string),
                propensity: choice.propensity,
                reason: choice.reason.as_str().to_string(),
            })
        });
        Self { snapshot: decision.version.to_string(), held_out: decision.held_out, slots: told.collect() }
    }
}
