//! Slots that show items of an index: a list is as many slots as it has places, `name.1`, `name.2` …, each with one arm that stands
//! for items, so that each place is decided, recorded, replayed and evaluated like any slot. Where items come from is the business
//! of [`crate::retrieval`], choosing among them that of `chooser`.
//!
//! ```text
//! [slots.list]  ──places──> read-next.1   arms: items, and those of the slot, for views that have no items
//!                           read-next.2   arms: items
//! learned: one regression over the items of all places, and what each item earned itself
//! ```

use super::compile::twice;
use super::warning::{Item, Warning};
use super::wire;
use super::{IndexUse, Slot};
use crate::bandit::{BetaPosterior, Score, Shared};
use crate::block::{Block, Markup};
use crate::id::SlotId;
use crate::interest::Weights;
use crate::json::number::Decimal;
use crate::pattern::Pattern;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Name of the arm that stands for items.
pub const ITEMS: &str = "items";
/// Most places of a list: each is a choice with its chance.
const MAX_PLACES: u8 = 12;
/// Most lists of a site: what their items earned has up to 170 KB each, and the ledger's statistics have a row of 2 MB.
const MAX_LISTS: usize = 8;
/// Most indexes of a site.
const MAX_INDEXES: usize = 8;
/// Most filters of a list, and fields that have to agree.
const MAX_FILTERS: usize = 16;
/// Candidates for each place, unless configured, and most of these.
const CANDIDATES: (u8, u8) = (5, 40);
/// Candidates at most.
const MAX_CANDIDATES: u8 = super::MAX_ACTIONS as u8;
/// How much candidates differ, unless configured.
const DIVERSITY: f64 = 0.3;
/// Exposures that what is shared is worth, unless configured.
const SHARED_WEIGHT: f64 = 50.0;
/// What is believed of an item, unless configured: one of twenty is chosen, and that is soon forgotten.
const PRIOR: [f64; 2] = [1.0, 19.0];
/// What a feature that speaks for an item adds to its worth before anything was learned, of that worth and for each of its scales.
pub(super) const WARM: f64 = 0.5;

/// A list, ready.
#[derive(Debug, Clone)]
pub struct List {
    /// Name of the slot that it fills.
    pub id: SlotId,
    /// The index.
    pub index: String,
    /// Number of its places.
    pub n_places: usize,
    /// Items that the policy chooses among at most.
    pub n_candidates: usize,
    /// Only items of which all of this is true.
    pub filters: Vec<wire::ItemFilter>,
    /// Only items that have the same words in these fields as the page's own.
    pub same: Vec<String>,
    /// What nearness candidates give up to differ among each other, in [0, 1).
    pub diversity: f64,
    /// What makes up the interest of a visit.
    pub interest: Weights,
    /// Field with a number of how popular an item is.
    pub popularity: Option<String>,
    /// Whether items that the visitor has seen may come again.
    pub repeats: bool,
    /// Fields that its features look at.
    pub fields: Vec<String>,
    /// The block of an item, with what stands for fields that an item does not have.
    block: wire::Block,
}

/// A place of a list.
#[derive(Debug, Clone)]
pub struct ListPlace {
    /// The list.
    pub list: Arc<List>,
    /// Which of its places, from 0.
    pub place: usize,
}

impl List {
    /// The block of an item with its fields; `None` where they don't fit, such as an address that may not be linked to.
    #[must_use]
    pub fn markup(&self, fields: &Map<String, Value>) -> Option<Markup> {
        Block::compile(&self.block.with_values(fields)).ok().map(|block| block.markup().clone())
    }
}

/// What the items of a list earned themselves, as it was published.
#[derive(Debug, Clone)]
pub(super) struct Earned {
    shared: Shared,
    /// Exposures and worth by short name, ascending.
    items: Vec<(u32, f64, f64)>,
}

impl Earned {
    pub(super) fn of(learned: Option<&wire::LearnedItems>, weight: f64, prior: &Score) -> Option<Self> {
        let nothing = wire::LearnedItems::default();
        let learned = learned.unwrap_or(&nothing);
        // Before anything was counted: what a rate around the prior's worth varies by.
        let usual = (prior.mean().abs() * (1.0 - prior.mean().abs()).max(0.1)).max(1e-9);
        let shared = Shared::new(if learned.noise > 0.0 { learned.noise } else { usual }, weight)?;
        let mut items: Vec<(u32, f64, f64)> =
            learned.items.iter().map(|item| (item.item, item.exposures, item.worth)).collect();
        crate::sorted::sort_by(&mut items, |a, b| a.0.cmp(&b.0));
        Some(Self { shared, items })
    }

    /// The belief about an item of which the regression believes this.
    pub(super) fn belief(&self, shared: Score, item: u32) -> Score {
        let own = self.items.binary_search_by(|(own, ..)| own.cmp(&item)).ok();
        let (_, exposures, worth) = own.and_then(|at| self.items.get(at)).copied().unwrap_or_default();
        self.shared.belief(shared, exposures, worth)
    }
}

/// The slots that a stored slot stands for: itself, or the places of its list.
pub(super) fn places(slot: &wire::Slot) -> Vec<wire::Slot> {
    let Some(list) = &slot.list else { return vec![slot.clone()] };
    let items = wire::Arm {
        id: Some(ITEMS.into()),
        actions: if list.features.is_empty() { usual_features(list) } else { list.features.clone() },
        prior: Some(list.prior.unwrap_or(PRIOR)),
        ..wire::Arm::default()
    };
    let mut policy = slot.policy.clone();
    if policy.kind == wire::PolicyKind::Thompson {
        policy.kind = wire::PolicyKind::Contextual;
    }
    // Items are many, and new ones come all the time: they start from what is shared, not from chance.
    policy.burn_in = policy.burn_in.or(Some(0));
    policy.exploration_floor =
        policy.exploration_floor.or(Some(f64::min(0.01, 0.1 / f64::from(candidates(list).max(1)))));
    let place = |nth: u8| {
        let own = if nth == 1 { &slot.arms[..] } else { &[] };
        // Behind the slot's own, so that what is wrong with one of those is said of its place.
        let arms = own.iter().chain([&items]).cloned().collect();
        wire::Slot { id: place_name(&slot.id, nth), policy: policy.clone(), arms, ..slot.clone() }
    };
    (1..=list.length.clamp(1, MAX_PLACES)).map(place).collect()
}

/// Name of a place of a list, from 1.
pub(super) fn place_name(slot: &str, nth: u8) -> String {
    format!("{slot}.{nth}")
}

fn candidates(list: &wire::List) -> u8 {
    list.candidates.unwrap_or_else(|| list.length.saturating_mul(CANDIDATES.0).min(CANDIDATES.1))
}

/// What a list looks at where its configuration does not say.
fn usual_features(list: &wire::List) -> Vec<wire::Feature> {
    let number = |name: &str, mean: f64, scale: f64| wire::Feature {
        name: name.into(),
        number: Some(wire::Ordinary { mean, scale }),
        ..wire::Feature::default()
    };
    let popularity = list.popularity.as_ref().map(|_| number("popularity", 0.5, 0.25));
    [number("similarity", 0.5, 0.25), number("position", 1.0, 2.0)].into_iter().chain(popularity).collect()
}

/// What is made of a list, or the one warning that stops its slot.
pub(super) fn list(
    (slot, list): (&wire::Slot, &wire::List),
    config: &wire::Config,
    before: &[Slot],
    at: &str,
) -> Item<List> {
    let at = format!("{at}/list");
    let error = |field: &str, message: &str| Err(Warning::error(format!("{at}/{field}"), message));
    let id = SlotId::new(&slot.id).map_err(|e| Warning::error(at.trim_end_matches("/list"), e))?;
    let own: Vec<&ListPlace> = before.iter().filter_map(|slot| slot.list.as_ref()).collect();
    if before.iter().any(|slot| *slot.name() == id) {
        let at = at.trim_end_matches("/list");
        return Err(Warning::error(format!("{at}/id"), twice("slot", &slot.id)));
    }
    if own.iter().filter(|own| own.place == 0).count() >= MAX_LISTS {
        return error("index", &format!("more than {MAX_LISTS} lists; hint: {MAX_LISTS} at most in a site"));
    }
    if !config.indexes.iter().any(|index| index.id == list.index) {
        let message = format!("there is no index '{}'; hint: define it under indexes", list.index);
        return error("index", &message);
    }
    if !(1..=MAX_PLACES).contains(&list.length) {
        return error("length", &format!("{} is out of range; hint: 1 to {MAX_PLACES}", list.length));
    }
    let n_candidates = candidates(list);
    if !(list.length..=MAX_CANDIDATES).contains(&n_candidates) {
        let message = format!(
            "{n_candidates} is out of range; hint: {} to {MAX_CANDIDATES}, at least one for each place",
            list.length
        );
        return error("candidates", &message);
    }
    if matches!(slot.policy.kind, wire::PolicyKind::Uniform | wire::PolicyKind::Fixed) {
        let at = at.trim_end_matches("/list");
        let message = "a list chooses by what its items may be worth; hint: remove `kind`";
        return Err(Warning::error(format!("{at}/policy/kind"), message));
    }
    if let Some(arm) =
        slot.arms.iter().position(|arm| arm.id.as_deref().or(arm.block.as_deref()) == Some(ITEMS))
    {
        let at = at.trim_end_matches("/list");
        let message = "a list calls the arm of its items so; hint: give this one another `id`";
        return Err(Warning::error(format!("{at}/arms/{arm}"), message));
    }
    if slot.challenger.is_some() {
        let at = at.trim_end_matches("/list");
        let message = "a challenger can't choose among items; hint: remove it, or try another list on a part of the visitors with a layer";
        return Err(Warning::error(format!("{at}/challenger"), message));
    }
    let numbers = [
        ("diversity", list.diversity.unwrap_or(DIVERSITY), (0.0, 0.999)),
        ("shared_weight", list.shared_weight.unwrap_or(SHARED_WEIGHT), (1.0, 1e5)),
    ];
    for (field, found, (least, most)) in numbers {
        if !(least..=most).contains(&found) {
            let [found, least, most] = [found, least, most].map(Decimal);
            return error(field, &format!("{found} is out of range; hint: {least} to {most}"));
        }
    }
    let [alpha, beta] = list.prior.unwrap_or(PRIOR);
    BetaPosterior::new(alpha, beta).map_err(|e| Warning::error(format!("{at}/prior"), e))?;
    if list.filters.len() > MAX_FILTERS || list.same.len() > MAX_FILTERS {
        return error("filters", &format!("too many conditions; hint: {MAX_FILTERS} at most"));
    }
    for (i, filter) in list.filters.iter().enumerate() {
        if let Err(message) = check(filter) {
            return error(&format!("filters/{i}"), message);
        }
    }
    let block = config.blocks.iter().find(|block| block.id == list.block);
    let block = block.filter(|block| Block::compile(block).is_ok()).cloned().ok_or_else(|| {
        let message = format!("there is no usable block '{}'; hint: define it under blocks", list.block);
        Warning::error(format!("{at}/block"), message)
    })?;
    let interest = interest(list.interest.unwrap_or_default(), &at)?;
    Ok(List {
        id,
        index: list.index.clone(),
        n_places: usize::from(list.length),
        n_candidates: usize::from(n_candidates),
        filters: list.filters.clone(),
        same: list.same.clone(),
        diversity: list.diversity.unwrap_or(DIVERSITY),
        interest,
        popularity: list.popularity.clone(),
        repeats: list.repeats.unwrap_or(false),
        fields: list.features.iter().map(|feature| feature.name.clone()).collect(),
        block,
    })
}

/// What all items share weighs as much as so many exposures.
pub(super) fn shared_weight(list: &wire::List) -> f64 {
    list.shared_weight.unwrap_or(SHARED_WEIGHT)
}

fn check(filter: &wire::ItemFilter) -> Result<(), &'static str> {
    let wire::ItemFilter { one_of, none_of, min, max, past, future, .. } = filter;
    let kinds = [
        !one_of.is_empty(),
        !none_of.is_empty(),
        min.is_some() || max.is_some(),
        *past == Some(true),
        *future == Some(true),
    ];
    if kinds.iter().filter(|is_given| **is_given).count() != 1 {
        return Err(
            "a filter has exactly one of one_of, none_of, past, future, or min and max, and says what; hint: for two conditions write two filters",
        );
    }
    if [min, max].into_iter().flatten().any(|number| !number.is_finite()) {
        return Err("`min` and `max` are finite numbers; hint: leave out the end that is open");
    }
    if min.zip(*max).is_some_and(|(min, max)| min > max) {
        return Err("`min` is above `max`, so no item passes; hint: exchange them");
    }
    Ok(())
}

fn interest(wire: wire::Interest, at: &str) -> Item<Weights> {
    let weight = |name: &str, found: Option<f64>, usual: f64| {
        let found = found.unwrap_or(usual);
        if (0.0..=1.0).contains(&found) {
            return Ok(found as f32);
        }
        let message = format!("{} is out of range; hint: 0 to 1", Decimal(found));
        Err(Warning::error(format!("{at}/interest/{name}"), message))
    };
    let half_life = wire.half_life_hours.unwrap_or(24);
    if !(1..=8_760).contains(&half_life) {
        let message = format!("{half_life} is out of range; hint: 1 to 8760 hours");
        return Err(Warning::error(format!("{at}/interest/half_life_hours"), message));
    }
    Ok(Weights {
        own: weight("page", wire.page, 1.0)?,
        trail: weight("seen", wire.seen, 0.5)?,
        declared: weight("declared", wire.declared, 0.5)?,
        half_life_hours: f32::from(half_life),
    })
}

/// The indexes of a configuration; one that can't be used costs only itself.
pub(super) fn indexes(config: &wire::Config, warnings: &mut Vec<Warning>) -> Vec<IndexUse> {
    let mut made: Vec<IndexUse> = Vec::new();
    for (i, index) in config.indexes.iter().enumerate() {
        let at = format!("/indexes/{i}");
        if made.len() == MAX_INDEXES {
            warnings.push(Warning::error(
                &at,
                format_args!("more than {MAX_INDEXES} indexes; hint: {MAX_INDEXES} at most"),
            ));
            break;
        }
        match index_use(index, &made, &at) {
            Ok(own) => made.push(own),
            Err(warning) => warnings.push(warning),
        }
    }
    made
}

fn index_use(index: &wire::Index, before: &[IndexUse], at: &str) -> Item<IndexUse> {
    SlotId::new(&index.id).map_err(|e| Warning::error(format!("{at}/id"), e))?;
    if before.iter().any(|other| other.id == index.id) {
        return Err(Warning::error(format!("{at}/id"), twice("index", &index.id)));
    }
    let path = index.path.as_deref().map(|path| {
        let hint = "an item's address has {id} in it once; hint: as in /articles/{id}";
        let (start, end) = path.split_once("{id}").ok_or(hint)?;
        if !start.starts_with('/') || end.contains("{id}") || path.contains('*') {
            return Err(hint);
        }
        Pattern::parse(&path.replace("{id}", "*")).map_err(|_| hint)?;
        Ok((start.to_string(), end.to_string()))
    });
    let path = path.transpose().map_err(|message| Warning::error(format!("{at}/path"), message))?;
    Ok(IndexUse { id: index.id.clone(), path })
}

#[cfg(test)]
mod tests;
