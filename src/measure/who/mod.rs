//! Who to address: what being addressed adds for whom, and whether that pays. Runs where reports are made; no decision of the
//! Worker comes through here.
//!
//! ```text
//! Row ×n ──cross_fitted──> Score ×n ──scored──> measure::qini        does the learner know who?
//!    └────Model::fit────> Model ──score(x)──┐
//! Form (trees from elsewhere) ──> Forest ───┴─> Rule::answer ──> Address, Withhold
//! Addressed ×n ──profit──> targeted, everybody, nobody               does it pay?
//! Segments ──uplifts──> raw and shrunk uplift by segment             without false winners
//! ```
//!
//! Everything here needs a holdout that was drawn by lot, or by a chance that is known and depends on the features alone. What
//! else differs between the two sides would be taken for uplift.

mod crossfit;
pub mod forest;
mod learner;
mod row;
pub mod segments;
#[cfg(test)]
mod site;
pub mod targeting;
pub mod wire;

pub use crossfit::{cross_fitted, scored};
pub use learner::{Beliefs, Learner, Model, Spread};
pub use row::{Row, WhoError};
