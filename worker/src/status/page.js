// The status page: HTML from the status of a site (see `report.rs`). What is one line of a template here would be kilobytes
// of wasm. It decides and computes nothing, and whatever stands in a template is escaped.

const STYLE = `
:root { --ink: #1c2330; --soft: #667085; --line: #e3e7ee; --paper: #f6f7f9; --card: #fff; --blue: #2563eb; --pale: #bfd3fb; --green: #0f7a53; --red: #b42318 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf3; --soft: #98a2b3; --line: #2b3342; --paper: #10141b; --card: #181e28; --blue: #7aa7ff; --pale: #2c4377; --green: #4cc38a; --red: #ff8a7a }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
header { display: flex; flex-wrap: wrap; align-items: end; justify-content: space-between; gap: .5rem 2rem; padding: 0 .25rem }
h1 { margin: 0; font-size: 1.5rem }
h2 { margin: 0; font-size: 1.1rem }
section { margin-top: 1rem; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
section > p, dt, thead th { margin: 0; color: var(--soft); font-size: .85rem }
section > p b { color: var(--ink); font-weight: 600 }
dl { display: flex; flex-wrap: wrap; gap: .5rem 1.75rem; margin: 0 }
section dl { margin-top: .6rem }
dd { margin: 0; font-variant-numeric: tabular-nums; font-weight: 600 }
table { width: 100%; margin-top: .6rem; border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .45rem .9rem .45rem 0; text-align: left; border-top: 1px solid var(--line); white-space: nowrap }
thead th { border: 0; font-weight: 500 }
tbody th { font-weight: 600; overflow-wrap: anywhere; white-space: normal }
th.n, td.n { text-align: right }
th:last-child, td:last-child { padding-right: 0 }
.leads th { color: var(--green) }
.leads th::after { content: " ●"; font-size: .7em }
.held th, .held td { color: var(--soft); font-weight: 400 }
.chart { width: 14rem }
.chart svg { display: block; width: 100%; min-width: 8rem; height: 1rem }
.share svg { display: inline-block; width: 4.5rem; height: .5rem; margin-right: .5rem; border-radius: .25rem; vertical-align: middle }
.warn { margin-top: .6rem; color: var(--red) }
.gain { display: grid; grid-template-columns: minmax(9rem, 1fr) 2fr; align-items: center; gap: .2rem 1.5rem; margin-top: .8rem; padding-top: .7rem; border-top: 1px solid var(--line) }
.gain strong { font-size: 1.25rem; font-variant-numeric: tabular-nums }
.gain p { margin: 0; color: var(--soft); font-size: .85rem }
.gain svg { display: block; width: 100%; height: 1.25rem }
.sure strong, .sure .mean { color: var(--green); stroke: var(--green) }
.behind strong, .behind .mean { color: var(--red); stroke: var(--red) }
.zero { stroke: var(--soft); stroke-dasharray: 2 2 }
.axis { stroke: var(--line) }
.interval { fill: var(--pale) }
.mean { stroke: var(--blue); stroke-width: 2 }
.leads .mean { stroke: var(--green) }
.track { fill: var(--line) }
.part { fill: var(--blue) }
.leads .part { fill: var(--green) }
@media (max-width: 46rem) {
  .gain { grid-template-columns: 1fr }
  thead { display: none }
  table, tbody { display: block }
  tr { display: grid; grid-template-columns: 1fr 1fr; gap: .1rem 1.5rem; padding: .6rem 0; border-top: 1px solid var(--line) }
  th, td { display: flex; justify-content: space-between; gap: 1rem; padding: .1rem 0; border: 0 }
  tbody th, .chart, .share { grid-column: 1 / -1; width: auto }
  td.n { text-align: left }
  .share { justify-content: start; align-items: center; gap: .5rem }
  .share::before { flex: 1 }
  td::before { content: attr(data-label); color: var(--soft); font-weight: 400 }
  .chart::before { content: none }
}
`;

/** The content security policy of the page: nothing may run or load, except its very style sheet. */
export async function policyOfStatus() {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE));
  const style = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return `default-src 'none'; style-src 'sha256-${style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

/** HTML that was escaped already. */
class Markup {
  constructor(text) {
    this.text = text;
  }
}

const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** What may stand in a template: markup as it is, lists of it, anything else as text that means only itself. */
function written(value) {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(written).join("");
  return String(value).replace(/[&<>"']/g, (sign) => SIGNS[sign]);
}

/** A template whose values are escaped, for content and for attributes in quotes. */
function html(texts, ...values) {
  return new Markup(texts.reduce((all, text, i) => all + written(values[i - 1]) + text));
}

/** A share as text: never a rounded 0 or 100 % that is not one. */
export function percent(share) {
  if (share > 0 && share < 0.0001) return "<0.01 %";
  if (share > 0.999 && share < 1) return ">99.9 %";
  return `${(share * 100).toFixed(share < 0.01 ? 2 : 1)} %`;
}

/** A number with thin spaces between its thousands. */
export function grouped(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A time in the unit that fits. */
export function age(millis) {
  const secs = Math.floor(millis / 1000);
  if (secs < 120) return `${secs} s`;
  if (secs < 7_200) return `${Math.floor(secs / 60)} min`;
  return secs < 172_800 ? `${Math.floor(secs / 3_600)} h` : `${Math.floor(secs / 86_400)} days`;
}

const within = (x, low, high) => Math.min(Math.max(x, low), high);

/** The right end of a common scale: above the means, and not so far that differences vanish. */
function scaleOf(arms) {
  const top = (some) => Math.max(0, ...some.map((arm) => arm.high));
  // Arms that were hardly shown have intervals over everything; they are cut off.
  return within((top(arms.filter((arm) => arm.exposures >= 30)) || top(arms)) * 1.1, 1e-6, 1);
}

// Charts are attributes only, so that the strictest policy lets them be drawn.

/** An interval with its mean. */
function interval({ low, high, mean }, scale) {
  const x = (share) => within(share / scale, 0, 1) * 200;
  const [from, to, middle] = [x(low), x(high), x(mean).toFixed(1)];
  return html`<svg viewBox="0 0 200 16" role="img" aria-label="${percent(low)} to ${percent(high)}"><path class="axis" d="M0 8H200"/><rect class="interval" x="${from.toFixed(1)}" y="4" width="${Math.max(to - from, 1).toFixed(1)}" height="8" rx="2"/><path class="mean" d="M${middle} 1V15"/></svg>`;
}

/** A share of the whole. */
function bar(share) {
  return html`<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="8"/><rect class="part" width="${(within(share, 0, 1) * 100).toFixed(1)}" height="8"/></svg>`;
}

/** A difference from nothing, with its interval; both ends of the scale are as far from 0. */
function difference([low, middle, high]) {
  const most = Math.max(Math.abs(low), Math.abs(high), 1e-12) * 1.1;
  const x = (value) => (within(value / most, -1, 1) * 100 + 100).toFixed(1);
  return html`<svg viewBox="0 0 200 16" role="img" aria-label="95 %: ${signed(low)} to ${signed(high)}"><path class="axis" d="M0 8H200"/><rect class="interval" x="${x(low)}" y="4" width="${Math.max(x(high) - x(low), 1).toFixed(1)}" height="8" rx="2"/><path class="zero" d="M100 0V16"/><path class="mean" d="M${x(middle)} 1V15"/></svg>`;
}

/** A number with its sign, with three digits or whole. */
export function signed(n) {
  const size = Math.abs(n);
  const digits = size >= 100 || size === 0 ? 0 : size >= 1 ? 2 : 4;
  return `${n < 0 ? "\u2212" : "+"}${grouped(size.toFixed(digits).split(".")[0])}${digits ? `.${size.toFixed(digits).split(".")[1]}` : ""}`;
}

/** What was earned against the holdout, with how sure that is. */
function gain({ goal, shown, held_out: held, p_value_positive: p, lift, earned }) {
  const sure = earned[0] > 0 ? "sure" : earned[2] < 0 ? "behind" : "";
  const more = lift[1] === null ? "" : html` Lift of the rate ${signed(lift[1] * 100)} % (95 %: ${lift[0] === null ? "?" : signed(lift[0] * 100)} to ${lift[2] === null ? "?" : signed(lift[2] * 100)} %).`;
  return html`<div class="gain ${sure}"><div><p>earned with <b>${goal}</b> against the holdout</p><strong>${signed(earned[1])}</strong></div><div>${difference(earned)}<p>95 %: ${signed(earned[0])} to ${signed(earned[2])}; positive with ${percent(p)}.${more} ${grouped(shown.exposures)} shown with ${grouped(shown.rewards)} rewards, ${grouped(held.exposures)} held out with ${grouped(held.rewards)}; visits without consent are left out.</p></div></div>`;
}

function snapshotOf({ snapshot, config_version: config }) {
  if (!snapshot) return html`<p>no snapshot</p>`;
  return html`<dl><div><dt>Snapshot</dt><dd title="${snapshot.version}">${snapshot.version.slice(0, 8)}</dd></div><div><dt>Publication</dt><dd>#${snapshot.sequence}</dd></div><div><dt>Age</dt><dd>${age(snapshot.age_millis)}</dd></div><div><dt>Configuration</dt><dd>${config?.slice(0, 8) ?? "–"}</dd></div></dl>`;
}

function armRow(arm, scale, leads) {
  return html`<tr class="${leads ? "leads" : ""}"><th scope="row">${arm.arm}<td class="chart" data-label="Rate">${interval(arm, scale)}<td class="n" data-label="Mean">${percent(arm.mean)}<td class="n" data-label="P(best)">${percent(arm.p_best)}<td class="share" data-label="Traffic">${arm.share === null ? html`<span>by visit</span>` : [bar(arm.share), html`<span>${percent(arm.share)}</span>`]}<td class="n" data-label="Shown">${grouped(arm.exposures)}<td class="n" data-label="Rewards">${grouped(arm.rewards)}</tr>`;
}

/**
 * The holdout: how many, and no rate. Its visits without consent see no link that could bring a receipt to the goal, so
 * their rewards are missing, and a rate beside those of the arms would look like a gain that nobody measured. What can be
 * compared stands below the table.
 */
function heldRow({ exposures }) {
  return html`<tr class="held"><th scope="row">held out<td class="chart" data-label="Rate">see below<td class="n" data-label="Mean">–<td class="n" data-label="P(best)">–<td class="share" data-label="Traffic">–<td class="n" data-label="Shown">${grouped(exposures)}<td class="n" data-label="Rewards">–</tr>`;
}

function section({ slot, policy, goal, arms, held_out: held, increments, tripped, attention }) {
  const scale = scaleOf(arms);
  const best = Math.max(0, ...arms.map((arm) => arm.p_best));
  const rows = arms.map((arm) => armRow(arm, scale, arm.p_best >= best && best > 0.5));
  return html`<section><h2>${slot}</h2><p>${policy} for <b>${goal}</b>, scale 0 – ${percent(scale)}${attention ? html`; looked at ${attention.toFixed(2)} × as much as the first place it shares with` : ""}</p>${tripped ? html`<p class="warn" role="status">Stopped by a tripwire, the baseline is shown: ${tripped}</p>` : ""}<table><thead><tr><th>Arm<th>Rate, 95&nbsp;%<th class="n">Mean<th class="n">P(best)<th>Traffic<th class="n">Shown<th class="n">Rewards</tr></thead><tbody>${rows}${held ? heldRow(held) : ""}</tbody></table>${increments.length ? increments.map(gain) : html`<div class="gain"><p>No increment yet: it takes visits with consent, shown and held out.</p></div>`}</section>`;
}

function events({ repeated, dead_letters: dead, dead_events: inThem, refused, shards }) {
  const all = [["repeated, counted once", repeated], ["dead letters, still tried", dead], ["events in them", inThem], ...Object.entries(refused), ["shards", shards.length], ["commits", shards.reduce((sum, shard) => sum + shard.version, 0)]];
  return html`<section><h2>Events</h2><p>not counted, by kind; and where they are counted</p><dl>${all.map(([name, n]) => html`<div><dt>${name}</dt><dd>${grouped(n)}</dd></div>`)}</dl></section>`;
}

const NOTHING = html`<section><p>Nothing is published yet. <code>edgeloom publish</code> does that.</p></section>`;

/** The page of a status, given as JSON text. */
export function pageOfStatus(text) {
  const status = JSON.parse(text);
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="5"><meta name="color-scheme" content="light dark"><title>${status.site} · Edgeloom</title><style>${new Markup(STYLE)}</style></head><body><header><h1>${status.site}</h1>${snapshotOf(status)}</header><main>${status.slots.length ? status.slots.map(section) : NOTHING}${events(status)}</main></body></html>`.text;
}
