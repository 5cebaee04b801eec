//! Stable shares of visitors: holdout, roll-outs and the parts of a layer. Who is in is a hash, never a lookup.
//!
//! Every share compares one number of the visitor, uniform in (0, 1), with its bounds. A share that grows
//! therefore keeps everybody who was in, and shares of different purpose or salt are independent.

use crate::json::number::Decimal;
use crate::seed::{Purpose, hash, unit_interval};
use std::fmt;

/// The number in (0, 1) that a unit of assignment has for one purpose and salt.
/// ```
/// use edgeloom::{seed::Purpose, split::fraction};
///
/// let of = |unit| fraction(Purpose::Rollout, "new checkout", unit);
/// assert_eq!(of(7), of(7));
/// // A quarter of many units has a number below 0.25.
/// let n = (0..4_000).filter(|unit| of(*unit) < 0.25).count();
/// assert!((900..1_100).contains(&n));
/// ```
#[must_use]
pub fn fraction(purpose: Purpose, salt: &str, unit: u64) -> f64 {
    unit_interval(hash(purpose, &[salt.as_bytes(), &unit.to_le_bytes()]))
}

/// A share that can't be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShareError {
    /// Not a number from 0 to 1.
    OutOfRange {
        /// The number found.
        found: f64,
    },
    /// A part of a layer that ends before it starts.
    Reversed {
        /// Its start.
        from: f64,
        /// Its end.
        to: f64,
    },
}

impl fmt::Display for ShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { found } => {
                write!(f, "share is {}; hint: write a number from 0 to 1, e.g. 0.05 for 5 %", Decimal(*found))
            }
            Self::Reversed { from, to } => {
                let (from, to) = (Decimal(*from), Decimal(*to));
                write!(f, "part of a layer from {from} to {to} is reversed; hint: `from` is the smaller one")
            }
        }
    }
}

impl std::error::Error for ShareError {}

/// A number from 0 to 1, or why it is none; NaN is none.
fn checked(share: f64) -> Result<f64, ShareError> {
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(ShareError::OutOfRange { found: share }) }
}

/// The visitors who never see personalization, to measure what all of it is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Holdout {
    share: f64,
    salt: Box<str>,
}

impl Holdout {
    /// A holdout of `share` (0 – 1) of all visitors.
    ///
    /// # Errors
    /// The share is not from 0 to 1.
    pub fn new(share: f64, salt: &str) -> Result<Self, ShareError> {
        Ok(Self { share: checked(share)?, salt: salt.into() })
    }

    /// Whether a unit is held out.
    #[must_use]
    pub fn holds(&self, unit: u64) -> bool {
        fraction(Purpose::Holdout, &self.salt, unit) < self.share
    }
}

/// A part of a layer; parts that don't overlap never share a visitor, so their tests don't disturb each other.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerPart {
    layer: Box<str>,
    from: f64,
    to: f64,
}

impl LayerPart {
    /// The part of `layer` from `from` up to, not including, `to` (both 0 – 1); equal bounds include nobody.
    ///
    /// # Errors
    /// A bound is not from 0 to 1, or `to` is below `from`.
    pub fn new(layer: &str, from: f64, to: f64) -> Result<Self, ShareError> {
        let (from, to) = (checked(from)?, checked(to)?);
        if to < from {
            return Err(ShareError::Reversed { from, to });
        }
        Ok(Self { layer: layer.into(), from, to })
    }

    /// Whether a unit is in this part.
    #[must_use]
    pub fn includes(&self, unit: u64) -> bool {
        let x = fraction(Purpose::Layer, &self.layer, unit);
        // Fractions stay below 1, so an end of 1 leaves nobody out.
        self.from <= x && x < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Units as they occur: hashes of visitors.
    fn units(n: u64) -> impl Iterator<Item = u64> {
        (0..n).map(|i| hash(Purpose::Unit, &[b"test", &i.to_le_bytes()]))
    }

    /// Pearson's statistic of counts against equal expectations.
    fn chi_square(counts: &[u32]) -> f64 {
        let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
        counts.iter().map(|c| (f64::from(*c) - expected) * (f64::from(*c) - expected) / expected).sum()
    }

    #[test]
    fn fractions_are_uniform_for_each_purpose_and_salt() {
        for purpose in [Purpose::Holdout, Purpose::Rollout, Purpose::Layer] {
            for salt in ["", "a", "a longer salt"] {
                let mut counts = [0; 20];
                units(20_000).for_each(|u| counts[(fraction(purpose, salt, u) * 20.0) as usize] += 1);
                // 19 degrees of freedom: 43.82 is exceeded once in 1,000 seeds.
                assert!(chi_square(&counts) < 43.82, "{purpose:?} {salt:?} {counts:?}");
            }
        }
    }

    #[test]
    fn a_holdout_says_nothing_about_roll_outs_layers_or_other_salts() {
        let holdout = Holdout::new(0.5, "site").unwrap();
        let others: [&dyn Fn(u64) -> bool; 3] = [
            &|u| fraction(Purpose::Rollout, "site", u) < 0.5,
            &|u| LayerPart::new("site", 0.0, 0.5).unwrap().includes(u),
            &|u| Holdout::new(0.5, "other").unwrap().holds(u),
        ];
        for other in others {
            let mut counts = [0; 4];
            units(20_000)
                .for_each(|u| counts[usize::from(holdout.holds(u)) * 2 + usize::from(other(u))] += 1);
            // All four corners are equally likely; 3 degrees of freedom, 16.27 once in 1,000.
            assert!(chi_square(&counts) < 16.27, "{counts:?}");
        }
    }

    #[test]
    fn nobody_and_everybody_are_exact() {
        let (none, all) = (Holdout::new(0.0, "s").unwrap(), Holdout::new(1.0, "s").unwrap());
        assert!(units(5_000).all(|u| !none.holds(u) && all.holds(u)));
        let whole = LayerPart::new("l", 0.0, 1.0).unwrap();
        assert!(units(5_000).all(|u| whole.includes(u)));
    }

    #[test]
    fn a_wrong_share_is_refused_with_advice() {
        for share in [-0.1, 1.000_001, 5.0, f64::NAN, f64::INFINITY] {
            assert!(Holdout::new(share, "").is_err(), "{share}");
            assert!(LayerPart::new("", 0.0, share).is_err() && LayerPart::new("", share, 1.0).is_err());
        }
        let reversed = LayerPart::new("", 0.6, 0.5).unwrap_err();
        assert_eq!(reversed, ShareError::Reversed { from: 0.6, to: 0.5 });
        assert!(reversed.to_string().contains("hint:"));
    }

    proptest! {
        #[test]
        fn whoever_is_in_stays_in_as_a_share_grows(unit: u64, a in 0.0..=1.0, b in 0.0..=1.0, salt: String) {
            let (small, large) = if a < b { (a, b) } else { (b, a) };
            let holdout = |share| Holdout::new(share, &salt).unwrap().holds(unit);
            prop_assert!(!holdout(small) || holdout(large));
        }

        #[test]
        fn parts_that_meet_divide_a_layer(unit: u64, mut cuts in prop::collection::vec(0.0..=1.0, 0..6)) {
            cuts.extend([0.0, 1.0]);
            cuts.sort_by(f64::total_cmp);
            let parts = cuts.windows(2).map(|w| LayerPart::new("layer", w[0], w[1]).unwrap());
            prop_assert_eq!(parts.filter(|part| part.includes(unit)).count(), 1);
        }
    }
}
