//! Why a visit gets what it gets, in words: every rule that was asked, every candidate with its chance. It decides nothing itself:
//! what was decided is told by [`decide`], and each step asks the same functions again.

use crate::context::Context;
use crate::decide::{Choice, decide, is_held_out, is_held_out_of, members_of};
use crate::json::number::Decimal;
use crate::receipt::Candidates;
use crate::seed::{Purpose, Seed};
use crate::slate::Page;
use crate::snapshot::{Chooser, Faded, Sight, Slot, Snapshot};
use crate::split::fraction;

/// What happened in one slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Name of the slot.
    pub slot: String,
    /// The steps in their order, each a sentence.
    pub steps: Vec<String>,
    /// What came of it.
    pub choice: Choice,
}

/// The stories of all slots that may be on the page.
///
/// ```
/// use edgeloom::{context::Context, explain::explain, id::DecisionId, seed::Seed};
/// use edgeloom::snapshot::{compile, store::{decode, encode}, wire::{Arm, Config, Goal, Published, Slot}};
///
/// let arm = |id: &str| Arm { id: Some(id.into()), ..Arm::default() };
/// let slot = Slot { id: "hero".into(), goal: "order".into(), arms: vec![arm("a"), arm("b")], ..Slot::default() };
/// let goals = vec![Goal { id: "order".into(), ..Goal::default() }];
/// let config = Config { site: "shop".into(), goals, slots: vec![slot], ..Config::default() };
/// let stored = decode(&encode(&Published { config, learned: Vec::new() }, 1, 0)?)?;
/// let stories = explain(&compile(&stored).0, &Context::default(), &Seed::of_view(DecisionId([1; 16])));
/// assert!(stories[0].steps.iter().any(|step| step.contains("a with 0.5")));
/// # Ok::<(), edgeloom::snapshot::store::StoreError>(())
/// ```
#[must_use]
pub fn explain(snapshot: &Snapshot, context: &Context, seed: &Seed) -> Vec<Story> {
    let decision = decide(snapshot, context, seed);
    let facts = snapshot.audiences.facts(context);
    let in_audience = |audience: Option<_>| audience.is_none_or(|a| snapshot.audiences.matches(a, &facts));
    let mut page = Page::new(&snapshot.combinations);
    let mut stories = Vec::new();
    for choice in decision.choices {
        let Some(slot) = snapshot.slots.get(choice.slot) else { continue };
        let mut steps = before_choosing(slot, context, seed, in_audience(slot.audience));
        if steps.is_empty() {
            if is_held_out(snapshot, seed) || is_held_out_of(slot, seed) {
                steps.push(
                    "held out: the page stays as it is, and what would have been shown is only noted".into(),
                );
            }
            for (at, arm) in slot.arms.iter().enumerate() {
                let why = if arm.is_shadow {
                    Some("only the challenger may choose it")
                } else if slot.list.is_some() && slot.chooser.stands_for_actions(at) {
                    (!choice.candidates.contains(at))
                        .then_some("no item is at hand that does not stand above already")
                } else if slot.chooser.stands_for_actions(at)
                    && context.actions.get(slot.name().as_str()).is_none_or(Vec::is_empty)
                {
                    Some("it stands for actions, and the request brings none")
                } else if !in_audience(arm.audience) {
                    Some("the visit is not in its audience")
                } else if arm.cap.is_some_and(|cap| cap.is_reached(&context.seen, context.time_millis)) {
                    Some("the visitor has seen it as often as its cap allows")
                } else {
                    let stands_in = (slot.list.is_some() && !choice.candidates.contains(at))
                        .then_some("it stands in for items, and there are some");
                    let refusal = page.refusal(arm).or(stands_in);
                    let is_left_out = refusal.is_none() && !choice.candidates.contains(at);
                    refusal
                        .or(is_left_out.then_some("another one belongs to what stands on the page already"))
                };
                steps.extend(why.map(|why| format!("{} is no candidate: {why}", arm.id)));
            }
            steps.extend(choosing(slot, &choice));
        }
        if let Some(arm) = choice.arm.or(choice.ghost).and_then(|arm| slot.arms.get(arm)) {
            page.add(arm);
        }
        steps.push(outcome(slot, &choice));
        stories.push(Story { slot: slot.id.to_string(), steps, choice });
    }
    stories
}

/// The steps of one choice that is known, as after a replay: how the policy chose among the candidates, and what came of it.
#[must_use]
pub fn retell(snapshot: &Snapshot, choice: &Choice) -> Vec<String> {
    let Some(slot) = snapshot.slots.get(choice.slot) else { return Vec::new() };
    let out = slot.arms.iter().enumerate().filter(|(at, _)| !choice.candidates.contains(*at));
    let mut steps: Vec<String> = out.map(|(_, arm)| format!("{} was no candidate", arm.id)).collect();
    steps.extend(choosing(slot, choice));
    steps.push(outcome(slot, choice));
    steps
}

/// What keeps a visit out before anything is chosen; nothing where it takes part.
fn before_choosing(slot: &Slot, context: &Context, seed: &Seed, is_in_audience: bool) -> Vec<String> {
    let share = slot.schedule.share_at(context.time_millis);
    let mut steps = Vec::new();
    if !is_in_audience {
        steps.push("the visit is not in the slot's audience".to_string());
    }
    if let Some(targeting) = slot.targeting.as_ref().filter(|targeting| !targeting.is_worth(context)) {
        let least = short(targeting.least());
        steps.push(match targeting.expected(context) {
            Some(expected) => {
                format!(
                    "the forest expects {} of it, and {least} is the least that is worth it",
                    short(expected)
                )
            }
            None => "the forest knows too little of the visit to expect anything".to_string(),
        });
    }
    let own = fraction(Purpose::Rollout, slot.name().as_str(), seed.unit);
    if share <= 0.0 {
        steps.push("the slot does not run at this time".to_string());
    } else if share < 1.0 && own >= share {
        steps.push(format!(
            "{} of visitors take part, and this one's number is {}",
            short(share),
            short(own)
        ));
    }
    if slot.layer.as_ref().is_some_and(|part| !part.includes(seed.unit)) {
        steps.push("the visitor is in another part of the layer".to_string());
    }
    if slot.cap.is_some_and(|cap| cap.is_reached(&context.seen, context.time_millis)) {
        steps.push("the slot was filled for this visitor as often as its cap allows".to_string());
    }
    steps
}

/// How the policy chose among the candidates.
fn choosing(slot: &Slot, choice: &Choice) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(reason) = &slot.tripped {
        steps.push(format!("stopped by a tripwire, so only the baseline may be shown: {reason}"));
        return steps;
    }
    let basis = choice.basis.as_deref();
    let codes = basis.and_then(|basis| basis.features.as_ref());
    if let Some(codes) = codes {
        let features = codes.vector();
        let features = features.as_slice().iter().map(|feature| short(*feature));
        steps.push(format!("the context as numbers: {}", features.collect::<Vec<_>>().join(", ")));
    }
    let fatigue = basis.and_then(|basis| basis.fatigue.as_ref());
    let faded = slot.faded(fatigue);
    for Faded { arm, left, .. } in &faded {
        let name = slot.arms.get(*arm).map(|arm| arm.id.as_str());
        steps.extend(name.map(|name| {
            format!("{name} is worth {} of what it is else: seen before, or beside its like", short(*left))
        }));
    }
    let members = members_of(slot, &choice.candidates);
    let sight = Sight { codes, faded: &faded, offers: None };
    steps.extend(chances(&slot.chooser, slot, &members, sight).map(|chances| {
        let how = if slot.chooser.is_per_view() {
            "draws anew at each view"
        } else {
            "keeps a visitor's arm while chances stay"
        };
        format!("the policy {how}; chances: {chances}")
    }));
    let shadow = basis.and_then(|basis| basis.shadow.as_ref());
    steps.extend(shadow.map(|arm| format!("the challenger in shadow mode would have shown {arm}")));
    steps
}

fn chances(chooser: &Chooser, slot: &Slot, members: &[usize], sight: Sight<'_>) -> Option<String> {
    let shares = chooser.shares_among(&slot.options, members, sight)?;
    let named = members.iter().zip(shares).filter_map(|(member, share)| {
        slot.arms.get(*member).map(|arm| format!("{} with {}", arm.id, short(share)))
    });
    Some(named.collect::<Vec<_>>().join(", "))
}

fn outcome(slot: &Slot, choice: &Choice) -> String {
    let action = choice.basis.as_ref().and_then(|basis| basis.action.as_ref());
    let action = action.map(|action| format!(" with the action {action}")).unwrap_or_default();
    let name = |arm: Option<usize>| arm.and_then(|arm| slot.arms.get(arm)).map(|arm| arm.id.as_str());
    let chance = Decimal(choice.propensity);
    match (name(choice.arm), name(choice.ghost)) {
        (Some(arm), _) => {
            format!("shows {arm}{action}, chosen with the propensity {chance} ({})", choice.reason.as_str())
        }
        (None, Some(ghost)) => {
            format!(
                "shows the page as it is; {ghost}{action} would have been shown, with the propensity {chance} (HOLDOUT)"
            )
        }
        (None, None) if choice.candidates == Candidates::All => {
            format!("shows the page as it is ({})", choice.reason.as_str())
        }
        (None, None) => format!("shows the page as it is: no candidate is left ({})", choice.reason.as_str()),
    }
}

/// A number to four digits after the point, for people; what counts is told in full.
fn short(number: f64) -> String {
    Decimal(libm::round(number * 1e4) / 1e4).to_string()
}
