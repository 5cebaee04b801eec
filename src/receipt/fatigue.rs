//! How much of their worth the arms of a slot had lost in one view, for having been seen before: what a replay needs to choose
//! again, and learning to count a view for what it was. Where it comes from is the business of [`crate::saturation`].
//!
//! ```text
//! bytes   what
//! 1       loss of the arm that was chosen
//! 1       number of arms, at most 32; then for each, ascending
//!   1–3   arms between it and the one before, LEB128
//!   1     its loss, at least 1
//! ```

use crate::bytes::{Reader, put_varint};

/// Most arms of a slot that can lose worth: a receipt has to carry them.
pub const MAX_FADING_ARMS: usize = 32;

/// What is lost, in 256ths of the worth: 0 is nothing, 255 all but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Loss(u8);

impl Loss {
    /// What is lost where this share is left, in [0, 1]; at least one 256th is always left.
    #[must_use]
    pub fn of_left(left: f64) -> Self {
        // The cast keeps to the range of a byte, and what is no number loses nothing.
        Self(libm::round(256.0 * (1.0 - left)) as u8)
    }

    /// The share that is left, in (0, 1].
    #[must_use]
    pub fn left(self) -> f64 {
        1.0 - f64::from(self.0) / 256.0
    }

    /// In 256ths.
    #[must_use]
    pub const fn parts(self) -> u8 {
        self.0
    }
}

/// What the arms of a slot have lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fatigue {
    /// The loss of the arm that was chosen.
    pub chosen: Loss,
    /// Positions of the arms that lost something, ascending, and their losses; at most [`MAX_FADING_ARMS`].
    pub arms: Vec<(u16, Loss)>,
}

impl Fatigue {
    /// Most bytes of the stored form.
    #[cfg(test)]
    pub(super) const MAX_BYTES: usize = 2 + 4 * MAX_FADING_ARMS;

    /// The loss of the arm at a position.
    #[must_use]
    pub fn of(&self, arm: usize) -> Loss {
        self.arms.iter().find(|(at, _)| usize::from(*at) == arm).map_or(Loss::default(), |(_, loss)| *loss)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.chosen.0);
        out.push(self.arms.len() as u8);
        let mut next = 0;
        for (arm, loss) in &self.arms {
            put_varint(out, u64::from(arm.saturating_sub(next)));
            out.push(loss.0);
            next = arm.saturating_add(1);
        }
    }

    /// Reads the stored form; `None` for everything that `write` would not write of a loss.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let chosen = Loss(reader.byte()?);
        let n = usize::from(reader.byte()?);
        (n <= MAX_FADING_ARMS).then_some(())?;
        let (mut arms, mut next) = (Vec::with_capacity(n), 0_u16);
        for _ in 0..n {
            let arm = next.checked_add(u16::try_from(reader.varint()?).ok()?)?;
            let loss = Loss(reader.byte()?);
            (loss > Loss::default()).then(|| arms.push((arm, loss)))?;
            next = arm.saturating_add(1);
        }
        (chosen > Loss::default() || !arms.is_empty()).then_some(Self { chosen, arms })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        /// Any fatigue that says something.
        pub(crate) fn fatigue()(
            chosen: u8,
            arms in prop::collection::btree_map(0_u16..1_000, 1_u8..=255, 1..=MAX_FADING_ARMS),
        ) -> Fatigue {
            Fatigue { chosen: Loss(chosen), arms: arms.into_iter().map(|(arm, loss)| (arm, Loss(loss))).collect() }
        }
    }

    #[test]
    fn a_loss_is_kept_to_a_256th_and_never_all() {
        for (left, kept) in [(1.0, 1.0), (0.5, 0.5), (0.0, 1.0 / 256.0), (-3.0, 1.0 / 256.0), (f64::NAN, 1.0)]
        {
            assert_eq!(Loss::of_left(left).left(), kept, "{left}");
        }
        assert!((Loss::of_left(0.7).left() - 0.7).abs() <= 0.5 / 256.0);
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back(fatigue in fatigue()) {
            let mut bytes = Vec::new();
            fatigue.write(&mut bytes);
            prop_assert!(bytes.len() <= Fatigue::MAX_BYTES);
            prop_assert_eq!(Fatigue::read(&mut Reader::new(&bytes)), Some(fatigue));
        }
    }
}
