//! Bars of the status page, as inline SVG: attributes only, so that the strictest policy lets them be drawn.

use crate::ledger::report::Rate;
use edgeloom::json::number::fixed;

/// Width of a chart in its own units.
const WIDTH: u32 = 200;

/// A share as text: two significant digits, never a rounded 0 or 100 % that is not one.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.01 {
        "<0.01 %".replace('<', "&lt;")
    } else if percent < 1.0 {
        format!("{} %", fixed(percent, 2))
    } else if percent > 99.9 && percent < 100.0 {
        "&gt;99.9 %".to_string()
    } else {
        format!("{} %", fixed(percent, 1))
    }
}

/// The right end of a common scale for some rates: above the means, and not so far that differences vanish.
pub fn scale_of<'r>(rates: impl Iterator<Item = &'r Rate>) -> f64 {
    // Arms that were hardly shown have intervals over everything; they are cut off.
    let (mut shown, mut all) = (0.0_f64, 0.0_f64);
    for rate in rates {
        all = all.max(rate.high);
        if rate.exposures >= 30 {
            shown = shown.max(rate.high);
        }
    }
    let top = if shown > 0.0 { shown } else { all };
    (top * 1.1).clamp(1e-6, 1.0)
}

/// An interval with its mean.
pub fn interval(rate: &Rate, scale: f64) -> String {
    let x = |share: f64| (share / scale).clamp(0.0, 1.0) * f64::from(WIDTH);
    let (low, high, mean) = (x(rate.low), x(rate.high), x(rate.mean));
    let width = fixed((high - low).max(1.0), 1);
    let (low, mean) = (fixed(low, 1), fixed(mean, 1));
    format!(
        "<svg viewBox=\"0 0 {WIDTH} 16\" role=\"img\" aria-label=\"{} to {}\"><path class=\"axis\" d=\"M0 8H{WIDTH}\"/>\
         <rect class=\"interval\" x=\"{low}\" y=\"4\" width=\"{width}\" height=\"8\" rx=\"2\"/>\
         <path class=\"mean\" d=\"M{mean} 1V15\"/></svg>",
        percent(rate.low),
        percent(rate.high),
    )
}

/// A share of the whole.
pub fn bar(share: f64) -> String {
    let width = fixed(share.clamp(0.0, 1.0) * 100.0, 1);
    format!(
        "<svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"8\"/>\
         <rect class=\"part\" width=\"{width}\" height=\"8\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_share_that_is_not_quite_everything_does_not_say_so() {
        assert_eq!(percent(1.0), "100.0 %");
        assert_eq!(percent(0.9999), "&gt;99.9 %");
        assert_eq!(percent(0.0), "0.00 %");
        assert_eq!(percent(0.00001), "&lt;0.01 %");
        assert_eq!(percent(0.123), "12.3 %");
    }
}
