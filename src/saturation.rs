//! How often a visitor has seen something, and whether that is enough: counters so small that a cookie carries them, frequency
//! caps, and value that falls with each repetition. Who keeps the counters is the caller's business.
//!
//! ```text
//! bytes   what, for each counter, ascending by key
//! 3       key, little endian: hash of what is counted
//! 3       hour in which counting began, since the epoch, little endian
//! 1       how often since then
//! ```

use crate::id::{BlockId, SlotId};
use crate::seed::{HOUR_MILLIS, Purpose, hash};

/// Most counters of a visitor; the oldest make room. 24 of 7 bytes are 224 characters of a cookie.
pub const MAX_COUNTERS: usize = 24;
/// Bytes of a counter.
const BYTES: usize = 7;
/// Longest time that is counted over: a year of hours.
pub const MAX_HOURS: u32 = 8_760;

/// What is counted: a hash of 24 bits, so that a cookie tells nobody what was shown. Of 24 things two have the same with a
/// chance of 2·10^-5; they then share their counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenKey(u32);

impl SeenKey {
    /// The key of a block.
    #[must_use]
    pub fn of_block(block: &BlockId) -> Self {
        Self::of(b"block", block.as_str())
    }

    /// The key of a block whose worth fades with each view: its time need not be that of its cap.
    #[must_use]
    pub fn of_fading(block: &BlockId) -> Self {
        Self::of(b"fades", block.as_str())
    }

    /// The key of a slot: how often it was filled.
    #[must_use]
    pub fn of_slot(slot: &SlotId) -> Self {
        Self::of(b"slot", slot.as_str())
    }

    fn of(kind: &[u8], name: &str) -> Self {
        Self((hash(Purpose::Seen, &[kind, name.as_bytes()]) >> 40) as u32)
    }
}

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counter {
    key: SeenKey,
    /// Hour in which it began, since the epoch; it fits into 24 bits until the year 3883.
    since: u32,
    times: u8,
}

/// What a visitor has seen. Empty where nothing may be remembered.
///
/// ```
/// use edgeloom::id::BlockId;
/// use edgeloom::saturation::{Limit, Seen, SeenKey};
///
/// let block = SeenKey::of_block(&BlockId::new("offer")?);
/// let twice_a_day = Limit::new(2, 24).unwrap();
/// let (mut seen, hour) = (Seen::default(), 3_600_000);
/// seen.add(block, 24, 0);
/// assert!(!twice_a_day.is_reached(&seen, block, hour));
/// seen.add(block, 24, hour);
/// assert!(twice_a_day.is_reached(&seen, block, 2 * hour));
/// assert!(!twice_a_day.is_reached(&seen, block, 24 * hour));
/// # Ok::<(), edgeloom::id::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen(Vec<Counter>);

impl Seen {
    /// How often in the last `hours` at most, counted from the first time on; a counter that is older has begun anew.
    #[must_use]
    pub fn times(&self, key: SeenKey, hours: u32, now_millis: u64) -> u8 {
        let counter = self.0.iter().find(|counter| counter.key == key);
        counter.filter(|counter| counter.is_running(hours, now_millis)).map_or(0, |counter| counter.times)
    }

    /// Counts once more, in a time of so many hours that begins with the first.
    pub fn add(&mut self, key: SeenKey, hours: u32, now_millis: u64) {
        let since = hour_of(now_millis);
        match self.0.iter_mut().find(|counter| counter.key == key) {
            Some(counter) if counter.is_running(hours, now_millis) => {
                counter.times = counter.times.saturating_add(1);
            }
            Some(counter) => (counter.since, counter.times) = (since, 1),
            None => {
                if self.0.len() >= MAX_COUNTERS {
                    let oldest = self.0.iter().enumerate().min_by_key(|(_, counter)| counter.since);
                    if let Some((oldest, _)) = oldest {
                        self.0.remove(oldest);
                    }
                }
                let at = self.0.partition_point(|counter| counter.key < key);
                self.0.insert(at, Counter { key, since, times: 1 });
            }
        }
    }

    /// Appends the stored form.
    pub fn write(&self, out: &mut Vec<u8>) {
        for Counter { key, since, times } in &self.0 {
            out.extend(key.0.to_le_bytes().iter().take(3));
            out.extend(since.to_le_bytes().iter().take(3));
            out.push(*times);
        }
    }

    /// Reads the stored form; `None` for everything that [`Seen::write`] would not write.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (counters, []) = bytes.as_chunks::<BYTES>() else { return None };
        let read = |[a, b, c, d, e, f, times]: &[u8; BYTES]| Counter {
            key: SeenKey(u32::from_le_bytes([*a, *b, *c, 0])),
            since: u32::from_le_bytes([*d, *e, *f, 0]),
            times: *times,
        };
        let counters: Vec<Counter> = counters.iter().map(read).collect();
        let is_sound = counters.len() <= MAX_COUNTERS
            && counters.is_sorted_by(|one, next| one.key < next.key)
            && counters.iter().all(|counter| counter.times > 0);
        is_sound.then_some(Self(counters))
    }
}

impl Counter {
    /// A counter that says it begins later than now is one of a clock that was ahead: it runs.
    fn is_running(&self, hours: u32, now_millis: u64) -> bool {
        hour_of(now_millis).saturating_sub(self.since) < hours
    }
}

fn hour_of(millis: u64) -> u32 {
    u32::try_from(millis / HOUR_MILLIS).unwrap_or(u32::MAX) & 0x00ff_ffff
}

/// How often something may be shown to a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So often at most.
    times: u8,
    /// In so many hours, counted from the first time on.
    hours: u32,
}

impl Limit {
    /// At most `times` (1–255) in `hours` (1–[`MAX_HOURS`]); `None` for other numbers. Once in `hours` is a cool-down.
    #[must_use]
    pub fn new(times: u8, hours: u32) -> Option<Self> {
        (times > 0 && (1..=MAX_HOURS).contains(&hours)).then_some(Self { times, hours })
    }

    /// The time it counts over, hours.
    #[must_use]
    pub const fn hours(&self) -> u32 {
        self.hours
    }

    /// Whether a visitor has seen it as often as they may.
    #[must_use]
    pub fn is_reached(&self, seen: &Seen, key: SeenKey, now_millis: u64) -> bool {
        seen.times(key, self.hours, now_millis) >= self.times
    }
}

/// Value that falls with each repetition.
///
/// ```
/// use edgeloom::id::BlockId;
/// use edgeloom::saturation::{Fading, Seen, SeenKey};
///
/// let (block, fading) = (SeenKey::of_fading(&BlockId::new("offer")?), Fading::new(0.5, 24).unwrap());
/// let mut seen = Seen::default();
/// assert_eq!(fading.left(&seen, block, 0), 1.0);
/// seen.add(block, fading.hours(), 0);
/// seen.add(block, fading.hours(), 0);
/// assert_eq!(fading.left(&seen, block, 3_600_000), 0.25);
/// # Ok::<(), edgeloom::id::IdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fading {
    factor: f64,
    hours: u32,
}

impl Fading {
    /// Each view within `hours` (1–[`MAX_HOURS`]) of the first leaves the next one `factor`, in (0, 1), of its worth; `None` for
    /// other numbers.
    #[must_use]
    pub fn new(factor: f64, hours: u32) -> Option<Self> {
        let is_sound = factor > 0.0 && factor < 1.0 && (1..=MAX_HOURS).contains(&hours);
        is_sound.then_some(Self { factor, hours })
    }

    /// The time it counts over, hours.
    #[must_use]
    pub const fn hours(&self) -> u32 {
        self.hours
    }

    /// The share of its worth that is left to the next view, in (0, 1].
    #[must_use]
    pub fn left(&self, seen: &Seen, key: SeenKey, now_millis: u64) -> f64 {
        (0..seen.times(key, self.hours, now_millis)).fold(1.0, |left, _| left * self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = HOUR_MILLIS;

    #[test]
    fn the_oldest_counter_makes_room() {
        let mut seen = Seen::default();
        for n in 0..=MAX_COUNTERS as u32 {
            seen.add(SeenKey(1_000 - n), 24, u64::from(n) * HOUR);
        }
        assert_eq!(seen.0.len(), MAX_COUNTERS);
        assert_eq!(seen.times(SeenKey(1_000), 8_760, 0), 0);
        assert_eq!(seen.times(SeenKey(999), 8_760, 0), 1);
    }

    #[test]
    fn slots_and_blocks_of_one_name_are_counted_apart() {
        let (block, slot) = (BlockId::new("hero").unwrap(), SlotId::new("hero").unwrap());
        assert_ne!(SeenKey::of_block(&block), SeenKey::of_slot(&slot));
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back_and_nothing_else_is(
            views in prop::collection::vec((0_u32..40, 1_u32..100, 0_u64..1_000), 0..60), bytes: Vec<u8>
        ) {
            let mut seen = Seen::default();
            for (key, hours, hour) in views {
                seen.add(SeenKey(key), hours, hour * HOUR);
            }
            let mut stored = Vec::new();
            seen.write(&mut stored);
            prop_assert_eq!(Seen::read(&stored), Some(seen));
            if let Some(seen) = Seen::read(&bytes) {
                let mut again = Vec::new();
                seen.write(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn nobody_sees_more_than_the_limit_in_its_time(
            hours in 1_u32..50, times in 1_u8..5, steps in prop::collection::vec(0_u64..20, 1..80)
        ) {
            let (limit, key, mut seen) = (Limit::new(times, hours).unwrap(), SeenKey(7), Seen::default());
            let (mut now, mut shown) = (0, Vec::new());
            for step in steps {
                now += step * HOUR;
                if !limit.is_reached(&seen, key, now) {
                    seen.add(key, hours, now);
                    shown.push(now);
                }
            }
            // Times follow each other without overlap: within each, counted from its first view, there are at most so many.
            let mut rest = &shown[..];
            while let Some(first) = rest.first() {
                let within = rest.iter().take_while(|at| **at - first < u64::from(hours) * HOUR).count();
                prop_assert!(within <= usize::from(times));
                rest = &rest[within..];
            }
        }
    }
}
