//! A report as text for people and as one page of HTML without script, font or picture from elsewhere. It computes nothing.

use serde_json::Value;
use std::fmt::Write as _;

const STYLE: &str = "
:root{--ink:#1c2330;--soft:#667085;--line:#e3e7ee;--card:#fff;--paper:#f6f7f9;--blue:#2563eb;--pale:#bfd3fb}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf3;--soft:#98a2b3;--line:#2b3342;--card:#181e28;--paper:#10141b;--blue:#7aa7ff;--pale:#2c4377}}
body{margin:0 auto;padding:1.5rem 1rem;max-width:56rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
section{margin:1rem 0;padding:1rem 1.25rem;background:var(--card);border:1px solid var(--line);border-radius:.6rem;overflow-x:auto}
h1{font-size:1.4rem}h2{margin:0;font-size:1.1rem}p{color:var(--soft)}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .8rem .35rem 0;text-align:left;border-top:1px solid var(--line)}thead th{border:0;font-weight:500;color:var(--soft)}
td.n{text-align:right;white-space:nowrap}svg{display:block;width:12rem;height:1rem}
@media(max-width:40rem){svg{width:5rem}th,td{padding-right:.5rem}td.n{white-space:normal}}
";

/// One line of a table: what, its estimate with its interval, and what is to be said of it.
struct Line {
    name: String,
    estimate: Option<[f64; 3]>,
    note: String,
}

/// A slot and goal: its heading, sentences, and lines.
struct Part {
    title: String,
    sentences: Vec<String>,
    lines: Vec<Line>,
}

pub fn text(report: &Value) -> String {
    let mut out = head(report);
    for part in parts(report) {
        let _ = write!(out, "\n\n{}", part.title);
        for sentence in &part.sentences {
            let _ = write!(out, "\n  {sentence}");
        }
        let width = part.lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
        for Line { name, estimate, note } in &part.lines {
            let told = estimate.map_or_else(
                || "-".to_string(),
                |[low, middle, high]| format!("{} ({} – {})", percent(middle), percent(low), percent(high)),
            );
            let _ = write!(out, "\n  {name:<width$}  {told:<28}  {note}");
        }
    }
    out
}

pub fn html(report: &Value) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>What the log says</title><style>{STYLE}</style></head><body><h1>What the log says</h1><p>{}</p>",
        escaped(&head(report))
    );
    for part in parts(report) {
        let _ = write!(out, "<section><h2>{}</h2>", escaped(&part.title));
        for sentence in &part.sentences {
            let _ = write!(out, "<p>{}</p>", escaped(sentence));
        }
        let most =
            part.lines.iter().filter_map(|line| line.estimate).map(|[_, _, high]| high).fold(1e-9, f64::max);
        out.push_str(
            "<table><thead><tr><th>If this had been shown<th>Rate per view, 95 %<th><th></tr></thead><tbody>",
        );
        for Line { name, estimate, note } in &part.lines {
            let (chart, told) = estimate.map_or_else(Default::default, |estimate| {
                (
                    chart(estimate, most),
                    format!("{} ({} – {})", percent(estimate[1]), percent(estimate[0]), percent(estimate[2])),
                )
            });
            let _ = write!(
                out,
                "<tr><th scope=\"row\">{}<td>{chart}<td class=\"n\">{told}<td>{}</tr>",
                escaped(name),
                escaped(note)
            );
        }
        out.push_str("</tbody></table></section>");
    }
    out.push_str("</body></html>");
    out
}

fn head(report: &Value) -> String {
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (rows, repeats, bad) = (number("rows"), number("repeated_lines"), number("bad_lines"));
    format!("{rows} rows; {repeats} lines told a row again and count once; {bad} lines could not be read")
}

fn parts(report: &Value) -> Vec<Part> {
    let slots = report.get("slots").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    slots.iter().map(part).collect()
}

fn part(slot: &Value) -> Part {
    let name = |name: &str| slot.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |pointer: &str| slot.pointer(pointer).and_then(Value::as_f64);
    let whole = |pointer: &str| number(pointer).unwrap_or(0.0).round();
    let mut sentences = vec![format!(
        "{} views shown, {} held out, {} of all by decisions that many share",
        whole("/traffic/shown"),
        whole("/traffic/held_out"),
        whole("/traffic/shared")
    )];
    match (
        slot.pointer("/increment/missing").and_then(Value::as_str),
        triple(slot.pointer("/increment/rate/lift")),
    ) {
        (Some(why), _) => sentences.push(why.to_string()),
        (None, lift) => {
            let p = number("/increment/rate/p_positive").unwrap_or(0.5);
            let lift = lift.map_or_else(String::new, |[low, middle, high]| {
                format!("; lift {} ({} – {})", percent(middle), percent(low), percent(high))
            });
            sentences.push(format!(
                "against the holdout: {} of {} visitors converted, {} of {} without; positive with {}{lift}",
                whole("/increment/shown/converted"),
                whole("/increment/shown/visitors"),
                whole("/increment/held_out/converted"),
                whole("/increment/held_out/visitors"),
                percent(p)
            ));
            if let Some([low, middle, high]) = triple(slot.pointer("/increment/value/difference")) {
                sentences.push(format!("value per visitor: {middle:+.4} ({low:+.4} – {high:+.4})"));
            }
            if let (Some(n), Some(days)) = (
                number("/increment/plan/visitors_for_a_tenth_more"),
                number("/increment/plan/days_for_a_tenth_more"),
            ) {
                sentences
                    .push(format!("a tenth more would show with {n} visitors, {days} days at this traffic"));
            }
        }
    }
    if let Some(p) = number("/sample_ratio") {
        let verdict = if p < 0.001 {
            ": events are missing or counted wrongly, or arms are not open to everybody"
        } else {
            ""
        };
        sentences.push(format!("arms were shown as often as the log says: p = {p:.4}{verdict}"));
    }
    let lists = ["arms", "policies"]
        .map(|list| slot.get(list).and_then(Value::as_array).cloned().unwrap_or_default());
    Part {
        title: format!("{} for {}", name("slot"), name("goal")),
        sentences,
        lines: lists.iter().flatten().map(line).collect(),
    }
}

fn line(policy: &Value) -> Line {
    let text = |name: &str| policy.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let units = policy.get("effective_units").and_then(Value::as_f64);
    let warnings = policy.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let warnings = warnings.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    let note = match units {
        None => text("missing"),
        Some(units) if warnings.is_empty() => format!("{units:.0} effective units"),
        Some(units) => format!("{units:.0} effective units; {warnings}"),
    };
    Line { name: text("policy"), estimate: triple(policy.get("snips")), note }
}

fn triple(value: Option<&Value>) -> Option<[f64; 3]> {
    let list = value?.as_array()?;
    let numbers: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
    numbers.try_into().ok()
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn chart([low, middle, high]: [f64; 3], most: f64) -> String {
    let x = |value: f64| (value / most * 190.0).clamp(0.0, 200.0);
    let (from, to, at) = (x(low), x(high), x(middle));
    format!(
        "<svg viewBox=\"0 0 200 16\" role=\"img\" aria-label=\"{} to {}\"><path d=\"M0 8H200\" stroke=\"var(--line)\"/><rect x=\"{from:.1}\" y=\"4\" width=\"{:.1}\" height=\"8\" rx=\"2\" fill=\"var(--pale)\"/><path d=\"M{at:.1} 1V15\" stroke=\"var(--blue)\" stroke-width=\"2\"/></svg>",
        percent(low),
        percent(high),
        (to - from).max(1.0)
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            sign => out.push(sign),
        }
    }
    out
}
