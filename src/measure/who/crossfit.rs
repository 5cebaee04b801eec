//! Scores of rows by models that have not seen them, so that a learner can be judged on the rows it learned from. The judging is
//! the business of [`crate::measure::qini`].

use super::learner::{Beliefs, Learner, Model};
use super::row::{Row, WhoError};
use crate::bandit::Score;
use crate::measure::qini::Scored;
use crate::seed::{Purpose, hash};

/// The uplift of each row, in the order of the rows, by a model of all other folds.
///
/// Which of the `folds` (2 or more, usually 5) a row is in is a hash of its visitor: rows of one visitor stay together, and more rows
/// move nobody. The models of the folds differ a little, so scores of two folds are compared as if one model had made them.
///
/// # Errors
/// Fewer than two folds; a side that is empty without one of them; what [`Model::fit`] refuses.
pub fn cross_fitted(
    rows: &[Row],
    learner: Learner,
    beliefs: &Beliefs,
    folds: u32,
) -> Result<Vec<Score>, WhoError> {
    if folds < 2 {
        return Err(WhoError::Folds { found: folds });
    }
    let of = |row: &Row| fold(row.unit, folds);
    let mut places: Vec<u32> = rows.iter().map(of).collect();
    places.sort_unstable();
    places.dedup();
    // A fold that nobody is in needs no model.
    let mut models = Vec::with_capacity(places.len());
    for place in places {
        let model = Model::fit_those(rows, learner, beliefs, &|row| of(row) != place);
        models.push((
            place,
            model.map_err(|error| match error {
                WhoError::Empty(side) => WhoError::EmptyFold { side, fold: place },
                other => other,
            })?,
        ));
    }
    let score = |row: &Row| {
        let place = models.binary_search_by_key(&of(row), |(place, _)| *place).ok();
        let model = place.and_then(|place| models.get(place));
        model.map_or(Score::new(0.0, 0.0), |(_, model)| model.score(&row.x, row.propensity))
    };
    Ok(rows.iter().map(score).collect())
}

/// Rows with their scores as [`crate::measure::qini::Targeting`] takes them: by the expected uplift, any reward above 0 counting as one.
///
/// The curves compare whole groups, so they need a propensity that is the same for all rows, or nearly so.
pub fn scored<'r>(rows: &'r [Row], scores: &'r [Score]) -> impl Iterator<Item = Scored> + 'r {
    rows.iter().zip(scores).map(|(row, score)| Scored {
        score: score.mean(),
        side: row.side,
        rewards: u8::from(row.reward > 0.0),
    })
}

fn fold(unit: u64, folds: u32) -> u32 {
    (hash(Purpose::Fold, &[&unit.to_le_bytes()]) % u64::from(folds.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::super::learner::Spread;
    use super::super::site::Site;
    use super::*;
    use crate::bandit::FeatureVector;
    use crate::bandit::linear::Noise;
    use crate::measure::qini::{Curve, Side, Targeting};
    use crate::seed::Generator;
    use proptest::prelude::*;

    /// 0/1 rewards with the site's rates: the noise is about p·(1 − p).
    fn beliefs() -> Beliefs {
        let spread = Spread { outcome: 0.3, effect: 0.05 };
        Beliefs::new(Site::FEATURES, spread, Noise::Known { variance: 0.2 }).unwrap()
    }

    fn qini(rows: &[Row], scores: &[Score]) -> f64 {
        Targeting::new(scored(rows, scores)).unwrap().coefficient(Curve::Qini).unwrap()
    }

    #[test]
    fn both_learners_find_who_benefits_and_a_blind_score_does_not() {
        for (propensity, n) in [(0.5, 4_000), (0.95, 8_000)] {
            let mut sums = [0.0; 4];
            for seed in 0..8 {
                let mut generator = Generator::new(seed);
                let site = Site::drawn(&mut generator, Spread { outcome: 0.08, effect: 0.05 });
                let rows = site.visits(n, propensity, &mut generator);
                let by = |learner| cross_fitted(&rows, learner, &beliefs(), 5).unwrap();
                let exact = rows.iter().map(|row| Score::new(site.uplift(&row.x), 0.0)).collect();
                let blind = rows.iter().map(|_| Score::new(generator.unit(), 0.0)).collect();
                for (sum, scores) in sums.iter_mut().zip([by(Learner::T), by(Learner::X), exact, blind]) {
                    *sum += qini(&rows, &scores) / 8.0;
                }
            }
            let [t, x, exact, blind] = sums;
            println!(
                "treated {propensity}: T {t:.3}, X {x:.3}, the true uplift {exact:.3}, blind {blind:.3}"
            );
            assert!(t > 5.0 * blind.abs() && x > 5.0 * blind.abs());
            assert!(t > 0.5 * exact && x > 0.5 * exact);
        }
    }

    #[test]
    fn with_a_small_holdout_the_x_learner_is_nearer_to_the_truth() {
        // 40 sites whose rewards are far more various than their uplift, 5 % of 3,000 visitors in the holdout.
        let (mut errors, mut wins) = ([0.0; 2], 0);
        let spread = Spread { outcome: 0.3, effect: 0.05 };
        for seed in 0..40 {
            let mut generator = Generator::new(1_000 + seed);
            let site = Site::drawn(&mut generator, spread);
            let rows = site.rows(3_000, 0.95, &mut generator);
            let beliefs = Beliefs::new(Site::FEATURES, spread, Site::NOISE).unwrap();
            let places: Vec<FeatureVector> = (0..200).map(|_| Site::visitor(&mut generator)).collect();
            let found = [Learner::T, Learner::X].map(|learner| {
                let model = Model::fit(&rows, learner, &beliefs).unwrap();
                let error = |x: &FeatureVector| model.score(x, 0.95).mean() - site.uplift(x);
                places.iter().map(|x| error(x) * error(x)).sum::<f64>() / 200.0
            });
            wins += u32::from(found[1] < found[0]);
            for (sum, error) in errors.iter_mut().zip(found) {
                *sum += error / 40.0;
            }
        }
        println!("mean squared error: T {:.5}, X {:.5}; X nearer on {wins} of 40", errors[0], errors[1]);
        // Were they equally good, 31 or more of 40 would have a probability of 3e-4.
        assert!(errors[1] < 0.75 * errors[0] && wins >= 31);
    }

    #[test]
    fn who_is_scored_was_not_learned_from() {
        // One visitor with an absurd reward moves everybody's score but their own.
        let mut generator = Generator::new(5);
        let site = Site::drawn(&mut generator, Spread { outcome: 0.1, effect: 0.05 });
        let mut rows = site.rows(300, 0.5, &mut generator);
        let scores = |rows: &[Row]| cross_fitted(rows, Learner::X, &beliefs(), 3).unwrap();
        let before = scores(&rows);
        rows[7].reward += 50.0;
        let after = scores(&rows);
        for (row, (a, b)) in rows.iter().zip(before.iter().zip(&after)) {
            assert_eq!(a == b, fold(row.unit, 3) == fold(rows[7].unit, 3));
        }
    }

    #[test]
    fn what_cannot_be_divided_is_refused() {
        let mut generator = Generator::new(6);
        let site = Site::drawn(&mut generator, Spread { outcome: 0.1, effect: 0.05 });
        let mut rows = site.rows(40, 0.5, &mut generator);
        let fit = |rows: &[Row], folds| cross_fitted(rows, Learner::T, &beliefs(), folds);
        assert_eq!(fit(&rows, 1), Err(WhoError::Folds { found: 1 }));
        // All visits are one visitor's: without their fold nothing is left.
        rows.iter_mut().for_each(|row| row.unit = 3);
        let lost = fit(&rows, 2).unwrap_err();
        assert!(matches!(lost, WhoError::EmptyFold { side: Side::Treated, .. }), "{lost}");
        assert_eq!(fit(&[], 2), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn rows_of_one_visitor_are_in_one_fold_and_folds_are_about_even(folds in 2..9_u32, first: u64) {
            let mut counts = vec![0.0; folds as usize];
            for unit in 0..4_000 {
                counts[fold(first.wrapping_add(unit), folds) as usize] += 1.0;
            }
            let expected = 4_000.0 / f64::from(folds);
            let found: f64 = counts.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
            // χ²(8), the widest, exceeds 60 with probability 5e-10.
            prop_assert!(found < 60.0);
        }
    }
}
