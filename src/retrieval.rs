//! From an index to the candidates of a list: what a visit is interested in, which items may be shown at all, the nearest of them, and
//! of these some that differ. It looks up and chooses nothing: which item stands where is decided by [`crate::decide`].
//!
//! ```text
//! page's item, items seen, declared ──blend──> query ─┐
//! filters, `same`, without what was seen ──> allowed ─┴─nearest─> pool ──diversify──> candidates, with their features
//! no interest: the most popular of what is allowed
//! ```
//!
//! Everything here is a function of the index, the list and [`Interest`], which a receipt tells, and no candidate depends on what was
//! drawn: propensities are exact given the candidates. Items are left out before anything is drawn, never after.

use crate::context::{Action, Context};
use crate::embedding::Embedding;
use crate::id::ArmId;
use crate::index::diversify::diversify;
use crate::index::{Catalogue, Filter, Hit, ItemRef, Missing, Test, short_id};
use crate::interest::query_of;
use crate::lookup::{Lookup, MAX_SEEN};
use crate::seed::HOUR_MILLIS;
use crate::snapshot::{List, Snapshot, wire};
use serde_json::{Map, Value};
use std::fmt;

/// So many times the candidates are looked up where they shall differ.
const POOL: usize = 3;
/// Items by popularity that are kept of an index: filters and what was seen leave enough of them.
const MOST_POPULAR: usize = 500;

/// What a visit is interested in, as far as an index can tell.
#[derive(Debug, Clone, Copy)]
pub struct Interest<'v> {
    /// The page's item, what was seen, and when it is.
    pub lookup: &'v Lookup,
    /// What the site knows of the visitor.
    pub declared: Option<&'v Embedding>,
}

/// An item that may be shown, with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Where it is in the index.
    pub item: ItemRef,
    /// What a policy sees of it.
    pub action: Action,
}

/// The items of an index by a number of theirs, made once for each index.
#[derive(Debug, Clone, PartialEq)]
pub struct Popular {
    /// Those with the largest numbers, the largest first.
    items: Vec<ItemRef>,
    /// ln(1 + the largest number).
    scale: f64,
}

impl Popular {
    /// Ranks the items by a field.
    #[must_use]
    pub fn of(catalogue: &Catalogue, field: &str) -> Self {
        let items = catalogue.largest(field, MOST_POPULAR);
        let most = items.first().and_then(|item| catalogue.number(*item, field));
        Self { items, scale: most.map_or(1.0, libm::log1p) }
    }

    /// How popular an item with this number is, in \[0, 1\]: by orders of magnitude, for numbers of views differ by them.
    fn share(&self, number: f64) -> f64 {
        if number > 0.0 { (libm::log1p(number) / self.scale).min(1.0) } else { 0.0 }
    }
}

/// Short name of the item of an index whose page this is.
#[must_use]
pub fn own_item(snapshot: &Snapshot, index: &str, catalogue: &Catalogue, path: &str) -> Option<u32> {
    let index = snapshot.indexes.iter().find(|known| known.id == index)?;
    let id = index.item_at(path)?;
    catalogue.find(id).map(|_| short_id(id))
}

/// What a visit is looked up with; `own` is the item of its page.
#[must_use]
pub fn lookup(catalogue: &Catalogue, own: Option<u32>, context: &Context) -> Lookup {
    let now = context.time_millis;
    // Steps of ten minutes are what a trail counts in. Without one many share a look-up, and it tells the hour only.
    let time_millis = if context.trail.is_empty() { now - now % HOUR_MILLIS } else { now };
    let seen = context.trail.entries(now);
    Lookup {
        index: catalogue.fingerprint(),
        step: Lookup::step_of(time_millis),
        own,
        seen: seen.map(|(item, hours)| (item, libm::roundf(hours * 6.0) as u32)).take(MAX_SEEN).collect(),
        declared: false,
        above: Vec::new(),
    }
}

/// The candidates of a receipt, looked up again.
///
/// # Errors
/// The index is another one, or a part of the interest is not in the receipt and not given.
pub fn again(
    list: &List,
    catalogue: &Catalogue,
    lookup: &Lookup,
    declared: Option<&Embedding>,
) -> Result<Vec<Action>, LookupError> {
    if lookup.index != catalogue.fingerprint() {
        return Err(LookupError::OtherIndex);
    }
    if lookup.declared != declared.is_some() {
        return Err(LookupError::Declared);
    }
    let popular = list.popularity.as_ref().map(|field| Popular::of(catalogue, field));
    let found = candidates(list, catalogue, popular.as_ref(), Interest { lookup, declared });
    let is_shown = |found: &Candidate| {
        let fields = catalogue.fields(found.item).and_then(|text| crate::json::parse(text.as_bytes()).ok());
        fields.as_ref().and_then(Value::as_object).is_some_and(|fields| list.markup(fields).is_some())
    };
    Ok(found.into_iter().filter(is_shown).map(|found| found.action).collect())
}

/// Candidates that can't be looked up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupError {
    /// The receipt was made with another index.
    OtherIndex,
    /// What the site knew of the visitor counted, and is not given, or the other way round.
    Declared,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherIndex => {
                "the receipt was made with another index; hint: give all pieces that were in use then, in their order"
            }
            Self::Declared => "a vector of the visitor counted, which no receipt carries",
        })
    }
}

impl std::error::Error for LookupError {}

/// The items that a list chooses among for a visit, the nearest first; none where the visit shows no interest and nothing is
/// popular. `popular` is of the list's field of popularity.
#[must_use]
pub fn candidates(
    list: &List,
    catalogue: &Catalogue,
    popular: Option<&Popular>,
    interest: Interest<'_>,
) -> Vec<Candidate> {
    let lookup = interest.lookup;
    let own = lookup.own.and_then(|own| catalogue.find_short(own));
    let mut except: Vec<ItemRef> = own.into_iter().collect();
    if !list.repeats {
        except.extend(lookup.seen.iter().filter_map(|(item, _)| catalogue.find_short(*item)));
    }
    let filter = filter(list, catalogue, own, lookup.time_millis());
    let allowed = (!filter.tests.is_empty()).then(|| catalogue.allow(&filter));
    let query = query_of(catalogue, own, lookup.seen_hours(), interest.declared, &list.interest);
    let hits = match query.and_then(|query| catalogue.query(None, &query).ok()) {
        Some(query) => {
            let n_pool = if list.diversity > 0.0 { POOL * list.n_candidates } else { list.n_candidates };
            let pool = catalogue.nearest(&query, n_pool, allowed.as_ref(), &except);
            diversify(catalogue, &pool, list.n_candidates, 1.0 - list.diversity as f32)
        }
        None => {
            let is_free = |item: &ItemRef| {
                !except.contains(item) && allowed.as_ref().is_none_or(|allowed| allowed.contains(*item))
            };
            let items = popular.map_or(&[][..], |popular| &popular.items).iter().copied().filter(is_free);
            items.take(list.n_candidates).map(|item| Hit { item, similarity: 0.0 }).collect()
        }
    };
    hits.iter().filter_map(|hit| candidate(list, catalogue, popular, hit)).collect()
}

/// A hit with what its features need; one whose name no receipt can carry is left out.
fn candidate(list: &List, catalogue: &Catalogue, popular: Option<&Popular>, hit: &Hit) -> Option<Candidate> {
    let id = ArmId::new(catalogue.id(hit.item)?).ok()?;
    let mut features = Map::new();
    let reads = |name: &str| list.fields.iter().any(|field| field == name);
    let is_built_in = |name: &String| matches!(name.as_str(), "similarity" | "popularity" | "position");
    if list.fields.iter().any(|name| !is_built_in(name))
        && let Ok(Value::Object(fields)) = crate::json::parse(catalogue.fields(hit.item)?.as_bytes())
    {
        features.extend(fields.into_iter().filter(|(name, _)| reads(name)));
    }
    features.insert("similarity".into(), Value::from(f64::from(hit.similarity)));
    if let (Some(popular), Some(field)) = (popular, &list.popularity) {
        let number = catalogue.number(hit.item, field).unwrap_or(0.0);
        features.insert("popularity".into(), Value::from(popular.share(number)));
    }
    Some(Candidate { item: hit.item, action: Action { id, features } })
}

/// The conditions of a list at a time, on the page of an item.
fn filter(list: &List, catalogue: &Catalogue, own: Option<ItemRef>, now_millis: u64) -> Filter {
    let now = now_millis as f64;
    let test = |wire: &wire::ItemFilter| {
        let words = |words: &[String]| {
            (!words.is_empty()).then(|| words.iter().map(|word| Value::from(word.as_str())).collect())
        };
        let missing = match wire.missing {
            Some(true) => Some(Missing::Passes),
            Some(false) => Some(Missing::Fails),
            None => None,
        };
        Test {
            field: wire.field.clone(),
            one_of: words(&wire.one_of),
            none_of: words(&wire.none_of),
            min: wire.min.or((wire.future == Some(true)).then_some(now)),
            max: wire.max.or((wire.past == Some(true)).then_some(now)),
            missing,
        }
    };
    let same = |field: &String| {
        let words: Vec<Value> = catalogue.words(own?, field).map(Value::from).collect();
        (!words.is_empty()).then(|| Test { field: field.clone(), one_of: Some(words), ..Test::default() })
    };
    let same = list.same.iter().filter_map(same);
    Filter { tests: list.filters.iter().map(test).chain(same).collect() }
}

#[cfg(test)]
mod tests;
