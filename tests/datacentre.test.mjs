// What one isolate cut, the next one of the data centre is given by the Cache API: kills stand for new isolates. That the real
// thing is spoken to is shown once under wrangler's own cache; what goes wrong there needs a cache that fails on demand.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DataCentre } from "./support/bindings.mjs";
import { startWorker } from "./support/harness.mjs";
import { html, startOrigin } from "./support/origin.mjs";
import { BROWSER, CONFIG, HOME, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const LIFE = { "cache-control": "public, max-age=600" };
const cache = new DataCentre();
let origin;
let worker;
let edition = 1;

before(async () => {
  const page = (headers) => () => html(HOME.replace("Welcome", `Edition ${edition}`), headers);
  const routes = { "/": page({}), "/warm": page(LIFE), "/tagged": page({ ...LIFE, "cache-tag": "front" }), "/brief": page({ "cache-control": "max-age=5" }) };
  for (const name of ["news", "posted", "purged", "damaged", "slow", "mine", "moved", "told", "head"]) routes[`/${name}`] = page(LIFE);
  routes["/language"] = page({ ...LIFE, vary: "accept-language" });
  routes["/private"] = page({ "cache-control": "private, max-age=600" });
  routes["/lenient"] = page({ "cache-control": "max-age=600" });
  origin = await startOrigin(routes);
  worker = await start({ origin: origin.url, cache, vars: { FRESH_MILLIS: "200" } });
  await worker.publish(CONFIG);
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

const asks = (path) => origin.requests.filter((request) => request.path === path).length;
const view = async (path, headers = {}) => {
  const response = await worker.fetch(path, { headers: { ...BROWSER, ...headers } });
  return { status: response.status, headers: response.headers, text: await response.text() };
};
const putsOf = (path) => cache.calls.filter(({ method, url }) => method === "PUT" && url.endsWith(encodeURIComponent(`${worker.url}${path}`))).length;

/** Views until the data centre has the page. */
const lent = (path, headers) => until(async () => (await view(path, headers)) && putsOf(path), (n) => n > 0);

/** A new isolate, which knows the snapshot and what was taken back. */
async function isolate() {
  await worker.restart();
  await until(() => view("/warm"), ({ text }) => decisionsOf(text));
  await new Promise((done) => setTimeout(done, 100));
}

test("a new isolate shows a page that another one cut, without asking the origin", async () => {
  await lent("/news");
  const [before] = [await view("/news"), await isolate()];
  const n = asks("/news");
  const { text, headers } = await view("/news");
  assert.equal(asks("/news"), n);
  assert.match(text, /Edition 1/);
  assert.match(text, /class="(bold|calm)"/);
  assert.equal(decisionsOf(text).slots.hero.place, decisionsOf(before.text).slots.hero.place);
  assert.equal(headers.get("cache-control"), "private, no-cache");
  // From now on it is in the memory of this one too.
  const calls = cache.calls.length;
  await view("/news");
  assert.equal(cache.calls.length, calls);
});

test("what is lent is the origin's own page, and nothing of a visitor", async () => {
  for (let i = 0; i < 5; i++) await view("/news", { cookie: "name=me" });
  for (const [key, value] of cache.values) {
    const text = value.toString();
    assert.match(key, /^edgeloom-skeletons /);
    assert.match(text, /default hero/);
    assert.doesNotMatch(text, /class="(bold|calm|warm|cool|first|second)"|_el=|edgeloom-decisions|name=me|set-cookie/i);
  }
});

test("what an origin gives one visitor, one variant or only for a moment is not lent", async () => {
  const n = cache.values.size;
  for (const path of ["/private", "/brief", "/language"]) {
    for (let i = 0; i < 6; i++) await view(path);
    assert.equal(putsOf(path), 0, path);
  }
  assert.equal(cache.values.size, n);
});

test("a page that does not name itself shared is not shown to a visitor with cookies", async () => {
  await lent("/lenient");
  await isolate();
  const n = asks("/lenient");
  await view("/lenient", { cookie: "a=1" });
  assert.equal(asks("/lenient"), n + 1);
});

test("a page that was taken back is not borrowed, by name or by tag", async () => {
  for (const [path, purge] of [["/purged", { urls: ["/purged"] }], ["/tagged", { tags: ["front"] }]]) {
    await lent(path);
    edition++;
    await worker.must("POST", "purge", purge);
    await isolate();
    assert.match((await view(path)).text, new RegExp(`Edition ${edition}`));
  }
});

test("what a visitor changed is asked for again by the next isolate", async () => {
  await lent("/posted");
  edition++;
  await worker.fetch("/posted", { method: "POST", body: "a=1" });
  await until(() => cache.calls, (calls) => calls.some(({ method }) => method === "PURGE"));
  await isolate();
  assert.match((await view("/posted")).text, new RegExp(`Edition ${edition}`));
});

test("a reload asks the origin, and other slots are cut anew", async () => {
  await lent("/told");
  await isolate();
  let n = asks("/told");
  await view("/told", { "cache-control": "no-cache" });
  assert.equal(asks("/told"), n + 1);
  await lent("/moved");
  await worker.publish({ ...CONFIG, slots: [{ ...CONFIG.slots[0], selector: "aside.teaser" }] });
  await isolate();
  n = asks("/moved");
  const { text } = await view("/moved");
  assert.equal(asks("/moved"), n + 1);
  assert.match(text, /<aside class="teaser"><a/);
  assert.match(text, /default hero/);
  await worker.publish(CONFIG);
});

for (const fault of ["error", "hang", "corrupt"]) {
  test(`with a cache that says “${fault}” the page comes from the origin`, async () => {
    const path = { error: "/mine", hang: "/slow", corrupt: "/damaged" }[fault];
    await lent(path);
    await isolate();
    const n = asks(path);
    cache.fault = fault;
    const { status, text } = await view(path);
    cache.fault = "none";
    assert.equal(status, 200);
    assert.equal(asks(path), n + 1);
    assert.match(text, /class="(bold|calm)"/);
  });
}

test("also what stands before the page in a skeleton may be damaged", async () => {
  await lent("/head");
  await isolate();
  const n = asks("/head");
  cache.fault = "corrupt";
  cache.flipped = () => 60;
  const { text } = await view("/head");
  cache.fault = "none";
  assert.equal(asks("/head"), n + 1);
  assert.match(text, /class="(bold|calm)"/);
});

test("under wrangler the same goes through the cache it has", async () => {
  const real = await startWorker({ origin: origin.url, vars: { FRESH_MILLIS: "200" } });
  try {
    await real.publish(CONFIG);
    const look = async (path) => (await real.fetch(path, { headers: BROWSER })).text();
    const isKept = async () => {
      const n = asks("/news");
      await look("/news");
      return n === asks("/news");
    };
    await until(() => look("/news"), decisionsOf);
    await until(isKept, Boolean);
    await new Promise((done) => setTimeout(done, 500));
    await real.reload();
    await until(() => look("/warm"), decisionsOf);
    await new Promise((done) => setTimeout(done, 500));
    const n = asks("/news");
    assert.match(await look("/news"), /edgeloom-decisions/);
    assert.equal(asks("/news"), n);
  } finally {
    await real.close();
  }
});
