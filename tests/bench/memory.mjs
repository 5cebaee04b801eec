// What the Worker keeps in memory: of a thousand pages no more than its bound, of a page of 100 MB next to nothing.

import { pageOf } from "../support/contestants.mjs";
import { html, startOrigin } from "../support/origin.mjs";
import { report } from "../support/report.mjs";
import { BROWSER, decisionsOf, until } from "../support/sample.mjs";
import { start } from "../support/workerd.mjs";

const PAGES = 1_000;
/** So many thousands before the one that is measured. */
const WARM = 5;
/** The bound of `skeletons.mjs`. */
const BOUND_MB = 24;
const LARGE_MB = 100;
const MB = 1024 * 1024;

const page = pageOf(10, 100);
const piece = Buffer.from(`<p>${"a large page ".repeat(5_000)}</p>\n`);
const pieces = Array.from({ length: Math.ceil((LARGE_MB * MB) / piece.length) }, () => piece);
const origin = await startOrigin({ "/large": html([page.text, ...pieces]), "*": html(page.text, { "cache-control": "max-age=3600" }) });
const worker = await start({ origin: origin.url });
await worker.publish(page.config);
const look = async (path) => (await worker.fetch(path, { headers: BROWSER })).text();
await until(() => look("/page/0"), (text) => decisionsOf(text));

/** Twice each: the second view is of the page that is kept. */
async function viewAll(from, to) {
  for (let i = from; i < to; i++) for (let view = 0; view < 2; view++) await look(`/page/${i}`);
  await new Promise((done) => setTimeout(done, 500));
  return worker.rssBytes() / MB;
}
// The runtime takes memory until it has cleared up some times; after that it has to stay what it is.
const full = await viewAll(0, WARM * PAGES);
const more = await viewAll(WARM * PAGES, (WARM + 1) * PAGES);

// Which of them are kept: those for which the origin is not asked. Newest first, as each view of another one makes room for it.
let kept = 0;
for (let i = (WARM + 1) * PAGES - 1; i >= 0; i--) {
  const before = origin.requests.length;
  await look(`/page/${i}`);
  if (origin.requests.length === before) kept++;
  else break;
}

const before = worker.rssBytes() / MB;
let highest = before;
const watch = setInterval(() => (highest = Math.max(highest, worker.rssBytes() / MB)), 20);
let length = 0;
for await (const chunk of (await worker.fetch("/large", { headers: BROWSER })).body) length += chunk.length;
clearInterval(watch);
if (length < LARGE_MB * MB) throw new Error(`the large page has ${length} bytes`);
await worker.stop();
await origin.close();

const keptMb = (kept * page.text.length) / MB;
const most = (name, ours, target) => ({ name, unit: "MB", ours, others: {}, target, holds: ours <= target });
report("memory", [
  most(`${(WARM + 1) * PAGES} pages of ${Math.round(page.text.length / 1024)} KB: kept of them (${kept} pages)`, keptMb, BOUND_MB),
  most(`the process, from ${WARM * PAGES} pages to ${(WARM + 1) * PAGES}`, more - full, BOUND_MB),
  most(`the process, while a page of ${LARGE_MB} MB streams through`, highest - before, 32),
]);
