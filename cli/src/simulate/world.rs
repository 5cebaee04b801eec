//! What is simulated: the configuration as it would be published, who visits, and the true rates.

use super::rates::{Kind, Rate, Rates, SlotRates};
use edgeloom::context::Context;
use edgeloom::event::Treatment;
use edgeloom::id::{GoalId, SlotId};
use edgeloom::snapshot::store::Stored;
use edgeloom::snapshot::wire::Config;
use edgeloom::snapshot::{Slot, Snapshot};
use std::collections::BTreeSet;

/// Everything that is the same in all runs.
pub struct World {
    /// The configuration, with nothing learned yet.
    pub stored: Stored,
    /// Kinds of visits: the sum of shares up to and with this one, in (0, 1], and the facts.
    pub kinds: Vec<(f64, Context)>,
    /// By position in the snapshot; `None` for slots without rates.
    pub slots: Vec<Option<Watched>>,
}

/// A slot with its true rates.
pub struct Watched {
    /// Name of the slot.
    pub id: SlotId,
    /// The goal it learns from.
    pub goal: GoalId,
    /// What a reward is worth.
    pub value: f64,
    /// Arms by position: as an event names them, and their rates.
    pub arms: Vec<(Treatment, Rate)>,
    /// Rate of the page as it is, where it is known.
    pub untouched: Option<Rate>,
}

impl World {
    /// The world of a sound configuration, its snapshot and rates that fit it.
    pub fn new(stored: Stored, snapshot: &Snapshot, rates: &Rates) -> Self {
        let watched =
            |slot: &Slot| rates.slots.get(slot.id.as_str()).and_then(|of| watched(snapshot, slot, of));
        let slots: Vec<_> = snapshot.slots.iter().map(watched).collect();
        let kinds = if rates.visits.is_empty() {
            pages(&stored.published.config, rates)
        } else {
            rates.visits.clone()
        };
        let total: f64 = kinds.iter().map(|kind| kind.share).sum();
        let mut sum = 0.0;
        let kinds = kinds.iter().map(|kind| {
            sum += kind.share / total;
            (sum, kind.context())
        });
        let kinds = kinds.collect();
        Self { stored, kinds, slots }
    }

    /// The kind of visit at a point of (0, 1).
    pub fn kind_at(&self, point: f64) -> usize {
        // Rounding may leave the last sum just below 1.
        self.kinds.partition_point(|(sum, _)| *sum <= point).min(self.kinds.len().saturating_sub(1))
    }
}

fn watched(snapshot: &Snapshot, slot: &Slot, rates: &SlotRates) -> Option<Watched> {
    let of = |arm: &edgeloom::snapshot::Arm| {
        Some((Treatment::Arm(arm.id.clone()), rates.arms.get(arm.id.as_str())?.clone()))
    };
    // An arm without a block shows the page as it is, too; with several of them nobody knows which rate is meant.
    let mut as_it_is = slot.arms.iter().filter(|arm| arm.block.is_none());
    let only = as_it_is.next().filter(|_| as_it_is.next().is_none());
    let untouched = rates.untouched.as_ref().or_else(|| only.and_then(|arm| rates.arms.get(arm.id.as_str())));
    Some(Watched {
        id: slot.id.clone(),
        goal: snapshot.goals.get(slot.goal)?.id.clone(),
        value: snapshot.goals.get(slot.goal)?.value,
        arms: slot.arms.iter().map(of).collect::<Option<_>>()?,
        untouched: untouched.cloned(),
    })
}

/// Without kinds of visits: the first page of each slot that has rates, all equally often.
fn pages(config: &Config, rates: &Rates) -> Vec<Kind> {
    let slots = config.slots.iter().filter(|slot| rates.slots.contains_key(&slot.id));
    let paths = slots.map(|slot| slot.paths.first().map_or("/".to_string(), |path| path.replace('*', "")));
    let rooted = |path: String| if path.starts_with('/') { path } else { format!("/{path}") };
    let paths: BTreeSet<String> = paths.map(rooted).collect();
    paths.into_iter().map(|path| Kind { path, ..Kind::default() }).collect()
}
