//! The only place that combines the parts: who is held out, who is eligible, which arm, with which chance.
//! It is total: whatever the snapshot and the context are, every slot of the page gets an answer.

use crate::assortment::Assortment;
use crate::bandit::Codes;
use crate::context::Context;
use crate::id::{ArmId, DecisionId, SlotId, SnapshotVersion};
use crate::lookup::{Lookup, MAX_ABOVE};
use crate::receipt::{Basis, Candidates, Fatigue, Flags, Loss, Receipt};
use crate::saturation::SeenKey;
use crate::seed::{HOUR_MILLIS, Purpose, Seed};
use crate::slate::Page;
use crate::snapshot::{Arm, Chosen, Draw, Offers, Sight, Slot, Snapshot};
use crate::split::fraction;
use std::sync::Arc;

/// Why a slot got what it got; OpenFeature's words where they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Chosen by the policy with the propensity given.
    Split,
    /// There was only one way: one candidate, or a fixed arm.
    Static,
    /// Not in the audience, the roll-out or the part of the layer, or no candidate left: the page as it is.
    Default,
    /// In the holdout: the page as it is.
    Holdout,
}

impl Reason {
    /// The word that logs and the page carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Split => "SPLIT",
            Self::Static => "STATIC",
            Self::Default => "DEFAULT",
            Self::Holdout => "HOLDOUT",
        }
    }
}

/// The outcome for one slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Position of the slot in the snapshot.
    pub slot: usize,
    /// Position of the arm in the slot; `None` is the page as it is.
    pub arm: Option<usize>,
    /// In the holdout, the arm that would have been shown.
    pub ghost: Option<usize>,
    /// Where the arm or ghost stands for what the request brings, the position of the action that was chosen.
    pub action: Option<u16>,
    /// P(this arm or ghost, given context and snapshot), in (0, 1].
    pub propensity: f64,
    /// Why.
    pub reason: Reason,
    /// The arms that were eligible.
    pub candidates: Candidates,
    /// What learning needs to know beside the arm; `None` for nothing, which is the common case and costs no space.
    pub basis: Option<Box<Basis>>,
}

impl Choice {
    /// Name of the action that is shown, where its arm stands for what the request brings.
    #[must_use]
    pub fn action_shown(&self) -> Option<&ArmId> {
        self.arm.and(self.basis.as_ref()?.action.as_ref())
    }

    /// The receipt of the choice, made with this snapshot and seed at a time, milliseconds since the epoch; `None` where nobody was to be
    /// shown anything, which is on neither side of the comparison with the holdout.
    #[must_use]
    pub fn receipt(&self, snapshot: &Snapshot, seed: &Seed, now_millis: u64) -> Option<Receipt> {
        let slot = snapshot.slots.get(self.slot).filter(|_| self.reason != Reason::Default)?;
        let flags = Flags::default()
            .with_shared(seed.shared)
            .with_held_out(self.reason == Reason::Holdout)
            .with_per_view(slot.chooser.is_per_view());
        Some(Receipt {
            decision: seed.decision,
            unit: (!seed.shared).then_some(seed.unit),
            slot: slot.id.clone(),
            arm: self.arm.or(self.ghost).and_then(|arm| slot.arms.get(arm)).map(|arm| arm.id.clone()),
            propensity: self.propensity,
            version: snapshot.version,
            // A shared receipt tells the hour only, as its decision does.
            time_millis: if seed.shared { now_millis - now_millis % HOUR_MILLIS } else { now_millis },
            flags,
            candidates: self.candidates.clone(),
            shards: snapshot.shards,
            basis: self.basis.as_deref().cloned().unwrap_or_default(),
        })
    }
}

/// The outcome for one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// The snapshot it was made from.
    pub version: SnapshotVersion,
    /// Whether the visit is in the holdout.
    pub held_out: bool,
    /// One choice per slot that may be on the page, in the order of the snapshot.
    pub choices: Vec<Choice>,
}

/// Decides for every slot that may be on the page.
///
/// The same snapshot, context and seed give the same decision on every machine.
#[must_use]
pub fn decide(snapshot: &Snapshot, context: &Context, seed: &Seed) -> Decision {
    let (held_out, choices) = walk(snapshot, context, seed, Asked::Propensity);
    Decision { id: seed.decision, version: snapshot.version, held_out, choices }
}

/// The arms of [`decide`], by position of the slot and of the arm in it; `None` is the page as it is.
///
/// Without receipts nobody asks for propensities, and a slot that looks at the context is decided in a third of the time.
pub fn arms(
    snapshot: &Snapshot,
    context: &Context,
    seed: &Seed,
) -> impl Iterator<Item = (usize, Option<usize>)> + use<> {
    let (_, choices) = walk(snapshot, context, seed, Asked::Arm);
    choices.into_iter().map(|choice| (choice.slot, choice.arm))
}

/// Whether the page's visit is held out, and the choices. Of one that was asked for no propensity, slot, arm and ghost are right.
fn walk(snapshot: &Snapshot, context: &Context, seed: &Seed, asked: Asked) -> (bool, Vec<Choice>) {
    let held_out = is_held_out(snapshot, seed);
    let facts = snapshot.audiences.facts(context);
    let in_audience = |audience: Option<_>| audience.is_none_or(|a| snapshot.audiences.matches(a, &facts));
    // Who is addressed first, and for all slots: a processor then chooses for several of them at a time, where it would have
    // to wait at each for an answer that it can't foresee.
    let mut choices = Vec::with_capacity(snapshot.slots.len());
    for (position, slot) in snapshot.slots_on(&context.path) {
        let is_addressed = in_audience(slot.audience)
            && takes_part(slot, context.time_millis, seed)
            && slot.targeting.as_ref().is_none_or(|targeting| targeting.is_worth(context))
            && !slot.cap.is_some_and(|cap| cap.is_reached(&context.seen, context.time_millis));
        choices.push(untouched(position, if is_addressed { Reason::Split } else { Reason::Default }));
    }
    let mut page = Page::new(&snapshot.combinations);
    let mut listed = Listed::default();
    for outcome in choices.iter_mut().filter(|choice| choice.reason == Reason::Split) {
        let Some(slot) = snapshot.slots.get(outcome.slot) else { continue };
        let is_eligible = |arm: &Arm| {
            in_audience(arm.audience)
                && !arm.cap.is_some_and(|cap| cap.is_reached(&context.seen, context.time_millis))
                && page.refusal(arm).is_none()
        };
        let codes = slot.chooser.codes(context);
        let lookup = context.lookups.get(slot.name().as_str());
        let offers = listed.offers(slot, (codes.as_ref(), context), lookup);
        // The arms of a list stand in for its items.
        let is_brought = |at: usize| match slot.list {
            Some(_) => offers.is_some() == slot.chooser.stands_for_actions(at),
            None => offers.is_some() || !slot.chooser.stands_for_actions(at),
        };
        let arms = || slot.arms.iter().enumerate();
        let is_pinned = slot.partial
            && arms().any(|(at, arm)| page.pins(arm) && !arm.is_shadow && is_eligible(arm) && is_brought(at));
        let is_candidate = |arm: &Arm| is_eligible(arm) && (!is_pinned || page.pins(arm));
        let candidates = if slot.partial {
            Candidates::of(arms().map(|(at, arm)| !arm.is_shadow && is_candidate(arm) && is_brought(at)))
        } else {
            Candidates::All
        };
        let fatigue = fatigue(slot, context, &page);
        let faded = slot.faded(fatigue.as_ref());
        let challenge = slot.challenger.as_ref().filter(|_| asked == Asked::Propensity);
        let codes = codes.or_else(|| challenge.and_then(|challenger| challenger.codes(context)));
        let sight = Sight { codes: codes.as_ref(), faded: &faded, offers: offers.as_ref() };
        let shadow = challenge.and_then(|challenger| {
            let eligible: Vec<usize> = (0..slot.arms.len())
                .filter(|at| {
                    !slot.chooser.stands_for_actions(*at) && slot.arms.get(*at).is_some_and(is_candidate)
                })
                .collect();
            let draw = Draw::of_challenger(seed, slot.id.as_str());
            let arm = challenger.arm(&slot.options, &eligible, &draw, sight)?;
            slot.arms.get(arm).map(|arm| arm.id.clone())
        });
        let is_held_out = held_out || is_held_out_of(slot, seed);
        let view = View { seed, sight, is_held_out, asked };
        let choice = choose(outcome.slot, slot, candidates, view);
        // A ghost takes its block from later slots, too: both sides of the comparison have the same candidates.
        let taken = choice.arm.or(choice.ghost);
        if let Some(arm) = taken.and_then(|arm| slot.arms.get(arm)) {
            page.add(arm);
        }
        let fatigue = fatigue.map(|fatigue| Fatigue {
            chosen: taken.map_or(Loss::default(), |arm| fatigue.of(arm)),
            ..fatigue
        });
        *outcome = choice;
        let offers = offers.filter(|_| {
            (0..slot.arms.len())
                .any(|arm| slot.chooser.stands_for_actions(arm) && outcome.candidates.contains(arm))
        });
        let chosen = offers.as_ref().zip(outcome.action.map(usize::from));
        let action = chosen.and_then(|(offers, action)| offers.id(action)).cloned();
        listed.add(chosen.and_then(|(offers, action)| offers.item(action)));
        let codes = chosen.and_then(|(offers, action)| offers.codes(action)).cloned().or(codes);
        let lookup = lookup.filter(|_| offers.is_some());
        let lookup = lookup.map(|lookup| Lookup { above: listed.above.clone(), ..lookup.clone() });
        let offers = offers.map(|offers| offers.fingerprint);
        if codes.is_some() || shadow.is_some() || fatigue.is_some() || slot.period_hours.is_some() {
            let basis = Basis {
                features: codes,
                period_hours: slot.period_hours,
                shadow,
                fatigue,
                offers,
                action,
                lookup,
            };
            outcome.basis = Some(Box::new(basis));
        }
    }
    (held_out, choices)
}

/// What is brought to the slots of a page, and what stands in its lists so far. The places of a list follow each other.
#[derive(Default)]
struct Listed<'s> {
    list: Option<&'s SlotId>,
    /// The index that it looks into.
    index: Option<u64>,
    /// What may stand in its places.
    assortment: Option<Arc<Assortment>>,
    /// Items of lists of the same index above it.
    above: Vec<u32>,
    /// These, and what stands in its own places.
    taken: Vec<u32>,
    /// Everything, with the index it is from.
    all: Vec<(u64, u32)>,
}

impl<'s> Listed<'s> {
    /// What is brought to a slot, for a visit of these features: without the items that a place of a list can't have any more.
    fn offers(
        &mut self,
        slot: &'s Slot,
        (visit, context): (Option<&Codes>, &Context),
        lookup: Option<&Lookup>,
    ) -> Option<Offers> {
        let list = slot.list.as_ref().map(|own| &own.list.id);
        if list.is_none() || list != self.list {
            (self.list, self.index) = (list, lookup.filter(|_| list.is_some()).map(|lookup| lookup.index));
            let of_index = self.all.iter().filter(|(index, _)| Some(*index) == self.index);
            self.above = of_index.map(|(_, item)| *item).take(MAX_ABOVE).collect();
            self.taken.clone_from(&self.above);
            self.assortment = context.assortments.get(slot.name().as_str()).cloned().or_else(|| {
                let actions = context.actions.get(slot.name().as_str())?;
                slot.assortment(actions).map(Arc::new)
            });
        }
        slot.offers(self.assortment.as_ref()?, visit, &self.taken)
    }

    /// Takes note of the item that a place shows.
    fn add(&mut self, item: Option<u32>) {
        let Some(item) = item.filter(|_| self.list.is_some()) else { return };
        self.taken.push(item);
        self.all.extend(self.index.map(|index| (index, item)));
    }
}

/// What the visitor has now seen once more, or would have seen without the holdout, and the hours that it is counted over: so that
/// both sides of the comparison reach caps and lose worth alike.
pub fn counted(slot: &Slot, choice: &Choice) -> impl Iterator<Item = (SeenKey, u32)> {
    let taken = choice.arm.or(choice.ghost).and_then(|arm| slot.arms.get(arm));
    // A list is filled once for all its places.
    let own = slot.cap.filter(|_| slot.list.as_ref().is_none_or(|own| own.place == 0));
    let caps = taken.and_then(|arm| arm.cap).into_iter().chain(taken.and(own));
    let fading = taken.and_then(|arm| arm.fading).map(|(key, fading)| (key, fading.hours()));
    caps.map(|cap| (cap.key, cap.limit.hours())).chain(fading)
}

/// What the arms of a slot have lost of their worth, for what the visitor has seen and the page shows; `None` where nothing.
fn fatigue(slot: &Slot, context: &Context, page: &Page<'_>) -> Option<Fatigue> {
    if !slot.fades {
        return None;
    }
    let loss = |arm: &Arm| Loss::of_left(arm.left(&context.seen, context.time_millis) * page.left(arm));
    let losses = slot.arms.iter().zip(0_u16..).map(|(arm, at)| (at, loss(arm)));
    let arms: Vec<_> = losses.filter(|(_, loss)| *loss > Loss::default()).collect();
    (!arms.is_empty()).then(|| Fatigue { chosen: Loss::default(), arms })
}

/// Whether a seed falls into the snapshot's holdout.
pub(crate) fn is_held_out(snapshot: &Snapshot, seed: &Seed) -> bool {
    snapshot.holdout.as_ref().is_some_and(|holdout| holdout.holds(seed.unit))
}

/// Whether a seed falls into the holdout of this slot alone.
pub(crate) fn is_held_out_of(slot: &Slot, seed: &Seed) -> bool {
    slot.holdout.as_ref().is_some_and(|holdout| holdout.holds(seed.unit))
}

/// Positions of the arms that are candidates, ascending.
pub(crate) fn members_of(slot: &Slot, candidates: &Candidates) -> Vec<usize> {
    (0..slot.arms.len()).filter(|arm| candidates.contains(*arm)).collect()
}

fn takes_part(slot: &Slot, time_millis: u64, seed: &Seed) -> bool {
    let share = slot.schedule.share_at(time_millis);
    // A share that grows keeps everybody who was in: each unit has one number, whatever the share is.
    (share >= 1.0 || fraction(Purpose::Rollout, slot.name().as_str(), seed.unit) < share)
        && slot.layer.as_ref().is_none_or(|part| part.includes(seed.unit))
}

const fn untouched(slot: usize, reason: Reason) -> Choice {
    Choice {
        slot,
        arm: None,
        ghost: None,
        action: None,
        propensity: 1.0,
        reason,
        candidates: Candidates::All,
        basis: None,
    }
}

/// What somebody wants to know of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The arm.
    Arm,
    /// The arm and its chance.
    Propensity,
}

/// What a choice is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'v> {
    pub(crate) seed: &'v Seed,
    /// What a policy sees.
    pub(crate) sight: Sight<'v>,
    /// Whether the choice is only noted.
    pub(crate) is_held_out: bool,
    /// What has to be known of it.
    pub(crate) asked: Asked,
}

/// The choice among some candidates: a function of slot, candidates and view alone, so that it can be replayed.
///
/// Whoever could not be shown anything is on neither side of the comparison with the holdout.
pub(crate) fn choose(position: usize, slot: &Slot, candidates: Candidates, view: View<'_>) -> Choice {
    let Some(Chosen { arm, action, propensity }) = pick(slot, &candidates, &view) else {
        return Choice { candidates, ..untouched(position, Reason::Default) };
    };
    let (arm, ghost) = if view.is_held_out { (None, Some(arm)) } else { (Some(arm), None) };
    let reason = match propensity {
        _ if view.is_held_out => Reason::Holdout,
        propensity if propensity < 1.0 => Reason::Split,
        _ => Reason::Static,
    };
    Choice { arm, ghost, action, propensity, candidates, ..untouched(position, reason) }
}

fn pick(slot: &Slot, candidates: &Candidates, view: &View<'_>) -> Option<Chosen> {
    if slot.tripped.is_some() {
        let baseline = slot.chooser.policy.shape.limits().baseline;
        let arm = baseline.filter(|arm| candidates.contains(*arm) && *arm < slot.arms.len())?;
        return Some(Chosen { arm, action: None, propensity: 1.0 });
    }
    let draw = Draw::new(view.seed, slot.id.as_str());
    // What stands in a place of a list decides about the next.
    if view.asked == Asked::Arm && view.sight.codes.is_some() && slot.list.is_none() {
        let arm = slot.chooser.arm(&slot.options, &members_of(slot, candidates), &draw, view.sight)?;
        return Some(Chosen { arm, action: None, propensity: 1.0 });
    }
    if *candidates == Candidates::All {
        return slot.chooser.choose_of_all(&slot.options, &draw, view.sight);
    }
    slot.chooser.choose(&slot.options, &members_of(slot, candidates), &draw, view.sight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::VisitorKey;
    use crate::snapshot::{compile, store, wire};
    use serde_json::{Value, json};

    fn snapshot(slots: Value) -> Snapshot {
        let config = json!({
            "site": "shop",
            "holdout": { "share": 0.1, "salt": "2026" },
            "audiences": [{ "id": "phones", "when": { "device": "phone" } }],
            "goals": [{ "id": "order" }],
            "blocks": [{ "id": "x", "template": "<p>x</p>" }, { "id": "y", "template": "<p>y</p>" }, { "id": "z", "template": "<p>z</p>" }],
            "slots": slots,
        });
        let config: wire::Config = serde_json::from_value(config).unwrap();
        let published = wire::Published { config, learned: Vec::new() };
        let (snapshot, warnings) =
            compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap());
        assert_eq!(warnings, []);
        snapshot
    }

    fn seed(n: u64) -> Seed {
        let decision = DecisionId((u128::from(n) * 0x9e37_79b9_7f4a_7c15_1234_5678).to_le_bytes());
        Seed::of_visitor("shop", &VisitorKey(u128::from(n / 3).to_le_bytes()), decision)
    }

    fn context(device: crate::context::Device) -> Context {
        Context { path: "/".into(), device, ..Context::default() }
    }

    #[test]
    fn the_long_run_share_of_each_arm_is_its_propensity() {
        let shapes = json!([
            { "id": "a", "goal": "order", "policy": { "burn_in": 0 }, "arms": [{ "id": "1", "prior": [3, 40] }, { "id": "2", "prior": [5, 40] }, { "id": "3", "prior": [4, 40] }] },
            { "id": "b", "goal": "order", "policy": { "burn_in": 0, "assignment": "per_view", "exploration_floor": 0.1 }, "arms": [{ "id": "1", "prior": [3, 40] }, { "id": "2", "prior": [9, 40] }] },
            { "id": "c", "goal": "order", "policy": { "burn_in": 0 }, "arms": [{ "block": "x", "prior": [3, 40] }, { "block": "y", "prior": [4, 40], "audience": "phones" }, { "block": "z" , "prior": [4, 40] }] }
        ]);
        let snapshot = snapshot(shapes);
        let context = context(crate::context::Device::Desktop);
        let n = 6_000_u64;
        for slot in 0..3 {
            let mut seen = std::collections::BTreeMap::new();
            for i in 0..n {
                // Every third seed is a new visitor, so that sticky slots see independent units.
                let decision = decide(&snapshot, &context, &seed(i * 3));
                let Some(choice) = decision.choices.iter().find(|c| c.slot == slot && c.arm.is_some()) else {
                    continue;
                };
                let entry = seen.entry(choice.arm).or_insert((0_u64, choice.propensity));
                entry.0 += 1;
                assert_eq!(entry.1.to_bits(), choice.propensity.to_bits(), "one arm, one propensity");
            }
            let total: u64 = seen.values().map(|(k, _)| k).sum();
            assert!((seen.values().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-9, "{seen:?}");
            let chi2: f64 = seen
                .values()
                .map(|(k, p)| {
                    let expected = p * total as f64;
                    (*k as f64 - expected) * (*k as f64 - expected) / expected
                })
                .sum();
            // 99.9 % quantile with two degrees of freedom; the seeds are fixed.
            assert!(chi2 < 13.8, "slot {slot}: {chi2} {seen:?}");
        }
    }

    #[test]
    fn the_arms_alone_are_those_of_the_decision() {
        let features = json!([{ "name": "age", "number": { "mean": 40, "scale": 20 } }, { "name": "device", "one_of": ["phone"] }]);
        let slot = |id: &str, policy: Value| {
            let arms = json!([{ "id": "1", "prior": [3, 40] }, { "id": "2", "prior": [4, 40] }, { "id": "3", "prior": [2, 9], "audience": "phones" }]);
            json!({ "id": id, "goal": "order", "policy": policy, "challenger": { "kind": "uniform" }, "arms": arms })
        };
        let contextual = |more: Value| {
            let mut policy = json!({ "kind": "contextual", "burn_in": 0, "features": features });
            policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            policy
        };
        let snapshot = snapshot(json!([
            slot("plain", json!({ "burn_in": 0 })),
            slot("drawn", json!({ "burn_in": 0, "assignment": "per_view" })),
            slot("context", contextual(json!({}))),
            slot("floor", contextual(json!({ "exploration_floor": 0.2 }))),
            slot("most", contextual(json!({ "max_share": 0.4, "assignment": "per_view" }))),
            slot("burns", contextual(json!({ "burn_in": 10 }))),
            slot("base", contextual(json!({ "baseline": "2", "baseline_share": 0.3 }))),
        ]));
        for n in 0..2_000 {
            let mut context = context(if n % 2 == 0 {
                crate::context::Device::Phone
            } else {
                crate::context::Device::Desktop
            });
            context.attributes.insert("age".into(), (n % 90).into());
            let decision = decide(&snapshot, &context, &seed(n));
            let expected: Vec<_> = decision.choices.iter().map(|choice| (choice.slot, choice.arm)).collect();
            assert_eq!(arms(&snapshot, &context, &seed(n)).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn draws_of_two_contextual_slots_are_independent() {
        let policy = json!({ "kind": "contextual", "burn_in": 1_000, "features": [{ "name": "device", "one_of": ["phone"] }] });
        let arms = json!([{ "id": "1" }, { "id": "2" }]);
        let slot = |id: &str| json!({ "id": id, "goal": "order", "policy": policy, "arms": arms });
        let snapshot = snapshot(json!([slot("a"), slot("b")]));
        let (mut same, mut n) = (0.0, 0.0);
        for i in 0..4_000 {
            let decision = decide(&snapshot, &context(crate::context::Device::Phone), &seed(3 * i));
            if let [first, second] = &decision.choices[..]
                && let (Some(first), Some(second)) = (first.arm, second.arm)
            {
                n += 1.0;
                same += if first == second { 1.0 } else { 0.0 };
            }
        }
        // Four and a half standard deviations: a false alarm in 1 of 150,000 seeds.
        assert!((same / n - 0.5_f64).abs() < 4.5 * 0.5 / f64::sqrt(n), "{same} of {n}");
    }

    #[test]
    fn a_block_is_shown_once_per_page_and_the_chance_is_that_of_what_was_left() {
        let both = json!([{ "block": "x" }, { "block": "y" }]);
        let snapshot = snapshot(json!([
            { "id": "first", "goal": "order", "arms": both },
            { "id": "second", "goal": "order", "arms": both }
        ]));
        for n in 0..200 {
            let decision = decide(&snapshot, &context(crate::context::Device::Phone), &seed(n));
            let [first, second] = &decision.choices[..] else { panic!("two slots") };
            if decision.held_out {
                assert_eq!((first.arm, first.reason, second.arm), (None, Reason::Holdout, None));
                continue;
            }
            assert_ne!(first.arm, second.arm);
            assert_eq!((first.propensity, first.reason), (0.5, Reason::Split));
            assert_eq!((second.propensity, second.reason), (1.0, Reason::Static));
        }
    }

    #[test]
    fn the_holdout_counts_only_visits_that_could_have_been_shown_something() {
        let snapshot = snapshot(json!([
            { "id": "a", "goal": "order", "arms": [{ "block": "x", "audience": "phones" }] }
        ]));
        let reasons = |device| -> std::collections::BTreeSet<&str> {
            (0..300)
                .map(|n| decide(&snapshot, &context(device), &seed(n)).choices[0].reason.as_str())
                .collect()
        };
        assert_eq!(reasons(crate::context::Device::Phone), ["HOLDOUT", "STATIC"].into());
        assert_eq!(reasons(crate::context::Device::Desktop), ["DEFAULT"].into());
    }

    #[test]
    fn whoever_is_not_addressed_sees_the_page_as_it_is() {
        let snapshot = snapshot(json!([
            { "id": "phones", "goal": "order", "audience": "phones", "arms": [{ "block": "x" }] },
            { "id": "nobody", "goal": "order", "rollout": 0, "arms": [{ "block": "y" }] },
            { "id": "off", "goal": "order", "enabled": false, "arms": [{ "block": "z" }] },
            { "id": "elsewhere", "goal": "order", "paths": ["/shop*"], "arms": [{ "block": "z" }] }
        ]));
        let decision = decide(&snapshot, &context(crate::context::Device::Desktop), &seed(1));
        assert_eq!(
            decision.choices.iter().map(|c| (c.slot, c.reason)).collect::<Vec<_>>(),
            [(0, Reason::Default), (1, Reason::Default)]
        );
    }
}
