//! What a visit is about, as one vector to search an index with: the item of the page, the items looked at before, and what is
//! known from elsewhere. Pure arithmetic; what may be known of a visitor is decided by others.

use crate::embedding::Embedding;
use crate::index::{Catalogue, ItemRef};

/// How much each source says. A weight of 0 leaves its source out; only their ratios matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Of the item the page is about.
    pub own: f32,
    /// Of the item seen last before it; see [`query_of`] for those before that.
    pub trail: f32,
    /// Hours after which a seen item counts half; 0 or less where time does not matter.
    pub half_life_hours: f32,
    /// Of an embedding that the site brings.
    pub declared: f32,
}

impl Default for Weights {
    /// The page leads, what was seen before it shifts the direction, and a day later counts half.
    fn default() -> Self {
        Self { own: 1.0, trail: 0.5, half_life_hours: 24.0, declared: 1.0 }
    }
}

/// The direction of
///
/// ```text
/// own · e(own) + trail · Σ 2^−r · 2^(−a/h) · e(seen) + declared · d
/// ```
///
/// with `e` the embedding of an item, `r` = 0, 1, … the rank of a seen item, newest first, `a` its age and `h` the half-life, both
/// in hours, and `d` the declared embedding. So whatever the trail's length, all of it weighs less than twice its newest item.
///
/// `trail` has short ids and ages as [`Trail::entries`](crate::trail::Trail::entries) gives them. What the catalogue does not have
/// (any more), and the page's own item, are left out and take no rank; so is a declared embedding of another dimension.
/// `None` where nothing is left, or the parts cancel out.
#[must_use]
pub fn query_of(
    catalogue: &Catalogue,
    own: Option<ItemRef>,
    trail: impl Iterator<Item = (u32, f32)>,
    declared: Option<&Embedding>,
    weights: &Weights,
) -> Option<Embedding> {
    let mut parts: Vec<(f32, Embedding)> = Vec::new();
    let mut add = |weight: f32, item: ItemRef| {
        // A weight too small for `f32` is none.
        if weight != 0.0 {
            parts.extend(catalogue.embedding(item).map(|embedding| (weight, embedding)));
        }
    };
    if let Some(own) = own {
        add(weights.own, own);
    }
    let known = trail.filter_map(|(short, age)| Some((catalogue.find_short(short)?, age)));
    let mut of_rank = weights.trail;
    for (item, age) in known.filter(|(item, _)| Some(*item) != own) {
        add(of_rank * faded(age, weights.half_life_hours), item);
        of_rank *= 0.5;
    }
    let declared = declared.filter(|declared| declared.dimension() == catalogue.dimension());
    let declared = declared.filter(|_| weights.declared != 0.0).map(|declared| (weights.declared, declared));
    Embedding::blend(parts.iter().map(|(weight, embedding)| (*weight, embedding)).chain(declared))
}

/// What is left of a weight after some hours.
fn faded(age_hours: f32, half_life_hours: f32) -> f32 {
    if half_life_hours > 0.0 { libm::exp2f(-age_hours / half_life_hours) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::build::{Item, Options, build};
    use crate::index::{Index, Kind, short_id};
    use std::iter::empty;

    const WEIGHTS: Weights = Weights { own: 1.0, trail: 0.5, half_life_hours: 24.0, declared: 2.0 };

    /// Items `a`, `b`, `c`, `d`, each along an axis of its own.
    fn catalogue() -> Catalogue {
        let items = ["a", "b", "c", "d"].iter().enumerate().map(|(axis, id)| {
            let mut numbers = [0.0; 4];
            numbers[axis] = 1.0;
            let embedding = Embedding::new(&numbers).unwrap();
            Item { id: (*id).into(), fields: serde_json::Map::new(), embedding }
        });
        let options = Options { exact: crate::index::Exact::F32, ..Options::new("m", Kind::Flat) };
        let bytes = build(items.collect(), &options).unwrap();
        Catalogue::new(vec![Index::open(bytes).unwrap()]).unwrap()
    }

    /// Asserts the direction of some numbers.
    fn points(found: Option<Embedding>, numbers: [f32; 4]) {
        let similarity = found.unwrap().dot(&Embedding::new(&numbers).unwrap());
        assert!(similarity > 0.9999, "{similarity}");
    }

    #[test]
    fn of_nothing_there_is_no_query() {
        let catalogue = catalogue();
        assert_eq!(query_of(&catalogue, None, empty(), None, &WEIGHTS), None);
        let unknown = [(short_id("gone"), 0.0)].into_iter();
        assert_eq!(query_of(&catalogue, None, unknown, None, &WEIGHTS), None);
        let nothing = Weights { own: 0.0, trail: 0.0, declared: 0.0, ..WEIGHTS };
        let (own, seen) = (catalogue.find("a"), [(short_id("b"), 0.0)].into_iter());
        assert_eq!(query_of(&catalogue, own, seen, None, &nothing), None);
    }

    #[test]
    fn a_seen_item_counts_half_with_each_rank_and_each_half_life() {
        let catalogue = catalogue();
        let seen = [(short_id("b"), 0.0), (short_id("c"), 0.0), (short_id("d"), 24.0)];
        let found = query_of(&catalogue, catalogue.find("a"), seen.into_iter(), None, &WEIGHTS);
        points(found, [1.0, 0.5, 0.25, 0.0625]);
        let timeless = Weights { half_life_hours: 0.0, ..WEIGHTS };
        let found = query_of(&catalogue, None, seen.into_iter(), None, &timeless);
        points(found, [0.0, 1.0, 0.5, 0.25]);
    }

    #[test]
    fn what_the_catalogue_does_not_have_and_the_own_item_take_no_rank() {
        let catalogue = catalogue();
        let seen = [(short_id("gone"), 0.0), (short_id("a"), 0.0), (short_id("b"), 0.0)];
        let found = query_of(&catalogue, catalogue.find("a"), seen.into_iter(), None, &WEIGHTS);
        points(found, [1.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn what_is_declared_is_one_part_of_several_if_it_is_of_this_space() {
        let catalogue = catalogue();
        let declared = Embedding::new(&[0.0, 0.0, 0.0, 3.0]).unwrap();
        let own = catalogue.find("a");
        points(query_of(&catalogue, own, empty(), Some(&declared), &WEIGHTS), [1.0, 0.0, 0.0, 2.0]);
        let foreign = Embedding::new(&[1.0, 1.0]).unwrap();
        points(query_of(&catalogue, own, empty(), Some(&foreign), &WEIGHTS), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(query_of(&catalogue, None, empty(), Some(&foreign), &WEIGHTS), None);
    }

    #[test]
    fn ages_beyond_all_bounds_are_no_trouble() {
        let catalogue = catalogue();
        let seen = [(short_id("b"), f32::MAX), (short_id("c"), 0.0)];
        points(query_of(&catalogue, None, seen.into_iter(), None, &WEIGHTS), [0.0, 0.0, 1.0, 0.0]);
    }
}
