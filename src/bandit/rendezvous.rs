//! Weighted rendezvous hashing: a unit finds its arm by hash alone, each arm with exactly its share, and keeps
//! it as long as the shares stay; deliberately without memory.
//!
//! Each arm runs an exponential clock with the rate w_a, and the first to ring wins: argmin −ln(u_a)/w_a with
//! u_a in (0, 1) a hash of unit and arm (Efraimidis & Spirakis 2006, doi:10.1016/j.ipl.2005.11.003, for the clocks; Thaler &
//! Ravishankar 1998, doi:10.1109/90.663936, for the hash). When shares move by a total variation of d, little more
//! than d of the units move, and those only between arms whose shares have changed against each other. A new arm takes units but sends
//! none from one old arm to another.

use crate::seed::unit_interval;

/// The arm of a unit: `salts` and `shares` have one entry per arm, a longer list is cut to the shorter.
///
/// `unit` and each salt are 64-bit hashes, so that they look random; an arm keeps its salt for life. Shares
/// are weights ≥ 0 that need not add up to 1. An arm whose share is not above 0 never wins; ties, which
/// need equal clocks to the last bit, go to the arm that comes first. `None` only where no share is above 0.
#[must_use]
pub fn choose(unit: u64, salts: &[u64], shares: &[f64]) -> Option<usize> {
    // The earliest clock so far as (time × share, share): products compare without a division per arm.
    let (mut time, mut rate, mut first) = (1.0, 0.0, None);
    for (arm, (salt, share)) in salts.iter().zip(shares).enumerate() {
        let hashed = -libm::log(unit_interval(mix(unit ^ salt)));
        // hashed/share < time/rate, written so that a share that is not a number loses, too.
        if hashed * rate < time * share {
            (time, rate, first) = (hashed, *share, Some(arm));
        }
    }
    first
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195): every bit of the input changes
/// about half of the output.
fn mix(bits: u64) -> u64 {
    let z = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Generator, Purpose, hash};
    use proptest::prelude::*;

    const N: u64 = 100_000;

    fn salts(n: u64) -> Vec<u64> {
        (0..n).map(|arm| hash(Purpose::Assign, &[&arm.to_le_bytes()])).collect()
    }

    fn units(seed: u64) -> impl Iterator<Item = u64> {
        let mut generator = Generator::new(seed);
        (0..N).map(move |_| generator.bits())
    }

    /// Pearson's statistic of the choices against the shares.
    fn chi_square(units: impl Iterator<Item = u64>, salts: &[u64], shares: &[f64]) -> f64 {
        let mut counts = vec![0.0; shares.len()];
        for unit in units {
            counts[choose(unit, salts, shares).unwrap()] += 1.0;
        }
        let expected = shares.iter().map(|share| share * N as f64);
        counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum()
    }

    /// Share of units that change their arm between two lists of shares.
    fn moved(before: &[f64], after: &[f64]) -> f64 {
        let salts = salts(before.len() as u64);
        let changes = |unit: &u64| choose(*unit, &salts, before) != choose(*unit, &salts, after);
        units(4).filter(changes).count() as f64 / N as f64
    }

    #[test]
    fn each_arm_gets_its_share() {
        // χ²(4) > 27.9 has probability 1.3e-5; 21 tests: a false alarm in 1 of 3,600 sets of seeds.
        let shares = [0.5, 0.25, 0.15, 0.09, 0.01];
        for seed in 0..20 {
            let found = chi_square(units(seed), &salts(5), &shares);
            assert!(found < 27.9, "{seed}: {found}");
        }
        // Counted units and salts of no quality at all.
        let found = chi_square(0..N, &[0, 1 << 20, 2 << 20, 3 << 20, 4 << 20], &shares);
        assert!(found < 27.9, "{found}");
    }

    #[test]
    fn choices_of_two_slots_are_independent() {
        let (salts, shares) = (salts(4), [0.5, 0.5]);
        let mut same = 0.0;
        for unit in units(8) {
            let (one, two) = (choose(unit, &salts[..2], &shares), choose(unit, &salts[2..], &shares));
            same += if one == two { 1.0 } else { 0.0 };
        }
        // Four standard deviations: a false alarm in 1 of 16,000 seeds.
        assert!((same / N as f64 - 0.5).abs() < 4.0 * 0.5 / (N as f64).sqrt());
    }

    #[test]
    fn a_small_shift_moves_little_more_than_its_size() {
        // Total variation 0.04: 4.0 % move, where contiguous buckets would move 10 % and fresh draws 80 %. The
        // exact value for this shift lies below 0.0408; four standard deviations of the count are 0.0025.
        let found = moved(&[0.2; 5], &[0.24, 0.19, 0.19, 0.19, 0.19]);
        assert!((0.0375..0.0433).contains(&found), "{found}");
        assert_eq!(moved(&[0.2; 5], &[0.2; 5]), 0.0);
    }

    #[test]
    fn an_added_arm_only_takes_visitors() {
        let salts = salts(4);
        let mut taken = 0.0;
        for unit in units(6) {
            let before = choose(unit, &salts[..3], &[0.6, 0.3, 0.1]);
            let after = choose(unit, &salts, &[0.45, 0.225, 0.075, 0.25]);
            assert!(after == before || after == Some(3));
            taken += if after == Some(3) { 1.0 } else { 0.0 };
        }
        assert!((taken / N as f64 - 0.25).abs() < 4.0 * (0.1875 / N as f64).sqrt());
    }

    #[test]
    fn nobody_wins_where_no_share_is_above_zero() {
        assert_eq!(choose(1, &[], &[]), None);
        assert_eq!(choose(1, &[5, 6], &[0.0, f64::NAN]), None);
        assert_eq!(choose(1, &[5, 6, 7], &[0.0, 1e-300, -1.0]), Some(1));
        assert_eq!(choose(1, &[5, 5], &[0.5, 0.5]), Some(0));
    }

    proptest! {
        #[test]
        fn the_winner_has_a_share(unit: u64, arms in prop::collection::vec((any::<u64>(), any::<f64>()), 0..9)) {
            let (salts, shares): (Vec<_>, Vec<_>) = arms.into_iter().unzip();
            match choose(unit, &salts, &shares) {
                Some(arm) => prop_assert!(shares[arm] > 0.0),
                None => prop_assert!(shares.iter().all(|share| share.is_nan() || *share <= 0.0)),
            }
        }

        #[test]
        fn scaling_all_shares_moves_nobody(unit: u64, shares in prop::collection::vec(0.01..1.0_f64, 1..9)) {
            let salts = salts(shares.len() as u64);
            let doubled: Vec<f64> = shares.iter().map(|share| 2.0 * share).collect();
            prop_assert_eq!(choose(unit, &salts, &shares), choose(unit, &salts, &doubled));
        }
    }
}
