// A 24 KB page with three slots through the whole Worker in workerd itself, beside a plain proxy Worker and a Worker in
// JavaScript that fills the same slots with HTMLRewriter. Contestants take turns; CPU is that of the runtime's process.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "../support/load.mjs";
import { html, startOrigin } from "../support/origin.mjs";
import { median, report } from "../support/report.mjs";
import { BROWSER, CONFIG, decisionsOf, until } from "../support/sample.mjs";
import { start } from "../support/workerd.mjs";

const ROUNDS = 7;
const REQUESTS = 1_500;
const CONNECTIONS = 8;

const filler = (n) => Array.from({ length: n }, (_, i) => `<section class="row r${i}"><h2>Section ${i}</h2><p>Some text of a page, with <a href="/p/${i}">links</a> and <b>marks</b>.</p></section>\n`).join("");
const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bench</title></head><body>
<edge-slot name="hero"><p>default</p></edge-slot>${filler(90)}<div data-edge-slot="cta"><p>default</p></div>${filler(89)}<aside class="teaser"><p>default</p></aside></body></html>`;

const OBJECTS = 'import { DurableObject } from "cloudflare:workers";\nexport class Shard extends DurableObject {}\nexport class Root extends DurableObject {}\n';

/** The least a Worker in front of a site can do. */
const PROXY = `${OBJECTS}export default { fetch(request, env) { const url = new URL(request.url); return fetch(new Request(env.ORIGIN + url.pathname + url.search, request)); } };`;

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

function bundleOf(code) {
  const folder = mkdtempSync(join(tmpdir(), "edgeloom-bench-"));
  writeFileSync(join(folder, "entry.js"), code);
  return folder;
}

// As a static server sends it; a generated page often has no name for its version.
const origin = await startOrigin({ "/generated": html(PAGE), "*": html(PAGE, { etag: '"1"' }) });
const workers = {
  ours: await start({ origin: origin.url }),
  proxy: await start({ origin: origin.url, bundle: bundleOf(PROXY) }),
  "HTMLRewriter in JavaScript": await start({ origin: origin.url, bundle: bundleOf(REWRITER) }),
};
await workers.ours.publish(CONFIG);
const page = async (worker) => (await worker.fetch("/", { headers: BROWSER })).text();
await until(() => page(workers.ours), (text) => Object.keys(decisionsOf(text)?.slots ?? {}).length === 3);
if (!(await page(workers["HTMLRewriter in JavaScript"])).includes("Some text</a>")) throw new Error("the JavaScript Worker fills no slots");

const cpu = {};
const rate = {};
const p50 = {};
const names = Object.keys(workers);
for (let round = -1; round < ROUNDS; round++) {
  for (const name of names) {
    const worker = workers[name];
    const before = worker.cpuSeconds();
    const result = await load({ url: worker.url, requests: round < 0 ? 400 : REQUESTS, connections: CONNECTIONS, request: { headers: BROWSER } });
    if (result.errors > 0 || result.statuses[200] !== result.requests) throw new Error(`${name}: ${JSON.stringify(result.statuses)}, ${result.errors} errors`);
    if (round < 0) continue;
    (cpu[name] ??= []).push(((worker.cpuSeconds() - before) * 1e6) / result.requests);
    (rate[name] ??= []).push(result.perSecond);
    (p50[name] ??= []).push(result.latencyMillis.p50);
  }
}
for (const worker of Object.values(workers)) await worker.stop();
await origin.close();

const of = (figures) => Object.fromEntries(Object.entries(figures).map(([name, list]) => [name, median(list)]));
/** Round by round, since the machine's speed drifts between rounds and hardly within one. */
const ratio = (figures, name) => median(figures.ours.map((value, i) => value / figures[name][i]));
const row = (name, unit, figures) => {
  const { ours, ...others } = of(figures);
  return { name, unit, ours, others, target: null, holds: true };
};
const js = "HTMLRewriter in JavaScript";
const speed = ratio(rate, js);
report("page", [
  row(`CPU per view, ${Math.round(PAGE.length / 1024)} KB, 3 slots`, "µs", cpu),
  row("requests per second", "1/s", rate),
  row("median latency", "ms", p50),
  { name: `requests per second beside ${js}`, unit: "×", ours: speed, others: {}, target: 0.95, holds: speed >= 0.95 },
  { name: `CPU beside ${js} (less is better)`, unit: "×", ours: ratio(cpu, js), others: {} },
  { name: "CPU beside a plain proxy (less is better)", unit: "×", ours: ratio(cpu, "proxy"), others: {} },
]);
