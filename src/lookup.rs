//! What the candidates of a list were looked up with: a fact of the visit that travels in the receipt, so that a replay can look
//! them up again in the same index. It looks nothing up itself.
//!
//! ```text
//! bytes   what
//! 8       fingerprint of the index, little endian
//! 3       tens of minutes since the epoch, little endian
//! 1       1 = has an item of the page, 2 = there was a vector that the site knows of the visitor, 4 × items seen; at most 8
//! 0 or 4  short name of the page's item, little endian
//! 7 each  items seen, newest first: short name and tens of minutes since, little endian
//! 1       how many items stand above
//! 4 each  short names of these, little endian
//! ```

use crate::bytes::Reader;

/// Tens of minutes are as exactly as a look-up knows the time.
const STEP_MILLIS: u64 = 600_000;
/// Most items seen.
pub const MAX_SEEN: usize = 8;
/// Most items of other lists that a list steers clear of.
pub const MAX_ABOVE: usize = 16;

/// What candidates were looked up with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// Fingerprint of the index.
    pub index: u64,
    /// When, in tens of minutes since the epoch; 24 bits.
    pub step: u32,
    /// Short name of the page's item.
    pub own: Option<u32>,
    /// Short names of the items seen, newest first, and tens of minutes since; 24 bits.
    pub seen: Vec<(u32, u32)>,
    /// Whether there was a vector that the site knows of the visitor; it is not here.
    pub declared: bool,
    /// Short names of the items that lists of the same index show above, as the decision filled them.
    pub above: Vec<u32>,
}

impl Lookup {
    /// Most bytes of the stored form.
    #[cfg(test)]
    pub(crate) const MAX_BYTES: usize = 8 + 3 + 1 + 4 + 7 * MAX_SEEN + 1 + 4 * MAX_ABOVE;

    /// The step of a time.
    #[must_use]
    pub fn step_of(time_millis: u64) -> u32 {
        (time_millis / STEP_MILLIS) as u32 & 0x00ff_ffff
    }

    /// The time that counts, milliseconds since the epoch: where the step begins.
    #[must_use]
    pub fn time_millis(&self) -> u64 {
        u64::from(self.step) * STEP_MILLIS
    }

    /// The items seen, newest first, and how many hours ago.
    pub fn seen_hours(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.seen.iter().map(|(item, steps)| (*item, *steps as f32 / 6.0))
    }

    /// Appends the stored form.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let short = |out: &mut Vec<u8>, number: u32| out.extend(number.to_le_bytes().iter().take(3));
        out.extend_from_slice(&self.index.to_le_bytes());
        short(out, self.step);
        let seen = self.seen.iter().take(MAX_SEEN);
        out.push(u8::from(self.own.is_some()) | u8::from(self.declared) << 1 | (seen.len() as u8) << 2);
        self.own.iter().for_each(|own| out.extend_from_slice(&own.to_le_bytes()));
        for (item, steps) in seen {
            out.extend_from_slice(&item.to_le_bytes());
            short(out, *steps);
        }
        let above = self.above.iter().take(MAX_ABOVE);
        out.push(above.len() as u8);
        above.for_each(|item| out.extend_from_slice(&item.to_le_bytes()));
    }

    /// Reads the stored form; `None` for everything that `write` would not write.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let short = |reader: &mut Reader<'_>| {
            let [a, b, c] = reader.array()?;
            Some(u32::from_le_bytes([a, b, c, 0]))
        };
        let (index, step) = (reader.number()?, short(reader)?);
        let shape = reader.byte()?;
        let n_seen = usize::from(shape >> 2);
        (n_seen <= MAX_SEEN).then_some(())?;
        let own = if shape & 1 != 0 { Some(u32::from_le_bytes(reader.array()?)) } else { None };
        let mut seen = Vec::with_capacity(n_seen);
        for _ in 0..n_seen {
            seen.push((u32::from_le_bytes(reader.array()?), short(reader)?));
        }
        let n_above = usize::from(reader.byte()?);
        (n_above <= MAX_ABOVE).then_some(())?;
        let above = (0..n_above).map(|_| Some(u32::from_le_bytes(reader.array()?))).collect::<Option<_>>()?;
        Some(Self { index, step, own, seen, declared: shape & 2 != 0, above })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        /// Any look-up.
        pub(crate) fn lookup()(
            index: u64,
            step in 0_u32..1 << 24,
            own: Option<u32>,
            seen in prop::collection::vec((any::<u32>(), 0_u32..1 << 24), 0..=MAX_SEEN),
            declared: bool,
            above in prop::collection::vec(any::<u32>(), 0..=MAX_ABOVE),
        ) -> Lookup {
            Lookup { index, step, own, seen, declared, above }
        }
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back(lookup in lookup()) {
            let mut bytes = Vec::new();
            lookup.write(&mut bytes);
            prop_assert!(bytes.len() <= Lookup::MAX_BYTES);
            prop_assert_eq!(Lookup::read(&mut Reader::new(&bytes)), Some(lookup));
        }
    }
}
