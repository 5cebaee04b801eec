//! Where the events of a token come from: what a log tells of a decision beside what became of it. It counts nothing.
//!
//! ```text
//! bytes     what
//! 1         1 = held out, 2 = has an arm, 4 = shared, 8 = has a unit, 16 = has a basis; other bits are 0
//! 2–65      slot: length and text
//! 0–65      arm: length and text
//! 8         propensity, IEEE 754 double, little endian
//! 1–10      time of the decision, milliseconds since the epoch, LEB128
//! 0 or 8    hash of the unit, little endian
//! 0–398     what learning needs, see [`Basis`]
//! ```

use crate::bytes::{Reader, put_text, put_varint};
use crate::event::{Event, Treatment};
use crate::id::{ArmId, MAX_ID_BYTES, SlotId};
use crate::receipt::{Basis, is_propensity};
use crate::seed::{Purpose, hash};

const HELD_OUT: u8 = 1;
const HAS_ARM: u8 = 2;
const SHARED: u8 = 4;
const HAS_UNIT: u8 = 8;
const HAS_BASIS: u8 = 16;

/// A decision's slot, what it got, with which chance, and when: as the exposure tells it. Links don't tell the unit, nor, where nobody
/// shares the decision, the features.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The slot.
    pub slot: SlotId,
    /// What it got.
    pub treatment: Treatment,
    /// Whether many visitors share the decision.
    pub shared: bool,
    /// P(this treatment) at decision time, in (0, 1].
    pub propensity: f64,
    /// Time of the decision, milliseconds since the epoch, UTC; cut to the hour where many share it.
    pub time_millis: u64,
    /// Hash of the unit of assignment, where an event told it.
    pub unit: Option<u64>,
    /// What learning needs to know beside the treatment.
    pub basis: Basis,
}

impl Origin {
    /// At least the bytes of the stored form, whatever numbers it has.
    pub(super) fn max_bytes(&self) -> usize {
        let arm = match &self.treatment {
            Treatment::Arm(arm) | Treatment::Ghost(arm) => 1 + arm.as_str().len(),
            Treatment::Holdout | Treatment::Untouched => 0,
        };
        let basis = if self.basis == Basis::default() { 0 } else { Basis::MAX_BYTES };
        1 + 1 + self.slot.as_str().len() + arm + 8 + 10 + 8 + basis
    }

    /// Most bytes of the stored form.
    pub(super) const MAX_BYTES: usize = 1 + 2 * (1 + MAX_ID_BYTES) + 8 + 10 + 8 + Basis::MAX_BYTES;

    /// Where an event comes from.
    pub(super) fn of(event: &Event) -> Self {
        Self {
            slot: event.slot.clone(),
            treatment: event.treatment.clone(),
            shared: event.shared,
            propensity: event.propensity,
            time_millis: event.time_millis,
            unit: event.unit,
            basis: event.basis.clone(),
        }
    }

    /// Name of the token of an event in its row: the decision, the slot and what it got.
    ///
    /// Visitors who share a decision may differ in what they were eligible for and in their features: they are counted apart,
    /// each reward with the propensity and the features of its own view. Of a decision that nobody shares there is one view: a link
    /// need not carry its features, nor a line of a log its time or its propensity twice.
    pub(super) fn key(event: &Event) -> u64 {
        let own = Self { unit: None, time_millis: 0, ..Self::of(event) };
        let own = if event.shared { own } else { Self { propensity: 1.0, basis: Basis::default(), ..own } };
        let mut bytes = Vec::with_capacity(64);
        own.write(&mut bytes);
        hash(Purpose::Event, &[b"token", &event.decision.0, &bytes])
    }

    /// Takes time, propensity and basis of the first exposure: a reward that came before it may not have told them.
    pub(super) fn expose(&mut self, event: &Event) {
        (self.time_millis, self.propensity) = (event.time_millis, event.propensity);
        self.basis.clone_from(&event.basis);
    }

    /// Learns the unit from another event of the same decision. Of two, which no honest edge sends, the larger stands,
    /// whichever came first. Returns whether it is new.
    pub(super) fn join(&mut self, event: &Event) -> bool {
        let is_new = event.unit > self.unit;
        self.unit = self.unit.max(event.unit);
        is_new
    }

    /// Appends the stored form.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let bit = |has: bool, bit: u8| if has { bit } else { 0 };
        let arm = match &self.treatment {
            Treatment::Arm(arm) | Treatment::Ghost(arm) => Some(arm),
            Treatment::Holdout | Treatment::Untouched => None,
        };
        out.push(
            bit(self.treatment.is_held_out(), HELD_OUT)
                | bit(arm.is_some(), HAS_ARM)
                | bit(self.shared, SHARED)
                | bit(self.unit.is_some(), HAS_UNIT)
                | bit(self.basis != Basis::default(), HAS_BASIS),
        );
        put_text(out, self.slot.as_str());
        if let Some(arm) = arm {
            put_text(out, arm.as_str());
        }
        out.extend_from_slice(&self.propensity.to_le_bytes());
        put_varint(out, self.time_millis);
        if let Some(unit) = self.unit {
            out.extend_from_slice(&unit.to_le_bytes());
        }
        if self.basis != Basis::default() {
            self.basis.write(out);
        }
    }

    /// Reads the stored form; `None` for everything that [`Origin::write`] would not write.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let shape = reader.byte()?;
        let has = |bit: u8| shape & bit != 0;
        (shape & !(HELD_OUT | HAS_ARM | SHARED | HAS_UNIT | HAS_BASIS) == 0).then_some(())?;
        Some(Self {
            slot: SlotId::new(reader.text()?).ok()?,
            treatment: {
                let arm = if has(HAS_ARM) { Some(ArmId::new(reader.text()?).ok()?) } else { None };
                match (arm, has(HELD_OUT)) {
                    (Some(arm), true) => Treatment::Ghost(arm),
                    (Some(arm), false) => Treatment::Arm(arm),
                    (None, true) => Treatment::Holdout,
                    (None, false) => Treatment::Untouched,
                }
            },
            shared: has(SHARED),
            propensity: Some(f64::from_le_bytes(reader.array()?)).filter(|p| is_propensity(*p))?,
            time_millis: reader.varint()?,
            unit: if has(HAS_UNIT) { Some(reader.number()?) } else { None },
            basis: if has(HAS_BASIS) { Basis::read_for_learning(reader)? } else { Basis::default() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;
    use crate::receipt::tests::sample;

    #[test]
    fn the_stored_form_is_read_back() {
        let shadow = Some(ArmId::new("winter").unwrap());
        let basis = Basis { shadow, ..Basis::default() };
        for held_out in [false, true] {
            let flags = sample().flags.with_held_out(held_out);
            let receipt = Receipt { flags, basis: basis.clone(), ..sample() };
            for arm in [receipt.arm.clone(), None] {
                let origin = Origin::of(&Event::exposure(&Receipt { arm, ..receipt.clone() }, None));
                let mut bytes = Vec::new();
                origin.write(&mut bytes);
                assert_eq!(Origin::read(&mut Reader::new(&bytes)), Some(origin));
            }
        }
    }

    #[test]
    fn a_link_without_its_unit_meets_the_same_token_and_the_unit_stays() {
        let seen = Event::exposure(&sample(), None);
        let by_link = Event::exposure(&Receipt { unit: None, ..sample() }, None);
        assert_eq!(Origin::key(&seen), Origin::key(&by_link));
        let mut origin = Origin::of(&by_link);
        assert!(origin.join(&seen) && !origin.join(&by_link));
        assert_eq!(origin.unit, seen.unit);
    }

    #[test]
    fn views_that_differ_in_what_they_were_decided_with_are_counted_apart() {
        let flags = sample().flags.with_shared(true);
        let one = Event::exposure(&Receipt { flags, ..sample() }, None);
        let other = Event::exposure(&Receipt { flags, propensity: 0.4, ..sample() }, None);
        assert_ne!(Origin::key(&one), Origin::key(&other));
    }
}
