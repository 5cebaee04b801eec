//! Who visits: counts by cell, such as kinds of device or countries, and the population stability index between two times.
//! Which cells there are is the caller's business; more than some dozens make the index deaf.

use crate::measure::chi_square_survival;
use crate::sorted::SortedMap;

/// Added to each cell of both sides, so that an empty one has a logarithm: half a visit (Krichevsky & Trofimov 1981,
/// doi:10.1109/TIT.1981.1056331).
const SMOOTHING: f64 = 0.5;

/// Visits by cell. Merging is commutative and associative.
///
/// ```
/// use edgeloom::measure::drift::Mix;
///
/// let (mut spring, mut summer) = (Mix::default(), Mix::default());
/// for (cell, then, now) in [("phone", 600, 750), ("desktop", 380, 240), ("tablet", 20, 10)] {
///     spring.add(cell, then);
///     summer.add(cell, now);
/// }
/// let stability = summer.since(&spring).expect("both have visits");
/// assert!(stability.index > 0.1 && stability.is_drift(0.001));
/// assert_eq!(stability.parts[0].0, "desktop");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mix(SortedMap<String, u64>);

/// How far two mixes lie apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    /// Population stability index Σ (q − p)·ln(q/p) over shares p then and q now, 0 or more. By the rule of thumb below 0.1 nothing
    /// much, above 0.25 another population (Siddiqi 2006, doi:10.1002/9781119201731).
    pub index: f64,
    /// What each cell contributes, the largest first.
    pub parts: Vec<(String, f64)>,
    /// 1/n + 1/m, the scale of the index where nothing changes.
    scale: f64,
}

impl Mix {
    /// Counts visits of a cell.
    pub fn add(&mut self, cell: &str, visits: u64) {
        if visits > 0 {
            let own = self.0.or_default(cell.to_owned());
            *own = own.saturating_add(visits);
        }
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        for (cell, visits) in &other.0 {
            self.add(cell, *visits);
        }
    }

    /// Number of visits.
    fn total(&self) -> f64 {
        self.0.values().map(|visits| *visits as f64).sum()
    }

    /// How far this mix has moved away from an earlier one; `None` where one of them has no visit.
    #[must_use]
    pub fn since(&self, then: &Self) -> Option<Stability> {
        let (n, m) = (then.total(), self.total());
        if n == 0.0 || m == 0.0 {
            return None;
        }
        let mut cells = self.clone();
        cells.merge(then);
        let added = SMOOTHING * cells.0.len() as f64;
        let share = |mix: &Self, cell: &str, total: f64| {
            (mix.0.get(cell).map_or(0.0, |visits| *visits as f64) + SMOOTHING) / (total + added)
        };
        let part = |cell: &String| {
            let (p, q) = (share(then, cell, n), share(self, cell, m));
            (cell.clone(), (q - p) * libm::log(q / p))
        };
        let mut parts: Vec<(String, f64)> = cells.0.keys().map(part).collect();
        let index = parts.iter().map(|(_, part)| part).sum();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        Some(Stability { index, parts, scale: 1.0 / n + 1.0 / m })
    }
}

impl Stability {
    /// Whether the mix has moved by more than chance explains: the index is then above its scale times the chi-square quantile
    /// for one cell less than there are (Yurdakul & Naranjo 2020, doi:10.21314/JRMV.2020.227).
    ///
    /// `false_alarms` is the chance of an alarm at one comparison where nothing changes, e.g. 0.001. With many visits the smallest
    /// shift is more than chance: look at `index` as well.
    #[must_use]
    pub fn is_drift(&self, false_alarms: f64) -> bool {
        let degrees = self.parts.len().saturating_sub(1) as f64;
        degrees > 0.0 && chi_square_survival(self.index / self.scale, degrees) < false_alarms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Generator;
    use proptest::prelude::*;

    /// A mix of `n` visits with the given shares.
    fn drawn(generator: &mut Generator, n: u32, shares: &[f64]) -> Mix {
        let mut mix = Mix::default();
        for _ in 0..n {
            let mut left = generator.unit();
            let cell = shares.iter().position(|share| {
                left -= share;
                left < 0.0
            });
            mix.add(&cell.unwrap_or(0).to_string(), 1);
        }
        mix
    }

    #[test]
    fn without_a_change_it_alarms_as_often_as_stated() {
        let rare = [0.4, 0.3, 0.2, 0.07, 0.02, 0.006, 0.003, 0.001];
        for (shares, n, m) in [(&[0.6, 0.35, 0.05][..], 2_000, 500), (&rare, 500, 500), (&rare, 2_000, 200)] {
            let mut generator = Generator::new(47);
            let mut alarms = 0;
            for _ in 0..400 {
                let (then, now) = (drawn(&mut generator, n, shares), drawn(&mut generator, m, shares));
                alarms += u32::from(now.since(&then).unwrap().is_drift(0.05));
            }
            // 20 of 400 are expected, with the deviation 4.4: outside of 3 to 38 once in 10,000 sets of seeds. Cells that are
            // nearly empty make alarms a little rarer.
            assert!((3..=38).contains(&alarms), "{shares:?} {n} {m}: {alarms} of 400");
        }
    }

    #[test]
    fn a_shift_is_found_and_its_largest_part_comes_first() {
        let mut generator = Generator::new(53);
        let then = drawn(&mut generator, 2_000, &[0.6, 0.35, 0.05]);
        let now = drawn(&mut generator, 2_000, &[0.5, 0.35, 0.15]);
        let stability = now.since(&then).unwrap();
        assert!(stability.is_drift(0.001));
        assert_eq!(stability.parts[0].0, "2");
        // Σ (q − p)·ln(q/p) of the shares themselves: 0.0182 + 0 + 0.1099.
        assert!((stability.index - 0.128).abs() < 0.05, "{}", stability.index);
    }

    #[test]
    fn an_empty_cell_has_a_finite_part_and_an_empty_mix_no_answer() {
        let mut then = Mix::default();
        then.add("a", 100);
        let mut now = then.clone();
        now.add("b", 50);
        let index = now.since(&then).unwrap().index;
        // Shares with half a visit more: 100.5/101 and 0.5/101 against 100.5/151 and 50.5/151.
        assert!((index - 1.5206).abs() < 1e-4, "{index}");
        assert!((then.since(&now).unwrap().index - index).abs() < 1e-12);
        assert_eq!(Mix::default().since(&then), None);
        assert_eq!(then.since(&Mix::default()), None);
    }

    proptest! {
        #[test]
        fn merging_commutes_and_equal_mixes_do_not_drift(
            shards in prop::collection::vec(prop::collection::vec(("[a-e]", 0..99_u64), 0..9), 2)
        ) {
            let of = |visits: &[(String, u64)]| {
                let mut mix = Mix::default();
                visits.iter().for_each(|(cell, n)| mix.add(cell, *n));
                mix
            };
            let (mut ab, mut ba) = (of(&shards[0]), of(&shards[1]));
            let (a, b) = (ab.clone(), ba.clone());
            ab.merge(&b);
            ba.merge(&a);
            prop_assert_eq!(&ab, &ba);
            if let Some(stability) = ab.since(&ba) {
                prop_assert_eq!(stability.index, 0.0);
                prop_assert!(!stability.is_drift(0.5));
            }
        }
    }
}
