// Lists of an index in pages, end to end: what is shown, recorded and learned for each place, what follows a visitor's reading, and
// what stands in where there is no index.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { html, startOrigin } from "./support/origin.mjs";
import { SECRETS, path } from "./support/paths.mjs";
import { exposure, reward } from "./support/receipt.mjs";
import { BROWSER, decisionsOf, tokenLinks, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

/** Forty items of two topics, made by tests/pieces.rs: even ones of tea, odd ones of cups. */
const PIECE = readFileSync(path("tests/fixtures/pieces/things.piece"));
const CONSENT = "choice=statistics";
const KEY = SECRETS.IMPORT_KEYS.split(":")[1];
const page = (title) => html(`<!doctype html><title>${title}</title><h1>${title}</h1><div data-edge-slot="next"><p>the page's own list</p></div><footer>end</footer>`);
const list = { index: "things", block: "teaser", length: 3, candidates: 8, popularity: "views" };
const CONFIG = {
  site: "test",
  privacy: { mode: "measured", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } },
  goals: [{ id: "read", path: "/items/*" }],
  blocks: [
    { id: "teaser", template: '<a class="teaser" href="{{link}}">{{title}}</a>', fields: { link: { url: "/" }, title: { text: "" } } },
    { id: "usual", template: '<a class="usual" href="/items/item-1">Usual</a>' },
  ],
  indexes: [{ id: "things", path: "/items/{id}" }],
  slots: [{ id: "next", goal: "read", list, arms: [{ block: "usual" }] }],
};
const PLACES = ["next.1", "next.2", "next.3"];

let origin;
let worker;
const view = async (target, headers = {}) => {
  const answer = await worker.fetch(target, { headers: { ...BROWSER, ...headers } });
  const text = await answer.text();
  return { ...decisionsOf(text), text, cookie: answer.headers.getSetCookie()[0]?.split(";")[0] };
};
const itemsOf = ({ slots }) => PLACES.map((place) => slots[place]?.action);
const topicOf = (item) => Number(item.slice("item-".length)) % 2;
const push = async (bytes, name = "things") => {
  const hash = createHash("sha256").update(bytes).digest("hex");
  const headers = { authorization: `Bearer ${SECRETS.ADMIN_TOKENS.split(":")[1]}` };
  const stored = await worker.fetch(`/_edgeloom/admin/pieces/${hash}`, { method: "PUT", headers, body: bytes });
  assert.ok([200, 201].includes(stored.status), await stored.text());
  return worker.must("PUT", `indexes/${name}`, { pieces: [hash] });
};
async function publish(more = {}) {
  const { version } = await worker.publish({ ...CONFIG, ...more });
  const { snapshot } = await until(() => worker.must("GET", "status"), ({ config_version: used }) => used === version);
  await until(() => view("/"), ({ snapshot: seen }) => seen === snapshot.version);
}

before(async () => {
  origin = await startOrigin({ "/": page("Home"), "*": page("Item") });
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "200", PUBLISH_MILLIS: "600" } });
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

test("without an index the arms of the slot stand in, and the page is whole", async () => {
  await publish();
  const { slots, text } = await view("/items/item-8");
  assert.equal(slots["next.1"].arm, "usual");
  assert.deepEqual([slots["next.2"].reason, slots["next.3"].reason], ["DEFAULT", "DEFAULT"]);
  assert.match(text, /class="usual"/);
  assert.match(text, /<footer>end<\/footer>/);
});

test("a page of an item shows its like, one after the other in one place, each with its own receipt", async () => {
  await push(PIECE);
  await until(() => view("/items/item-8"), ({ slots }) => slots["next.1"].arm === "items");
  const seen = new Set();
  for (let n = 0; n < 30; n++) {
    const shown = await view("/items/item-8");
    const items = itemsOf(shown);
    assert.equal(new Set(items).size, 3);
    items.forEach((item) => assert.ok(topicOf(item) === 0 && item !== "item-8", item));
    const links = tokenLinks(shown.text).map(({ href }) => href.split("?")[0]);
    assert.deepEqual(links, items.map((item) => `/items/${item}`));
    assert.ok(!shown.text.includes("the page's own list"));
    PLACES.forEach((place) => assert.ok(shown.slots[place].propensity > 0 && shown.slots[place].propensity < 1));
    items.forEach((item) => seen.add(item));
  }
  assert.ok(seen.size > 3, "all of the candidates have their chance");
});

test("a home page follows what was read, forgets it with the cookie, and without consent knows nothing", async () => {
  let cookie = CONSENT;
  const read = async (target) => {
    const shown = await view(target, { cookie });
    if (shown.cookie) cookie = `${CONSENT}; ${shown.cookie}`;
    return shown;
  };
  const popular = itemsOf(await read("/"));
  assert.ok(popular.some((item) => topicOf(item) === 0) || popular.every((item) => Number(item.slice(5)) >= 30), popular.join());
  for (const item of ["item-3", "item-5"]) await read(`/items/${item}`);
  for (let n = 0; n < 10; n++) {
    itemsOf(await read("/")).forEach((item) => assert.ok(topicOf(item) === 1 && !["item-3", "item-5"].includes(item), item));
  }
  const gone = new Set();
  cookie = CONSENT;
  for (let n = 0; n < 20; n++) itemsOf(await read("/")).forEach((item) => gone.add(topicOf(item)));
  assert.equal(gone.size, 2, "what is popular has both topics");
  await view("/items/item-3");
  assert.equal((await view("/items/item-5")).cookie, undefined);
});

test("each place is recorded and learned, and a reward follows the link of its item", async () => {
  const before = await worker.must("GET", "status");
  const countOf = ({ slots }, place) => slots.find(({ slot }) => slot === place)?.arms.find(({ arm }) => arm === "items")?.exposures ?? 0;
  let cookie = CONSENT;
  const events = [];
  for (let n = 0; n < 5; n++) {
    const { slots } = await view("/items/item-8", { cookie });
    PLACES.forEach((place) => events.push(exposure(slots[place].receipt)));
    events.push(reward(slots["next.2"].receipt, "read"));
  }
  const sent = await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { "content-type": "application/json" } });
  assert.equal(sent.status, 200);
  // Without consent the edge counts what it served, and the link tells which item was followed.
  const { text } = await view("/items/item-8");
  const [, { href }] = tokenLinks(text);
  await view(href);
  const status = await until(() => worker.must("GET", "status"), (status) => PLACES.every((place) => countOf(status, place) > countOf(before, place) + 4));
  const second = status.slots.find(({ slot }) => slot === "next.2").arms.find(({ arm }) => arm === "items");
  assert.ok(second.rewards >= 5, JSON.stringify(second));
});

test("a fragment of the list has all places, and a server is told each", async () => {
  const fragment = await worker.fetch("/_edgeloom/slot/next?path=/items/item-8", { headers: BROWSER });
  const text = await fragment.text();
  assert.equal(fragment.status, 200, text);
  assert.equal([...text.matchAll(/class="teaser"/g)].length, 3);
  const answer = await worker.fetch("/_edgeloom/decide", {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ path: "/items/item-9", slots: ["next"], html: true }),
  });
  const told = await answer.json();
  assert.deepEqual(Object.keys(told.slots), PLACES);
  Object.values(told.slots).forEach(({ action, html }) => assert.ok(topicOf(action) === 1 && html.includes(`/items/${action}`), html));
  assert.equal(told.unknown, undefined);
});

test("a damaged index is refused, and the one in use stays", async () => {
  const bad = Buffer.from(PIECE);
  bad[bad.length >> 1] ^= 1;
  const hash = createHash("sha256").update(bad).digest("hex");
  const headers = { authorization: `Bearer ${SECRETS.ADMIN_TOKENS.split(":")[1]}` };
  const refused = await worker.fetch(`/_edgeloom/admin/pieces/${hash}`, { method: "PUT", headers, body: bad });
  assert.equal(refused.status, 422, await refused.text());
  assert.equal((await view("/items/item-8")).slots["next.1"].arm, "items");
});

test("the Worker finds what the core finds natively: the same items in the same order, with the same similarities", async () => {
  const queries = JSON.parse(readFileSync(path("tests/fixtures/index/queries.json"), "utf8"));
  for (const kind of ["flat", "sketch"]) {
    await push(readFileSync(path(`tests/fixtures/index/${kind}.edx`)), kind);
    const nearest = async ({ embedding, k, filter }) => {
      const answer = await worker.fetch("/_edgeloom/nearest", {
        method: "POST",
        headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ index: kind, vector: embedding, model: "golden-model", k, filter }),
      });
      return { status: answer.status, ...(await answer.json()) };
    };
    await until(() => nearest(queries[0]), ({ status }) => status === 200);
    for (const query of queries) {
      const { items } = await nearest(query);
      // Told are six digits.
      const expected = query.found[kind].map(([id, similarity]) => [id, Math.round(Math.fround(similarity) * 1e6) / 1e6]);
      assert.deepEqual(items.map(({ id, similarity }) => [id, similarity]), expected);
    }
  }
});
