//! What is believed of an item that shares most of its belief with others: a regression over all of them says what such an item is
//! worth, and what the item earned itself corrects that. One number for each; it knows nothing of where items come from.
//!
//! ```text
//! θ  ~ N(m, s² + τ²)      worth of the item: what the regression expects (m ± s), and how far single items lie from that
//! yₖ ~ N(θ, σ²)           what its n exposures earned, Σy together
//! ```
//!
//! so θ given the exposures is normal with precision 1/(s² + τ²) + n/σ² and mean (m/(s² + τ²) + Σy/σ²) over that: the best linear
//! unbiased prediction of a random effect (Robinson 1991, "That BLUP is a good thing", doi:10.1214/ss/1177011926). An item without
//! exposures has the regression's belief and is uncertain by τ more, which is what lets new items be tried; one with many has its
//! own mean. τ² is given as σ²/κ: what is shared weighs as much as κ exposures.
//!
//! The exposures of an item are among those that the regression learned from, so its own are counted twice, the second time as one
//! of many: with the features of a list (a handful of columns) that is one part in as many as there are items.

use super::score::Score;

/// How far single items lie from what is expected of all like them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shared {
    /// σ², what an exposure earns around its item's worth; in the square of the site's currency.
    noise: f64,
    /// κ, exposures that what is shared is worth.
    weight: f64,
}

impl Shared {
    /// With a variance `noise` > 0 of what one exposure earns, and the exposures `weight` > 0 that what is shared is worth; `None` for
    /// anything else.
    #[must_use]
    pub fn new(noise: f64, weight: f64) -> Option<Self> {
        let is_sound = noise > 0.0 && noise < 1e18 && (1e-3..=1e9).contains(&weight);
        is_sound.then_some(Self { noise, weight })
    }

    /// The belief about an item of which the regression believes `shared`, and whose own exposures, `exposures` ≥ 0, earned `worth`
    /// together.
    ///
    /// ```
    /// use edgeloom::bandit::{Score, Shared};
    ///
    /// let shared = Shared::new(0.05, 50.0).unwrap();
    /// let like_it = Score::new(0.05, 0.002);
    /// let unseen = shared.belief(like_it, 0.0, 0.0);
    /// assert!(unseen.mean() == 0.05 && unseen.sd() > like_it.sd());
    /// let read_often = shared.belief(like_it, 400.0, 60.0);
    /// assert!(read_often.mean() > 0.13 && read_often.mean() < 0.15 && read_often.sd() < unseen.sd());
    /// ```
    #[must_use]
    pub fn belief(&self, shared: Score, exposures: f64, worth: f64) -> Score {
        let spread = shared.sd() * shared.sd() + self.noise / self.weight;
        let own = exposures.max(0.0) / self.noise;
        let precision = 1.0 / spread + own;
        // Written as a correction of the mean: without exposures it is the same number, not one that was divided and multiplied.
        let mean = shared.mean() + (worth / self.noise - own * shared.mean()) / precision;
        Score::new(if exposures > 0.0 { mean } else { shared.mean() }, libm::sqrt(1.0 / precision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_lies_between_what_is_shared_and_what_was_earned(
            mean in -1.0_f64..1.0, sd in 0.0_f64..0.5, noise in 1e-4_f64..1.0, weight in 1.0_f64..1e4, n in 1.0_f64..1e5, own in -1.0_f64..1.0
        ) {
            let shared = Shared::new(noise, weight).unwrap();
            let belief = shared.belief(Score::new(mean, sd), n, n * own);
            let (least, most) = (mean.min(own), mean.max(own));
            prop_assert!(belief.mean() >= least - 1e-9 && belief.mean() <= most + 1e-9);
            prop_assert!(belief.sd() <= libm::sqrt(noise / n) * (1.0 + 1e-12));
            let more = shared.belief(Score::new(mean, sd), 2.0 * n, 2.0 * n * own);
            prop_assert!((more.mean() - own).abs() <= (belief.mean() - own).abs() + 1e-9 && more.sd() <= belief.sd());
        }

        #[test]
        fn any_bits_make_a_usable_belief(mean: u64, sd: u64, n: u64, worth: u64) {
            let shared = Shared::new(0.05, 50.0).unwrap();
            let score = Score::new(f64::from_bits(mean), f64::from_bits(sd));
            let belief = shared.belief(score, f64::from_bits(n), f64::from_bits(worth));
            prop_assert!(belief.mean().is_finite() && belief.sd().is_finite() && belief.sd() >= 0.0);
        }
    }

    #[test]
    fn in_one_step_or_in_two_is_the_same() {
        // Precisions add: what 30 and then 70 exposures say is what 100 say.
        let shared = Shared::new(0.04, 20.0).unwrap();
        let at_once = shared.belief(Score::new(0.05, 0.01), 100.0, 9.0);
        let first = shared.belief(Score::new(0.05, 0.01), 30.0, 2.0);
        // The belief after the first step, without a spread of its own any more.
        let precision = 1.0 / (first.sd() * first.sd()) + 70.0 / 0.04;
        let mean = (first.mean() / (first.sd() * first.sd()) + 7.0 / 0.04) / precision;
        assert!((at_once.mean() - mean).abs() < 1e-12);
        assert!((at_once.sd() - libm::sqrt(1.0 / precision)).abs() < 1e-12);
    }
}
