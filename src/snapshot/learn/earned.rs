//! What the items of a list earned themselves, from counts to what is published.

use super::super::list::ITEMS;
use super::super::terms::SlotGoal;
use super::super::wire::{LearnedItem, LearnedItems};
use super::short;
use crate::event::Treatment;
use crate::id::{ArmId, GoalId, SlotId};
use crate::sorted::{SortedMap, sort_by};
use crate::statistics::{Counts, GoalCounts, Part, Statistics};
use crate::value::Amount;

/// Items that are published of a list, those shown most: each has some 40 bytes of the snapshot.
const MOST: usize = 2_000;

/// `None` while nothing was shown. `counts` are those of all places, all items together.
pub(super) fn earned(
    statistics: &Statistics,
    list: &str,
    (counts, goals): (&Counts, &[SlotGoal]),
    cost: f64,
) -> Option<LearnedItems> {
    let items = ArmId::new(ITEMS).ok()?;
    let own = &statistics.counts(&SlotId::new(list).ok()?, &Treatment::Arm(items))?.items;
    let n = counts.exposures_left();
    let [worth, squares] = worth(&counts.goals, goals);
    // Around the mean of all, which includes how far items lie from each other: a little too much, so that they are trusted a
    // little less. Goals are taken as independent.
    let noise = squares / n - (worth / n) * (worth / n);
    let of = |(item, part): (&u32, &Part)| {
        let exposures = part.exposures_left();
        let [worth, _] = self::worth(&part.goals, goals);
        LearnedItem { item: *item, exposures, worth: short(worth - cost * exposures) }
    };
    let mut items: Vec<LearnedItem> = own.iter().map(of).filter(|item| item.exposures > 0.0).collect();
    if items.len() > MOST {
        sort_by(&mut items, |a, b| b.exposures.total_cmp(&a.exposures).then(a.item.cmp(&b.item)));
        items.truncate(MOST);
        sort_by(&mut items, |a, b| a.item.cmp(&b.item));
    }
    (n > 0.0 && noise > 0.0 && !items.is_empty()).then(|| LearnedItems { noise: short(noise), items })
}

/// What rewards are worth, and the sum of the squares of what each is worth, in the site's currency.
fn worth(counted: &SortedMap<GoalId, GoalCounts>, goals: &[SlotGoal]) -> [f64; 2] {
    goals.iter().fold([0.0; 2], |[sum, squares], goal| {
        let Some(counts) = counted.get(&goal.id) else { return [sum, squares] };
        let margin = goal.term.margin;
        let [value, square] = match goal.term.amount {
            Amount::Fixed(amount) => [amount * counts.n as f64, amount * amount * counts.n as f64],
            Amount::Learned(_) => [counts.value(), counts.squares()],
        };
        [sum + margin * value, squares + margin * margin * square]
    })
}
