//! Weighted rendezvous hashing: a unit finds its arm by hash alone, each arm with exactly its share, and keeps
//! it as long as the shares stay; deliberately without memory.
//!
//! Each arm runs an exponential clock with the rate w_a, and the first to ring wins: argmin −ln(u_a)/w_a with
//! u_a in (0, 1) a hash of unit and arm (Efraimidis & Spirakis 2006, doi:10.1016/j.ipl.2005.11.003, for the
//! clocks; Thaler & Ravishankar 1998, doi:10.1109/90.663936, for the hash). When shares move by a total
//! variation of d, little more than d of the units move, and from one arm to another only where the other's
//! share has grown against the one's. So a new arm takes units, but sends none between the old ones.

use crate::seed::unit_interval;

/// The clock of one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    salt: u64,
    share: f64,
    /// Mean time until it rings: 1 / share, or infinite where there is no share.
    mean: f64,
}

impl Clock {
    /// The clock of an arm: `salt` is a 64-bit hash that it keeps for life, `share` a weight ≥ 0. An arm whose share is not
    /// above 0 never wins.
    #[must_use]
    pub fn new(salt: u64, share: f64) -> Self {
        // Written so that a share that is not a number has none.
        Self { salt, share, mean: if share > 0.0 { 1.0 / share } else { f64::INFINITY } }
    }
}

/// The arm of a unit, which is a 64-bit hash that looks random; the shares need not add up to 1.
///
/// Ties, which need equal clocks to the last bit, go to the arm that comes first. `None` only where no share is
/// above 0.
///
/// Clocks are first compared to three digits, and to the last one only where two are that close: two thirds
/// of the time are saved, and the winner is the same.
#[must_use]
#[inline]
pub fn choose(unit: u64, clocks: &[Clock]) -> Option<usize> {
    // No clock is below 0, so that clocks are in the order of their bits. The last of these make room for the arm.
    let (mut first, mut second) = (NEVER, NEVER);
    for (arm, Clock { salt, mean, .. }) in (0_i64..).zip(clocks) {
        let clock = (quick_minus_ln(unit_interval(mix(unit ^ salt))) * mean).to_bits() as i64;
        let clock = (clock & !ARM) | (arm & ARM);
        let earlier = smaller(first, clock);
        second = smaller(second, first ^ clock ^ earlier);
        first = earlier;
    }
    let time = |clock: i64| f64::from_bits((clock & !ARM) as u64);
    // Beyond all reason a mean is infinite though the share is above 0.
    let is_clear = time(first) * CLEAR < time(second) && time(first) < 1e290 && clocks.len() as i64 <= ARM;
    if is_clear { usize::try_from(first & ARM).ok() } else { choose_exactly(unit, clocks) }
}

/// The bits of a clock that never rings: infinity.
const NEVER: i64 = 0x7ff0_0000_0000_0000;

/// The last bits of a clock, which are taken for the position of its arm: 65,536 of them, and 1e-11 of the time.
const ARM: i64 = 0xffff;

/// The smaller of two numbers that are not negative; arithmetic, since nobody can guess which way a branch would go
/// (wasm has no other choice of a number than one by branch).
const fn smaller(a: i64, b: i64) -> i64 {
    let difference = a.wrapping_sub(b);
    b.wrapping_add(difference & (difference >> 63))
}

/// The definition: the arm with the smallest −ln(u_a)/w_a.
#[cold]
fn choose_exactly(unit: u64, clocks: &[Clock]) -> Option<usize> {
    let mut first: Option<(f64, usize)> = None;
    for (arm, Clock { salt, share, .. }) in clocks.iter().enumerate() {
        if *share > 0.0 {
            let time = -libm::log(unit_interval(mix(unit ^ salt))) / share;
            if first.is_none_or(|(earliest, _)| time < earliest) {
                first = Some((time, arm));
            }
        }
    }
    first.map(|(_, arm)| arm)
}

/// Quick clocks that differ by this factor are in the right order: each is right to 1e-4.
const CLEAR: f64 = 1.001;

/// −ln(u) for u in (0, 1) with a relative error below 1e-4, without branch or division.
///
/// With u = m·2^k and m in [√½, √2): −ln u = −k·ln 2 − ln m, and ln m is a polynomial of degree 5 without
/// constant term in m − 1, fitted at Chebyshev nodes; so the error stays relative near u = 1 as well.
fn quick_minus_ln(u: f64) -> f64 {
    /// Bits of √½: what lies above it in the fraction belongs to the next power of two.
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let bits = u.to_bits();
    let k = (bits.wrapping_sub(ROOT_HALF) as i64) >> 52;
    let f = f64::from_bits(bits.wrapping_sub((k as u64) << 52)) - 1.0;
    let series = (0.999_962 - 0.499_502 * f) + f * f * ((0.336_688 - 0.270_102 * f) + f * f * 0.173_486);
    -(k as f64 * std::f64::consts::LN_2 + f * series)
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195): every bit of the
/// input changes about half of the output.
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

    fn clocks(salts: &[u64], shares: &[f64]) -> Vec<Clock> {
        salts.iter().zip(shares).map(|(salt, share)| Clock::new(*salt, *share)).collect()
    }

    fn choose(unit: u64, salts: &[u64], shares: &[f64]) -> Option<usize> {
        super::choose(unit, &clocks(salts, shares))
    }

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
        assert_eq!(choose(1, &[5, 6], &[1e-310, 1e-320]), choose(1, &[5, 6], &[1e-10, 1e-20]));
    }

    #[test]
    fn quick_clocks_are_right_to_four_digits() {
        let mut generator = Generator::new(9);
        for _ in 0..N {
            // Over all magnitudes, towards 0 as well as towards 1.
            let tail = generator.unit() / f64::from(1_u32 << (generator.bits() % 32));
            for u in [tail, 1.0 - tail] {
                let exact = -libm::log(u);
                assert!((quick_minus_ln(u) - exact).abs() < 1e-4 * exact, "{u:e}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_quick_way_finds_the_exact_winner(
            unit: u64, arms in prop::collection::vec((any::<u64>(), 0.0..1.0_f64), 0..9)
        ) {
            let (salts, shares): (Vec<_>, Vec<_>) = arms.into_iter().unzip();
            prop_assert_eq!(choose(unit, &salts, &shares), choose_exactly(unit, &clocks(&salts, &shares)));
        }

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
