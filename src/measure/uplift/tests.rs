//! Examples and laws of the comparison with the holdout.

use super::*;
use proptest::prelude::*;

fn values_of(list: &[i64]) -> Values {
    let mut values = Values::default();
    list.iter().for_each(|micros| values.add(*micros));
    values
}

#[test]
fn two_equal_groups_are_as_likely_ahead_as_behind() {
    let group = Conversions { visitors: 1_000, converted: 50 };
    let found = rates(group, group, &BetaPosterior::UNTOUCHED, 0.95).unwrap();
    assert!((found.p_positive - 0.5).abs() < 1e-10);
    assert!(found.difference.abs() < 1e-10 && found.lift.abs() < 1e-9);
    let Interval { low, high } = found.difference_interval;
    assert!((low + high).abs() < 1e-10 && high > 0.0);
    let Interval { low, high } = found.lift_interval;
    // Symmetrical in ln(1 + lift).
    assert!(((1.0 + low) * (1.0 + high) - 1.0).abs() < 1e-8);
}

#[test]
fn large_groups_agree_with_the_normal_distribution() {
    let (one, other) = (
        Conversions { visitors: 1_800_000, converted: 93_600 },
        Conversions { visitors: 200_000, converted: 10_000 },
    );
    let found = rates(one, other, &BetaPosterior::UNTOUCHED, 0.95).unwrap();
    let (p, q) = (found.personalised.mean(), found.holdout.mean());
    let error = (p * (1.0 - p) / 1_800_000.0 + q * (1.0 - q) / 200_000.0).sqrt();
    let Interval { low, high } = found.difference_interval;
    assert!((0.5 * (high - low) / error - 1.959_964).abs() < 1e-3, "{found:?}");
    assert!((found.p_positive - crate::measure::normal_cdf((p - q) / error)).abs() < 1e-4);
}

#[test]
fn nothing_seen_is_everything_possible() {
    let nobody = Conversions { visitors: 0, converted: 0 };
    let found = rates(nobody, nobody, &BetaPosterior::UNTOUCHED, 0.95).unwrap();
    // P(x − y ≤ d) = (1 + d)²/2 for d ≤ 0.
    assert!((found.difference_interval.low - (0.05_f64.sqrt() - 1.0)).abs() < 1e-9, "{found:?}");
    assert!((found.lift_interval.low + 0.95).abs() < 1e-9 && (found.lift_interval.high - 19.0).abs() < 1e-6);
}

#[test]
fn more_conversions_than_visitors_are_refused() {
    let (good, bad) = (Conversions { visitors: 9, converted: 9 }, Conversions { visitors: 9, converted: 10 });
    let error = rates(good, bad, &BetaPosterior::UNTOUCHED, 0.95).unwrap_err();
    assert_eq!(error, UpliftError::TooManyConversions { group: Group::Holdout, visitors: 9, converted: 10 });
    assert_eq!(error.to_string(), "10 of 9 visitors in the holdout; hint: count a visitor once");
}

#[test]
fn welchs_comparison_agrees_with_one_by_hand() {
    // 1, 2, 3, 4 and 10, 14, 21: means 2.5 and 15, variances 5/3 and 31; λ = 5/12 and 31/3; degrees =
    // 10.75²/((5/12)²/3 + (31/3)²/2) = 2.1622.
    let (one, other) = (values_of(&[1, 2, 3, 4]), values_of(&[10, 14, 21]));
    let found = values(&other, &one, 0.95).unwrap();
    assert!((found.difference.value - 12.5e-6).abs() < 1e-18);
    assert!((found.difference.standard_error - 10.75_f64.sqrt() * 1e-6).abs() < 1e-18);
    let degrees = 10.75 * 10.75 / (25.0 / 144.0 / 3.0 + 961.0 / 9.0 / 2.0);
    assert!((found.degrees - degrees).abs() < 1e-12 && (degrees - 2.1622).abs() < 1e-4);
    assert!((found.p_positive - student_cdf(12.5 / 10.75_f64.sqrt(), degrees)).abs() < 1e-12);
}

#[test]
fn the_variance_keeps_its_digits_beside_a_large_mean() {
    // A billion each, and one millionth of it apart: as numbers, Σr² and (Σr)²/n agree in all 16 digits.
    let values = values_of(&[999_999_999_999_999, 1_000_000_000_000_000, 1_000_000_000_000_001]);
    assert_eq!(values.variance(), 1e-12);
    assert_eq!(values_of(&[-5]).variance(), 0.0);
    assert_eq!(Values::default().mean(), 0.0);
    // Beyond the range the numbers lose digits, not their sense.
    let mut most = values_of(&[i64::MAX, i64::MIN]);
    for _ in 0..3 {
        let again = most;
        most.merge(&again);
    }
    assert!(most.variance() > 0.0);
}

#[test]
fn a_ratio_to_nothing_is_none() {
    let (some, nothing) = (values_of(&[1_000_000, 3_000_000, 2_000_000]), values_of(&[0, 0, 0, 10]));
    assert_eq!(values(&some, &nothing, 0.95).unwrap().lift, None);
    let (lift, interval) = values(&some, &some, 0.5).unwrap().lift.unwrap();
    assert!(lift.abs() < 1e-12 && interval.contains(0.0));
}

#[test]
fn groups_without_variance_are_compared_all_the_same() {
    let (one, other) = (values_of(&[7, 7, 7]), values_of(&[5, 5]));
    for (a, b, p) in [(&one, &other, 1.0), (&other, &one, 0.0), (&one, &one, 0.5)] {
        let found = values(a, b, 0.95).unwrap();
        assert_eq!((found.p_positive, found.difference.standard_error), (p, 0.0));
    }
}

#[test]
fn too_few_visitors_and_impossible_values_are_refused() {
    let (one, two) = (values_of(&[1]), values_of(&[1, 2]));
    let error = values(&two, &one, 0.95).unwrap_err();
    assert_eq!(error, UpliftError::TooFewVisitors { group: Group::Holdout, visitors: 1 });
    let none = Resampling::NONE;
    assert_eq!(
        resampled(&[1.0], &[1.0, 2.0], 0.95, none).unwrap_err().to_string(),
        "1 visitors in the personalised group; hint: wait for two at least"
    );
    for bad in [f64::NAN, f64::INFINITY, 1e101] {
        let error = resampled(&[1.0, bad], &[1.0, 2.0], 0.95, none).unwrap_err();
        assert_eq!(error, UpliftError::Value { group: Group::Personalised, visitor: 1 });
    }
}

#[test]
fn rows_and_sums_tell_the_same() {
    let (one, other) = ([1_500_000, 0, 0, 2_250_000, 990_000], [0, 0, 1_000_000, 10_000]);
    let as_numbers = |list: &[i64]| list.iter().map(|micros| *micros as f64 / 1e6).collect::<Vec<_>>();
    let sums = values(&values_of(&one), &values_of(&other), 0.9).unwrap();
    let resampling = Resampling { resamples: 200, seed: 4 };
    let rows = resampled(&as_numbers(&one), &as_numbers(&other), 0.9, resampling).unwrap();
    assert!((sums.difference.value - rows.difference.value).abs() < 1e-15);
    assert!((sums.difference.standard_error - rows.difference.standard_error).abs() < 1e-15);
    assert!((sums.degrees - rows.degrees).abs() < 1e-12);
    assert_eq!(sums.difference.bootstrap, None);
    let again = resampled(&as_numbers(&one), &as_numbers(&other), 0.9, resampling).unwrap();
    assert_eq!(rows, again);
    assert!(rows.difference.bootstrap.unwrap().contains(rows.difference.value));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sums_merge_in_any_order(list in prop::collection::vec(any::<i32>(), 0..40), cut in 0_usize..40) {
        let list: Vec<i64> = list.into_iter().map(i64::from).collect();
        let (left, right) = list.split_at(cut.min(list.len()));
        let (mut one, mut other) = (values_of(left), values_of(right));
        let (first, second) = (one, other);
        one.merge(&second);
        other.merge(&first);
        prop_assert_eq!(one, other);
        prop_assert_eq!(one, values_of(&list));
    }

    #[test]
    fn the_variance_is_that_of_the_definition(list in prop::collection::vec(-1_000_000_i64..1_000_000_000, 2..40)) {
        let n = list.len() as f64;
        let mean = list.iter().map(|r| *r as f64).sum::<f64>() / n;
        let exact = list.iter().map(|r| (*r as f64 - mean) * (*r as f64 - mean)).sum::<f64>() / (n - 1.0) / 1e12;
        prop_assert!((values_of(&list).variance() - exact).abs() <= 1e-9 * exact);
    }

    #[test]
    fn fiellers_interval_holds_0_exactly_where_welchs_does(
        one in prop::collection::vec(1_000_i64..100_000, 3..20), other in prop::collection::vec(1_000_i64..100_000, 3..20)
    ) {
        let found = values(&values_of(&one), &values_of(&other), 0.95).unwrap();
        let Interval { low, high } = found.difference.interval;
        // Not on the edge, where rounding decides.
        prop_assume!(low.abs().min(high.abs()) > 1e-9);
        if let Some((_, lift)) = found.lift {
            prop_assert_eq!(lift.contains(0.0), found.difference.interval.contains(0.0));
        }
    }
}

proptest! {
    // Some tenths of a second each.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn more_conversions_make_a_lift_more_likely(visitors in 10_u64..3_000, rate in 0.0..0.9_f64, holdout in 10_u64..500) {
        let converted = (visitors as f64 * rate) as u64;
        let of = |converted| {
            let held_out = Conversions { visitors: holdout, converted: holdout / 10 };
            rates(Conversions { visitors, converted }, held_out, &BetaPosterior::UNTOUCHED, 0.9).unwrap()
        };
        let (before, after) = (of(converted), of(converted + 1));
        prop_assert!(after.p_positive >= before.p_positive - 1e-10);
        prop_assert!(after.lift_interval.low >= before.lift_interval.low - 1e-9);
        prop_assert!(before.difference_interval.contains(before.difference));
        prop_assert!(before.lift_interval.contains(before.lift));
    }
}
