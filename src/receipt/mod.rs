//! What was decided and with which chance, signed: the basis of rewards, audit and replay. It counts nothing.
//!
//! The content of the signed envelope (see [`Keyring`]), offsets from its third byte:
//!
//! ```text
//! bytes   what
//! 1       flags, see [`Flags`]; unknown bits are kept
//! 1       shape: 1 = has a unit, 2 = has an arm, 4 = has a bitmap of candidates, 8 = has a basis; other bits
//!         are 0
//! 1       shards of the ledger, 1–64
//! 16      decision
//! 16      snapshot version
//! 8       propensity, IEEE 754 double, little endian: every bit, so that replay can compare exactly
//! 1–10    time of the decision, milliseconds since the epoch, LEB128 (6 bytes until the year 2109)
//! 0 or 8  unit of assignment, little endian
//! 2–65    slot: length and text
//! 0–65    arm: length and text
//! 0–514   candidates: length in LEB128 and bitmap
//! 0–671   what learning needs, see [`Basis`]
//! ```
//!
//! A receipt of a slot `hero` with an arm `summer` takes 79 bytes with its tag, 106 characters in an address.

mod basis;
mod candidates;
mod fatigue;
mod keyring;

pub use basis::{Basis, Period};
pub use candidates::{ArmSet, Candidates, MAX_BITMAP_BYTES};
pub use fatigue::{Fatigue, Loss, MAX_FADING_ARMS};
pub use keyring::{Keyring, KeyringError, MAX_TOKEN_CHARS, MIN_SECRET_CHARS, Purpose, ReceiptError};

use crate::bytes::{Reader, put_text, put_varint};
use crate::id::{ArmId, DecisionId, SlotId, SnapshotVersion};

/// Most shards a ledger can have.
pub const MAX_SHARDS: u8 = 64;

const HAS_UNIT: u8 = 1;
const HAS_ARM: u8 = 2;
const HAS_CANDIDATES: u8 = 4;
const HAS_BASIS: u8 = 8;
const KNOWN_SHAPE: u8 = HAS_UNIT | HAS_ARM | HAS_CANDIDATES | HAS_BASIS;

/// What one slot got in one decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The decision it belongs to.
    pub decision: DecisionId,
    /// Unit of assignment; `None` where it follows from the decision ([`crate::seed::unit_of_view`]).
    pub unit: Option<u64>,
    /// The slot.
    pub slot: SlotId,
    /// The arm shown, or, where the visit is held out, the arm that would have been shown; `None` is the page as it is.
    pub arm: Option<ArmId>,
    /// P(this arm, given context and snapshot), in (0, 1].
    pub propensity: f64,
    /// The snapshot decided from.
    pub version: SnapshotVersion,
    /// Time of the decision, milliseconds since the epoch, UTC; cut to the hour where many visitors share it.
    pub time_millis: u64,
    /// What kind of decision it was.
    pub flags: Flags,
    /// Which arms were eligible.
    pub candidates: Candidates,
    /// Shards of the ledger when decided, 1 to [`MAX_SHARDS`]: all events of a decision meet in one shard even when
    /// the configuration changes in between.
    pub shards: u8,
    /// What learning needs to know beside the arm.
    pub basis: Basis,
}

/// What kind of decision it was: a set of bits; unknown ones are kept, so that newer code can add to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident, $with:ident = $bit:literal;)*) => {
        impl Flags {$(
            $(#[$doc])*
            #[must_use]
            pub const fn $name(self) -> bool {
                self.0 & $bit != 0
            }

            #[doc = concat!("The same flags with [`Flags::", stringify!($name), "`] as given.")]
            #[must_use]
            pub const fn $with(self, on: bool) -> Self {
                Self(if on { self.0 | $bit } else { self.0 & !$bit })
            }
        )*}
    };
}

flags! {
    /// Many visitors carry the same decision: contextual mode.
    shared, with_shared = 1;
    /// In the holdout: the page as it is, to compare with.
    held_out, with_held_out = 2;
    /// The arm was drawn anew for this view, not kept for the visitor.
    per_view, with_per_view = 4;
    /// Nothing was decided: a line of a trusted log stands behind it.
    imported, with_imported = 8;
}

impl Flags {
    /// The flags of stored bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits to store.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl Receipt {
    fn write(&self, out: &mut Vec<u8>) {
        let bit = |has: bool, bit: u8| if has { bit } else { 0 };
        let shape = bit(self.unit.is_some(), HAS_UNIT)
            | bit(self.arm.is_some(), HAS_ARM)
            | bit(self.candidates != Candidates::All, HAS_CANDIDATES)
            | bit(self.basis != Basis::default(), HAS_BASIS);
        out.extend_from_slice(&[self.flags.0, shape, self.shards]);
        out.extend_from_slice(&self.decision.0);
        out.extend_from_slice(&self.version.0);
        out.extend_from_slice(&self.propensity.to_le_bytes());
        put_varint(out, self.time_millis);
        if let Some(unit) = self.unit {
            out.extend_from_slice(&unit.to_le_bytes());
        }
        put_text(out, self.slot.as_str());
        if let Some(arm) = &self.arm {
            put_text(out, arm.as_str());
        }
        if let Candidates::Only(set) = &self.candidates {
            put_varint(out, set.as_bytes().len() as u64);
            out.extend_from_slice(set.as_bytes());
        }
        if self.basis != Basis::default() {
            self.basis.write(out);
        }
    }

    fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let [flags, shape, shards] = reader.array()?;
        if shape & !KNOWN_SHAPE != 0 || !(1..=MAX_SHARDS).contains(&shards) {
            return None;
        }
        let has = |bit: u8| shape & bit != 0;
        let receipt = Self {
            flags: Flags(flags),
            shards,
            decision: DecisionId(reader.array()?),
            version: SnapshotVersion(reader.array()?),
            propensity: Some(f64::from_le_bytes(reader.array()?)).filter(|p| is_propensity(*p))?,
            time_millis: reader.varint()?,
            unit: if has(HAS_UNIT) { Some(reader.number()?) } else { None },
            slot: SlotId::new(reader.text()?).ok()?,
            arm: if has(HAS_ARM) { Some(ArmId::new(reader.text()?).ok()?) } else { None },
            candidates: if has(HAS_CANDIDATES) {
                let length = usize::try_from(reader.varint()?).ok()?;
                Candidates::Only(ArmSet::read(reader.take(length)?)?)
            } else {
                Candidates::All
            },
            basis: if has(HAS_BASIS) { Basis::read(&mut reader)? } else { Basis::default() },
        };
        reader.end().map(|()| receipt)
    }
}

/// Whether a number can be the chance of something that happened: in (0, 1].
pub(crate) fn is_propensity(p: f64) -> bool {
    p > 0.0 && p <= 1.0
}

impl Keyring {
    /// The signed form of a receipt, for an address or a script.
    ///
    /// A receipt outside the ranges of its fields is signed but never verified.
    #[must_use]
    pub fn sign(&self, receipt: &Receipt) -> String {
        // Fixed parts, two names of usual length; longer ones grow the buffer once.
        self.seal(Purpose::Receipt, 112, |out| receipt.write(out))
    }

    /// The receipt in a token that this ring signed.
    ///
    /// # Errors
    /// Every cause of [`ReceiptError`]; [`ReceiptError::Malformed`] also where the content is signed but no receipt.
    pub fn verify(&self, token: &str) -> Result<Receipt, ReceiptError> {
        let opened = self.open(Purpose::Receipt, token)?;
        Receipt::read(Self::body(&opened)).ok_or(ReceiptError::Malformed)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::basis::tests::basis;
    use super::*;
    use crate::seed::Generator;
    use proptest::prelude::*;

    /// A ring for tests; not a secret.
    pub(crate) fn ring() -> Keyring {
        Keyring::parse("1:development-key-one-not-a-secret-0001").unwrap()
    }

    /// A receipt of a visitor's decision.
    pub(crate) fn sample() -> Receipt {
        Receipt {
            decision: DecisionId([7; 16]),
            unit: Some(0x0123_4567_89ab_cdef),
            slot: SlotId::new("hero").unwrap(),
            arm: Some(ArmId::new("summer").unwrap()),
            propensity: 0.3,
            version: SnapshotVersion([9; 16]),
            time_millis: 1_795_525_500_000,
            flags: Flags::default(),
            candidates: Candidates::All,
            shards: 4,
            basis: Basis::default(),
        }
    }

    prop_compose! {
        fn receipts()(
            ids: [[u8; 16]; 2],
            unit: Option<u64>,
            slot in "[A-Za-z0-9_.-]{1,64}",
            arm in proptest::option::of("[A-Za-z0-9_.-]{1,64}"),
            propensity in prop_oneof![Just(1.0), Just(f64::MIN_POSITIVE), 1e-12..1.0_f64],
            time_millis: u64,
            flags: u8,
            shards in 1..=MAX_SHARDS,
            eligible in proptest::collection::vec(any::<bool>(), 0..4_096),
            basis in basis(),
        ) -> Receipt {
            Receipt {
                decision: DecisionId(ids[0]),
                unit,
                slot: SlotId::new(&slot).unwrap(),
                arm: arm.map(|arm| ArmId::new(&arm).unwrap()),
                propensity,
                version: SnapshotVersion(ids[1]),
                time_millis,
                flags: Flags::from_bits(flags),
                candidates: Candidates::of(eligible.into_iter()),
                shards,
                basis,
            }
        }
    }

    #[test]
    fn a_contextual_receipt_is_as_short_as_documented() {
        let receipt = Receipt { unit: None, ..sample() };
        assert_eq!(ring().sign(&receipt).len(), 106);
    }

    #[test]
    fn the_layout_never_changes_within_a_format() {
        let receipt = Receipt {
            candidates: Candidates::of([true, false, true].into_iter()),
            flags: Flags::default().with_per_view(true),
            ..sample()
        };
        let mut bytes = Vec::new();
        receipt.write(&mut bytes);
        let mut expected = vec![4, 7, 4];
        expected.extend([7; 16]);
        expected.extend([9; 16]);
        expected.extend([0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0xd3, 0x3f]);
        expected.extend([0xe0, 0xb8, 0xa3, 0xed, 0xa0, 0x34]);
        expected.extend([0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]);
        expected.extend(b"\x04hero\x06summer\x01\x05");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn every_single_flipped_bit_is_refused() {
        let ring = ring();
        let token = ring.sign(&sample());
        for position in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let Ok(bad) = String::from_utf8(bytes) else { continue };
                assert!(ring.verify(&bad).is_err(), "bit {bit} of character {position}");
            }
        }
    }

    #[test]
    fn the_unused_bits_of_the_last_character_must_be_zero() {
        let ring = ring();
        let token = ring.sign(&sample());
        let accepted = ('!'..='~').filter(|last| {
            let mut other = token.clone();
            other.pop();
            other.push(*last);
            ring.verify(&other).is_ok()
        });
        assert_eq!(accepted.count(), 1);
    }

    #[test]
    fn a_hundred_thousand_mutations_are_refused() {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let ring = ring();
        let token = ring.sign(&sample());
        let mut generator = Generator::new(20_261_124);
        let mut below = |n: usize| usize::try_from(generator.bits() % n as u64).unwrap();
        let mut tried = 0;
        while tried < 100_000 {
            let mut bytes = token.clone().into_bytes();
            for _ in 0..=below(4) {
                let at = below(bytes.len());
                match below(4) {
                    0 => bytes.insert(at, ALPHABET[below(64)]),
                    1 => bytes.truncate(at.max(4)),
                    _ => bytes[at] = ALPHABET[below(64)],
                }
            }
            if below(4) == 0 {
                let other = below(bytes.len());
                bytes.swap(0, other);
            }
            let text = String::from_utf8(bytes).unwrap();
            if text == token {
                continue;
            }
            assert!(ring.verify(&text).is_err(), "{text}");
            tried += 1;
        }
    }

    #[test]
    fn every_cut_is_refused() {
        let ring = ring();
        let token = ring.sign(&sample());
        for end in 0..token.len() {
            assert!(ring.verify(&token[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn signed_content_outside_its_ranges_is_no_receipt() {
        let ring = ring();
        let refused = |receipt: Receipt| ring.verify(&ring.sign(&receipt)) == Err(ReceiptError::Malformed);
        for propensity in [0.0, -0.1, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY] {
            assert!(refused(Receipt { propensity, ..sample() }), "{propensity}");
        }
        assert!(refused(Receipt { shards: 0, ..sample() }));
        assert!(refused(Receipt { shards: 65, ..sample() }));
    }

    #[test]
    fn other_errors_say_what_is_wrong() {
        use base64ct::{Base64UrlUnpadded, Encoding};
        let ring = ring();
        let mut bytes = Base64UrlUnpadded::decode_vec(&ring.sign(&sample())).unwrap();
        bytes[0] = 2;
        let newer = Base64UrlUnpadded::encode_string(&bytes);
        assert_eq!(ring.verify(&newer), Err(ReceiptError::Format { found: 2 }));
        bytes[0] = 1;
        bytes[1] = 9;
        let unknown = Base64UrlUnpadded::encode_string(&bytes);
        assert_eq!(ring.verify(&unknown), Err(ReceiptError::UnknownKey { kid: 9 }));
        bytes[1] = 1;
        bytes[2] ^= 1;
        let forged = Base64UrlUnpadded::encode_string(&bytes);
        assert_eq!(ring.verify(&forged), Err(ReceiptError::Forged));
        assert_eq!(ring.verify(""), Err(ReceiptError::Malformed));
    }

    #[test]
    fn a_cookie_is_not_a_receipt() {
        let ring = ring();
        let mut body = Vec::new();
        sample().write(&mut body);
        assert_eq!(ring.verify(&ring.sign_bytes(Purpose::Cookie, &body)), Err(ReceiptError::Forged));
        assert_eq!(ring.verify(&ring.sign_bytes(Purpose::Receipt, &body)), Ok(sample()));
    }

    #[test]
    fn signed_bytes_behind_a_receipt_are_not_slack() {
        let mut body = Vec::new();
        sample().write(&mut body);
        body.push(0);
        let token = ring().sign_bytes(Purpose::Receipt, &body);
        assert_eq!(ring().verify(&token), Err(ReceiptError::Malformed));
    }

    #[test]
    fn flags_are_independent() {
        let flags = Flags::from_bits(0x80).with_shared(true).with_imported(true).with_shared(false);
        assert!(flags.imported() && !flags.shared() && !flags.held_out() && !flags.per_view());
        assert_eq!(flags.bits(), 0x88, "unknown bits are kept");
    }

    proptest! {
        #[test]
        fn what_is_signed_comes_back(receipt in receipts()) {
            let ring = ring();
            let token = ring.sign(&receipt);
            prop_assert!(token.len() <= MAX_TOKEN_CHARS);
            prop_assert_eq!(ring.verify(&token), Ok(receipt));
        }

        #[test]
        fn any_signed_content_is_read_without_a_panic_and_has_one_spelling(body: Vec<u8>) {
            if let Some(receipt) = Receipt::read(&body) {
                let mut again = Vec::new();
                receipt.write(&mut again);
                prop_assert_eq!(again, body);
            }
        }

        #[test]
        fn damaged_content_is_read_without_a_panic(receipt in receipts(), at: u16, byte: u8) {
            let mut body = Vec::new();
            receipt.write(&mut body);
            let at = usize::from(at) % body.len();
            body[at] = byte;
            if let Some(receipt) = Receipt::read(&body) {
                let mut again = Vec::new();
                receipt.write(&mut again);
                prop_assert_eq!(again, body);
            }
        }
    }
}
