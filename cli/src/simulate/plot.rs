//! Regret and shares over time as one SVG: a row per slot. It draws numbers that others made.

use super::run::Extent;
use super::summary::Summary;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// Size of one row, pixels.
const ROW: (u32, u32) = (1_200, 400);
/// Height of the title above all rows.
const TITLE: u32 = 56;

/// Colours that people with any colour vision tell apart, also in print (Okabe & Ito 2008), the yellow left out.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];
/// Where titles and colours begin: above the axis, pixels.
const LEFT: i32 = 86;
/// For everything that is not data.
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// For lines in the background, and arms that have no colour of their own.
const PALE: RGBColor = RGBColor(0x99, 0x99, 0x99);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Why the library would refuse to draw.
pub type Fault = DrawingAreaErrorKind<std::io::Error>;

/// The drawing, as the text of an SVG file.
///
/// # Errors
/// The drawing library refuses, which it has no reason to.
pub fn svg(slots: &[Summary], extent: &Extent) -> Result<String, Fault> {
    let mut text = String::new();
    {
        let n_rows = u32::try_from(slots.len()).unwrap_or(1).max(1);
        let root = SVGBackend::with_string(&mut text, (ROW.0, TITLE + ROW.1 * n_rows)).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, rows) = root.split_vertically(TITLE);
        let title = format!("Simulated: {}", extent.text());
        head.draw_text(&title, &("sans-serif", 20).into_font().color(&INK), (24, 22))?;
        for (slot, row) in slots.iter().zip(rows.split_evenly((slots.len().max(1), 1))) {
            let (left, right) = row.split_horizontally(ROW.0 / 2);
            regret(slot, extent, &left)?;
            shares(slot, extent, &right)?;
        }
        root.present()?;
    }
    Ok(text)
}

/// Cumulative regret: its mean, and the runs between the tenths at either end.
fn regret(slot: &Summary, extent: &Extent, area: &Area<'_>) -> Result<(), Fault> {
    let (mean, band) = (COLOURS[0].stroke_width(3), COLOURS[0].mix(0.18).filled());
    let entries = [("mean".to_string(), mean), ("middle 80 % of the runs".to_string(), band)];
    let area = titled(area, &format!("{}: regret", slot.slot), &entries)?;
    let highest = slot.days.high.iter().chain(&slot.days.regret).fold(0.0_f64, |most, day| most.max(*day));
    let mut chart = chart(&area, (extent.days, if highest > 0.0 { 1.08 * highest } else { 1.0 }))?;
    mesh(&mut chart, "rewards lost so far", &|lost| format!("{lost}"))?;
    let ends = ends_of_days(&slot.days.high).chain(ends_of_days(&slot.days.low).rev());
    chart.draw_series([Polygon::new(ends.collect::<Vec<_>>(), band)])?;
    chart.draw_series(LineSeries::new(ends_of_days(&slot.days.regret), mean))?;
    Ok(())
}

/// Share of each day's visits by arm: the most shown ones with a colour each, all others together.
fn shares(slot: &Summary, extent: &Extent, area: &Area<'_>) -> Result<(), Fault> {
    let of_arm = |arm: usize| slot.days.shares.iter().map(move |day| day.get(arm).copied().unwrap_or(0.0));
    let mut order: Vec<usize> = (0..slot.arms.len()).collect();
    order.sort_by(|a, b| of_arm(*b).sum::<f64>().total_cmp(&of_arm(*a).sum()));
    let rest = if order.len() > COLOURS.len() { order.split_off(COLOURS.len()) } else { Vec::new() };
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    for (arm, colour) in order.into_iter().zip(COLOURS) {
        let name = short(slot.arms.get(arm).map_or("", String::as_str));
        let is_best = arm == slot.best;
        let style = colour.stroke_width(if is_best { 4 } else { 2 });
        entries.push((if is_best { format!("{name} (best at the end)") } else { name }, style));
        lines.push((of_arm(arm).collect::<Vec<_>>(), style));
    }
    if !rest.is_empty() {
        let sum = |day: &Vec<f64>| rest.iter().filter_map(|arm| day.get(*arm)).sum();
        let style = PALE.stroke_width(2);
        entries.push((format!("{} others", rest.len()), style));
        lines.push((slot.days.shares.iter().map(sum).collect(), style));
    }
    let area = titled(area, &format!("{}: share of visits by arm", slot.slot), &entries)?;
    let mut chart = chart(&area, (extent.days, 1.0))?;
    mesh(&mut chart, "share of the day's visits", &|share| format!("{:.0} %", 100.0 * share))?;
    for (shares, style) in lines {
        let middles = shares.into_iter().enumerate().map(|(day, share)| (day as f64 + 0.5, share));
        chart.draw_series(LineSeries::new(middles, style))?;
    }
    Ok(())
}

/// A name that leaves room for others.
fn short(name: &str) -> String {
    if name.chars().count() <= 24 { name.into() } else { name.chars().take(23).chain(['…']).collect() }
}

/// Writes a title and, below it, what the colours mean: beside the data, so that it never covers any. Returns what is left.
fn titled<'a>(area: &Area<'a>, title: &str, entries: &[(String, ShapeStyle)]) -> Result<Area<'a>, Fault> {
    let font = ("sans-serif", 13).into_font().color(&INK);
    area.draw_text(title, &("sans-serif", 17).into_font().color(&INK), (LEFT, 8))?;
    let width = area.dim_in_pixel().0 as i32;
    let (mut x, mut y) = (LEFT, 42);
    for (name, style) in entries {
        // No font is measured: seven pixels are wide enough for most letters at this size.
        let needed = 30 + 7 * name.chars().count() as i32;
        if x > LEFT && x + needed > width {
            (x, y) = (LEFT, y + 20);
        }
        if style.filled {
            area.draw(&Rectangle::new([(x, y - 6), (x + 22, y + 6)], *style))?;
        } else {
            area.draw(&PathElement::new(vec![(x, y), (x + 22, y)], *style))?;
        }
        area.draw_text(name, &font, (x + 29, y - 6))?;
        x += needed + 16;
    }
    Ok(area.split_vertically(y + 16).1)
}

/// A value at the end of each day, from nothing at the beginning.
fn ends_of_days(values: &[f64]) -> impl DoubleEndedIterator<Item = (f64, f64)> {
    (0..=values.len())
        .map(|day| (day as f64, day.checked_sub(1).and_then(|i| values.get(i)).copied().unwrap_or(0.0)))
}

/// Empty axes.
fn chart<'a, 'b>(area: &'a Area<'b>, (days, top): (usize, f64)) -> Result<Chart<'a, 'b>, Fault> {
    ChartBuilder::on(area)
        .margin(12)
        .margin_left(20)
        .margin_right(24)
        .x_label_area_size(46)
        .y_label_area_size(66)
        .build_cartesian_2d(0.0..days as f64, 0.0..top)
}

fn mesh(chart: &mut Chart<'_, '_>, what: &str, write: &dyn Fn(&f64) -> String) -> Result<(), Fault> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(PALE.mix(0.3))
        .axis_style(PALE)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .x_desc("day")
        .y_desc(what)
        .x_labels(8)
        .y_labels(6)
        .x_label_formatter(&|day| format!("{day}"))
        .y_label_formatter(&|value| write(value))
        .draw()
}
