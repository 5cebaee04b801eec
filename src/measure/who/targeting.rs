//! Addressing only where it pays: a rule from uplift and cost to an answer, and the rule's expected profit on rows that were kept
//! back, beside that of addressing everybody and nobody. Where the uplift comes from is the caller's business.

use crate::bandit::Score;
use crate::json::number::Decimal;
use crate::measure::estimate::{Estimate, held};
use crate::measure::off_policy::{OffPolicyError, Report, Row, Settings, evaluate};
use crate::measure::qini::Side;
use crate::measure::special::normal_cdf;
use std::fmt;

/// What to do with a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Address: it pays.
    Address,
    /// Leave alone: it does not pay, or is not sure enough to.
    Withhold,
}

/// A rule that can't be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RuleError {
    /// Value of a reward that is no number above 0.
    Value(f64),
    /// Probability outside of [0.5, 1).
    Probability(f64),
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(found) => {
                write!(f, "value of a reward is {}; hint: use a number above 0", Decimal(*found))
            }
            Self::Probability(found) => {
                write!(f, "least probability is {}; hint: use a number from 0.5 to below 1", Decimal(*found))
            }
        }
    }
}

impl std::error::Error for RuleError {}

/// Address where uplift · value − cost > 0, with at least some probability.
///
/// ```
/// use edgeloom::bandit::Score;
/// use edgeloom::measure::who::targeting::{Answer, Rule};
///
/// // An order is worth 40. Half a percent more orders, ± 0.4 %, are worth 0.20 ± 0.16 a visitor.
/// let uplift = Score::new(0.005, 0.004);
/// assert_eq!(Rule::new(40.0, 0.5)?.answer(&uplift, 0.10), Answer::Address);
/// // It pays with a probability of Φ(0.1/0.16) = 73 %.
/// assert_eq!(Rule::new(40.0, 0.8)?.answer(&uplift, 0.10), Answer::Withhold);
/// # Ok::<(), edgeloom::measure::who::targeting::RuleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    value: f64,
    least_probability: f64,
}

impl Rule {
    /// A rule for rewards that are worth `value` > 0 each, in the currency of the costs. `least_probability` in [0.5, 1) is that
    /// with which addressing has to pay; at 0.5 the expectation alone decides, and earns most if scores are right. Above it some
    /// expected profit is given up for fewer visitors who are addressed in vain.
    ///
    /// # Errors
    /// A number outside of its range.
    pub fn new(value: f64, least_probability: f64) -> Result<Self, RuleError> {
        if !value.is_finite() || value <= 0.0 {
            return Err(RuleError::Value(value));
        }
        if !(0.5..1.0).contains(&least_probability) {
            return Err(RuleError::Probability(least_probability));
        }
        Ok(Self { value, least_probability })
    }

    /// The answer for a visitor with this uplift, whom addressing costs `cost` (in the currency of the value; below 0 where it
    /// saves something). A cost that is not a number withholds.
    #[must_use]
    pub fn answer(&self, uplift: &Score, cost: f64) -> Answer {
        let (gain, sd) = (uplift.mean() * self.value - cost, uplift.sd() * self.value);
        let is_sure = sd <= 0.0 || normal_cdf(gain / sd) >= self.least_probability;
        if gain > 0.0 && is_sure { Answer::Address } else { Answer::Withhold }
    }
}

/// A logged visit that the rule has answered for, by a score that was learned without it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Addressed {
    /// Who: rows of one visitor share it. A visitor is on one side throughout.
    pub unit: u64,
    /// Whether the visitor was addressed then.
    pub side: Side,
    /// P(treated) as logged, in (0, 1).
    pub propensity: f64,
    /// What came of it, in currency and before the cost.
    pub worth: f64,
    /// What addressing this visitor costs, in currency; counts only where it is done.
    pub cost: f64,
    /// What the rule says now.
    pub answer: Answer,
}

/// What three policies would earn per row, in currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Profit {
    /// Share of rows that the rule addresses.
    pub share_addressed: f64,
    /// Profit under the rule.
    pub targeted: Estimate,
    /// Profit if everybody were addressed.
    pub everybody: Estimate,
    /// Profit if nobody were: what visitors are worth anyway.
    pub nobody: Estimate,
    /// Rule − everybody, from those alone whom the rule withholds; `None` where they are too few to tell.
    pub over_everybody: Option<Estimate>,
    /// Rule − nobody, from those alone whom the rule addresses; `None` where they are too few to tell.
    pub over_nobody: Option<Estimate>,
}

/// Estimates what the rule would earn, and whether that is more than addressing everybody or nobody.
///
/// All are self-normalised estimates by [`evaluate`] (SNIPS). The differences are not taken from the three profits, whose intervals
/// share most of their noise: where two policies do the same their difference is exactly 0, and counts for nothing. Among the
/// others it is what the treated earned less what the control group did; the two are different visitors, so their variances
/// add up, together with that of the share of such rows.
///
/// A rule that was chosen among many for its profit here needs other rows to say what it will earn.
///
/// # Errors
/// What [`evaluate`] refuses, among it too few rows of a side.
/// ```
/// use edgeloom::measure::off_policy::Settings;
/// use edgeloom::measure::qini::Side;
/// use edgeloom::measure::who::targeting::{Addressed, Answer, profit};
///
/// // Being addressed costs 1 and brings 3 to every second visitor, to the others nothing; everybody brings 2 anyway.
/// let row = |unit: u64| {
///     let (side, gains) = (if unit % 4 < 2 { Side::Treated } else { Side::Control }, unit % 2 == 0);
///     let worth = if gains && side == Side::Treated { 5.0 } else { 2.0 };
///     let answer = if gains { Answer::Address } else { Answer::Withhold };
///     Addressed { unit, side, propensity: 0.5, worth, cost: 1.0, answer }
/// };
/// let found = profit(&(0..2_000).map(row).collect::<Vec<_>>(), &Settings::default())?;
/// assert!((found.targeted.value - 3.0).abs() < 1e-12 && (found.everybody.value - 2.5).abs() < 1e-12);
/// assert!((found.over_everybody.unwrap().value - 0.5).abs() < 1e-12);
/// # Ok::<(), edgeloom::measure::off_policy::OffPolicyError>(())
/// ```
pub fn profit(rows: &[Addressed], settings: &Settings) -> Result<Profit, OffPolicyError> {
    if let Some((row, found)) = rows.iter().enumerate().find(|(_, row)| row.propensity >= 1.0) {
        return Err(OffPolicyError::Probability { row, field: "propensity", found: found.propensity });
    }
    let under = |policy: &dyn Fn(&Addressed) -> Answer| {
        let rows: Vec<Row> = rows.iter().map(|row| logged(row, policy(row))).collect();
        evaluate(&rows, settings).map(|report: Report| report.snips)
    };
    let addressed = rows.iter().filter(|row| row.answer == Answer::Address).count();
    Ok(Profit {
        share_addressed: addressed as f64 / rows.len().max(1) as f64,
        targeted: under(&|row| row.answer)?,
        everybody: under(&|_| Answer::Address)?,
        nobody: under(&|_| Answer::Withhold)?,
        over_everybody: gain(rows, Answer::Withhold, settings)?.map(|gain| negated(&gain)),
        over_nobody: gain(rows, Answer::Address, settings)?,
    })
}

/// What addressing those with this answer would add, per row of all.
fn gain(rows: &[Addressed], those: Answer, settings: &Settings) -> Result<Option<Estimate>, OffPolicyError> {
    let some: Vec<&Addressed> = rows.iter().filter(|row| row.answer == those).collect();
    let level = held(settings.level);
    if some.is_empty() {
        return Ok(Some(Estimate::normal(0.0, 0.0, level)));
    }
    let under = |answer| {
        let rows: Vec<Row> = some.iter().map(|row| logged(row, answer)).collect();
        match evaluate(&rows, settings) {
            Ok(report) => Ok(Some(report.snips)),
            Err(OffPolicyError::TooThin { .. } | OffPolicyError::TooFewUnits { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (Some(treated), Some(control)) = (under(Answer::Address)?, under(Answer::Withhold)?) else {
        return Ok(None);
    };
    let share = some.len() as f64 / rows.len() as f64;
    let difference = treated.value - control.value;
    let squares = [treated, control].map(|side| side.standard_error * side.standard_error);
    let of_share = share * (1.0 - share) / rows.len() as f64;
    let variance = share * share * squares.iter().sum::<f64>() + difference * difference * of_share;
    Ok(Some(Estimate::normal(share * difference, variance.sqrt(), level)))
}

fn negated(estimate: &Estimate) -> Estimate {
    let mut negated = *estimate;
    negated.value = -estimate.value;
    (negated.interval.low, negated.interval.high) = (-estimate.interval.high, -estimate.interval.low);
    negated
}

/// The row as it tells of a policy that answers so.
fn logged(row: &Addressed, answer: Answer) -> Row {
    let (reward, propensity, agrees) = match row.side {
        Side::Treated => (row.worth - row.cost, row.propensity, answer == Answer::Address),
        Side::Control => (row.worth, 1.0 - row.propensity, answer == Answer::Withhold),
    };
    Row { unit: row.unit, reward, propensity, target: if agrees { 1.0 } else { 0.0 }, prediction: None }
}

#[cfg(test)]
mod tests {
    use super::super::learner::{Beliefs, Learner, Spread};
    use super::super::site::Site;
    use super::super::{Model, cross_fitted};
    use super::*;
    use crate::measure::Resampling;
    use crate::seed::Generator;
    use proptest::prelude::*;

    const SETTINGS: Settings =
        Settings { level: 0.95, least_effective_units: 30.0, resampling: Resampling::NONE };
    const SPREAD: Spread = Spread { outcome: 0.3, effect: 0.1 };
    /// What addressing costs where a reward is worth 1.
    const COST: f64 = 0.2;

    #[test]
    fn the_answer_turns_where_cost_and_certainty_say() {
        let rule = |q| Rule::new(10.0, q).unwrap();
        let uplift = Score::new(0.1, 0.05);
        assert_eq!(rule(0.5).answer(&uplift, 0.999), Answer::Address);
        assert_eq!(rule(0.5).answer(&uplift, 1.0), Answer::Withhold);
        // Φ(1) = 0.8413.
        assert_eq!(rule(0.84).answer(&uplift, 0.5), Answer::Address);
        assert_eq!(rule(0.85).answer(&uplift, 0.5), Answer::Withhold);
        // Without uncertainty the sign decides, and what is no number never pays.
        assert_eq!(rule(0.99).answer(&Score::new(0.1, 0.0), 0.999), Answer::Address);
        assert_eq!(rule(0.5).answer(&uplift, f64::NAN), Answer::Withhold);
        assert_eq!(rule(0.5).answer(&Score::new(-0.01, 0.1), -0.5), Answer::Address);
    }

    #[test]
    fn rules_without_sense_are_refused() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(Rule::new(value, 0.5), Err(RuleError::Value(_))));
        }
        for probability in [0.49, 1.0, f64::NAN] {
            assert!(matches!(Rule::new(1.0, probability), Err(RuleError::Probability(_))));
        }
        let said = Rule::new(1.0, 1.0).unwrap_err().to_string();
        assert_eq!(said, "least probability is 1; hint: use a number from 0.5 to below 1");
    }

    #[test]
    fn too_few_to_tell_is_said_so_and_the_same_policy_gains_nothing() {
        let row = |unit: u64, answer| Addressed {
            unit,
            side: if unit.is_multiple_of(2) { Side::Treated } else { Side::Control },
            propensity: 0.5,
            worth: (unit % 7) as f64,
            cost: 1.0,
            answer,
        };
        let mut rows: Vec<Addressed> = (0..400).map(|unit| row(unit, Answer::Address)).collect();
        let found = profit(&rows, &SETTINGS).unwrap();
        assert_eq!(
            found.over_everybody.map(|gain| (gain.value.abs(), gain.standard_error)),
            Some((0.0, 0.0))
        );
        assert_eq!((found.targeted, found.share_addressed), (found.everybody, 1.0));
        rows[0].answer = Answer::Withhold;
        assert_eq!(profit(&rows, &SETTINGS).unwrap().over_everybody, None);
        rows[3].propensity = 1.0;
        assert!(matches!(profit(&rows, &SETTINGS), Err(OffPolicyError::Probability { row: 3, .. })));
        assert!(profit(&[], &SETTINGS).is_err());
    }

    /// True profit per visitor of a rule that answers so, of all and of nobody, less what they are worth anyway.
    fn truth(site: &Site, answers: &dyn Fn(&crate::bandit::FeatureVector) -> Answer) -> [f64; 2] {
        let mut generator = Generator::new(77);
        let mut sums = [0.0; 2];
        for _ in 0..20_000 {
            let x = Site::visitor(&mut generator);
            let gain = site.uplift(&x) - COST;
            sums[0] += if answers(&x) == Answer::Address { gain } else { 0.0 };
            sums[1] += gain;
        }
        sums.map(|sum| sum / 20_000.0)
    }

    #[test]
    fn profits_of_a_rule_and_its_gains_are_estimated_without_bias() {
        // One site and one rule, learned elsewhere; 300 logs of 2,000 visitors, 20 % in the holdout.
        let mut generator = Generator::new(21);
        let site = Site::drawn(&mut generator, SPREAD);
        let beliefs = Beliefs::new(Site::FEATURES, SPREAD, Site::NOISE).unwrap();
        let model = Model::fit(&site.rows(2_000, 0.8, &mut generator), Learner::X, &beliefs).unwrap();
        let rule = Rule::new(1.0, 0.5).unwrap();
        let answer = |x: &crate::bandit::FeatureVector| rule.answer(&model.score(x, 0.8), COST);
        let [over_nobody, all] = truth(&site, &answer);
        let wanted = [over_nobody, over_nobody - all];
        let (mut sums, mut held) = ([0.0; 2], [0; 2]);
        for _ in 0..300 {
            let log = site.rows(2_000, 0.8, &mut generator);
            let rows: Vec<Addressed> = log.iter().map(|row| addressed(row, answer(&row.x))).collect();
            let found = profit(&rows, &SETTINGS).unwrap();
            for (k, gain) in [found.over_nobody, found.over_everybody].iter().enumerate() {
                let gain = gain.unwrap();
                sums[k] += (gain.value - wanted[k]) / gain.standard_error;
                held[k] += u32::from(gain.interval.contains(wanted[k]));
            }
        }
        let means = sums.map(|sum| sum / 300.0);
        println!("mean error in standard errors {means:.3?}, intervals that hold {held:?} of 300");
        for (mean, held) in means.iter().zip(held) {
            // Four standard deviations of the mean and, for 285 ± 3.8 expected, as many of the count; the truth itself is known to
            // a fourth of a standard error.
            assert!(mean.abs() < 0.23 + 0.25 && held >= 270, "{mean} {held}");
        }
    }

    #[test]
    fn a_learned_rule_earns_more_than_all_and_than_nobody() {
        // Cross-fitted scores, so that the rows may judge their own rule.
        let mut found = [0.0; 3];
        for seed in 0..10 {
            let mut generator = Generator::new(300 + seed);
            let site = Site::drawn(&mut generator, SPREAD);
            let log = site.rows(4_000, 0.8, &mut generator);
            let beliefs = Beliefs::new(Site::FEATURES, SPREAD, Site::NOISE).unwrap();
            let scores = cross_fitted(&log, Learner::X, &beliefs, 5).unwrap();
            let rule = Rule::new(1.0, 0.5).unwrap();
            let answered = |(row, score)| addressed(row, rule.answer(score, COST));
            let rows: Vec<Addressed> = log.iter().zip(&scores).map(answered).collect();
            let profit = profit(&rows, &SETTINGS).unwrap();
            for (sum, gain) in found.iter_mut().zip([profit.over_everybody, profit.over_nobody]) {
                *sum += gain.unwrap().value / 10.0;
            }
            // What a rule that knows the truth gains over nobody.
            let best = |x: &crate::bandit::FeatureVector| rule.answer(&Score::new(site.uplift(x), 0.0), COST);
            found[2] += truth(&site, &best)[0] / 10.0;
        }
        println!(
            "over everybody {:.3}, over nobody {:.3}, the best rule {:.3}",
            found[0], found[1], found[2]
        );
        assert!(found[0] > 0.1 && found[1] > 0.5 * found[2]);
    }

    fn addressed(row: &super::super::Row, answer: Answer) -> Addressed {
        let (unit, side, propensity, worth) = (row.unit, row.side, row.propensity, row.reward);
        Addressed { unit, side, propensity, worth, cost: COST, answer }
    }

    proptest! {
        #[test]
        fn more_certainty_and_more_cost_never_address_more(
            mean in -1.0..1.0_f64, sd in 0.0..1.0_f64, cost in -1.0..1.0_f64, q in 0.5..0.9_f64, more in 0.0..0.09_f64
        ) {
            let answer = |q, cost| Rule::new(1.0, q).unwrap().answer(&Score::new(mean, sd), cost);
            if answer(q, cost) == Answer::Withhold {
                prop_assert_eq!(answer(q + more, cost), Answer::Withhold);
                prop_assert_eq!(answer(q, cost + more), Answer::Withhold);
            }
        }

        #[test]
        fn addressing_all_gains_over_nobody_what_the_profits_differ_by(
            draws in prop::collection::vec((any::<bool>(), -9.0..9.0_f64, 0.1..0.9_f64), 200..300)
        ) {
            let rows: Vec<Addressed> = draws.iter().zip(0..).map(|((treated, worth, propensity), unit)| Addressed {
                unit,
                side: if *treated { Side::Treated } else { Side::Control },
                propensity: *propensity,
                worth: *worth,
                cost: 0.5,
                answer: Answer::Address,
            }).collect();
            let found = profit(&rows, &SETTINGS).unwrap();
            let gain = found.over_nobody.unwrap();
            prop_assert!((gain.value - (found.everybody.value - found.nobody.value)).abs() < 1e-12);
            prop_assert!(gain.standard_error >= found.everybody.standard_error.max(found.nobody.standard_error));
        }
    }
}
