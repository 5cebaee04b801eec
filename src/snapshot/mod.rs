//! Everything a decision reads: immutable, content-addressed, replaced whole.

mod blocks;
mod chooser;
mod compile;
mod experiment;
mod learn;
mod list;
mod offer;
mod policy;
mod position;
mod scoring;
mod shape;
pub mod store;
mod targeting;
mod terms;
#[cfg(test)]
mod tests;
mod warning;
pub mod wire;

pub use chooser::{Chooser, Chosen, Draw, Faded, Sight};
pub use compile::{DEFAULT_HOLDOUT, DEFAULT_WINDOW_HOURS, check, compile};
pub use learn::{Since, learn};
pub use list::{ITEMS, List, ListPlace};
use offer::Spot;
pub use offer::{MAX_ACTIONS, Offers};
pub use policy::Policy;
pub use targeting::Targeting;
pub use warning::{Severity, Warning};

use crate::assortment::Assortment;
use crate::audience::{AudienceIndex, AudienceSet};
use crate::bandit::{self, Belief, BetaPosterior, Codes};
use crate::block::Markup;
use crate::context::Action;
use crate::id::{ArmId, BlockId, GoalId, SlotId, SnapshotVersion};
use crate::pattern::Pattern;
use crate::receipt::{Fatigue, Loss};
use crate::saturation::{Fading, Limit, Seen, SeenKey};
use crate::schedule::Schedule;
use crate::slate::Combination;
use crate::slot::Place;
use crate::split::{Holdout, LayerPart};
use std::num::NonZeroU16;
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
    /// What blocks mean to each other on a page.
    pub combinations: Vec<Combination>,
    /// Indexes that lists show items of.
    pub indexes: Vec<IndexUse>,
    /// Places in pages, in the order of their worth.
    pub slots: Vec<Slot>,
    /// Compiled rules.
    pub audiences: AudienceSet,
}

/// An index that lists show items of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexUse {
    /// Its name.
    pub id: String,
    /// What stands before and after the name of an item in the address of its page.
    pub path: Option<(String, String)>,
}

impl IndexUse {
    /// The item whose page this is.
    #[must_use]
    pub fn item_at<'p>(&self, path: &'p str) -> Option<&'p str> {
        let (start, end) = self.path.as_ref()?;
        let item = path.strip_prefix(start.as_str())?.strip_suffix(end.as_str())?;
        (!item.is_empty() && !item.contains('/')).then_some(item)
    }
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
    /// Share of a value that is earned.
    pub margin: f64,
    /// How long after a decision a success is its own, milliseconds.
    pub window_millis: u64,
}

/// A place in pages and who may fill it.
#[derive(Debug)]
pub struct Slot {
    /// Name of the slot.
    pub id: SlotId,
    /// The list that it is a place of.
    pub list: Option<ListPlace>,
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
    /// Only visits that a forest expects it to pay for.
    pub targeting: Option<Targeting>,
    /// When it runs, and for how many visitors.
    pub schedule: Schedule,
    /// The part of a layer it takes.
    pub layer: Option<LayerPart>,
    /// How often it is filled for a visitor at most.
    pub cap: Option<Cap>,
    /// Visitors who see it as the site has it, beside the site's holdout.
    pub holdout: Option<Holdout>,
    /// The goal it is named for; position in `goals`.
    pub goal: usize,
    /// Rule of choosing, ready.
    pub chooser: Chooser,
    /// A policy in shadow mode: it decides, and is never shown.
    pub challenger: Option<Chooser>,
    /// Hours that are counted together, where it tells old from new.
    pub period_hours: Option<NonZeroU16>,
    /// Why it shows its baseline only, where a tripwire has stopped it.
    pub tripped: Option<String>,
    /// Options, sorted by name.
    pub arms: Vec<Arm>,
    /// The same as policies see them.
    pub options: Vec<bandit::Arm>,
    /// Whether arms can drop out: by an audience, in shadow, or because of what an earlier slot shows.
    pub partial: bool,
    /// Whether arms can be worth less than else.
    pub fades: bool,
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
    /// How often a visitor sees its block at most.
    pub cap: Option<Cap>,
    /// How its block's worth falls with each view.
    pub fading: Option<(SeenKey, Fading)>,
    /// The combinations that its block belongs to; positions in the snapshot.
    pub combinations: Vec<usize>,
    /// The arm's own salt: hash of slot and arm.
    pub salt: u64,
    /// Belief about how often the slot's goal is reached.
    pub posterior: BetaPosterior,
    /// What policies compare it by: that rate, or its worth.
    pub belief: Belief,
    /// What showing it costs, in the site's currency.
    pub cost: f64,
    /// Only a challenger may choose it.
    pub is_shadow: bool,
    /// Whether there are views in which it is no candidate: of an audience, a cap, a combination, or a block of an earlier slot.
    pub drops_out: bool,
    /// Exposures counted.
    pub exposures: u64,
    /// Exposures rewarded.
    pub rewards: u64,
}

/// A frequency cap: what is counted, and how often it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// What is counted.
    pub key: SeenKey,
    /// How often.
    pub limit: Limit,
}

impl Cap {
    /// Whether a visitor has seen it as often as they may.
    #[must_use]
    pub fn is_reached(&self, seen: &Seen, now_millis: u64) -> bool {
        self.limit.is_reached(seen, self.key, now_millis)
    }
}

impl Arm {
    /// The share of its worth that is left after what a visitor has seen, in (0, 1].
    #[must_use]
    pub fn left(&self, seen: &Seen, now_millis: u64) -> f64 {
        self.fading.map_or(1.0, |(key, fading)| fading.left(seen, key, now_millis))
    }

    /// The arm as a policy sees it.
    #[must_use]
    pub const fn as_option(&self) -> bandit::Arm {
        // What is never shown could never leave its burn-in.
        let exposures = if self.is_shadow { u64::MAX } else { self.exposures };
        bandit::Arm { belief: self.belief, salt: self.salt, exposures }
    }
}

impl Slot {
    /// Name of what it fills: its own, or that of the list it is a place of.
    #[must_use]
    pub fn name(&self) -> &SlotId {
        self.list.as_ref().map_or(&self.id, |own| &own.list.id)
    }

    /// Actions as the policy of the slot reads them: for the slot, or for all places of its list.
    #[must_use]
    pub fn assortment(&self, actions: &[Action]) -> Option<Assortment> {
        self.chooser.assortment(actions)
    }

    /// What of it is brought to this slot; without those whose short names are `taken`: what stands in other places of the list.
    #[must_use]
    pub fn offers(
        &self,
        assortment: &Arc<Assortment>,
        visit: Option<&Codes>,
        taken: &[u32],
    ) -> Option<Offers> {
        let nth = self.list.as_ref().map(|own| own.place);
        self.chooser.offers(assortment, &Spot { slot: &self.id, nth, taken }, visit?)
    }

    /// The arms that have lost some of their worth, as a choice sees them.
    #[must_use]
    pub fn faded(&self, fatigue: Option<&Fatigue>) -> Vec<Faded> {
        let losses = fatigue.map_or(&[][..], |fatigue| &fatigue.arms);
        let faded = |(arm, loss): &(u16, Loss)| {
            let arm = usize::from(*arm);
            Some(Faded { arm, left: loss.left(), cost: self.arms.get(arm)?.cost })
        };
        losses.iter().filter_map(faded).collect()
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
