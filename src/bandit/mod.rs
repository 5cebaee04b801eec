//! Choosing between arms: beliefs, draws, weights and limits, combined by [`Prepared`].
//!
//! Knows nothing of slots, pages or snapshots: arms are positions in a list. Every choice comes with its exact
//! propensity. The way of a choice:
//!
//! ```text
//! BetaPosterior ×K ──p_best──> weights ──Shape──> shares ──rendezvous(unit)──> arm, shares[arm]   sticky
//!               └──Sampler───> draws ──Mixture (of the same shares)──────────> arm, shares[arm]   per view
//! ```
//!
//! With context, an arm's worth is a normal score from a regression, and the weights are those of this one view:
//!
//! ```text
//! attributes ──Features──> x ──Scorer ×K──> Score ×K ──draws, Mixture──> arm   Contextual
//!                                              └──Largest──> w[arm] ──Shape──> propensity
//! events ──Moments, Tally──> sums ──update──> NormalPosterior ──scorer──> Scorer
//! ```

pub mod belief;
pub mod codes;
pub mod contextual;
pub mod contrast;
pub mod features;
pub mod largest;
pub mod linear;
pub mod logistic;
mod logit;
pub mod numeric;
pub mod policy;
pub mod posterior;
pub mod propensity;
mod quadrature;
pub mod regression;
pub mod rendezvous;
pub mod sampler;
pub mod score;
pub mod scorer;
pub mod shape;
pub mod shared;
mod triangle;

pub use belief::{Belief, chances};
pub use codes::Codes;
pub use contextual::{Contender, Contextual};
pub use contrast::Contrast;
pub use features::{Feature, FeatureError, FeatureKind, Features};
pub use largest::Largest;
pub use numeric::{NumericPosterior, ZeroInflated};
pub use policy::{Arm, Assignment, Pick, PolicyError, PolicyKind, Prepared};
pub use posterior::{BetaPosterior, PosteriorError};
pub use propensity::p_best;
pub use regression::{NormalPosterior, RegressionError, Scale};
pub use sampler::Sampler;
pub use score::Score;
pub use scorer::{FeatureVector, Scorer};
pub use shape::{Limits, LimitsError, Mixture, Shape};
pub use shared::Shared;
