//! Everything a decision reads: immutable, content-addressed, replaced whole.

mod compile;
mod learn;
mod policy;
mod shape;
pub mod store;
#[cfg(test)]
mod tests;
pub mod wire;

pub use compile::{DEFAULT_WINDOW_HOURS, Severity, Warning, check, compile};
pub use learn::learn;
pub use policy::Policy;

use crate::audience::{AudienceIndex, AudienceSet};
use crate::bandit::{self, BetaPosterior, Prepared};
use crate::block::Markup;
use crate::id::{ArmId, BlockId, GoalId, SlotId, SnapshotVersion};
use crate::pattern::Pattern;
use crate::slot::Place;
use crate::split::{Holdout, LayerPart, Rollout};
use std::sync::Arc;

/// What every decision of a request reads; keep one through the whole request.
#[derive(Debug)]
pub struct Snapshot {
    /// Content address.
    pub version: SnapshotVersion,
    /// Number of the publication; a lower one never replaces a higher one.
    pub sequence: u64,
    /// Time of the publication, milliseconds since the epoch.
    pub published_millis: u64,
    /// Name of the site.
    pub site: String,
    /// Visitors that are never personalised.
    pub holdout: Option<Holdout>,
    /// What may be stored and remembered.
    pub privacy: wire::Privacy,
    /// How long after a decision its events count, milliseconds.
    pub window_millis: u64,
    /// Number of shards of the ledger, 1–64.
    pub shards: u8,
    /// Other origins that may send events.
    pub origins: Vec<String>,
    /// What is known of pages beside their slots.
    pub pages: Vec<Page>,
    /// What counts as success.
    pub goals: Vec<Goal>,
    /// Places in pages, in the order of their worth.
    pub slots: Vec<Slot>,
    /// Compiled rules.
    pub audiences: AudienceSet,
}

/// What is known of pages beside their slots.
#[derive(Debug)]
pub struct Page {
    /// Pages like this.
    pub path: Pattern,
    /// How long they stand where their server does not say so, seconds, 0–86,400.
    pub life_seconds: u32,
    /// Whether everybody with the same country and kind of device gets the same page.
    pub is_shared: bool,
}

/// What counts as success.
#[derive(Debug)]
pub struct Goal {
    /// Name of the goal.
    pub id: GoalId,
    /// Reaching a page like this is the goal.
    pub path: Option<Pattern>,
    /// What one success is worth when the event does not say.
    pub value: f64,
}

/// A place in pages and who may fill it.
#[derive(Debug)]
pub struct Slot {
    /// Name of the slot.
    pub id: SlotId,
    /// Where it is in a page.
    pub place: Place,
    /// The selector of `place` for the runtime.
    pub css: String,
    /// Pages it is on; empty means all.
    pub paths: Vec<Pattern>,
    /// Off: nobody is decided for.
    pub enabled: bool,
    /// Only these visits.
    pub audience: Option<AudienceIndex>,
    /// Share of visitors that take part.
    pub rollout: Option<Rollout>,
    /// The part of a layer it takes.
    pub layer: Option<LayerPart>,
    /// The goal whose rate the policy learns; position in `goals`.
    pub goal: usize,
    /// Rule of choosing and its limits.
    pub policy: Policy,
    /// Options, sorted by name.
    pub arms: Vec<Arm>,
    /// The rule prepared for all arms at once: the common case.
    pub prepared: Prepared,
    /// Whether arms can drop out by an audience or because an earlier slot shows the same block.
    pub partial: bool,
}

/// One block in one slot.
#[derive(Debug)]
pub struct Arm {
    /// Name of the arm.
    pub id: ArmId,
    /// The block, for "shown once per page".
    pub block: Option<BlockId>,
    /// What it shows; `None` shows the page as it is.
    pub markup: Option<Arc<Markup>>,
    /// Only for these visits.
    pub audience: Option<AudienceIndex>,
    /// The arm's own salt: hash of slot and arm.
    pub salt: u64,
    /// Belief about its reward rate.
    pub posterior: BetaPosterior,
    /// Exposures counted.
    pub exposures: u64,
    /// Exposures rewarded.
    pub rewards: u64,
}

impl Arm {
    /// The arm as a policy sees it.
    #[must_use]
    pub const fn as_option(&self) -> bandit::Arm {
        bandit::Arm { posterior: self.posterior, salt: self.salt, exposures: self.exposures }
    }
}

impl Snapshot {
    /// The slots that may be on a page, with their positions.
    pub fn slots_on<'s>(&'s self, path: &'s str) -> impl Iterator<Item = (usize, &'s Slot)> {
        self.slots.iter().enumerate().filter(move |(_, slot)| {
            slot.enabled && (slot.paths.is_empty() || slot.paths.iter().any(|p| p.matches(path)))
        })
    }

    /// The slot of a name, with its position.
    #[must_use]
    pub fn slot(&self, id: &SlotId) -> Option<(usize, &Slot)> {
        self.slots.iter().enumerate().find(|(_, slot)| slot.id == *id)
    }

    /// What is known of a page beside its slots.
    #[must_use]
    pub fn page_at(&self, path: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.path.matches(path))
    }

    /// The goals that reaching a page fulfils.
    pub fn goals_at<'s>(&'s self, path: &'s str) -> impl Iterator<Item = &'s Goal> {
        self.goals.iter().filter(move |goal| goal.path.as_ref().is_some_and(|p| p.matches(path)))
    }
}
