// Pages through the whole Worker in workerd itself, beside a plain proxy Worker, a Worker in JavaScript that fills the same
// slots with HTMLRewriter, and one that answers with the same bytes each time.
//
// Kinds of page: a file of a static server (it has a tag, so the origin is asked at each view whether it is still the same),
// one with a stated life, one that a server makes anew without naming its version, one that is another at each view, and a
// site of pages with a life, nine of ten views being of one that is kept. Only what is another at each view, or new, is
// parsed, as the Worker in JavaScript parses everything.

import { JS, contestants, pageOf } from "../support/contestants.mjs";
import { html, startOrigin } from "../support/origin.mjs";
import { report } from "../support/report.mjs";
import { BROWSER, decisionsOf, until } from "../support/sample.mjs";
import { atLeast, atMost, ratioTo, row, takeTurns, told } from "../support/turns.mjs";

const LIFE = { "cache-control": "max-age=3600" };
const STATIC = "static answer";
const KINDS = ["file", "with a life", "nine of ten kept", "made anew", "another each time"];
const SHAPES = [
  { name: "24 KB, 3 slots", page: pageOf(3, 24), requests: 800, rounds: 5, kinds: KINDS },
  { name: "100 KB, 10 slots", page: pageOf(10, 100), requests: 400, rounds: 5, kinds: ["with a life", "nine of ten kept"] },
];

const rows = [];
for (const { name: shape, page, requests, rounds, kinds } of SHAPES) {
  let views = 0;
  const fresh = () => page.text.replace("Section 0", `View ${views++}`);
  const origin = await startOrigin({ "/file": html(page.text, { etag: '"1"' }), "/life": html(page.text, LIFE), "/made": html(page.text), "/other": () => html(fresh()), "*": html(page.text, LIFE) });
  const workers = await contestants(page, origin.url);
  const paths = { file: () => "/file", "with a life": () => "/life", "made anew": () => "/made", "another each time": () => "/other" };
  // Each tenth view is the first one of its page.
  paths["nine of ten kept"] = (i) => (i % 10 === 0 ? `/page/${views++}` : "/life");
  const look = async (worker, path) => (await worker.fetch(path, { headers: BROWSER })).text();
  for (const path of ["/file", "/life", "/made", "/other"]) {
    await until(() => look(workers.ours, path), (text) => Object.keys(decisionsOf(text)?.slots ?? {}).length === page.slots.length);
  }
  if (!(await look(workers[JS], "/file")).includes("Some text</a>")) throw new Error("the JavaScript Worker fills no slots");

  for (const kind of kinds) {
    const { cpu, rate, p50 } = await takeTurns(workers, { rounds, requests, connections: 8, path: paths[kind] });
    const isLarge = page.slots.length > 3;
    const isKept = kind === "with a life" || kind === "nine of ten kept";
    const beside = (figure, target) => (name, other) => (target === undefined ? told(name, ratioTo(figure, other)) : figure === rate ? atLeast(name, ratioTo(figure, other), target) : atMost(name, ratioTo(figure, other), target));
    rows.push(
      row(`${shape}, ${kind}: CPU per view`, "µs", cpu),
      row(`${shape}, ${kind}: requests per second`, "1/s", rate),
      row(`${shape}, ${kind}: median latency`, "ms", p50),
      beside(rate, isLarge && isKept ? 4 : kind === "another each time" ? undefined : 0.95)(`${shape}, ${kind}: requests per second beside ${JS}`, JS),
      beside(cpu, isKept ? 0.8 : undefined)(`${shape}, ${kind}: CPU beside a plain proxy (less is better)`, "proxy"),
      beside(cpu, isKept ? 1.3 : undefined)(`${shape}, ${kind}: CPU beside a static answer (less is better)`, STATIC),
    );
  }
  for (const worker of Object.values(workers)) await worker.stop();
  await origin.close();
}
report("page", rows);
