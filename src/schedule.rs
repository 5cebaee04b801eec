//! When something runs: a start, an end, and the share of visitors that takes part, which may grow in steps. Times come from
//! outside; nothing here has a clock.

use std::fmt;

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a time; hint: write it as in 2026-12-01T08:00:00Z or 2026-12-01T09:00:00+01:00")
    }
}

impl std::error::Error for TimeError {}

/// Milliseconds since the epoch of a time as RFC 3339 writes it, from 1970 to 9999; fractions of a second are cut off.
///
/// ```
/// use edgeloom::schedule::millis_of;
/// assert_eq!(millis_of("1970-01-02T01:00:00+01:00"), Ok(86_400_000));
/// assert_eq!(millis_of("2026-02-29T00:00:00Z").ok(), None);
/// ```
///
/// # Errors
/// Another form, or a day that no calendar has.
pub fn millis_of(text: &str) -> Result<u64, TimeError> {
    parse(text).and_then(|seconds| u64::try_from(seconds * 1_000).ok()).ok_or(TimeError)
}

fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let time_end = rest.find(['Z', 'z', '+', '-', '.']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(time_end)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let zone = match zone.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => zone,
    };
    let days_of_month = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_sound = (1..=12).contains(&month)
        && (1..=days_of_month).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && year >= 1970;
    is_sound.then_some(())?;
    let offset = match zone {
        "Z" | "z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let [hours, minutes] = numbers(zone.strip_prefix(['+', '-'])?, ':', [2, 2])?;
            (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)?
        }
    };
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

/// Whole numbers with so many digits each.
fn numbers<const N: usize>(text: &str, sign: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(sign);
    let mut found = [0; N];
    for (to, digits) in found.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()));
        *to = part?.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// Days since the epoch of a date in the Gregorian calendar; the year begins in March, so that the odd day is its last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

/// When a slot runs, and for how many.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    /// From then on, milliseconds since the epoch; `None` from ever.
    pub start_millis: Option<u64>,
    /// Up to, not including, then; `None` for ever.
    pub end_millis: Option<u64>,
    /// A pilot: from each time on, this share of visitors (0 – 1), in the order of time; empty: everybody. Before the first
    /// step nobody takes part.
    pub steps: Vec<(u64, f64)>,
}

impl Schedule {
    /// The share of visitors that takes part at a time, in [0, 1].
    #[must_use]
    pub fn share_at(&self, time_millis: u64) -> f64 {
        let is_on = self.start_millis.is_none_or(|start| start <= time_millis)
            && self.end_millis.is_none_or(|end| time_millis < end);
        if !is_on {
            return 0.0;
        }
        let last = self.steps.iter().rev().find(|(from, _)| *from <= time_millis);
        match last {
            Some((_, share)) => *share,
            None if self.steps.is_empty() => 1.0,
            None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times_have_their_milliseconds() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59.999Z", 951_868_799_000),
            ("2026-11-27T17:00:00-05:30", 1_795_818_600_000),
            ("9999-12-31T23:59:59z", 253_402_300_799_000),
        ] {
            assert_eq!(millis_of(text), Ok(millis), "{text}");
        }
        for bad in ["", "2026-11-27", "2026-13-01T00:00:00Z", "2100-02-29T00:00:00Z", "2026-1-01T00:00:00Z"] {
            assert_eq!(millis_of(bad), Err(TimeError), "{bad}");
        }
        for bad in [
            "2026-11-27T24:00:00Z",
            "2026-11-27T10:00:00",
            "2026-11-27T10:00:00+0100",
            "1969-12-31T23:00:00Z",
        ] {
            assert_eq!(millis_of(bad), Err(TimeError), "{bad}");
        }
    }

    #[test]
    fn a_pilot_grows_by_its_steps_and_ends_with_its_slot() {
        let steps = vec![(100, 0.05), (200, 0.5)];
        let pilot = Schedule { start_millis: Some(50), end_millis: Some(300), steps };
        let shares = [0, 60, 100, 199, 200, 299, 300].map(|time| pilot.share_at(time));
        assert_eq!(shares, [0.0, 0.0, 0.05, 0.05, 0.5, 0.5, 0.0]);
        assert_eq!(Schedule::default().share_at(7), 1.0);
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_refused(text in ".{0,40}") {
            let _ = millis_of(&text);
        }

        #[test]
        fn days_follow_each_other(day in 0_i64..2_900_000) {
            // Twenty-eight days later it is the same day of the month after February, or three days less at most.
            let text = |days: i64| {
                let (mut year, mut month, mut left) = (1970, 1, days);
                let length = |year: i64, month: i64| super::days(year + month / 12, month % 12 + 1, 1) - super::days(year, month, 1);
                while left >= length(year, month) {
                    left -= length(year, month);
                    (year, month) = (year + month / 12, month % 12 + 1);
                }
                format!("{year:04}-{month:02}-{:02}T00:00:00Z", left + 1)
            };
            prop_assert_eq!(millis_of(&text(day)), Ok(u64::try_from(day).unwrap() * 86_400_000));
        }
    }
}
