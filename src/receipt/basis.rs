//! What learning needs to know of a decision beside its arm: it travels in the receipt, so that a reward meets the same facts as
//! its exposure, however late it comes. It counts nothing.
//!
//! ```text
//! bytes    what
//! 1        1 = has features, 2 = has a period, 4 = has a shadow, 8 = has losses, 16 = has actions, 32 = has
//!          chosen one of them, 64 = has a look-up; other bits are 0, and at least one is set
//! 0–262    features, see `Codes`
//! 0–3      hours of a period, LEB128, at least 1
//! 0–65     arm of the shadow: length and text
//! 0–130    what arms have lost, see [`Fatigue`]
//! 0 or 8   fingerprint of the actions that the request brought, little endian
//! 0–65     name of the one that was chosen: length and text
//! 0–137    what they were looked up with, see [`Lookup`]
//! ```

use super::fatigue::{Fatigue, Loss};
use crate::bandit::codes::Codes;
use crate::bytes::{Reader, put_text, put_varint};
use crate::id::{ArmId, MAX_ID_BYTES};
use crate::lookup::Lookup;
use crate::seed::HOUR_MILLIS;
use std::num::NonZeroU16;

const HAS_FEATURES: u8 = 1;
const HAS_PERIOD: u8 = 2;
const HAS_SHADOW: u8 = 4;
const HAS_FATIGUE: u8 = 8;
const HAS_OFFERS: u8 = 16;
const HAS_ACTION: u8 = 32;
const HAS_LOOKUP: u8 = 64;
const KNOWN: u8 = HAS_FEATURES | HAS_PERIOD | HAS_SHADOW | HAS_FATIGUE | HAS_OFFERS | HAS_ACTION | HAS_LOOKUP;

/// What learning needs of a decision beside its arm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Basis {
    /// The features a contextual policy decided with.
    pub features: Option<Codes>,
    /// Hours that are counted together, where the slot tells old from new; `None` counts for all time at once.
    pub period_hours: Option<NonZeroU16>,
    /// What a challenger in shadow mode would have chosen.
    pub shadow: Option<ArmId>,
    /// What arms had lost of their worth, for having been seen before; `None` is nothing.
    pub fatigue: Option<Fatigue>,
    /// Fingerprint of the actions that the request brought, where one of them could be chosen.
    pub offers: Option<u64>,
    /// Name of the one that was chosen.
    pub action: Option<ArmId>,
    /// What they were looked up with, where they came from an index.
    pub lookup: Option<Lookup>,
}

impl Basis {
    /// Most bytes of the stored form of what [learning](Self::for_learning) needs: without arms a fatigue has two bytes.
    pub(crate) const MAX_BYTES: usize = 1 + Codes::MAX_BYTES + 3 + 2 * (1 + MAX_ID_BYTES) + 2;

    /// What learning and logs need of it: the losses of arms that were not chosen, and what else was offered, are for a replay alone.
    pub(crate) fn for_learning(&self) -> Self {
        let fatigue = self.fatigue.as_ref().filter(|fatigue| fatigue.chosen > Loss::default());
        let fatigue = fatigue.map(|fatigue| Fatigue { arms: Vec::new(), ..*fatigue });
        Self { fatigue, offers: None, lookup: None, ..self.clone() }
    }

    /// The period of a time, numbered since the epoch.
    pub(crate) fn period(&self, time_millis: u64) -> Option<Period> {
        let hours = self.period_hours?.get();
        // Even periods of an hour fit until the year 490,000.
        let index = u32::try_from(time_millis / HOUR_MILLIS / u64::from(hours)).unwrap_or(u32::MAX);
        Some(Period { hours, index })
    }

    /// Appends the stored form.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let bit = |has: bool, bit: u8| if has { bit } else { 0 };
        out.push(
            bit(self.features.is_some(), HAS_FEATURES)
                | bit(self.period_hours.is_some(), HAS_PERIOD)
                | bit(self.shadow.is_some(), HAS_SHADOW)
                | bit(self.fatigue.is_some(), HAS_FATIGUE)
                | bit(self.offers.is_some(), HAS_OFFERS)
                | bit(self.action.is_some(), HAS_ACTION)
                | bit(self.lookup.is_some(), HAS_LOOKUP),
        );
        if let Some(features) = &self.features {
            features.write(out);
        }
        if let Some(hours) = self.period_hours {
            put_varint(out, u64::from(hours.get()));
        }
        if let Some(shadow) = &self.shadow {
            put_text(out, shadow.as_str());
        }
        if let Some(fatigue) = &self.fatigue {
            fatigue.write(out);
        }
        if let Some(offers) = self.offers {
            out.extend_from_slice(&offers.to_le_bytes());
        }
        if let Some(action) = &self.action {
            put_text(out, action.as_str());
        }
        if let Some(lookup) = &self.lookup {
            lookup.write(out);
        }
    }

    /// Reads the stored form of what learning needs.
    pub(crate) fn read_for_learning(reader: &mut Reader<'_>) -> Option<Self> {
        Self::read(reader).filter(|basis| {
            let is_for_replay = basis.offers.is_some() || basis.lookup.is_some();
            !is_for_replay && basis.fatigue.as_ref().is_none_or(|fatigue| fatigue.arms.is_empty())
        })
    }

    /// Reads the stored form; `None` for everything that `write` would not write, and for a basis of nothing.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let shape = reader.byte()?;
        let has = |bit: u8| shape & bit != 0;
        (shape != 0 && shape & !KNOWN == 0).then_some(())?;
        Some(Self {
            features: if has(HAS_FEATURES) { Some(Codes::read(reader)?) } else { None },
            period_hours: if has(HAS_PERIOD) {
                Some(NonZeroU16::new(u16::try_from(reader.varint()?).ok()?)?)
            } else {
                None
            },
            shadow: if has(HAS_SHADOW) { Some(ArmId::new(reader.text()?).ok()?) } else { None },
            fatigue: if has(HAS_FATIGUE) { Some(Fatigue::read(reader)?) } else { None },
            offers: if has(HAS_OFFERS) { Some(reader.number()?) } else { None },
            action: if has(HAS_ACTION) { Some(ArmId::new(reader.text()?).ok()?) } else { None },
            lookup: if has(HAS_LOOKUP) { Some(Lookup::read(reader)?) } else { None },
        })
    }
}

/// A run of hours, counted since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// How many hours it has.
    pub hours: u16,
    /// Which one it is.
    pub index: u32,
}

impl Period {
    /// When it ends, milliseconds since the epoch.
    #[must_use]
    pub fn end_millis(&self) -> u64 {
        HOUR_MILLIS * u64::from(self.hours) * (u64::from(self.index) + 1)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bandit::codes::tests::codes;
    use crate::lookup::tests::lookup;
    use crate::receipt::fatigue::tests::fatigue;
    use proptest::prelude::*;

    prop_compose! {
        /// Any basis.
        pub(crate) fn basis()(
            features in prop::option::of(codes()),
            hours: u16,
            shadow in prop::option::of("[A-Za-z0-9_.-]{1,64}"),
            fatigue in prop::option::of(fatigue()),
            offers: Option<u64>,
            action in prop::option::of("[A-Za-z0-9_.-]{1,64}"),
            lookup in prop::option::of(lookup()),
        ) -> Basis {
            let shadow = shadow.map(|arm| ArmId::new(&arm).unwrap());
            let action = action.map(|action| ArmId::new(&action).unwrap());
            Basis { features, period_hours: NonZeroU16::new(hours), shadow, fatigue, offers, action, lookup }
        }
    }

    #[test]
    fn a_period_is_told_from_the_time_of_the_decision() {
        let daily = Basis { period_hours: NonZeroU16::new(24), ..Basis::default() };
        let period = daily.period(3 * 86_400_000 + 5).unwrap();
        assert_eq!((period.index, period.end_millis()), (3, 4 * 86_400_000));
        assert_eq!(Basis::default().period(5), None);
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back(basis in basis()) {
            let mut bytes = Vec::new();
            basis.write(&mut bytes);
            prop_assert!(bytes.len() <= Basis::MAX_BYTES + Fatigue::MAX_BYTES + 8 + Lookup::MAX_BYTES);
            let mut reader = Reader::new(&bytes);
            let read = Basis::read(&mut reader);
            prop_assert_eq!(read, (basis != Basis::default()).then_some(basis));
        }
    }
}
