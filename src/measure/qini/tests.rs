//! Golden values of other libraries, and the laws of the curves.

use super::*;
use proptest::prelude::*;

/// The reference file, and its visitors with some score.
fn reference() -> Option<serde_json::Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/uplift_metrics_golden.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn visitors(file: &serde_json::Value, score: impl Fn(usize, f64) -> f64) -> Vec<Scored> {
    let column = |name: &str| -> Vec<f64> { serde_json::from_value(file[name].clone()).unwrap() };
    let (y, t, u) = (column("y"), column("t"), column("u"));
    (0..y.len())
        .map(|i| Scored {
            score: score(i, u[i]),
            side: if t[i] > 0.5 { Side::Treated } else { Side::Control },
            rewards: u8::from(y[i] > 0.5),
        })
        .collect()
}

#[track_caller]
fn near(found: f64, expected: &serde_json::Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() < tolerance, "{found} instead of {expected}");
}

#[test]
fn golden_curves_and_coefficients_agree() {
    let Some(file) = reference() else { return };
    let targeting = Targeting::new(visitors(&file, |_, u| u)).unwrap();
    let golden = &file["sklift_0.5.1"];
    let points: Vec<(u64, f64)> = serde_json::from_value(golden["qini_curve"].clone()).unwrap();
    let ours = targeting.curve(Curve::Qini);
    assert_eq!(ours.len(), points.len());
    for (ours, (n, gain)) in ours.iter().zip(points) {
        assert!(ours.n == n && (ours.gain - gain).abs() < 1e-12, "{ours:?} {n} {gain}");
    }
    near(targeting.coefficient(Curve::Qini).unwrap(), &golden["qini_auc_score"], 1e-12);
    near(targeting.coefficient(Curve::Uplift).unwrap(), &golden["uplift_auc_score"], 1e-12);
    let own = &file["own_tie_aware"];
    near(targeting.area(Curve::Qini), &own["qini_area_per_user"], 1e-14);
    near(targeting.area_over_random(Curve::Qini), &own["qini_area_over_random_per_user"], 1e-14);
}

#[test]
fn golden_uplift_at_a_share_agrees_once_ties_are_broken_as_there() {
    let Some(file) = reference() else { return };
    // The reference takes of equal scores whoever comes last; by score alone that order is nobody's.
    let targeting = Targeting::new(visitors(&file, |i, u| u + 1e-6 * i as f64)).unwrap();
    assert_eq!(targeting.curve(Curve::Qini).len(), 401);
    near(targeting.uplift_at(0.3, Cut::Overall), &file["sklift_0.5.1"]["uplift_at_30pct_overall"], 1e-12);
    near(targeting.uplift_at(0.3, Cut::BySide), &file["sklift_0.5.1"]["uplift_at_30pct_by_group"], 1e-12);
}

#[test]
fn areas_that_depend_on_the_order_of_ties_lie_between_its_extremes() {
    // The other library breaks ties by the accidents of an unstable sort, so only a range can be right.
    let Some(file) = reference() else { return };
    let golden = &file["causalml"];
    let n = 400.0;
    let bounds = |curve| {
        [1.0, 0.0, -1.0].map(|sign| {
            let visitors = visitors(&file, |_, u| u).into_iter();
            let broken = visitors.map(|visitor| {
                let good =
                    if visitor.side == Side::Treated { 1.0 } else { -1.0 } * f64::from(visitor.rewards);
                Scored { score: visitor.score + sign * 1e-6 * good, ..visitor }
            });
            let targeting = Targeting::new(broken).unwrap();
            match curve {
                Curve::Uplift => targeting.area(curve) * n,
                Curve::Qini => targeting.area_over_random(curve) * n,
            }
        })
    };
    for (curve, name, end) in [(Curve::Uplift, "auuc_score", 14.0), (Curve::Qini, "qini_score", 7.0)] {
        let [most, ours, least] = bounds(curve);
        let theirs = golden[format!("{name}_raw")].as_f64().unwrap();
        assert!(least < theirs && theirs < most, "{name}: {least} {theirs} {most}");
        assert!(least < ours && ours < most && (ours / theirs - 1.0).abs() < 0.005, "{ours} {theirs}");
        near(theirs / end, &golden[format!("{name}_normalized")], 1e-12);
    }
}

#[test]
fn one_side_alone_and_no_number_are_refused() {
    let one = |score, side| Scored { score, side, rewards: 1 };
    assert_eq!(Targeting::new([]), Err(QiniError::Empty(Side::Treated)));
    assert_eq!(Targeting::new([one(1.0, Side::Treated)]), Err(QiniError::Empty(Side::Control)));
    let nan = [one(1.0, Side::Treated), one(f64::NAN, Side::Control)];
    assert_eq!(Targeting::new(nan), Err(QiniError::Score { position: 1 }));
}

#[test]
fn where_no_order_is_better_there_is_no_coefficient() {
    let nobody = [Side::Treated, Side::Control].map(|side| Scored { score: 0.5, side, rewards: 0 });
    let targeting = Targeting::new(nobody).unwrap();
    assert_eq!(targeting.coefficient(Curve::Qini), None);
}

#[test]
fn a_score_that_knows_gets_falling_deciles_and_a_blind_one_a_small_coefficient() {
    // Uplift 0.3·x for a visitor of kind x; seeded.
    let mut generator = crate::seed::Generator::new(11);
    let people: Vec<(f64, Scored)> = (0..40_000)
        .map(|_| {
            let (x, blind) = (generator.unit(), generator.unit());
            let side = if generator.unit() < 0.5 { Side::Treated } else { Side::Control };
            let rate = 0.1 + if side == Side::Treated { 0.3 * x } else { 0.0 };
            (blind, Scored { score: x, side, rewards: u8::from(generator.unit() < rate) })
        })
        .collect();
    let knowing = Targeting::new(people.iter().map(|(_, scored)| *scored)).unwrap();
    for (tenth, decile) in knowing.deciles().iter().enumerate() {
        let truth = 0.3 * (0.95 - 0.1 * tenth as f64);
        // Ten normal variables stay within 4.4 standard errors but once in 9,000 sets of seeds.
        assert!((decile.uplift - truth).abs() < 4.4 * decile.standard_error, "{tenth}: {decile:?} {truth}");
    }
    let blind = people.iter().map(|(blind, scored)| Scored { score: *blind, ..*scored });
    let blind = Targeting::new(blind).unwrap();
    assert!(knowing.coefficient(Curve::Qini).unwrap() > 10.0 * blind.coefficient(Curve::Qini).unwrap().abs());
}

/// Any visitors, with both sides.
fn people() -> impl Strategy<Value = Vec<Scored>> {
    let one = (0..8_i32, any::<bool>(), 0..2_u8).prop_map(|(score, treated, rewards)| Scored {
        score: f64::from(score) / 4.0,
        side: if treated { Side::Treated } else { Side::Control },
        rewards,
    });
    prop::collection::vec(one, 2..80)
        .prop_filter("both sides", |all| Targeting::new(all.iter().copied()).is_ok())
}

proptest! {
    #[test]
    fn the_order_in_which_visitors_come_does_not_matter(visitors in people(), turn in 0..80_usize) {
        let ahead = Targeting::new(visitors.iter().copied()).unwrap();
        let mut turned = visitors.clone();
        turned.rotate_left(turn % visitors.len());
        turned.reverse();
        prop_assert_eq!(ahead, Targeting::new(turned).unwrap());
    }

    #[test]
    fn only_the_order_of_scores_matters(visitors in people()) {
        let ahead = Targeting::new(visitors.iter().copied()).unwrap();
        let bent = visitors.iter().map(|v| Scored { score: libm::exp(3.0 * v.score) - 9.0, ..*v });
        prop_assert_eq!(ahead, Targeting::new(bent).unwrap());
    }

    #[test]
    fn nobody_gains_more_than_the_treated_were_rewarded(visitors in people()) {
        let targeting = Targeting::new(visitors.iter().copied()).unwrap();
        for point in targeting.curve(Curve::Qini) {
            prop_assert!(point.gain <= targeting.total.treated.rewards as f64);
        }
    }

    #[test]
    fn a_score_that_knows_everything_has_the_coefficient_one(visitors in people()) {
        let knows = |v: &Scored| match (v.side, v.rewards) {
            (Side::Treated, 1) => 2.0,
            (Side::Control, 1) => 0.0,
            _ => 1.0,
        };
        let scored = visitors.iter().map(|v| Scored { score: knows(v), ..*v });
        let coefficient = Targeting::new(scored).unwrap().coefficient(Curve::Qini);
        prop_assert!(coefficient.is_none_or(|found| (found - 1.0).abs() < 1e-12), "{coefficient:?}");
    }

    #[test]
    fn all_deciles_together_are_everybody(visitors in people()) {
        let targeting = Targeting::new(visitors.iter().copied()).unwrap();
        let deciles = targeting.deciles();
        let n: f64 = deciles.iter().map(|d| d.n_treated + d.n_control).sum();
        prop_assert!((n - visitors.len() as f64).abs() < 1e-9);
        for cut in [Cut::Overall, Cut::BySide] {
            let end = targeting.random(Curve::Uplift)[1].gain / visitors.len() as f64;
            prop_assert!((targeting.uplift_at(1.0, cut) - end).abs() < 1e-12);
        }
    }

    #[test]
    fn the_curves_are_those_of_their_definition(visitors in people()) {
        // Counted anew at each step, with nothing carried along.
        let targeting = Targeting::new(visitors.iter().copied()).unwrap();
        let mut scores: Vec<f64> = visitors.iter().map(|v| v.score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.dedup();
        let (qini, uplift) = (targeting.curve(Curve::Qini), targeting.curve(Curve::Uplift));
        for ((score, qini), uplift) in scores.into_iter().zip(&qini[1..]).zip(&uplift[1..]) {
            let count = |side, least: u8| {
                visitors.iter().filter(|v| v.score >= score && v.side == side && v.rewards >= least).count() as f64
            };
            let (n_t, n_c) = (count(Side::Treated, 0), count(Side::Control, 0));
            let (r_t, r_c) = (count(Side::Treated, 1), count(Side::Control, 1));
            let rate = |r: f64, n: f64| if n == 0.0 { 0.0 } else { r / n };
            prop_assert!((qini.gain - (r_t - n_t * rate(r_c, n_c))).abs() < 1e-9);
            prop_assert!((uplift.gain - (rate(r_t, n_t) - rate(r_c, n_c)) * (n_t + n_c)).abs() < 1e-9);
        }
    }
}
