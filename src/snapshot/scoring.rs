//! What a contextual policy looks at, from its stored form, and what it believes before and after learning.

use super::terms::ArmTerms;
use super::wire::{self, LearnedArm, PolicyKind};
use crate::bandit::codes::MAX_CODES;
use crate::bandit::{Feature, FeatureError, FeatureKind, Features, NormalPosterior, Score, Scorer};

/// The features of a slot: those of its policy, or of its challenger where only that one looks at the context. `None` where
/// neither does, or where they can't be used.
pub(super) fn features_of(slot: &wire::Slot) -> Option<Features> {
    let policies = std::iter::once(&slot.policy).chain(&slot.challenger);
    let mut contextual = policies.filter(|policy| policy.kind == PolicyKind::Contextual);
    contextual.next().and_then(|policy| features(&policy.features).ok())
}

/// Why features can't be used; the position is that in their list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ScoringError {
    /// Not exactly one kind.
    Kind(usize),
    /// See [`FeatureError`].
    Feature(FeatureError),
    /// More columns than receipts carry.
    Columns(usize),
}

impl std::fmt::Display for ScoringError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(at) => {
                write!(
                    f,
                    "feature {at} has no kind or several; hint: give it one of number, boolean, one_of, hashed"
                )
            }
            Self::Feature(error) => error.fmt(f),
            Self::Columns(found) => {
                write!(f, "the features make {found} columns; hint: {} at most", MAX_CODES - 1)
            }
        }
    }
}

/// The features of a list, in its order.
pub(super) fn features(list: &[wire::Feature]) -> Result<Features, ScoringError> {
    let kind = |(at, feature): (usize, &wire::Feature)| {
        let wire::Feature { name, number, boolean, one_of, hashed } = feature;
        let kind = match (number, boolean, &one_of[..], hashed) {
            (Some(wire::Ordinary { mean, scale }), None, [], None) => {
                FeatureKind::Number { mean: *mean, scale: *scale }
            }
            (None, Some(true), [], None) => FeatureKind::Boolean,
            (None, None, [_, ..], None) => FeatureKind::OneOf(one_of.clone()),
            (None, None, [], Some(columns)) => FeatureKind::Hashed { columns: usize::from(*columns) },
            _ => return Err(ScoringError::Kind(at)),
        };
        Ok(Feature { name: name.clone(), kind })
    };
    let list = list.iter().enumerate().map(kind).collect::<Result<_, _>>()?;
    let features = Features::new(list).map_err(ScoringError::Feature)?;
    match features.n_columns() {
        found if found > MAX_CODES => Err(ScoringError::Columns(found - 1)),
        _ => Ok(features),
    }
}

/// What is believed of an arm in any context before something was seen in one: the plain arm's worth, and coefficients that
/// may change it by as much as it is uncertain; those of `warm` are expected to add such a share of that worth.
pub(super) fn prior(n_columns: usize, worth: &Score, warm: &[(usize, f64)]) -> Option<NormalPosterior> {
    let mut mean = vec![0.0; n_columns];
    if let Some(intercept) = mean.first_mut() {
        *intercept = worth.mean().clamp(-1e9, 1e9);
    }
    for (column, share) in warm {
        if let Some(coefficient) = mean.get_mut(*column) {
            *coefficient = share * worth.mean().clamp(-1e9, 1e9);
        }
    }
    let precision = (1.0 / (worth.sd() * worth.sd())).clamp(1e-9, 1e12);
    NormalPosterior::new(&mean, &vec![precision; n_columns]).ok()
}

/// What an arm is scored with: what was published, where it has these columns of this set, else the prior; drawn this many standard
/// deviations wide (the v of Agrawal & Goyal 2013, arXiv:1209.3352).
pub(super) fn scorer(
    (n_columns, set): (usize, u32),
    width: f64,
    (terms, warm): (&ArmTerms<'_>, &[(usize, f64)]),
    learned: &LearnedArm,
) -> Option<Scorer> {
    let wide = |factor: &[f64]| factor.iter().map(|entry| entry * width).collect::<Vec<f64>>();
    let published = learned
        .regression
        .as_ref()
        .filter(|published| published.set == set && published.mean.len() == n_columns);
    if let Some(scorer) =
        published.and_then(|published| Scorer::of_parts(&published.mean, &wide(&published.factor)))
    {
        return Some(scorer);
    }
    let (mut mean, factor) = prior(n_columns, &terms.prior_worth(), warm)?.parts().ok()?;
    if let Some(intercept) = mean.first_mut() {
        *intercept -= terms.cost;
    }
    Scorer::of_parts(&mean, &wide(&factor))
}
