//! Columns for people. It decides nothing about what is in them.

use crate::output::printable;

/// Lines of aligned columns under their names.
pub fn render(names: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head = names.iter().map(ToString::to_string).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows)
        .map(|row: Vec<String>| row.iter().map(|cell| printable(cell).replace(['\n', '\t'], " ")).collect())
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A time as `2025-01-31 12:00:00Z`.
///
/// Days to date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013, `civil_from_days`; here for
/// times from 1970 on, so that nothing is negative.
pub fn utc(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    // Years start in March, so that the leap day is the last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::{render, utc};

    #[test]
    fn columns_line_up_and_steer_no_terminal() {
        let rows =
            vec![vec!["a\u{1b}[2J".to_string(), "x".to_string()], vec!["b".to_string(), "é".to_string()]];
        assert_eq!(render(&["n", "value"], rows), "n      value\na\u{fffd}[2J  x\nb      é");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00Z");
        assert_eq!(utc(1_735_689_599_999), "2024-12-31 23:59:59Z");
    }
}
