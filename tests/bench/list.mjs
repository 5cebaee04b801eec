// What a list of four items to read next adds to an article: CPU per view through the whole Worker in workerd itself, with the list
// and without it, the page and its other slot being the same. The items are the nearest of 10,000 embeddings of 384 numbers.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { html, startOrigin } from "../support/origin.mjs";
import { ADMIN_TOKEN, built } from "../support/paths.mjs";
import { median, report } from "../support/report.mjs";
import { BROWSER, decisionsOf, until } from "../support/sample.mjs";
import { row, takeTurns, told } from "../support/turns.mjs";
import { start } from "../support/workerd.mjs";

const LENGTH = 4;
/** What the list may add. */
const TARGET_MILLIS = 0.3;
const [ROUNDS, REQUESTS] = [9, 600];
/** Articles that are viewed in turn. */
const ARTICLES = 200;
/** Readers who consented, of whom each has read a few articles before. */
const [READERS, READ] = [100, 3];
const CONSENT = "choice=statistics";
const LIFE = { "cache-control": "max-age=3600" };

const text = Array.from({ length: 150 }, (_, i) => `<section><h2>Section ${i}</h2><p>Some text of an article, with <a href="/p/${i}">links</a> and <b>marks</b>.</p></section>`).join("\n");
const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Article</title></head><body><edge-slot name="hero"><p>default</p></edge-slot>\n${text}<edge-slot name="next"><p>the page's own list</p></edge-slot></body></html>`;
const PIECE = readFileSync(built("target/bench/vectors/clustered-10000.sketch.piece"));

const hero = { id: "hero", goal: "read", arms: [{ block: "one" }, { block: "two" }] };
const next = { id: "next", goal: "read", list: { index: "articles", block: "teaser", length: LENGTH }, arms: [{ block: "one" }] };
const block = (id) => ({ id, template: '<a href="{{link}}">{{text}}</a>', fields: { link: { url: "/thanks" }, text: { text: "Some text" } } });
const config = (slots) => ({
  site: "test",
  privacy: { mode: "measured", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } },
  goals: [{ id: "read", path: "/thanks" }],
  blocks: [block("one"), block("two"), { id: "teaser", template: '<a class="teaser" href="{{link}}">{{title}}</a>', fields: { link: { url: "/" }, title: { text: "" } } }],
  indexes: [{ id: "articles", path: "/items/{id}" }],
  slots,
});

const article = (i) => `/items/${String(i * 47).padStart(6, "0")}`;
const inTurn = (i) => article(i % ARTICLES);
const [LIST, NONE] = ["ours", "without the list"];

const origin = await startOrigin({ "*": html(PAGE, LIFE) });
const workers = { [LIST]: await start({ origin: origin.url }), [NONE]: await start({ origin: origin.url }) };
await workers[LIST].publish(config([hero, next]));
await workers[NONE].publish(config([hero]));
const hash = createHash("sha256").update(PIECE).digest("hex");
const stored = await workers[LIST].fetch(`/_edgeloom/admin/pieces/${hash}`, { method: "PUT", headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, body: PIECE });
if (!stored.ok) throw new Error(await stored.text());
await workers[LIST].must("PUT", "indexes/articles", { pieces: [hash] });
const look = async (worker, path, cookie) => {
  const answer = await worker.fetch(path, { headers: cookie ? { ...BROWSER, cookie } : BROWSER });
  return { page: await answer.text(), cookie: answer.headers.getSetCookie().map((line) => line.split(";")[0]) };
};
const shown = (page) => [...page.matchAll(/class="teaser"/g)].length;
for (const path of Array.from({ length: ARTICLES }, (_, i) => article(i))) {
  await until(() => look(workers[LIST], path), ({ page }) => shown(page) === LENGTH);
  await until(() => look(workers[NONE], path), ({ page }) => shown(page) === 0 && decisionsOf(page)?.slots.hero);
}

/** What a reader's browser holds after some articles; the same secrets sign it for both. */
async function readerOf(n) {
  let cookie = CONSENT;
  for (let at = 0; at < READ; at++) {
    const { cookie: own } = await look(workers[LIST], article((7 * n + 31 * at) % ARTICLES), cookie);
    if (own.length > 0) cookie = [CONSENT, ...own].join("; ");
  }
  if (cookie === CONSENT) throw new Error("a reader who consented has no cookie");
  return cookie;
}
const readers = [];
for (let n = 0; n < READERS; n++) readers.push(await readerOf(n));

const VIEWS = {
  "one article": { path: () => article(1) },
  [`${ARTICLES} articles in turn`]: { path: inTurn },
  [`${ARTICLES} articles in turn for ${READERS} readers who consented, each looked up for itself`]: { path: inTurn, cookie: (i) => readers[i % READERS] },
};

const rows = [];
for (const [what, views] of Object.entries(VIEWS)) {
  const { cpu } = await takeTurns(workers, { rounds: ROUNDS, requests: REQUESTS, connections: 8, ...views, own: [LIST, NONE] });
  const added = median(cpu[LIST].map((micros, round) => micros - cpu[NONE][round])) / 1e3;
  rows.push(
    row(`${what}: CPU per view`, "µs", cpu),
    { name: `${what}: what the list adds`, unit: "ms", ours: added, target: TARGET_MILLIS, holds: added <= TARGET_MILLIS },
    told(`${what}: CPU with the list beside without`, median(cpu[LIST].map((micros, round) => micros / cpu[NONE][round]))),
  );
}
for (const worker of Object.values(workers)) await worker.stop();
await origin.close();
report("list", rows);
