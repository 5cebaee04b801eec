//! The one stable hash, seed derivation and the generator; deliberately no source of entropy.
//!
//! Everything random in a decision is a function of a [`Seed`], a purpose and names. The hash is
//! SipHash-1-3 (Aumasson & Bernstein 2012, doi:10.1007/978-3-642-34931-7_28) with a fixed key: it is a part
//! of the stored format, so changing it changes every assignment.

use crate::id::{DecisionId, IdError, VisitorKey};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// What a hash is for; keeps the uses apart, so that one can't predict another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The unit of assignment of a visitor.
    Unit = 1,
    /// Holdout split.
    Holdout = 2,
    /// Share of a layer.
    Layer = 3,
    /// Percentage roll-out.
    Rollout = 4,
    /// Weighted rendezvous of arms.
    Assign = 5,
    /// Posterior draws of one view.
    Draw = 6,
    /// Which shard of the ledger.
    Shard = 7,
    /// Ids shared by many visitors.
    Decision = 8,
    /// Idempotency keys of events.
    Event = 9,
    /// What a visitor is shown, for validators of HTTP.
    Content = 10,
    /// Sign and place of a hashed feature.
    Feature = 11,
    /// Draws of scores in a context.
    Score = 12,
    /// What a visitor has seen.
    Seen = 13,
    /// Which fold a visitor's rows are in.
    Fold = 14,
    /// Short ids of items.
    Item = 15,
}

/// One hour, milliseconds. Shared decisions and the receipts made of them tell their time to the hour and no finer; windows
/// and lives of cookies are counted in hours too.
pub const HOUR_MILLIS: u64 = 3_600_000;

/// Fixed key of the hash; ASCII `edgeloom` and `stable01`.
const KEY: (u64, u64) = (0x6d6f_6f6c_6567_6465, 0x3130_656c_6261_7473);

/// The stable 64-bit hash of some parts, separated by purpose and by length.
///
/// ```
/// use edgeloom::seed::{hash, Purpose};
/// assert_ne!(hash(Purpose::Assign, &[b"ab", b"c"]), hash(Purpose::Assign, &[b"a", b"bc"]));
/// ```
#[must_use]
pub fn hash(purpose: Purpose, parts: &[&[u8]]) -> u64 {
    Prefix::new(purpose, parts).0.finish()
}

/// The [`hash`] of some parts of which all but the last are known, for those who ask for many that begin alike.
///
/// ```
/// use edgeloom::seed::{hash, Prefix, Purpose};
/// let prefix = Prefix::new(Purpose::Assign, &[b"hero"]);
/// assert_eq!(prefix.hash(b"blue"), hash(Purpose::Assign, &[b"hero", b"blue"]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Prefix(SipHasher13);

impl Prefix {
    /// The parts that are known.
    #[must_use]
    pub fn new(purpose: Purpose, parts: &[&[u8]]) -> Self {
        let mut hasher = SipHasher13::new_with_keys(KEY.0, KEY.1);
        hasher.write_u8(purpose as u8);
        parts.iter().for_each(|part| write(&mut hasher, part));
        Self(hasher)
    }

    /// The hash with this part at the end.
    #[must_use]
    pub fn hash(&self, last: &[u8]) -> u64 {
        let mut hasher = self.0;
        write(&mut hasher, last);
        hasher.finish()
    }
}

fn write(hasher: &mut SipHasher13, part: &[u8]) {
    hasher.write(&(part.len() as u64).to_le_bytes());
    hasher.write(part);
}

/// The [`hash`] of two numbers, little endian: in one piece, for those who ask for many.
///
/// ```
/// use edgeloom::seed::{hash, hash_pair, Purpose};
/// let parts: [&[u8]; 2] = [&7_u64.to_le_bytes(), &9_u64.to_le_bytes()];
/// assert_eq!(hash_pair(Purpose::Score, 7, 9), hash(Purpose::Score, &parts));
/// ```
#[must_use]
pub fn hash_pair(purpose: Purpose, first: u64, second: u64) -> u64 {
    let mut bytes = [purpose as u8; 33];
    let numbers = [8, first, 8, second].map(u64::to_le_bytes);
    for (place, byte) in bytes.iter_mut().skip(1).zip(numbers.as_flattened()) {
        *place = *byte;
    }
    let mut hasher = SipHasher13::new_with_keys(KEY.0, KEY.1);
    hasher.write(&bytes);
    hasher.finish()
}

/// A 64-bit number as a fraction in the open interval (0, 1): 52 bits, centred, so never 0 or 1.
#[must_use]
pub fn unit_interval(bits: u64) -> f64 {
    // (k + 1/2) / 2^52 with 52 bits of k: the half is exact and 1 is out of reach. The bits of k after those of 1 are
    // 1 + k/2^52, so that nothing has to be converted; the difference is exact as well.
    f64::from_bits(1.0_f64.to_bits() | (bits >> 12)) - (1.0 - f64::EPSILON / 2.0)
}

/// Number of decision ids per hour in contextual mode; a receipt is shared by everyone in its bucket.
pub const CONTEXTUAL_BUCKETS: u16 = 4096;

/// What the randomness of one page decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// Unit of assignment: constant for a visitor where there is one, else that of the view.
    pub unit: u64,
    /// The decision; also the seed of everything that is drawn anew on each view.
    pub decision: DecisionId,
    /// Whether many visitors share this seed (contextual mode).
    pub shared: bool,
}

impl Seed {
    /// The seed of a known visitor: the unit stays, the view is new.
    #[must_use]
    pub fn of_visitor(site: &str, visitor: &VisitorKey, decision: DecisionId) -> Self {
        let unit = hash(Purpose::Unit, &[site.as_bytes(), &visitor.0]);
        Self { unit, decision, shared: false }
    }

    /// The seed of a view without a visitor, made unique by the random `decision`.
    #[must_use]
    pub fn of_view(decision: DecisionId) -> Self {
        Self { unit: unit_of_view(&decision), decision, shared: false }
    }

    /// The seed of ids as text: of the visitor where there is one, else of the view.
    ///
    /// # Errors
    /// A visitor or a decision that is not 32 hexadecimal digits.
    pub fn of_text(site: &str, visitor: Option<&str>, decision: &str) -> Result<Self, IdError> {
        let decision = DecisionId::parse(decision)?;
        Ok(match visitor.map(VisitorKey::parse).transpose()? {
            Some(visitor) => Self::of_visitor(site, &visitor, decision),
            None => Self::of_view(decision),
        })
    }

    /// The seed of contextual mode: one of [`CONTEXTUAL_BUCKETS`] per hour, so that it identifies nobody.
    ///
    /// `bucket` is random, and taken modulo their number. `time_millis` is cut to the hour.
    #[must_use]
    pub fn contextual(site: &str, time_millis: u64, bucket: u64) -> Self {
        let hour = (time_millis / HOUR_MILLIS).to_le_bytes();
        let bucket = (bucket % u64::from(CONTEXTUAL_BUCKETS)).to_le_bytes();
        let mut id = [0_u8; 16];
        for (half, side) in id.chunks_exact_mut(8).zip([b"a", b"b"]) {
            let parts: [&[u8]; 4] = [site.as_bytes(), &hour, &bucket, side];
            half.copy_from_slice(&hash(Purpose::Decision, &parts).to_le_bytes());
        }
        let decision = DecisionId(id);
        Self { unit: unit_of_view(&decision), decision, shared: true }
    }
}

/// The unit of a view without a visitor.
#[must_use]
pub fn unit_of_view(decision: &DecisionId) -> u64 {
    hash(Purpose::Unit, &[&decision.0])
}

/// xoshiro256++ (Blackman & Vigna 2021, doi:10.1145/3460772), seeded through SplitMix64 as its authors advise.
#[derive(Debug, Clone)]
pub struct Generator {
    s: [u64; 4],
}

impl Generator {
    /// A generator whose whole sequence follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self { s: [next(), next(), next(), next()] }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [s0, s1, s2, s3] = self.s;
        let result = s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0);
        let (s2, s3) = (s2 ^ s0, s3 ^ s1);
        self.s = [s0 ^ s3, s1 ^ s2, s2 ^ (s1 << 17), s3.rotate_left(45)];
        result
    }

    /// The next number in the open interval (0, 1).
    pub fn unit(&mut self) -> f64 {
        unit_interval(self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        // Part of the stored format: these constants may not be edited.
        assert_eq!(hash(Purpose::Assign, &[b"slot", b"arm"]), 0xcd5a_b469_4978_375f);
        assert_eq!(hash(Purpose::Holdout, &[]), 0x30da_c994_2267_68af);
    }

    #[test]
    fn the_generator_matches_its_authors_reference() {
        // xoshiro256++ from state 1, 2, 3, 4: first outputs of the reference implementation.
        let mut g = Generator { s: [1, 2, 3, 4] };
        assert_eq!(
            [g.bits(), g.bits(), g.bits(), g.bits()],
            [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]
        );
    }

    #[test]
    fn the_unit_interval_is_open() {
        assert!(unit_interval(0) > 0.0);
        assert!(unit_interval(u64::MAX) < 1.0);
        let mut generator = Generator::new(1);
        for bits in [0, 1 << 12, u64::MAX].into_iter().chain((0..1000).map(|_| generator.bits())) {
            assert_eq!(unit_interval(bits), ((bits >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0);
        }
    }

    #[test]
    fn contextual_seeds_are_shared_within_an_hour_and_change_after_it() {
        let at = |t, e| Seed::contextual("shop", t, e).decision;
        assert_eq!(at(3_600_000, 7), at(7_199_999, 7 + 4096));
        assert_ne!(at(3_600_000, 7), at(7_200_000, 7));
        assert_ne!(at(3_600_000, 7), at(3_600_000, 8));
    }
}
