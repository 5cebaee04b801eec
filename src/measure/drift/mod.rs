//! Whether the world has changed: reward rates by time bucket, the mix of visits by cell. What to do about it is not said here.
//!
//! | test | of | finds | an alarm without a change |
//! |---|---|---|---|
//! | [`PageHinkley`] | a reward rate | small shifts that stay, soon | as often as asked for over as many buckets as asked for |
//! | [`ChangeTest`] | a reward rate | one change, when it was and how sure that is | at most as often as asked for, however often it is looked at |
//! | [`Mix`] | who visits | cells that grow or shrink | as often as asked for at each comparison |
//!
//! All of them expect that an exposure's arm does not depend on its time: of a bandit's slot test the rate of one arm, or of the
//! holdout. The rate of all arms together rises while the bandit learns, and that is no drift.

mod change;
mod mix;
mod page_hinkley;

pub use change::{Change, ChangeError, ChangeTest};
pub use mix::{Mix, Stability};
pub use page_hinkley::{Alarm, Direction, PageHinkley, PageHinkleyError};

/// Buckets of `n` exposures each, with the rates of a row of buckets.
#[cfg(test)]
fn simulated(
    generator: &mut crate::seed::Generator,
    n: u64,
    rates: impl Iterator<Item = f64>,
) -> super::buckets::Buckets {
    let mut tally = |rate: f64| {
        let rewards = (0..n).filter(|_| generator.unit() < rate).count() as u64;
        super::buckets::Tally { exposures: n, rewards }
    };
    rates.enumerate().map(|(bucket, rate)| (bucket as u64, tally(rate))).collect()
}
