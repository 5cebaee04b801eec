//! What the items of a list earned, each by itself: exact counts of so many items that they fit beside everything else, whichever
//! came first. What they say is the business of [`crate::bandit::shared`].

use super::wire::Numbers;
use super::{GoalCounts, Part};
use crate::id::{GoalId, IdError, SlotId};
use crate::json;
use crate::sorted::{SortedMap, sort_by};

/// Items that are counted of a list, those with the smallest short names: each has some 35 bytes and 25 for each goal but the first, and
/// the ledger's statistics have a row of 2 MB, of which eight lists with three goals take 1.4. Short names are hashes, so which items these are has nothing to do with what they earn; and since an item that is
/// left out once is left out of every sum, counts do not depend on the order of events.
pub const MAX_ITEMS: usize = 2_048;

/// Counts by short name.
pub(super) type Items = SortedMap<u32, Part>;

/// Adds counts.
pub(super) fn merge(own: &mut Items, more: &Items) {
    for (item, counts) in more {
        own.or_default(*item).merge(counts);
    }
    if own.len() > MAX_ITEMS {
        let first_out = own.keys().nth(MAX_ITEMS).copied();
        own.retain(|item, _| first_out.is_none_or(|first_out| *item < first_out));
    }
}

/// The list that a slot is a place of: what stands before the number of the place.
#[must_use]
pub fn list_of(slot: &SlotId) -> Option<SlotId> {
    let (list, place) = slot.as_str().rsplit_once('.')?;
    let is_number = !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| SlotId::new(list).ok())?
}

/// The stored form: columns instead of rows, since there are thousands.
#[derive(Default)]
pub(super) struct ItemRows {
    items: Numbers<u32>,
    exposures: Numbers<u64>,
    goals: Vec<GoalColumns>,
    /// Left out where nothing was lost.
    lost: Option<Numbers<u64>>,
}

/// Rewards of a goal, of those items that have some.
#[derive(Default)]
struct GoalColumns {
    goal: String,
    /// Positions of the items.
    at: Numbers<u32>,
    n: Numbers<u64>,
    value_micros: Numbers<i128>,
    square_micros: Numbers<i128>,
}

json::fields! {
    ItemRows { has items, exposures, goals; may have lost; }
    GoalColumns { has goal, at, n, value_micros, square_micros; }
}

impl ItemRows {
    /// `None` for no items.
    pub(super) fn of(items: &Items) -> Option<Self> {
        let mut rows = Self::default();
        let mut lost = Vec::new();
        for ((item, part), at) in items.iter().zip(0..) {
            rows.items.0.push(*item);
            rows.exposures.0.push(part.exposures);
            lost.push(part.lost);
            for (goal, counts) in &part.goals {
                let place = rows.goals.iter().position(|columns| columns.goal == goal.as_str());
                let place = place.unwrap_or_else(|| {
                    rows.goals.push(GoalColumns { goal: goal.to_string(), ..GoalColumns::default() });
                    rows.goals.len() - 1
                });
                if let Some(columns) = rows.goals.get_mut(place) {
                    columns.at.0.push(at);
                    columns.n.0.push(counts.n);
                    columns.value_micros.0.push(counts.value_micros);
                    columns.square_micros.0.push(counts.square_micros);
                }
            }
        }
        // In the order of their names, whichever item has which: equal counts are equal bytes.
        sort_by(&mut rows.goals, |a, b| a.goal.cmp(&b.goal));
        rows.lost = lost.iter().any(|lost| *lost > 0).then_some(Numbers(lost));
        (!items.is_empty()).then_some(rows)
    }

    /// Columns that are too short end in zeros.
    pub(super) fn items(&self) -> Result<Items, IdError> {
        let mut parts: Vec<(u32, Part)> = Vec::with_capacity(self.items.0.len());
        for (at, item) in self.items.0.iter().enumerate() {
            let exposures = self.exposures.0.get(at).copied().unwrap_or(0);
            let lost = self.lost.as_ref().and_then(|lost| lost.0.get(at)).copied().unwrap_or(0);
            parts.push((*item, Part { exposures, lost, ..Part::default() }));
        }
        for columns in &self.goals {
            let goal = GoalId::new(&columns.goal)?;
            let rewards = columns.n.0.iter().zip(&columns.value_micros.0).zip(&columns.square_micros.0);
            for (at, ((n, value), square)) in columns.at.0.iter().zip(rewards) {
                if let Some((_, part)) = parts.get_mut(*at as usize) {
                    let counts = GoalCounts { n: *n, value_micros: *value, square_micros: *square };
                    super::add_goal(&mut part.goals, &goal, counts);
                }
            }
        }
        Ok(parts.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Tell, shape};
    use proptest::prelude::*;

    fn part(exposures: u64, rewards: u64) -> Part {
        let mut part = Part { exposures, ..Part::default() };
        if rewards > 0 {
            let goal = GoalId::new(if rewards.is_multiple_of(2) { "read" } else { "buy" }).unwrap();
            super::super::add_goal(&mut part.goals, &goal, GoalCounts { n: rewards, ..GoalCounts::of(5) });
        }
        part
    }

    #[test]
    fn a_place_names_its_list() {
        let list = |slot: &str| list_of(&SlotId::new(slot).unwrap()).map(|list| list.to_string());
        assert_eq!(list("read-next.2").as_deref(), Some("read-next"));
        assert_eq!((list("hero"), list("hero.x"), list("hero.")), (None, None, None));
    }

    #[test]
    fn what_is_kept_of_too_many_items_does_not_depend_on_the_order() {
        let batch = |from: u32| -> Items {
            let item = |n: u32| (n.wrapping_mul(0x9e37_79b9), part(1, u64::from(n % 3)));
            (from..from + 3_000).map(item).collect()
        };
        let sum = |order: [u32; 3]| {
            let mut sum = Items::new();
            order.iter().for_each(|from| merge(&mut sum, &batch(*from)));
            sum
        };
        let one = sum([0, 2_000, 4_000]);
        assert_eq!(one.len(), MAX_ITEMS);
        assert_eq!(one, sum([4_000, 0, 2_000]));
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back(
            items in prop::collection::vec((any::<u32>(), 0_u64..1_000, 0_u64..9), 0..20)
        ) {
            let items: Items = items.into_iter().map(|(item, n, rewards)| (item, part(n, rewards))).collect();
            let back = ItemRows::of(&items).map(|rows| shape::<ItemRows>(&rows.value()).unwrap());
            let back = back.map(|rows| rows.items().unwrap()).unwrap_or_default();
            prop_assert_eq!(back, items);
        }
    }
}
