//! Arms that come with a request: a list of actions with features of their own, which one arm of a slot stands for and one
//! regression scores, over all products of what is known of the visit and of the action. Choosing is the business of `chooser`.

use super::scoring;
use super::warning::{Item, Warning};
use super::wire;
use crate::assortment::{Assortment, Entry};
use crate::bandit::codes::MAX_CODES;
use crate::bandit::{Codes, Features};
use crate::context::Action;
use crate::id::{ArmId, SlotId};
use crate::index::short_id;
use crate::seed::{Prefix, Purpose, hash};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Most actions that a request brings for a slot; the others are not looked at. 100 chances take a few milliseconds.
pub const MAX_ACTIONS: usize = 100;
/// The feature that says which place of a list an action is scored for, from 1.
const POSITION: &str = "position";

/// The arm of a slot that stands for what requests bring.
#[derive(Debug, Clone)]
pub(super) struct Offering {
    /// Position of the arm.
    pub(super) arm: usize,
    /// What is known of an action.
    features: Features,
    /// Set of the products.
    set: u32,
}

/// What is brought to a slot, with the visit's features in it.
#[derive(Debug, Clone)]
pub struct Offers {
    assortment: Arc<Assortment>,
    pub(super) offers: Vec<Offer>,
    /// Stands for all of them, so that a replay knows whether it was given the same.
    pub fingerprint: u64,
}

/// Where actions are brought to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'s> {
    pub(super) slot: &'s SlotId,
    /// Which place of a list it is, from 0.
    pub(super) nth: Option<usize>,
    /// Short names of those that stand elsewhere already.
    pub(super) taken: &'s [u32],
}

/// One action.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// Its position in the assortment.
    entry: usize,
    /// Its short name.
    pub(super) item: u32,
    pub(super) codes: Codes,
    pub(super) salt: u64,
}

impl Offering {
    /// The offering of a slot whose visits have these features.
    pub(super) fn of(
        wire: &wire::Slot,
        arms: &[super::Arm],
        visit: &Features,
        at: &str,
    ) -> Item<Option<Self>> {
        let is_open = |arm: &wire::Arm| arm.enabled.unwrap_or(true) && !arm.actions.is_empty();
        let mut all = wire.arms.iter().enumerate().filter(|(_, arm)| is_open(arm));
        let Some((nth, own)) = all.next() else { return Ok(None) };
        let at = |nth| match wire.list {
            Some(_) => format!("{at}/list/features"),
            None => format!("{at}/arms/{nth}/actions"),
        };
        if let Some((second, _)) = all.next() {
            return Err(Warning::error(at(second), "a second arm for actions; hint: one stands for all"));
        }
        let features = scoring::features(&own.actions).map_err(|error| Warning::error(at(nth), error))?;
        let columns = visit.n_columns() * features.n_columns();
        if columns > MAX_CODES {
            let message = format!(
                "{} columns of the visit times {} of an action make {columns}; hint: {MAX_CODES} at most, the 1 of each counted in",
                visit.n_columns(),
                features.n_columns()
            );
            return Err(Warning::error(at(nth), message));
        }
        let id = super::compile::arm_id(own).ok();
        let arm = arms.iter().position(|arm| Some(&arm.id) == id.as_ref());
        let set = set_of(visit, &features);
        Ok(arm.map(|arm| Self { arm, features, set }))
    }

    /// What speaks for an item before anything was learned: columns of the products, with the share of the prior's worth that each
    /// of its scales adds. The products with the visit's 1 stand first.
    pub(super) fn warm(&self) -> Vec<(usize, f64)> {
        warm(&self.features)
    }

    /// Columns of the products, and their set.
    pub(super) fn columns(&self, visit: &Features) -> (usize, u32) {
        (visit.n_columns() * self.features.n_columns(), self.set)
    }

    /// Reads actions.
    pub(super) fn assortment(&self, actions: &[Action]) -> Assortment {
        let mut entries: Vec<Entry> = Vec::with_capacity(actions.len().min(MAX_ACTIONS));
        for Action { id, features } in actions.iter().take(MAX_ACTIONS) {
            let item = short_id(id.as_str());
            // One that is named twice is one.
            if entries.iter().any(|before| before.item == item && before.id == *id) {
                continue;
            }
            let vector = self.features.vector(|name| features.get(name).map(Cow::Borrowed));
            let codes = Codes::new(self.features.set(), vector.as_slice());
            entries.extend(codes.map(|codes| Entry { id: id.clone(), item, codes }));
        }
        Assortment { set: self.features.set(), entries }
    }

    /// What of it is brought to a place, for a visit with these features; `None` for nothing, and for what others read.
    pub(super) fn offers(
        &self,
        assortment: &Arc<Assortment>,
        spot: &Spot<'_>,
        visit: &Codes,
    ) -> Option<Offers> {
        let Spot { slot, nth, taken } = *spot;
        let set = Some(assortment.set).filter(|set| *set == self.features.set())?;
        // What a place says of an item is the same for all items.
        let position = nth.and_then(|nth| {
            let nth = Value::from(nth + 1);
            let vector = self.features.vector(|name| (name == POSITION).then_some(Cow::Borrowed(&nth)));
            Some((self.features.columns_of(POSITION)?, Codes::new(set, vector.as_slice())?))
        });
        // Not that of an arm of this name: draws of two contenders must not be the same.
        let salts = Prefix::new(Purpose::Assign, &[slot.as_str().as_bytes(), b"action"]);
        let (mut offers, mut all) = (Vec::with_capacity(assortment.entries.len()), Vec::new());
        let mut own = Vec::with_capacity(self.features.n_columns());
        for (entry, Entry { id, item, codes }) in assortment.entries.iter().enumerate() {
            if taken.contains(item) {
                continue;
            }
            own.clear();
            own.extend_from_slice(codes.as_slice());
            if let Some((columns, place)) = &position {
                own.get_mut(columns.clone())?.copy_from_slice(place.as_slice().get(columns.clone())?);
            }
            let codes = visit.crossed(&own, self.set)?;
            let id = id.as_str().as_bytes();
            all.push(id.len() as u8);
            all.extend_from_slice(id);
            codes.write(&mut all);
            offers.push(Offer { entry, item: *item, codes, salt: salts.hash(id) });
        }
        if offers.is_empty() {
            return None;
        }
        let fingerprint = hash(Purpose::Feature, &[b"offers", &all]);
        Some(Offers { assortment: assortment.clone(), offers, fingerprint })
    }

    /// The features of the visit in those of a chosen action: its products with the action's 1.
    pub(super) fn visit_in(&self, visit: &Features, codes: &Codes) -> Option<Codes> {
        (codes.set() == self.set).then(|| codes.every(self.features.n_columns(), visit.set()))
    }
}

impl Offers {
    /// Name of an action.
    #[must_use]
    pub fn id(&self, action: usize) -> Option<&ArmId> {
        let Offer { entry, .. } = self.offers.get(action)?;
        self.assortment.entries.get(*entry).map(|entry| &entry.id)
    }

    /// Short name of an action.
    #[must_use]
    pub fn item(&self, action: usize) -> Option<u32> {
        self.offers.get(action).map(|offer| offer.item)
    }

    /// The features that an action was scored by.
    #[must_use]
    pub fn codes(&self, action: usize) -> Option<&Codes> {
        self.offers.get(action).map(|offer| &offer.codes)
    }
}

/// See [`Offering::warm`].
fn warm(features: &Features) -> Vec<(usize, f64)> {
    ["similarity", "popularity"]
        .iter()
        .filter_map(|name| features.column_of(name))
        .map(|column| (column, super::list::WARM))
        .collect()
}

/// The same for an arm of a list, from its stored form.
pub(super) fn warm_of(arm: &wire::Arm) -> Vec<(usize, f64)> {
    scoring::features(&arm.actions).map(|features| warm(&features)).unwrap_or_default()
}

/// The set of products of two sets.
fn set_of(visit: &Features, action: &Features) -> u32 {
    let sets = [visit.set().to_le_bytes(), action.set().to_le_bytes()].concat();
    (hash(Purpose::Feature, &[b"products", &sets]) >> 32) as u32
}

/// Columns and set of what an arm of a slot is scored by: for the one that stands for actions, products.
pub(super) fn columns_of(arm: &wire::Arm, visit: &Features) -> Option<(usize, u32)> {
    if arm.actions.is_empty() {
        return Some((visit.n_columns(), visit.set()));
    }
    let features = scoring::features(&arm.actions).ok()?;
    Some((visit.n_columns() * features.n_columns(), set_of(visit, &features)))
}

#[cfg(test)]
mod tests {
    use super::Value;
    use crate::context::{Action, Context, Device};
    use crate::decide::{Choice, decide};
    use crate::event::Event;
    use crate::fold::{Tokens, fold};
    use crate::id::{ArmId, DecisionId, GoalId, VisitorKey};
    use crate::receipt::Receipt;
    use crate::replay::{ReplayError, replay, replay_with};
    use crate::seed::Seed;
    use crate::snapshot::{Since, Snapshot, compile, learn, store, wire};
    use crate::statistics::Statistics;
    use serde_json::json;

    fn config(change: impl FnOnce(&mut Value)) -> wire::Config {
        let mut config = json!({
            "site": "shop",
            "holdout": { "share": 0.1 },
            "goals": [{ "id": "order" }],
            "slots": [{
                "id": "gift",
                "goal": "order",
                "policy": { "kind": "contextual", "burn_in": 0, "exploration_floor": 0.02, "features": [{ "name": "device", "one_of": ["phone"] }] },
                "arms": [
                    { "id": "none", "prior": [10, 90] },
                    { "id": "products", "prior": [10, 90], "actions": [{ "name": "price", "number": { "mean": 20, "scale": 10 } }] }
                ],
            }],
        });
        change(&mut config);
        serde_json::from_value(config).unwrap()
    }

    fn compiled(config: &wire::Config, learned: Vec<wire::LearnedSlot>) -> Snapshot {
        let published = wire::Published { config: config.clone(), learned };
        let (snapshot, warnings) =
            compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap());
        assert_eq!(warnings, []);
        snapshot
    }

    fn actions(prices: &[(&str, f64)]) -> Vec<Action> {
        let action = |(id, price): &(&str, f64)| Action {
            id: ArmId::new(id).unwrap(),
            features: json!({ "price": price }).as_object().unwrap().clone(),
        };
        prices.iter().map(action).collect()
    }

    fn context(actions: &[Action], device: Device) -> Context {
        let actions = [("gift".to_string(), actions.to_vec())].into_iter().collect();
        Context { path: "/".into(), device, actions, ..Context::default() }
    }

    fn seed(n: u64) -> Seed {
        let id = u128::from(n + 1) * 0x9e37_79b9_7f4a_7c15_1234_5678;
        Seed::of_visitor("shop", &VisitorKey(id.to_le_bytes()), DecisionId(id.to_le_bytes()))
    }

    fn receipt(snapshot: &Snapshot, choice: &Choice, seed: &Seed) -> Receipt {
        choice.receipt(snapshot, seed, 0).unwrap()
    }

    /// The name of what was chosen.
    fn name(receipt: &Receipt) -> String {
        receipt.basis.action.as_ref().or(receipt.arm.as_ref()).unwrap().to_string()
    }

    #[test]
    fn actions_are_chosen_like_arms_and_a_replay_needs_the_same_ones() {
        let snapshot = compiled(&config(|_| ()), Vec::new());
        let actions = actions(&[("a", 10.0), ("b", 20.0), ("c", 45.0)]);
        let mut found = std::collections::BTreeMap::new();
        let n = 6_000;
        for i in 0..n {
            let decision = decide(&snapshot, &context(&actions, Device::Phone), &seed(i));
            let receipt = receipt(&snapshot, &decision.choices[0], &seed(i));
            let entry = found.entry(name(&receipt)).or_insert((0.0, receipt.propensity));
            entry.0 += 1.0;
            assert!((entry.1 - receipt.propensity).abs() < 1e-12);
            if i < 200 {
                let again = replay_with(&snapshot, &receipt, &actions).unwrap();
                assert_eq!(again.action, decision.choices[0].action);
                assert_eq!(replay(&snapshot, &receipt), Err(ReplayError::Actions));
                let others = replay_with(&snapshot, &receipt, &actions[..2]);
                assert_eq!(others, Err(ReplayError::Actions));
            }
        }
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c", "none"]);
        assert!((found.values().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-9);
        let n = n as f64;
        let chi2: f64 = found.values().map(|(k, p)| (k - p * n) * (k - p * n) / (p * n)).sum();
        // 99.9 % quantile with three degrees of freedom; the seeds are fixed.
        assert!(chi2 < 16.3, "{chi2} {found:?}");
    }

    #[test]
    fn a_page_that_brings_nothing_chooses_among_the_other_arms() {
        let snapshot = compiled(&config(|_| ()), Vec::new());
        for actions in [Context::default(), context(&[], Device::Phone)] {
            let choice = decide(&snapshot, &actions, &seed(1)).choices.remove(0);
            assert_eq!((choice.arm.or(choice.ghost), choice.propensity), (Some(0), 1.0));
            assert!(replay(&snapshot, &receipt(&snapshot, &choice, &seed(1))).is_ok());
        }
    }

    #[test]
    fn what_was_learned_of_some_actions_is_known_of_others_alike() {
        let config = config(|_| ());
        let snapshot = compiled(&config, Vec::new());
        let (mut statistics, goal) = (Statistics::default(), GoalId::new("order").unwrap());
        let mut generator = crate::seed::Generator::new(5);
        for i in 0..8_000 {
            // Never the same again: on phones cheap ones sell, elsewhere dear ones.
            let prices: Vec<(String, f64)> =
                (0..3).map(|nth| (format!("sku-{i}-{nth}"), 5.0 + 30.0 * generator.unit())).collect();
            let prices: Vec<(&str, f64)> = prices.iter().map(|(id, price)| (id.as_str(), *price)).collect();
            let device = if i % 2 == 0 { Device::Phone } else { Device::Desktop };
            let offered = actions(&prices);
            let choice = decide(&snapshot, &context(&offered, device), &seed(i)).choices.remove(0);
            let receipt = receipt(&snapshot, &choice, &seed(i));
            let mut tokens = Tokens::default();
            statistics.apply(&fold(&mut tokens, &Event::exposure(&receipt, None)).1);
            let price = choice.action.map(|action| prices[usize::from(action)].1);
            let rate = match (price, device) {
                (Some(price), Device::Phone) => 0.4 - price / 100.0,
                (Some(price), _) => price / 100.0,
                (None, _) => 0.1,
            };
            if generator.unit() < rate {
                let reward = Event::reward(&receipt, &goal, 1.0, None).unwrap();
                statistics.apply(&fold(&mut tokens, &reward).1);
            }
        }
        let learned = learn(&config, &statistics, Since::default());
        let snapshot = compiled(&config, learned);
        let fresh = actions(&[("cheap", 6.0), ("dear", 34.0)]);
        for (device, best) in [(Device::Phone, "cheap"), (Device::Desktop, "dear")] {
            let is_best = |i: &u64| {
                let choice = decide(&snapshot, &context(&fresh, device), &seed(*i)).choices.remove(0);
                name(&receipt(&snapshot, &choice, &seed(*i))) == best
            };
            let n = (0..500).filter(is_best).count();
            assert!(n > 450, "{device:?} {n}");
        }
    }

    #[test]
    fn an_arm_that_is_switched_off_costs_nothing_whatever_it_stands_for() {
        let config = config(|c| {
            c["slots"][0]["policy"] = json!({ "kind": "thompson" });
            c["slots"][0]["arms"][1]["enabled"] = json!(false);
        });
        assert_eq!(compiled(&config, Vec::new()).slots[0].arms.len(), 1);
    }

    #[test]
    fn mistakes_are_pointed_at() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 4] = [
            (|c| c["slots"][0]["policy"]["kind"] = json!("thompson"), "/slots/0/arms/1/actions"),
            (
                |c| c["slots"][0]["arms"][0]["actions"] = c["slots"][0]["arms"][1]["actions"].clone(),
                "/slots/0/arms/1/actions",
            ),
            (|c| c["slots"][0]["arms"][1]["actions"][0]["hashed"] = json!(3), "/slots/0/arms/1/actions"),
            (
                |c| {
                    c["slots"][0]["arms"][1]["actions"][0] = json!({ "name": "sku", "hashed": 40 });
                },
                "/slots/0/arms/1/actions",
            ),
        ];
        for (change, pointer) in cases {
            let config = config(change);
            let warnings = crate::snapshot::check(&config);
            assert!(warnings.iter().any(|warning| warning.pointer == pointer), "{pointer} {warnings:?}");
        }
    }
}
