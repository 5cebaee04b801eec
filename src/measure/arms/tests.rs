//! Examples and laws of the comparison of two arms.

use super::*;
use crate::seed::Generator;
use proptest::prelude::*;

const ANY: Terms = Terms { level: 0.95, least_effective_units: 2.0 };

fn exposed(unit: u64, shown: Shown, propensity: f64, reward: f64) -> Exposed {
    Exposed { unit, period: 0, shown, propensity, reward }
}

/// `n` exposures of two arms and a third in four periods with other shares; every fourth visitor comes twice.
fn sample(n: u64, seed: u64) -> Vec<Exposed> {
    let mut generator = Generator::new(seed);
    let one = |k: u64| {
        let period = k * 4 / n;
        let first = 0.2 + 0.15 * period as f64;
        let u = generator.unit();
        let (shown, propensity) = if u < first {
            (Shown::First, first)
        } else if u < 0.9 {
            (Shown::Second, 0.9 - first)
        } else {
            (Shown::Other, 0.1)
        };
        let reward = if generator.unit() < 0.4 { 1.0 } else { 0.0 };
        Exposed { unit: k - u64::from(k % 4 == 1), period, shown, propensity, reward }
    };
    (0..n).map(one).collect()
}

#[test]
fn constant_shares_give_the_plain_difference() {
    let rows = [(Shown::First, [1.0, 0.0, 1.0, 1.0]), (Shown::Second, [0.0, 0.0, 1.0, 0.0])];
    let rows: Vec<Exposed> = rows
        .iter()
        .flat_map(|(shown, rewards)| rewards.map(|reward| (*shown, reward)))
        .zip(0..)
        .map(|((shown, reward), unit)| exposed(unit, shown, 0.5, reward))
        .collect();
    for found in [by_period(&rows, &ANY), weighted(&rows, &ANY)] {
        let Comparison { difference, effective_units, covered } = found.unwrap();
        assert_eq!((difference.value, effective_units, covered), (0.5, 4.0, 1.0));
        // Leaving one out moves a mean by 4/3 of a quarter of its distance: twice (4/3)²·0.75/16; 6 degrees of freedom.
        let error = (1.0_f64 / 6.0).sqrt();
        assert!((difference.standard_error - error).abs() < 1e-15);
        assert!((difference.interval.high - 0.5 - 2.446_911_851_144_969 * error).abs() < 1e-8);
    }
}

#[test]
fn shares_that_move_with_the_base_rate_do_not_deceive() {
    // Both arms are equal on each day; the first one is shown on the bad day. Plain means: 0.26 against 0.44.
    let mut rows = Vec::new();
    for (period, share, rate) in [(0, 0.8, 0.2), (1, 0.2, 0.5)] {
        for k in 0..1_000_u64 {
            let is_first = (k as f64) < 1_000.0 * share;
            let (shown, propensity) =
                if is_first { (Shown::First, share) } else { (Shown::Second, 1.0 - share) };
            let reward = if (k % 10) as f64 + 0.5 < 10.0 * rate { 1.0 } else { 0.0 };
            rows.push(Exposed { unit: period * 1_000 + k, period, shown, propensity, reward });
        }
    }
    for found in [weighted(&rows, &Terms::default()), by_period(&rows, &Terms::default())] {
        let found = found.unwrap();
        assert!(found.difference.value.abs() < 1e-12 && found.difference.standard_error > 0.01, "{found:?}");
    }
}

#[test]
fn periods_with_one_arm_only_are_left_out_and_told() {
    let mut rows = sample(400, 1);
    let before = by_period(&rows, &ANY).unwrap();
    rows.extend((0..100).map(|k| Exposed { period: 9, ..exposed(1_000 + k, Shown::First, 0.99, 1.0) }));
    let after = by_period(&rows, &ANY).unwrap();
    assert_eq!((after.difference.value, before.covered, after.covered), (before.difference.value, 1.0, 0.8));
}

#[test]
fn a_visitor_who_comes_often_counts_once() {
    let once =
        sample(200, 3).into_iter().zip(0..).map(|(row, unit)| Exposed { unit, ..row }).collect::<Vec<_>>();
    let often: Vec<Exposed> = once.iter().flat_map(|row| [*row; 20]).collect();
    let (one, other) = (weighted(&once, &ANY).unwrap(), weighted(&often, &ANY).unwrap());
    assert!((one.difference.standard_error - other.difference.standard_error).abs() < 1e-12);
    assert!((one.effective_units - other.effective_units).abs() < 1e-9);
}

#[test]
fn what_can_not_be_compared_is_refused() {
    let sound = sample(300, 2);
    let with = |bad: Exposed| {
        let mut rows = sound.clone();
        rows.push(bad);
        rows
    };
    for p in [0.0, -1.0, 1.5, f64::NAN, 1e-200] {
        let error = weighted(&with(exposed(999, Shown::First, p, 0.0)), &ANY).unwrap_err();
        assert!(matches!(error, ArmsError::Number { row: 300, field: "propensity", .. }), "{error}");
    }
    for r in [f64::NAN, f64::INFINITY, -1e61] {
        let rows = with(exposed(999, Shown::Second, 0.5, r));
        for error in [weighted(&rows, &ANY).unwrap_err(), by_period(&rows, &ANY).unwrap_err()] {
            assert!(matches!(error, ArmsError::Number { row: 300, field: "reward", .. }), "{error}");
        }
    }
    let first_only: Vec<Exposed> = sound.iter().filter(|row| row.shown == Shown::First).copied().collect();
    for rows in [&first_only[..], &[]] {
        for found in [weighted(rows, &ANY), by_period(rows, &ANY)] {
            assert_eq!(found.unwrap_err(), ArmsError::TooThin { found: 0.0, least: 2.0 });
        }
    }
    let terms = Terms { least_effective_units: 1e6, ..ANY };
    assert!(matches!(weighted(&sound, &terms), Err(ArmsError::TooThin { least: 1e6, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn turning_the_arms_round_turns_the_sign(seed in any::<u64>()) {
        let rows = sample(150, seed);
        let turned: Vec<Exposed> = rows
            .iter()
            .map(|row| {
                let shown = match row.shown {
                    Shown::First => Shown::Second,
                    Shown::Second => Shown::First,
                    Shown::Other => Shown::Other,
                };
                Exposed { shown, ..*row }
            })
            .collect();
        for compare in [weighted, by_period] {
            let (one, other) = (compare(&rows, &ANY).unwrap(), compare(&turned, &ANY).unwrap());
            prop_assert!((one.difference.value + other.difference.value).abs() < 1e-14);
            prop_assert!((one.difference.standard_error - other.difference.standard_error).abs() < 1e-14);
        }
    }

    #[test]
    fn a_constant_for_each_period_moves_nothing_within_periods(seed in any::<u64>(), shift in -9.0..9.0_f64) {
        let rows = sample(150, seed);
        let moved: Vec<Exposed> =
            rows.iter().map(|row| Exposed { reward: row.reward + shift * row.period as f64, ..*row }).collect();
        let (one, other) = (by_period(&rows, &ANY).unwrap(), by_period(&moved, &ANY).unwrap());
        prop_assert!((one.difference.value - other.difference.value).abs() < 1e-12);
        prop_assert!((one.difference.standard_error - other.difference.standard_error).abs() < 1e-12);
    }

    #[test]
    fn any_numbers_get_an_answer_or_a_refusal(
        list in prop::collection::vec((0_u64..5, 0_u64..3, 0_u8..3, any::<f64>(), any::<f64>()), 0..20)
    ) {
        let rows: Vec<Exposed> = list
            .into_iter()
            .map(|(unit, period, shown, propensity, reward)| {
                let shown = [Shown::First, Shown::Second, Shown::Other][usize::from(shown)];
                Exposed { unit, period, shown, propensity: propensity.abs().fract(), reward }
            })
            .collect();
        for found in [weighted(&rows, &ANY), by_period(&rows, &ANY)].into_iter().flatten() {
            prop_assert!(found.difference.value.is_finite() && found.difference.standard_error.is_finite());
        }
    }
}
