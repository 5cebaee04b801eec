//! A part of a report: the same finding as numbers for machines, as a table for people, and as a picture for a page.

use crate::table::columns;
use edgeloom::measure::{Estimate, Interval};
use serde_json::{Value, json};

/// Most lines of a table for people; machines get all.
const MOST_ROWS: usize = 30;
/// Most remarks of one kind.
const MOST_REMARKS: usize = 5;

/// One finding.
#[derive(Debug, Default)]
pub struct Part {
    /// Its name in the answer for machines.
    pub key: &'static str,
    /// Its name for people.
    pub title: String,
    /// Its numbers.
    pub json: Value,
    /// Heads of the columns.
    pub heads: Vec<&'static str>,
    /// Lines of the table.
    pub rows: Vec<Vec<String>>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// What is wrong, or may be.
    pub warnings: Vec<String>,
    /// A picture, as SVG, and what it shows.
    pub charts: Vec<(String, &'static str)>,
}

impl Part {
    /// A part without a finding, and why.
    pub fn missing(key: &'static str, title: &str, why: &str) -> Self {
        let why = why.replace("; hint: ", ": ");
        Self {
            key,
            title: title.into(),
            json: json!({ "missing": why }),
            notes: vec![why],
            ..Self::default()
        }
    }

    /// The lines that people see, and what is said of the others.
    pub fn shown_rows(&self) -> (&[Vec<String>], Option<String>) {
        let (shown, more) = self.rows.split_at(self.rows.len().min(MOST_ROWS));
        (shown, (!more.is_empty()).then(|| format!("{} more in --json", more.len())))
    }

    /// As text.
    pub fn text(&self) -> String {
        let heads: Vec<String> = self.heads.iter().map(ToString::to_string).collect();
        let (shown, more) = self.shown_rows();
        let lines: Vec<_> = std::iter::once(heads).chain(shown.iter().cloned()).collect();
        let table = if self.rows.is_empty() { String::new() } else { columns(&lines) };
        let notes: String = more.iter().chain(&self.notes).map(|note| format!("{note}\n")).collect();
        let warnings: String = self.warnings.iter().map(|warning| format!("! {warning}\n")).collect();
        format!("{}\n{table}{notes}{warnings}", self.title)
    }
}

/// An object with more fields.
pub fn with(mut object: Value, more: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.extend(more.into_iter().map(|(name, value)| (name.to_string(), value)));
    }
    object
}

/// The first of some remarks, and how many there are beside them.
pub fn few(mut remarks: Vec<String>) -> Vec<String> {
    let more = remarks.len().saturating_sub(MOST_REMARKS);
    remarks.truncate(MOST_REMARKS);
    remarks.extend((more > 0).then(|| format!("… and {more} more like these, in --json")));
    remarks
}

/// A number with three digits or so that matter.
pub fn figure(number: f64) -> String {
    // What rounds up to the next power of ten is written like it.
    let size = number.abs() * 1.0005;
    let decimals = match size {
        _ if size >= 100.0 || size == 0.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ if size >= 0.1 => 3,
        _ if size >= 0.01 => 4,
        _ if size >= 0.001 => 5,
        _ => 6,
    };
    format!("{number:.decimals$}")
}

/// A share as per cent.
pub fn percent(share: f64) -> String {
    format!("{} %", figure(100.0 * share))
}

/// A number with its sign.
pub fn signed(number: f64) -> String {
    let sign = if number > 0.0 { "+" } else { "" };
    format!("{sign}{}", figure(number))
}

/// A difference of shares in points, with its sign.
pub fn points(difference: f64) -> String {
    signed(100.0 * difference)
}

/// A number and the interval around it.
pub fn with_interval(value: f64, interval: Interval, write: impl Fn(f64) -> String) -> String {
    format!("{} ({} to {})", write(value), write(interval.low), write(interval.high))
}

/// An estimate with its best interval.
pub fn told(estimate: &Estimate, write: impl Fn(f64) -> String) -> String {
    with_interval(estimate.value, best(estimate), write)
}

/// The interval by resampling, where there is one.
pub fn best(estimate: &Estimate) -> Interval {
    estimate.bootstrap.unwrap_or(estimate.interval)
}

/// Low, estimate, high.
pub fn triple(estimate: &Estimate) -> [f64; 3] {
    let interval = best(estimate);
    [interval.low, estimate.value, interval.high]
}

/// A probability; what is nearly certain is not called certain.
pub fn chance(p: f64) -> String {
    match p {
        _ if p > 0.9995 => "> 0.999".into(),
        _ if p < 0.0005 => "< 0.001".into(),
        _ => format!("{p:.3}"),
    }
}

/// The same after its name, as in "p = 0.2" and "p < 0.001".
pub fn is(p: f64) -> String {
    let told = chance(p);
    if told.starts_with(['<', '>']) { told } else { format!("= {told}") }
}

/// A count with its noun.
pub fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let shown = [0.0, 0.9999, 12.34, 1234.5, 0.01234, -0.5].map(figure);
        assert_eq!(shown.each_ref().map(String::as_str), ["0", "1.00", "12.3", "1234", "0.0123", "-0.500"]);
        assert_eq!(
            (points(0.012), percent(0.5), chance(1.0)),
            ("+1.20".into(), "50.0 %".into(), "> 0.999".into())
        );
        assert_eq!([0.5, 0.0].map(is), ["= 0.500", "< 0.001"]);
    }
}
