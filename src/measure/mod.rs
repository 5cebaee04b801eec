//! What personalization was worth, and how sure that is: estimates with intervals from logged rows and from sums.
//!
//! Knows nothing of slots, of their HTML or of the insides of bandits: a choice is a propensity, an arm a number, a visitor a
//! unit. It reads no log and draws no picture. Everything is a function of its arguments; the bootstrap takes a seed.
//!
//! | question | answer |
//! |---|---|
//! | What would another policy have earned? | [`off_policy::evaluate`] |
//! | What did personalization add to the holdout? | [`uplift::rates`], [`uplift::values`]; from a ledger [`increment::increment`] |
//! | Which of two arms is better, from a bandit's log? | [`arms::weighted`], [`arms::by_period`] |
//! | Were the arms shown as often as the log says? | [`sample_ratio::sample_ratio`] |
//! | How many visitors does it take? | [`power::Design`] |
//! | Who is worth addressing, going by a score? | [`qini`] |
//! | Whom does it help, in which segment, and does it pay? | [`who`] |
//! | Do predicted rates come true, and has the world changed? | [`calibration`], [`drift`] |
//! | What has choosing cost so far? | [`regret`] |
//! | What counts of long ago? | [`buckets`], [`discount`] |
//!
//! Two mistakes are designed out. Arms of a bandit are never compared by their plain means: the shares move while the base
//! rate drifts, and the means compare Monday with Friday. And a visitor who comes ten times is one unit, not ten.

pub mod arms;
mod bootstrap;
pub mod buckets;
pub mod calibration;
#[cfg(test)]
mod coverage;
pub mod discount;
pub mod drift;
pub mod estimate;
pub mod increment;
pub mod off_policy;
pub mod power;
pub mod qini;
pub mod regret;
pub mod sample_ratio;
pub mod special;
pub mod uplift;
pub mod who;

pub use bootstrap::Resampling;
pub use estimate::{Estimate, Interval};
pub use special::{chi_square_survival, normal_cdf, normal_quantile, student_cdf, student_factor};
