//! The items a visitor looked at last: so few and so short that a cookie carries them. Who keeps the trail is the caller's
//! business, and what it says of the visitor's interest is [`crate::interest`]'s.
//!
//! ```text
//! bytes   what
//! 1       how many items
//!         each of them, newest first:
//! 4       hash of its id, little endian
//! 3       when it was seen last, in tens of minutes since the epoch, little endian
//! ```

use crate::bytes::Reader;
use crate::index::short_id;

/// Most items kept; the oldest make room. 8 of 7 bytes are 75 characters of a cookie.
pub const MAX_ITEMS: usize = 8;
/// The unit of time. Tens of minutes fit into 24 bits until the year 2288, and an interest that halves within hours needs
/// nothing finer.
const STEP_MILLIS: u64 = 600_000;

/// One item that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    /// Hash of the item's id; see [`short_id`].
    short: u32,
    /// When it was seen last; see [`STEP_MILLIS`].
    at: u32,
}

/// What was looked at last, newest first, each item once. Empty where nothing may be remembered.
///
/// ```
/// use edgeloom::trail::Trail;
///
/// let (mut trail, hour) = (Trail::default(), 3_600_000);
/// trail.add(7, 0);
/// trail.add(8, hour);
/// assert_eq!(trail.entries(2 * hour).collect::<Vec<_>>(), [(8, 1.0), (7, 2.0)]);
/// trail.add(7, 2 * hour);
/// assert_eq!(trail.entries(2 * hour).collect::<Vec<_>>(), [(7, 0.0), (8, 1.0)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trail(Vec<Step>);

impl Trail {
    /// The trail of items that were all looked at just now, by their ids, newest first; more than [`MAX_ITEMS`] are cut off.
    #[must_use]
    pub fn of_ids<'i>(ids: impl DoubleEndedIterator<Item = &'i str>, now_millis: u64) -> Self {
        let mut trail = Self::default();
        for id in ids.rev() {
            trail.add(short_id(id), now_millis);
        }
        trail
    }

    /// An item is looked at; one that was before moves to the front. Returns whether that changed anything: the same page
    /// loaded again within ten minutes does not.
    pub fn add(&mut self, short: u32, now_millis: u64) -> bool {
        let step = Step { short, at: step_of(now_millis) };
        if self.0.first() == Some(&step) {
            return false;
        }
        self.0.retain(|step| step.short != short);
        self.0.truncate(MAX_ITEMS - 1);
        self.0.insert(0, step);
        true
    }

    /// The items, newest first: the hash of each id, and how many hours ago it was seen, in steps of ten minutes; zero for
    /// one that a clock ahead of ours has seen.
    pub fn entries(&self, now_millis: u64) -> impl Iterator<Item = (u32, f32)> + '_ {
        let now = step_of(now_millis);
        self.0.iter().map(move |step| (step.short, now.saturating_sub(step.at) as f32 / 6.0))
    }

    /// Whether nothing was looked at.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the stored form.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        for Step { short, at } in &self.0 {
            out.extend(short.to_le_bytes());
            out.extend(at.to_le_bytes().iter().take(3));
        }
    }

    /// Reads the stored form at the start of `bytes`, and hands back what follows it; `None` for everything that
    /// [`Trail::write`] would not write.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader::new(bytes);
        let n_items = usize::from(reader.byte()?);
        if n_items > MAX_ITEMS {
            return None;
        }
        let mut steps: Vec<Step> = Vec::with_capacity(n_items);
        for _ in 0..n_items {
            let short = u32::from_le_bytes(reader.array()?);
            let [a, b, c] = reader.array()?;
            if steps.iter().any(|step| step.short == short) {
                return None;
            }
            steps.push(Step { short, at: u32::from_le_bytes([a, b, c, 0]) });
        }
        Some((Self(steps), reader.rest()))
    }
}

fn step_of(millis: u64) -> u32 {
    u32::try_from(millis / STEP_MILLIS).unwrap_or(u32::MAX) & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 3_600_000;

    fn shorts(trail: &Trail) -> Vec<u32> {
        trail.entries(0).map(|(short, _)| short).collect()
    }

    #[test]
    fn the_oldest_makes_room_and_an_item_seen_again_moves_to_the_front() {
        let mut trail = Trail::default();
        (0..10).for_each(|n| assert!(trail.add(n, u64::from(n) * HOUR)));
        assert_eq!(shorts(&trail), [9, 8, 7, 6, 5, 4, 3, 2]);
        assert!(trail.add(5, 10 * HOUR));
        assert_eq!(shorts(&trail), [5, 9, 8, 7, 6, 4, 3, 2]);
        assert!(trail.add(100, 11 * HOUR));
        assert_eq!(shorts(&trail), [100, 5, 9, 8, 7, 6, 4, 3]);
    }

    #[test]
    fn the_same_page_within_ten_minutes_changes_nothing() {
        let mut trail = Trail::default();
        assert!(trail.add(7, HOUR));
        assert!(!trail.add(7, HOUR + 599_999));
        assert!(trail.add(7, HOUR + 600_000));
    }

    #[test]
    fn a_trail_of_ids_has_the_first_at_its_front() {
        let trail = Trail::of_ids(["tea", "cups", "tea"].into_iter(), HOUR);
        assert_eq!(shorts(&trail), [short_id("tea"), short_id("cups")]);
    }

    #[test]
    fn a_clock_that_was_ahead_makes_no_negative_age() {
        let mut trail = Trail::default();
        trail.add(7, 2 * HOUR);
        assert_eq!(trail.entries(HOUR).collect::<Vec<_>>(), [(7, 0.0)]);
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back_and_nothing_else_is(
            views in prop::collection::vec((0_u32..12, 0_u64..1_000), 0..30), bytes: Vec<u8>
        ) {
            let mut trail = Trail::default();
            for (short, hour) in views {
                trail.add(short, hour * HOUR);
            }
            let mut stored = Vec::new();
            trail.write(&mut stored);
            stored.extend(&bytes);
            prop_assert_eq!(Trail::read(&stored), Some((trail, bytes.as_slice())));
            if let Some((trail, rest)) = Trail::read(&bytes) {
                let mut again = Vec::new();
                trail.write(&mut again);
                again.extend(rest);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
