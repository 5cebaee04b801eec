//! `GET /_edgeloom/status`: the state of the site as a page of its own, rendered here, without script.

mod chart;

use crate::admin::{login, unknown, unreachable_root};
use crate::bindings::settings;
use crate::ledger::report::{ArmReport, Rate, SlotReport, Status};
use crate::ledger::root_call;
use crate::platform::{self, Env, Request, Response};
use crate::problem::Problem;
use crate::respond;
use base64ct::{Base64, Encoding};
use chart::{bar, interval, percent, scale_of};
use edgeloom::block::escape;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");

/// Answers the route.
///
/// # Errors
/// No valid token; the root does not answer.
pub async fn answer(request: &Request, env: &Env) -> Result<Response, Problem> {
    let settings = settings(env);
    login(request, &settings.admin)
        .ok_or_else(|| unknown("Basic realm=\"edgeloom status\", charset=\"UTF-8\""))?;
    let answer = root_call::get(env, &settings.site, "/page").await.map_err(unreachable_root)?;
    if answer.status() != 200 {
        return Ok(answer);
    }
    let html = platform::answer_body(answer).await.map_err(unreachable_root)?;
    let response = respond::with(200, "text/html; charset=utf-8", html);
    // Nothing may run or load, except this very style sheet.
    let style = Base64::encode_string(&Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    respond::set(&response, "content-security-policy", &policy);
    Ok(response)
}

/// The page; the root renders it where the numbers are.
pub fn page(status: &Status) -> String {
    let site = escape(&status.site);
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"5\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{site} · Edgeloom</title><style>{STYLE}</style></head><body><header><h1>{site}</h1>{}</header><main>",
        snapshot(status)
    );
    if status.slots.is_empty() {
        html.push_str(
            "<section><p>Nothing is published yet. <code>edgeloom publish</code> does that.</p></section>",
        );
    }
    for report in &status.slots {
        slot(&mut html, report);
    }
    events(&mut html, status);
    html.push_str("</main></body></html>");
    html
}

fn snapshot(status: &Status) -> String {
    let Some(snapshot) = &status.snapshot else { return "<p>no snapshot</p>".to_string() };
    let short = |version: &str| escape(version.get(..8).unwrap_or(version));
    format!(
        "<dl><div><dt>Snapshot</dt><dd title=\"{}\">{}</dd></div><div><dt>Publication</dt><dd>#{}</dd></div>\
         <div><dt>Age</dt><dd>{}</dd></div><div><dt>Configuration</dt><dd>{}</dd></div></dl>",
        escape(&snapshot.version),
        short(&snapshot.version),
        snapshot.sequence,
        age(snapshot.age_millis),
        status.config_version.as_deref().map_or_else(|| "–".to_string(), short),
    )
}

fn age(millis: u64) -> String {
    match millis / 1000 {
        secs @ 0..120 => format!("{secs} s"),
        secs @ 120..7_200 => format!("{} min", secs / 60),
        secs @ 7_200..172_800 => format!("{} h", secs / 3_600),
        secs => format!("{} days", secs / 86_400),
    }
}

fn slot(html: &mut String, report: &SlotReport) {
    let scale = scale_of(report.arms.iter().map(|arm| &arm.rate));
    // Writing to a `String` can't fail.
    let _ = write!(
        html,
        "<section><h2>{}</h2><p>{} for <b>{}</b>, scale 0 – {}</p><table><thead><tr><th>Arm<th>Rate, 95&nbsp;%<th class=\"n\">Mean\
         <th class=\"n\">P(best)<th>Traffic<th class=\"n\">Shown<th class=\"n\">Rewards</tr></thead><tbody>",
        escape(&report.slot),
        escape(&report.policy),
        escape(&report.goal),
        percent(scale),
    );
    let best = report.arms.iter().map(|arm| arm.p_best).fold(0.0, f64::max);
    for arm in &report.arms {
        arm_row(html, arm, scale, arm.p_best >= best && best > 0.5);
    }
    if let Some(rate) = &report.held_out {
        held_row(html, rate);
    }
    html.push_str("</tbody></table></section>");
}

/// The holdout: how many, and no rate. Its visits without consent see no link that could bring a receipt to the goal, so
/// their rewards are missing, and a rate beside those of the arms would look like a gain that nobody measured.
fn held_row(html: &mut String, rate: &Rate) {
    let _ = write!(
        html,
        "<tr class=\"held\"><th scope=\"row\">held out<td class=\"chart\" data-label=\"Rate\">not comparable yet<td class=\"n\" data-label=\"Mean\">–\
         <td class=\"n\" data-label=\"P(best)\">–<td class=\"share\" data-label=\"Traffic\">–\
         <td class=\"n\" data-label=\"Shown\">{}<td class=\"n\" data-label=\"Rewards\">–</tr>",
        grouped(rate.exposures),
    );
}

fn arm_row(html: &mut String, arm: &ArmReport, scale: f64, leads: bool) {
    let _ = write!(
        html,
        "<tr class=\"{}\"><th scope=\"row\">{}<td class=\"chart\" data-label=\"Rate\">{}<td class=\"n\" data-label=\"Mean\">{}\
         <td class=\"n\" data-label=\"P(best)\">{}<td class=\"share\" data-label=\"Traffic\">{}<span>{}</span>\
         <td class=\"n\" data-label=\"Shown\">{}<td class=\"n\" data-label=\"Rewards\">{}</tr>",
        if leads { "leads" } else { "" },
        escape(&arm.arm),
        interval(&arm.rate, scale),
        percent(arm.rate.mean),
        percent(arm.p_best),
        bar(arm.share),
        percent(arm.share),
        grouped(arm.rate.exposures),
        grouped(arm.rate.rewards),
    );
}

fn events(html: &mut String, status: &Status) {
    let mut all: Vec<(&str, u64)> =
        vec![("repeated, counted once", status.repeated), ("dead letters", status.dead_letters)];
    all.extend(status.refused.iter().map(|(kind, n)| (kind.as_str(), n.as_u64().unwrap_or(0))));
    let commits = status.shards.iter().map(|shard| shard.version).sum();
    all.push(("shards", status.shards.len() as u64));
    all.push(("commits", commits));
    html.push_str("<section><h2>Events</h2><p>not counted, by kind; and where they are counted</p><dl>");
    for (name, n) in all {
        let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), grouped(n));
    }
    html.push_str("</dl></section>");
}

/// A number with thin spaces between its thousands.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_nothing_else() {
        let status = Status { site: "<script>".into(), ..Status::default() };
        let html = page(&status);
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script"));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        assert_eq!(age(4_200), "4 s");
        assert_eq!(age(600_000), "10 min");
        assert_eq!(age(8 * 86_400_000), "8 days");
    }
}
