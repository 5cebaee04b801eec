//! The binary form of events, for the ways on which there are many of them: from a page's plan to its shard.
//!
//! ```text
//! bytes   what
//! 1       kind: 1 = shared, 2 = held out, 4 = has an arm, 8 = a reward, 16 = has a unit, 32 = has a basis; other bits are 0
//! 1       shards of the ledger, 1–64
//! 8       key, little endian
//! 16      decision
//! 8       propensity, IEEE 754 double, little endian
//! 1–10    time of the decision, milliseconds since the epoch, LEB128
//! 2–65    slot: length and text
//! 0–65    arm: length and text
//! 0–75    reward: goal as length and text, value in micros as zigzag LEB128
//! 0 or 8  hash of the unit, little endian
//! 0–398   what learning needs, see [`Basis`]
//! ```
//!
//! Less than half of the JSON form, and read without building anything but the event. It lives for seconds between parts of one
//! deployment and is never stored; what waits in a queue is JSON.

use super::{Event, Kind, MAX_VALUE_MICROS, Treatment};
use crate::bytes::{Reader, put_text, put_varint, unzigzag, zigzag};
use crate::id::{ArmId, DecisionId, GoalId, SlotId};
use crate::receipt::{Basis, MAX_SHARDS, is_propensity};

const SHARED: u8 = 1;
const HELD_OUT: u8 = 2;
const HAS_ARM: u8 = 4;
const REWARD: u8 = 8;
const HAS_UNIT: u8 = 16;
const HAS_BASIS: u8 = 32;
const KNOWN: u8 = SHARED | HELD_OUT | HAS_ARM | REWARD | HAS_UNIT | HAS_BASIS;

impl Event {
    /// Appends the binary form; forms one after another are a list.
    ///
    /// ```
    /// # use edgeloom::{event::{Event, EventId}, id::*, receipt::*};
    /// # let receipt = Receipt {
    /// #     decision: DecisionId([1; 16]), unit: None, slot: SlotId::new("hero").unwrap(),
    /// #     arm: Some(ArmId::new("a").unwrap()), propensity: 0.5, version: SnapshotVersion([0; 16]),
    /// #     time_millis: 0, flags: Flags::default().with_shared(true), candidates: Candidates::All, shards: 1, basis: Basis::default(),
    /// # };
    /// let event = Event::exposure(&receipt, Some(EventId([7; 16])));
    /// let mut bytes = Vec::new();
    /// event.write(&mut bytes);
    /// assert_eq!(Event::read_all(&bytes), Some(vec![event]));
    /// ```
    pub fn write(&self, out: &mut Vec<u8>) {
        let bit = |has: bool, bit: u8| if has { bit } else { 0 };
        let arm = match &self.treatment {
            Treatment::Arm(arm) | Treatment::Ghost(arm) => Some(arm),
            Treatment::Holdout | Treatment::Untouched => None,
        };
        let kind = bit(self.shared, SHARED)
            | bit(self.treatment.is_held_out(), HELD_OUT)
            | bit(arm.is_some(), HAS_ARM)
            | bit(self.kind != Kind::Exposure, REWARD)
            | bit(self.unit.is_some(), HAS_UNIT)
            | bit(self.basis != Basis::default(), HAS_BASIS);
        out.extend_from_slice(&[kind, self.shards]);
        out.extend_from_slice(&self.key.to_le_bytes());
        out.extend_from_slice(&self.decision.0);
        out.extend_from_slice(&self.propensity.to_le_bytes());
        put_varint(out, self.time_millis);
        put_text(out, self.slot.as_str());
        if let Some(arm) = arm {
            put_text(out, arm.as_str());
        }
        if let Kind::Reward { goal, value_micros } = &self.kind {
            put_text(out, goal.as_str());
            put_varint(out, zigzag(*value_micros));
        }
        if let Some(unit) = self.unit {
            out.extend_from_slice(&unit.to_le_bytes());
        }
        if self.basis != Basis::default() {
            self.basis.write(out);
        }
    }

    /// The events of a list; `None` when any byte of it is not as [`Event::write`] writes it.
    #[must_use]
    pub fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let mut reader = Reader::new(bytes);
        let mut events = Vec::new();
        while reader.end().is_none() {
            events.push(Self::read(&mut reader)?);
        }
        Some(events)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [kind, shards] = reader.array()?;
        let has = |bit: u8| kind & bit != 0;
        if kind & !KNOWN != 0 || !(1..=MAX_SHARDS).contains(&shards) {
            return None;
        }
        Some(Self {
            shared: has(SHARED),
            shards,
            key: reader.number()?,
            decision: DecisionId(reader.array()?),
            propensity: Some(f64::from_le_bytes(reader.array()?)).filter(|p| is_propensity(*p))?,
            time_millis: reader.varint()?,
            slot: SlotId::new(reader.text()?).ok()?,
            treatment: match (has(HELD_OUT), has(HAS_ARM)) {
                (true, true) => Treatment::Ghost(ArmId::new(reader.text()?).ok()?),
                (true, false) => Treatment::Holdout,
                (false, true) => Treatment::Arm(ArmId::new(reader.text()?).ok()?),
                (false, false) => Treatment::Untouched,
            },
            kind: if has(REWARD) {
                let goal = GoalId::new(reader.text()?).ok()?;
                let value_micros = unzigzag(reader.varint()?);
                (value_micros.unsigned_abs() <= MAX_VALUE_MICROS as u64).then_some(())?;
                Kind::Reward { goal, value_micros }
            } else {
                Kind::Exposure
            },
            unit: if has(HAS_UNIT) { Some(reader.number()?) } else { None },
            basis: if has(HAS_BASIS) { Basis::read_for_learning(reader)? } else { Basis::default() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EventId, MAX_VALUE};
    use super::*;
    use crate::receipt::tests::sample;
    use crate::receipt::{Flags, Receipt};
    use proptest::prelude::*;

    fn bytes_of(events: &[Event]) -> Vec<u8> {
        let mut out = Vec::new();
        events.iter().for_each(|event| event.write(&mut out));
        out
    }

    fn buy(receipt: &Receipt, value: f64) -> Event {
        Event::reward(receipt, &GoalId::new("buy").unwrap(), value, Some(EventId([1; 16]))).unwrap()
    }

    #[test]
    fn an_exposure_takes_less_than_half_of_its_json() {
        let event = Event::exposure(&sample(), None);
        let bytes = bytes_of(std::slice::from_ref(&event));
        assert_eq!(bytes.len(), 60);
        assert!(bytes.len() * 2 < crate::json::write(&event).len());
    }

    #[test]
    fn a_list_cut_or_prolonged_anywhere_is_refused() {
        let bytes = bytes_of(&[buy(&sample(), 2.5)]);
        for end in 1..bytes.len() {
            assert_eq!(Event::read_all(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Event::read_all(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(Event::read_all(&[]), Some(Vec::new()));
    }

    #[test]
    fn unknown_kinds_and_numbers_outside_their_range_are_refused() {
        let good = bytes_of(&[Event::exposure(&sample(), None)]);
        for (at, bad) in [(0, 64), (0, HAS_BASIS), (1, 0), (1, 65)] {
            let mut bytes = good.clone();
            bytes[at] = bad;
            assert_eq!(Event::read_all(&bytes), None, "{at}: {bad}");
        }
        let mut bytes = good;
        bytes[26..34].copy_from_slice(&1.5_f64.to_le_bytes());
        assert_eq!(Event::read_all(&bytes), None);
    }

    proptest! {
        #[test]
        fn events_survive_bit_for_bit(
            decision: [u8; 16],
            propensity in 1e-12..=1.0_f64,
            value in -MAX_VALUE..=MAX_VALUE,
            time_millis: u64,
            (held_out, shared, untouched) in any::<(bool, bool, bool)>(),
            basis in crate::receipt::tests::basis(),
        ) {
            let flags = Flags::default().with_held_out(held_out).with_shared(shared);
            let arm = sample().arm.filter(|_| !untouched);
            let receipt = Receipt { decision: DecisionId(decision), propensity, flags, time_millis, arm, basis, ..sample() };
            let events = vec![Event::exposure(&receipt, Some(EventId(decision))), buy(&receipt, value)];
            prop_assert_eq!(Event::read_all(&bytes_of(&events)), Some(events));
        }

        #[test]
        fn changed_bytes_are_refused_or_read_as_they_are_written(at in 0_usize..110, bits in 1_u8..) {
            let mut bytes = bytes_of(&[Event::exposure(&sample(), None), buy(&sample(), 2.5)]);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
            if let Some(events) = Event::read_all(&bytes) {
                prop_assert_eq!(bytes_of(&events), bytes);
            }
        }
    }
}
