//! The stored shapes: the only types whose field names leave the process. A name here is a promise; a new
//! field is optional. Everything is plain text and numbers; `compile` checks and turns it into a `Snapshot`.

mod learned;
mod list;

pub use learned::{LearnedArm, LearnedGoal, LearnedItem, LearnedItems, LearnedSlot, Published, Regression};
pub use list::{Index, Interest, ItemFilter, List};

use crate::json::{self, JsonError};
use crate::sorted::SortedMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a marketer configures: one site. Written as `edgeloom.toml`, sent as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Config {
    /// Name of the site; letters, digits, `-`, `_`, `.`.
    pub site: String,
    /// Visitors that are never personalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Holdout>,
    /// What may be stored and remembered.
    pub privacy: Privacy,
    /// How rewards are collected and counted.
    pub ledger: Ledger,
    /// How long pages stand whose server does not say so, and which are the same for many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Page>,
    /// Named rules over the context.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<Audience>,
    /// What counts as success.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<Goal>,
    /// Content.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// What blocks mean to each other on a page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub combinations: Vec<Combination>,
    /// What lists show items of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Places in pages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slot>,
}

/// What keeps an item of a list from being read.
pub type ItemFault = fn(&Value) -> Option<JsonError>;

/// The lists of a configuration whose items are read one by one: one that can't be read does not cost the others.
pub const ITEMS: [(&str, ItemFault); 7] = [
    ("pages", json::fault::<Page>),
    ("audiences", json::fault::<Audience>),
    ("goals", json::fault::<Goal>),
    ("blocks", json::fault::<Block>),
    ("combinations", json::fault::<Combination>),
    ("indexes", json::fault::<Index>),
    ("slots", json::fault::<Slot>),
];

/// Visitors that always see the site as it is, so that the gain can be measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Holdout {
    /// Share of visitors, in [0, 1].
    pub share: f64,
    /// Keep it for the life of the holdout: a new salt is a new holdout.
    #[serde(default)]
    pub salt: String,
}

/// How much may be remembered of a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing is stored on or read from the device.
    #[default]
    Contextual,
    /// A pseudonymous key for 24 hours, after consent to measurement.
    Measured,
    /// A pseudonymous key for `cookie_days`, after consent to personalisation.
    Personal,
}

impl Mode {
    /// Its word, as in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contextual => "contextual",
            Self::Measured => "measured",
            Self::Personal => "personal",
        }
    }
}

/// What may be stored and remembered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Privacy {
    /// The most that is ever done; without the visitor's consent it is always `contextual`.
    pub mode: Mode,
    /// Where the site's consent banner writes the visitor's choice. Without it nobody has consented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// Life of the visitor key in `personal` mode, days, 1–390; default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie_days: Option<u16>,
    /// Cookie in which the site gives a visitor the key of what it uploaded of their interests, one that nobody can guess; looked at in
    /// `personal` mode only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interest_cookie: Option<String>,
}

/// Where the visitor's choice stands: a cookie whose value is a list of words.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Consent {
    /// Name of the cookie the banner sets.
    pub cookie: String,
    /// Word in its value that means consent to measurement.
    pub measured: String,
    /// Word in its value that means consent to personalisation.
    pub personal: String,
}

/// How events are collected.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Ledger {
    /// Number of shards, 1–64; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u8>,
    /// How long after a decision its events count, hours, 1–336; default 72.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_hours: Option<u32>,
    /// Other origins that may send events, e.g. `https://app.example.org`; the site's own always may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
}

/// Pages that are the same for everybody for a while, though their server sends no `max-age`, `s-maxage` or `Expires`. What
/// the server forbids stays forbidden: `private`, `no-store`, `Set-Cookie`, `Vary: Cookie`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Page {
    /// Their paths; `*` stands for any characters. The first entry that matches counts.
    pub path: String,
    /// How long a copy may be shown to anybody without asking the server, seconds, 0–86400.
    pub life_seconds: u32,
    /// Whether everybody with the same country and kind of device gets the same page, so that caches in front may keep it.
    /// Nothing else of a visit is known there, and nothing is counted.
    #[serde(default)]
    pub shared: bool,
}

/// A named rule over the context.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Audience {
    /// Name of the audience.
    pub id: String,
    /// Condition in the MongoDB-style language, e.g. `{ country = { "$in" = ["DE", "AT"] } }`.
    pub when: Value,
}

/// What counts as success.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Goal {
    /// Name of the goal.
    pub id: String,
    /// Reaching a page whose path matches is the goal; `*` stands for any characters.
    /// Without it the goal is only sent as an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What one success is worth when the event does not say, in the site's currency; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Share of a value that is earned, in [-10, 10]; below 0 for what is to be avoided; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Whether successes are worth different amounts, as events say, which is then learned, too; else each counts `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amounts: Option<bool>,
    /// How long after a decision a success is its own, hours, 1 to the ledger's window. Decisions whose time is not over yet are
    /// not learned from, so that goals reached quickly have no advantage; default the ledger's window, without waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_hours: Option<u32>,
}

/// Content: an HTML template with typed holes `{{name}}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Block {
    /// Name of the block.
    pub id: String,
    /// HTML with holes `{{field}}`, `{{image.src}}`, `{{image.alt}}`; each is escaped for where it stands.
    pub template: String,
    /// What fills the holes.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, Field>"))]
    pub fields: SortedMap<String, Field>,
    /// How often a visitor sees it at most, in all slots together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
    /// How its worth falls with each time that a visitor sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fades: Option<Fading>,
    /// Words that combinations name it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Worth that falls with repetition. It is counted where a visitor is known, from consent to measurement on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Fading {
    /// What the next view is worth of the one before, in (0, 1).
    pub factor: f64,
    /// In so many hours from the first time on, 1–8760. Consent to measurement alone remembers for 24.
    pub hours: u32,
}

/// What some blocks mean to each other on a page: exactly one of `blocks` and `tag`, and exactly one of the other fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Combination {
    /// These blocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<String>,
    /// All blocks with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// So many of them on a page at most, 1–255; with 1 they exclude each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u8>,
    /// True: where one stands, slots further down that may show another of them do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// With each of them that stands already, the others are worth this share, in (0, 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fades: Option<f64>,
}

/// How often something may be shown to a visitor. It is counted where a visitor is known, from consent to measurement on; else
/// a block is shown once per page, as ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Cap {
    /// So often at most, 1–255; once is a cool-down.
    pub times: u8,
    /// In so many hours from the first time on, 1–8760. Consent to measurement alone remembers for 24.
    pub hours: u32,
}

/// A typed value of a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Plain text.
    Text(String),
    /// Rich text: HTML of a small, safe set of elements; `edgeloom publish` sanitises it.
    Rich(String),
    /// A link: relative, `https:`, `http:`, `mailto:` or `tel:`.
    Url(String),
    /// A picture.
    Image(Image),
    /// A number.
    Number(f64),
}

impl Default for Field {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// A picture with what a screen reader says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Image {
    /// Address: relative, `https:` or `http:`.
    pub src: String,
    /// Alternative text; empty for decoration.
    pub alt: String,
    /// Width in CSS pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in CSS pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A place in pages and who may fill it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Slot {
    /// Name of the slot: `<edge-slot name="…">` or `data-edge-slot="…"` in the page.
    pub id: String,
    /// CSS selector of the element instead of a marker, so that the site needs no change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Pages it is on; `*` stands for any characters; default all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Off: nobody is decided for; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only these visits; default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Share of visitors that take part, in [0, 1]; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<f64>,
    /// A part of a layer: slots of one layer with parts that do not overlap never meet in one visitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerPart>,
    /// The goal whose rate the policy learns.
    pub goal: String,
    /// Other goals that what is shown here is judged by, each with its value and margin.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Rule of choosing.
    pub policy: Policy,
    /// A policy in shadow mode: it decides, what it would have shown is recorded, and is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenger: Option<Policy>,
    /// Only visits that a causal forest expects it to pay for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Targeting>,
    /// From when on it runs, as in `2026-12-01T08:00:00Z`; default always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Up to when it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// A pilot: shares of visitors that grow by steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ramp: Vec<Step>,
    /// Visitors that see this place as it is, beside those of the site's holdout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Holdout>,
    /// How often it is filled for a visitor at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
    /// Goals that must not fall behind the holdout: where one does, the baseline is shown until the configuration changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tripwires: Vec<Tripwire>,
    /// What is learned of a block here and in other such slots with the same goal is believed of it in all of them, corrected for how
    /// much each place is looked at; a start only, for policies without context. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooled: Option<bool>,
    /// How long until what was learned counts half, hours, 2–8760; default for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_life_hours: Option<u16>,
    /// Items of an index instead of arms, which then only stand in where there are no items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<List>,
    /// Options, in the order of nothing: the id decides ties.
    pub arms: Vec<Arm>,
}

/// Whom a slot is for, by what a causal forest expects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Targeting {
    /// The forest, or in a file for `edgeloom` the name of one that holds it; 5,000 nodes at most. Its features are facts of the
    /// visit: `hour` a number, `device=phone` whether it is that word.
    pub forest: Value,
    /// The least expected uplift that is worth it, in units of the reward.
    pub least: f64,
}

/// A step of a pilot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Step {
    /// From when on, as in `2026-12-01T08:00:00Z`.
    pub from: String,
    /// Share of visitors that take part, in [0, 1].
    pub share: f64,
}

/// A goal that must not fall behind the holdout.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Tripwire {
    /// The goal.
    pub goal: String,
    /// How sure it must be that the goal is reached less often than in the holdout, in [0.5, 1); default 0.99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Exposures on each side before it is looked at; default 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposures: Option<u64>,
}

/// A part of a layer, `from` ≤ share < `to`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct LayerPart {
    /// Name of the layer.
    pub id: String,
    /// Lower end, in [0, 1].
    pub from: f64,
    /// Upper end, in [0, 1].
    pub to: f64,
}

/// Kinds of choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// Each arm with the probability that it is the best.
    #[default]
    Thompson,
    /// Each arm with the same probability.
    Uniform,
    /// Always the arm named by `baseline`.
    Fixed,
    /// Each arm with the probability that it is the best for this visit, going by its `features`.
    Contextual,
}

/// What a contextual policy looks at, and how it becomes numbers: exactly one of the other fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Feature {
    /// Name of an attribute, as in audiences; with dots a part of one, as in `query.campaign`.
    pub name: String,
    /// A number: what is ordinary, and how far numbers usually lie from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Ordinary>,
    /// True or false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boolean: Option<bool>,
    /// One of these words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// Words of an open set, hashed into this many columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashed: Option<u8>,
}

/// What numbers of a feature usually are.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Ordinary {
    /// What is ordinary.
    pub mean: f64,
    /// How far numbers usually lie from it, above 0.
    pub scale: f64,
}

/// When Thompson sampling draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// By published weights: a visitor keeps the arm until the weights move.
    #[default]
    Sticky,
    /// A posterior draw per view.
    PerView,
}

/// Rule of choosing and its limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Policy {
    /// Kind of choosing.
    pub kind: PolicyKind,
    /// When to draw.
    pub assignment: Assignment,
    /// Least probability per arm, in [0, 1/arms]; default 0.01, or 0.1/arms where that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exploration_floor: Option<f64>,
    /// Uniform until each arm has this many exposures; default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burn_in: Option<u64>,
    /// Most probability per arm, in [1/arms, 1]; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_share: Option<f64>,
    /// The arm that `baseline_share` and `fixed` mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Least probability of the baseline, in [0, 1]; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_share: Option<f64>,
    /// How wide a contextual policy draws, in standard deviations of its belief, in [0.1, 4]; default 1. Below 1 it explores less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// What a contextual policy looks at; 63 columns at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
}

/// One block in one slot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct Arm {
    /// Name of the arm; default the name of the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The block it shows; without one it shows the page as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// Off: never a candidate; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only for these visits; default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What showing it once costs, in the site's currency; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Only the challenger may choose it, so it is never shown; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<bool>,
    /// It stands for what a request brings, each with these features: `/_edgeloom/decide` takes lists of actions. Only for a
    /// contextual policy; pages, which bring nothing, choose among the other arms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Feature>,
    /// Prior belief [alpha, beta], both > 0; default [1, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<[f64; 2]>,
}
