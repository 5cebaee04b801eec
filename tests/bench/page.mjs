// A 24 KB page with three slots through the whole Worker in workerd itself, beside a plain proxy Worker and a Worker in
// JavaScript that fills the same slots with HTMLRewriter. Contestants take turns; CPU is that of the runtime's process.
//
// Four kinds of page: a file of a static server (it has a tag, so the origin is asked at each view whether it is still
// the same), one with a stated life, one that a server makes anew without naming its version, and one that is another at
// each view. Only the last is parsed at each view, as the Worker in JavaScript parses all of them.

import { OBJECTS, PROXY, bundleOf } from "../support/bundle.mjs";
import { load } from "../support/load.mjs";
import { html, startOrigin } from "../support/origin.mjs";
import { median, report } from "../support/report.mjs";
import { BROWSER, CONFIG, decisionsOf, until } from "../support/sample.mjs";
import { start } from "../support/workerd.mjs";

const ROUNDS = 7;
const REQUESTS = 1_000;
const CONNECTIONS = 8;

const filler = (n) => Array.from({ length: n }, (_, i) => `<section class="row r${i}"><h2>Section ${i}</h2><p>Some text of a page, with <a href="/p/${i}">links</a> and <b>marks</b>.</p></section>\n`).join("");
const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bench</title></head><body>
<edge-slot name="hero"><p>default</p></edge-slot>${filler(90)}<div data-edge-slot="cta"><p>default</p></div>${filler(89)}<aside class="teaser"><p>default</p></aside></body></html>`;

/** What a team writes by hand: the same three slots, an even random choice, the headers that have to go. */
const REWRITER = `${OBJECTS}
const BLOCKS = ${JSON.stringify(CONFIG.slots.map((slot) => slot.arms.map(({ block }) => `<a class="${block}" href="/thanks">Some text</a>`)))};
const SELECTORS = ['edge-slot[name="hero"],[data-edge-slot="hero"]', 'edge-slot[name="cta"],[data-edge-slot="cta"]', "aside.teaser"];
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.delete("if-none-match");
    headers.delete("if-modified-since");
    const response = await fetch(new Request(env.ORIGIN + url.pathname + url.search, { method: request.method, headers, redirect: "manual" }));
    if (response.status !== 200 || !(response.headers.get("content-type") ?? "").startsWith("text/html")) return response;
    const rewriter = new HTMLRewriter();
    SELECTORS.forEach((selector, i) => {
      const block = BLOCKS[i][Math.floor(Math.random() * BLOCKS[i].length)];
      rewriter.on(selector, { element(element) { element.setInnerContent(block, { html: true }); } });
    });
    const out = rewriter.transform(response);
    const answer = new Response(out.body, out);
    for (const name of ["etag", "last-modified", "content-length"]) answer.headers.delete(name);
    answer.headers.set("cache-control", "private, no-store");
    return answer;
  },
};`;

/** The same bytes for everybody: the least a Worker can answer at all. */
const STATIC = `${OBJECTS}const PAGE = new TextEncoder().encode(${JSON.stringify(PAGE)});
export default { fetch() { return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } }); } };`;

const OTHER = "another each time";
const KINDS = { file: "/file", "with a life": "/life", "made anew": "/generated", [OTHER]: "/other" };
let views = 0;
const origin = await startOrigin({
  "/file": html(PAGE, { etag: '"1"' }),
  "/life": html(PAGE, { "cache-control": "max-age=3600" }),
  "/generated": html(PAGE),
  "/other": () => html(PAGE.replace("Section 0", `View ${views++}`)),
});
const JS = "HTMLRewriter in JavaScript";
const workers = {
  ours: await start({ origin: origin.url }),
  [JS]: await start({ origin: origin.url, bundle: bundleOf(REWRITER) }),
  proxy: await start({ origin: origin.url, bundle: bundleOf(PROXY) }),
  "static answer": await start({ origin: origin.url, bundle: bundleOf(STATIC) }),
};
await workers.ours.publish(CONFIG);
const page = async (worker, path) => (await worker.fetch(path, { headers: BROWSER })).text();
for (const path of Object.values(KINDS)) await until(() => page(workers.ours, path), (text) => Object.keys(decisionsOf(text)?.slots ?? {}).length === 3);
if (!(await page(workers[JS], "/file")).includes("Some text</a>")) throw new Error("the JavaScript Worker fills no slots");

/** CPU per view (µs), requests per second and median latency (ms) by kind of page and contestant, one figure per round. */
const figures = {};
for (let round = -1; round < ROUNDS; round++) {
  for (const [kind, path] of Object.entries(KINDS)) {
    for (const [name, worker] of Object.entries(workers)) {
      const before = worker.cpuSeconds();
      const result = await load({ url: worker.url, requests: round < 0 ? 400 : REQUESTS, connections: CONNECTIONS, request: { path, headers: BROWSER } });
      if (result.errors > 0 || result.statuses[200] !== result.requests) throw new Error(`${name}: ${JSON.stringify(result.statuses)}, ${result.errors} errors`);
      if (round < 0) continue;
      const taken = { cpu: ((worker.cpuSeconds() - before) * 1e6) / result.requests, rate: result.perSecond, p50: result.latencyMillis.p50 };
      for (const [figure, value] of Object.entries(taken)) (((figures[kind] ??= {})[figure] ??= {})[name] ??= []).push(value);
    }
  }
}
for (const worker of Object.values(workers)) await worker.stop();
await origin.close();

/** Round by round, since the machine's speed drifts between rounds and hardly within one. */
const ratio = (of, name) => median(of.ours.map((value, i) => value / of[name][i]));
const row = (name, unit, of) => {
  const { ours, ...others } = Object.fromEntries(Object.entries(of).map(([name, list]) => [name, median(list)]));
  return { name, unit, ours, others, target: null, holds: true };
};
const least = (name, ours, target) => ({ name, unit: "×", ours, others: {}, target, holds: ours >= target });
const told = (name, ours) => ({ name, unit: "×", ours, others: {} });
report(
  "page",
  Object.entries(figures).flatMap(([kind, { cpu, rate, p50 }]) => [
    row(`${kind}: CPU per view, ${Math.round(PAGE.length / 1024)} KB, 3 slots`, "µs", cpu),
    row(`${kind}: requests per second`, "1/s", rate),
    row(`${kind}: median latency`, "ms", p50),
    kind === OTHER ? told(`${kind}: requests per second beside ${JS}`, ratio(rate, JS)) : least(`${kind}: requests per second beside ${JS}`, ratio(rate, JS), 0.95),
    told(`${kind}: CPU beside ${JS} (less is better)`, ratio(cpu, JS)),
    told(`${kind}: CPU beside a plain proxy (less is better)`, ratio(cpu, "proxy")),
    told(`${kind}: CPU beside a static answer (less is better)`, ratio(cpu, "static answer")),
  ]),
);
