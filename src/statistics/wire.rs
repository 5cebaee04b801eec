//! The stored and sent form of statistics: JSON, in an envelope between objects and bare in the status API.
//!
//! ```text
//! bytes     what
//! 0         format; this code writes 1 and refuses others
//! 1..n−16   the shape as JSON
//! n−16..n   checksum: first 16 bytes of SHA-256 of everything before it
//! ```

use super::context::{ContextSums, GoalSums};
use super::items::ItemRows;
use super::{Counts, GoalCounts, Part, Statistics};
use crate::event::Treatment;
use crate::id::{GoalId, IdError, SlotId};
use crate::json::{self, JsonError, Tell};
use crate::receipt::Period;
use crate::sorted::SortedMap;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};

/// Written and read.
const FORMAT: u8 = 1;
/// Bytes of SHA-256 kept: against damage, not against forgery, for nobody outside reaches these bytes.
const CHECKSUM: usize = 16;

/// Stored statistics that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatisticsError {
    /// Written by another version of this code.
    Format {
        /// Format number found.
        found: u8,
    },
    /// Cut, changed on the way, or not ours.
    Damaged,
    /// The checksum is right but the content is not what it should be.
    Payload {
        /// What the decoder said.
        reason: String,
    },
}

impl fmt::Display for StatisticsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { found } => {
                write!(
                    f,
                    "statistics have format {found}, this version reads {FORMAT}; hint: deploy matching versions"
                )
            }
            Self::Damaged => write!(f, "statistics are damaged; hint: rebuild them from the shards"),
            Self::Payload { reason } => write!(f, "statistics can't be read: {reason}"),
        }
    }
}

impl std::error::Error for StatisticsError {}

impl Statistics {
    /// The stored form: equal statistics are equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(json::write(self).as_bytes());
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum.iter().take(CHECKSUM));
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// Every cause of [`StatisticsError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatisticsError> {
        let &format = bytes.first().ok_or(StatisticsError::Damaged)?;
        if format != FORMAT {
            return Err(StatisticsError::Format { found: format });
        }
        let end = bytes.len().checked_sub(CHECKSUM).ok_or(StatisticsError::Damaged)?;
        let (body, checksum) = bytes.split_at_checked(end).ok_or(StatisticsError::Damaged)?;
        if !Sha256::digest(body).starts_with(checksum) {
            return Err(StatisticsError::Damaged);
        }
        let content = body.get(1..).ok_or(StatisticsError::Damaged)?;
        let shape: Shape = json::read(content).map_err(payload)?;
        Self::try_from(shape).map_err(payload)
    }
}

/// The cause as text, since it comes from several decoders.
fn payload(error: impl fmt::Display) -> StatisticsError {
    StatisticsError::Payload { reason: error.to_string() }
}

/// Field names are promises; a new field is optional.
#[derive(Default)]
struct Shape {
    counts: Vec<Row>,
    refused: SortedMap<String, u64>,
    repeats: u64,
}

/// Counts of a slot under one treatment.
#[derive(Default)]
struct Row {
    slot: String,
    /// Without an arm the page stayed as it is.
    arm: Option<String>,
    held_out: bool,
    exposures: u64,
    propensity_units: Digits<u128>,
    inverse_units: Digits<u128>,
    inverse_squares: Digits<u128>,
    goals: Vec<Goal>,
    /// Left out where nothing was lost.
    lost: Option<u64>,
    /// Left out where all decisions are shared.
    own: Option<PartRow>,
    /// Left out where the slot does not tell old from new.
    periods: Vec<PeriodRow>,
    /// Left out where nothing is decided by context.
    contexts: Vec<ContextRow>,
    /// The same by period, left out where the slot does not tell old from new.
    aged: Vec<AgedRow>,
    /// Left out but for lists.
    items: Option<ItemRows>,
}

/// Counted rewards of a goal.
#[derive(Default)]
struct Goal {
    goal: String,
    n: u64,
    value_micros: Digits<i128>,
    square_micros: Digits<i128>,
}

/// Counts of a part of the exposures.
#[derive(Default)]
struct PartRow {
    exposures: u64,
    goals: Vec<Goal>,
    lost: Option<u64>,
}

/// Counts of a period.
#[derive(Default)]
struct PeriodRow {
    hours: u16,
    index: u32,
    exposures: u64,
    goals: Vec<Goal>,
    lost: Option<u64>,
}

/// Sums over contexts with one set of features.
#[derive(Default)]
struct ContextRow {
    set: u32,
    columns: u32,
    exposures: u64,
    squares: Numbers<i64>,
    goals: Vec<ContextGoal>,
}

/// Sums over contexts of a period.
#[derive(Default)]
struct AgedRow {
    hours: u16,
    index: u32,
    sums: ContextRow,
}

/// Sums over rewarded contexts.
#[derive(Default)]
struct ContextGoal {
    goal: String,
    n: u64,
    value_micros: Digits<i128>,
    square_micros: Digits<i128>,
    rewarded: Numbers<i64>,
    valued: Numbers<i128>,
}

json::fields! {
    Shape { has counts, refused, repeats; }
    Row {
        has slot, exposures, propensity_units, inverse_units, inverse_squares, goals;
        may have arm, held_out, lost, own, periods, contexts, aged, items;
    }
    Goal { has goal, n, value_micros, square_micros; }
    PartRow { has exposures, goals; may have lost; }
    PeriodRow { has hours, index, exposures, goals; may have lost; }
    ContextRow { has set, columns, exposures, squares, goals; }
    AgedRow { has hours, index, sums; }
    ContextGoal { has goal, n, value_micros, square_micros, rewarded, valued; }
}

impl json::Shape for Statistics {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        *self = json::shape::<Shape>(value)?.try_into()?;
        Ok(())
    }
}

impl Tell for Statistics {
    fn value(&self) -> Value {
        Shape::of(self).value()
    }
}

/// A number of more than 53 bits, as decimal text: JSON numbers would lose digits in JavaScript.
#[derive(Default, Clone, Copy)]
struct Digits<N>(N);

impl<N: std::str::FromStr> json::Shape for Digits<N> {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        let text: String = json::shape(value)?;
        self.0 = text.parse().map_err(|_| JsonError::new("not a whole number".to_string()))?;
        Ok(())
    }
}

impl<N: fmt::Display> Tell for Digits<N> {
    fn value(&self) -> Value {
        Value::from(self.0.to_string())
    }
}

/// Numbers as decimal text, with a space between each two: shorter and quicker to read than a list.
#[derive(Default)]
pub(super) struct Numbers<N>(pub(super) Vec<N>);

impl<N: std::str::FromStr> json::Shape for Numbers<N> {
    fn fill(&mut self, value: &Value) -> Result<(), JsonError> {
        let text: String = json::shape(value)?;
        let numbers: Result<_, _> = text.split_whitespace().map(str::parse).collect();
        self.0 = numbers.map_err(|_| JsonError::new("not whole numbers".to_string()))?;
        Ok(())
    }
}

impl<N: fmt::Display> Tell for Numbers<N> {
    fn value(&self) -> Value {
        let mut text = String::new();
        for number in &self.0 {
            text.push_str(if text.is_empty() { "" } else { " " });
            // A text takes everything.
            let _ = write!(text, "{number}");
        }
        Value::from(text)
    }
}

impl Shape {
    fn of(statistics: &Statistics) -> Self {
        let counts = statistics.iter().map(|(slot, treatment, counts)| {
            let (arm, held_out) = treatment.to_parts();
            Row {
                slot: slot.to_string(),
                arm,
                held_out,
                exposures: counts.exposures,
                propensity_units: Digits(counts.propensity_units),
                inverse_units: Digits(counts.inverse_units),
                inverse_squares: Digits(counts.inverse_squares),
                goals: counts.goals.iter().map(Goal::of).collect(),
                lost: (counts.lost > 0).then_some(counts.lost),
                own: (counts.own != Part::default()).then(|| PartRow {
                    exposures: counts.own.exposures,
                    goals: counts.own.goals.iter().map(Goal::of).collect(),
                    lost: (counts.own.lost > 0).then_some(counts.own.lost),
                }),
                periods: counts.periods.iter().map(PeriodRow::of).collect(),
                contexts: counts.contexts.iter().map(|(set, sums)| ContextRow::of(*set, sums)).collect(),
                aged: counts.aged.iter().map(AgedRow::of).collect(),
                items: ItemRows::of(&counts.items),
            }
        });
        Self { counts: counts.collect(), refused: statistics.refused.clone(), repeats: statistics.repeats }
    }
}

impl Goal {
    fn of((goal, counts): (&GoalId, &GoalCounts)) -> Self {
        Self {
            goal: goal.to_string(),
            n: counts.n,
            value_micros: Digits(counts.value_micros),
            square_micros: Digits(counts.square_micros),
        }
    }

    fn counts(&self) -> Result<(GoalId, GoalCounts), IdError> {
        let (value_micros, square_micros) = (self.value_micros.0, self.square_micros.0);
        Ok((GoalId::new(&self.goal)?, GoalCounts { n: self.n, value_micros, square_micros }))
    }
}

fn part(exposures: u64, goals: &[Goal], lost: Option<u64>) -> Result<Part, IdError> {
    let goals = goals.iter().map(Goal::counts).collect::<Result<_, _>>()?;
    Ok(Part { exposures, goals, lost: lost.unwrap_or(0) })
}

impl PeriodRow {
    fn of((period, counts): (&Period, &Part)) -> Self {
        Self {
            hours: period.hours,
            index: period.index,
            exposures: counts.exposures,
            goals: counts.goals.iter().map(Goal::of).collect(),
            lost: (counts.lost > 0).then_some(counts.lost),
        }
    }

    fn counts(&self) -> Result<(Period, Part), IdError> {
        let period = Period { hours: self.hours, index: self.index };
        Ok((period, part(self.exposures, &self.goals, self.lost)?))
    }
}

impl ContextRow {
    fn of(set: u32, sums: &ContextSums) -> Self {
        let goal = |(goal, sums): (&GoalId, &GoalSums)| ContextGoal {
            goal: goal.to_string(),
            n: sums.counts.n,
            value_micros: Digits(sums.counts.value_micros),
            square_micros: Digits(sums.counts.square_micros),
            rewarded: Numbers(sums.rewarded.clone()),
            valued: Numbers(sums.valued.clone()),
        };
        Self {
            set,
            columns: sums.columns as u32,
            exposures: sums.exposures,
            squares: Numbers(sums.squares.clone()),
            goals: sums.goals.iter().map(goal).collect(),
        }
    }

    /// Lists of another length than the columns say become as long: a sum that is missing is 0.
    fn sums(self) -> Result<ContextSums, IdError> {
        let columns = (self.columns as usize).min(crate::bandit::codes::MAX_CODES);
        let mut squares = self.squares.0;
        squares.resize(columns * (columns + 1) / 2, 0);
        let mut goals = SortedMap::new();
        for goal in self.goals {
            let (mut rewarded, mut valued) = (goal.rewarded.0, goal.valued.0);
            rewarded.resize(columns, 0);
            valued.resize(columns, 0);
            let (value_micros, square_micros) = (goal.value_micros.0, goal.square_micros.0);
            let counts = GoalCounts { n: goal.n, value_micros, square_micros };
            goals.insert(GoalId::new(&goal.goal)?, GoalSums { counts, rewarded, valued });
        }
        Ok(ContextSums { columns, exposures: self.exposures, squares, goals })
    }
}

impl AgedRow {
    fn of(((set, period), sums): (&(u32, Period), &ContextSums)) -> Self {
        Self { hours: period.hours, index: period.index, sums: ContextRow::of(*set, sums) }
    }
}

impl TryFrom<Shape> for Statistics {
    type Error = IdError;

    fn try_from(shape: Shape) -> Result<Self, IdError> {
        let mut statistics = Self { repeats: shape.repeats, ..Self::default() };
        for row in shape.counts {
            let mut counts = Counts {
                exposures: row.exposures,
                propensity_units: row.propensity_units.0,
                inverse_units: row.inverse_units.0,
                inverse_squares: row.inverse_squares.0,
                lost: row.lost.unwrap_or(0),
                own: row
                    .own
                    .map_or_else(|| Ok(Part::default()), |own| part(own.exposures, &own.goals, own.lost))?,
                periods: row.periods.iter().map(PeriodRow::counts).collect::<Result<_, _>>()?,
                ..Counts::default()
            };
            for goal in &row.goals {
                let (goal, own) = goal.counts()?;
                counts.add_goal(&goal, own);
            }
            counts.items = row.items.map(|rows| rows.items()).transpose()?.unwrap_or_default();
            for context in row.contexts {
                counts.contexts.insert(context.set, context.sums()?);
            }
            for AgedRow { hours, index, sums } in row.aged {
                counts.aged.insert((sums.set, Period { hours, index }), sums.sums()?);
            }
            // Added, not set: rows given twice lose nothing.
            let treatment = Treatment::from_parts(row.arm.as_deref(), row.held_out)?;
            statistics.add(&SlotId::new(&row.slot)?, &treatment, &counts);
        }
        for (word, n) in &shape.refused {
            statistics.refuse_word(word, *n);
        }
        Ok(statistics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Refusal;
    use crate::id::ArmId;
    use proptest::prelude::*;

    fn sealed(payload: &[u8]) -> Vec<u8> {
        let mut bytes = [&[FORMAT], payload].concat();
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum[..CHECKSUM]);
        bytes
    }

    prop_compose! {
        // Values stay away from the ends of i128, where adding would saturate: no number of rewards gets there.
        fn anything()(
            rows in proptest::collection::vec(
                ("[a-c]", proptest::option::of("[a-c]"), any::<bool>(), any::<(u64, u128, u128, u128)>(),
                 proptest::collection::vec(("[x-z]", any::<(u64, i64)>()), 0..3)),
                0..6),
            late: u64,
            repeats: u64,
        ) -> Statistics {
            let mut statistics = Statistics { repeats, ..Statistics::default() };
            for (slot, arm, held_out, (exposures, propensity_units, inverse_units, inverse_squares), goals) in rows {
                let treatment = Treatment::from_parts(arm.as_deref(), held_out).unwrap();
                let mut counts =
                    Counts { exposures, propensity_units, inverse_units, inverse_squares, ..Counts::default() };
                for (goal, (n, value_micros)) in goals {
                    counts.add_goal(&GoalId::new(&goal).unwrap(), GoalCounts { n, ..GoalCounts::of(value_micros) });
                }
                statistics.add(&SlotId::new(&slot).unwrap(), &treatment, &counts);
            }
            statistics.refuse(Refusal::Late, late);
            statistics
        }
    }

    fn sample() -> Statistics {
        let mut statistics = Statistics::default();
        let arm = Treatment::Arm(ArmId::new("a").unwrap());
        let slot = SlotId::new("hero").unwrap();
        let mut counts = Counts::of_exposure(0.5);
        counts.add_goal(&GoalId::new("buy").unwrap(), GoalCounts::of(-2_500_000));
        statistics.add(&slot, &arm, &counts);
        statistics.add(&slot, &Treatment::Holdout, &Counts::of_exposure(1.0));
        statistics.refuse(Refusal::Forged, 3);
        statistics
    }

    #[test]
    fn the_names_of_the_status_api_never_change() {
        let expected = serde_json::json!({
            "counts": [
                {
                    "slot": "hero", "arm": "a", "exposures": 1,
                    "propensity_units": "2147483648", "inverse_units": "8589934592", "inverse_squares": "17179869184",
                    "goals": [{ "goal": "buy", "n": 1, "value_micros": "-2500000", "square_micros": "6250000000000" }]
                },
                {
                    "slot": "hero", "held_out": true, "exposures": 1,
                    "propensity_units": "4294967296", "inverse_units": "4294967296", "inverse_squares": "4294967296",
                    "goals": []
                }
            ],
            "refused": { "forged": 3 },
            "repeats": 0
        });
        assert_eq!(sample().value(), expected);
        assert_eq!(json::shape::<Statistics>(&expected).unwrap(), sample());
    }

    #[test]
    fn fields_and_words_of_a_newer_version_are_harmless() {
        let newer = serde_json::json!({ "counts": [], "refused": { "quantum": 2 }, "colour": "blue" });
        let statistics = json::shape::<Statistics>(&newer).unwrap();
        assert_eq!(statistics.refused().collect::<Vec<_>>(), [("quantum", 2)]);
    }

    #[test]
    fn the_largest_numbers_come_back() {
        let goal = GoalId::new("buy").unwrap();
        for value_micros in [i128::MIN, i128::MAX] {
            let mut counts = Counts { propensity_units: u128::MAX, exposures: u64::MAX, ..Counts::default() };
            counts.add_goal(&goal, GoalCounts { n: u64::MAX, value_micros, square_micros: value_micros });
            let mut statistics = Statistics::default();
            statistics.add(&SlotId::new("hero").unwrap(), &Treatment::Untouched, &counts);
            let bytes = statistics.to_bytes();
            assert_eq!(Statistics::from_bytes(&bytes), Ok(statistics));
        }
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_refused() {
        let bytes = sample().to_bytes();
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1 << (i % 8);
            assert!(Statistics::from_bytes(&bad).is_err(), "changed byte {i} was accepted");
            assert!(Statistics::from_bytes(&bytes[..i]).is_err(), "cut at {i} was accepted");
        }
    }

    #[test]
    fn another_format_says_so() {
        assert_eq!(Statistics::from_bytes(&[9]), Err(StatisticsError::Format { found: 9 }));
        assert_eq!(Statistics::from_bytes(&[]), Err(StatisticsError::Damaged));
        assert!(matches!(Statistics::from_bytes(&sealed(b"")), Err(StatisticsError::Payload { .. })));
    }

    proptest! {
        #[test]
        fn statistics_come_back_from_bytes_and_from_json(statistics in anything()) {
            let bytes = statistics.to_bytes();
            let back = Statistics::from_bytes(&bytes).unwrap();
            prop_assert_eq!(&back, &statistics);
            prop_assert_eq!(back.to_bytes(), bytes);
            let json = json::write(&statistics);
            prop_assert_eq!(json::read::<Statistics>(json.as_bytes()).unwrap(), statistics);
        }

        #[test]
        fn any_content_is_read_without_a_panic(bytes: Vec<u8>, at: usize, to: u8) {
            let _ = Statistics::from_bytes(&bytes);
            let _ = Statistics::from_bytes(&sealed(&bytes));
            let good = sample().to_bytes();
            let mut damaged = good[1..good.len() - CHECKSUM].to_vec();
            let at = at % damaged.len();
            damaged[at] = to;
            let _ = Statistics::from_bytes(&sealed(&damaged));
        }

        #[test]
        fn merging_does_not_depend_on_order_or_grouping(a in anything(), b in anything(), c in anything()) {
            let merged = |x: &Statistics, y: &Statistics| {
                let mut sum = x.clone();
                sum.merge(y);
                sum
            };
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &Statistics::default()), a);
        }
    }
}
