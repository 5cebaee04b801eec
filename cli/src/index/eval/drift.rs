//! Whether a mix has moved: of what lists show, or of what is asked. Counts cells; what a cell is the callers know.

use edgeloom::measure::drift::Mix;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Cells that are told apart; the rest is one more. Many make the index deaf.
const MOST_CELLS: usize = 23;
/// Below it a mix has hardly moved, whatever chance says.
const LEAST_INDEX: f64 = 0.1;
/// Chance of a false alarm.
const FALSE_ALARMS: f64 = 0.01;
/// Cells that are told one by one.
const MOST_TOLD: usize = 3;

/// How a mix moved.
#[derive(Debug, PartialEq)]
pub struct Moved {
    /// Population stability index.
    pub index: f64,
    /// Whether that is more than chance makes of so many.
    pub is_drift: bool,
    /// The cells that moved most, with their parts of the index.
    pub parts: Vec<(String, f64)>,
}

/// What was counted: whether now or then, in which cell, how often.
pub type Counted = (bool, String, u64);

/// How far the mix of now lies from that of then; `None` where one of them is nothing.
pub fn moved(counted: &[Counted]) -> Option<Moved> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, cell, n) in counted {
        *totals.entry(cell).or_default() += n;
    }
    let mut totals: Vec<_> = totals.into_iter().collect();
    totals.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let own: BTreeSet<&str> = totals.iter().take(MOST_CELLS).map(|(cell, _)| *cell).collect();
    let (mut then, mut now) = (Mix::default(), Mix::default());
    for (is_now, cell, n) in counted {
        let cell = own.get(cell.as_str()).copied().unwrap_or("(others)");
        if *is_now { now.add(cell, *n) } else { then.add(cell, *n) }
    }
    let stability = now.since(&then)?;
    let is_drift = stability.index >= LEAST_INDEX && stability.is_drift(FALSE_ALARMS);
    Some(Moved {
        index: stability.index,
        is_drift,
        parts: stability.parts.into_iter().take(MOST_TOLD).collect(),
    })
}

impl Moved {
    /// For machines.
    pub fn json(&self) -> Map<String, Value> {
        let part = |(cell, part): &(String, f64)| json!({ "cell": cell, "part": part });
        let parts: Value = self.parts.iter().map(part).collect();
        let members = [("index", json!(self.index)), ("is_drift", json!(self.is_drift)), ("parts", parts)];
        members.map(|(name, value)| (name.to_string(), value)).into_iter().collect()
    }

    /// The index, the verdict, and the cells that moved most.
    pub fn cells(&self) -> [String; 3] {
        let parts: Vec<_> = self.parts.iter().map(|(cell, part)| format!("{cell} {part:.3}")).collect();
        let verdict = if self.is_drift { "has moved" } else { "as before" };
        [format!("{:.3}", self.index), verdict.into(), parts.join(", ")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(then: [u64; 2], now: [u64; 2]) -> Vec<Counted> {
        let of = |is_now, [tea, cups]: [u64; 2]| [(is_now, "tea".into(), tea), (is_now, "cups".into(), cups)];
        [of(false, then), of(true, now)].concat()
    }

    #[test]
    fn another_mix_of_many_has_moved_and_the_same_has_not() {
        let same = moved(&counted([500, 500], [510, 490])).unwrap();
        assert!(!same.is_drift && same.index < 0.01, "{same:?}");
        let other = moved(&counted([500, 500], [800, 200])).unwrap();
        assert!(other.is_drift && other.index > 0.25 && other.parts[0].0 == "cups", "{other:?}");
        // Of so few the same shares say nothing.
        assert!(!moved(&counted([3, 3], [5, 1])).unwrap().is_drift);
        assert_eq!(moved(&counted([0, 0], [1, 1])), None);
    }
}
