// Pages that were taken back: no longer shown from what is kept, wherever they are named by address, beginning or tag.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { concerns } from "../worker/purges.mjs";
import { html, startOrigin } from "./support/origin.mjs";
import { BROWSER, CONFIG, HOME, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

let origin;
let worker;
/** What the origin says at this moment. */
let edition = 1;

before(async () => {
  const page = (headers) => () => html(HOME.replace("Welcome", `Edition ${edition}`), { "cache-control": "public, max-age=3600", ...headers });
  origin = await startOrigin({ "/news/a": page({ "cache-tag": "front, sport" }), "/news/b": page({ "surrogate-key": "front culture" }), "/about": page({}) });
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "200" } });
  // With a selector of more bytes than characters: a page's key holds its selectors.
  await worker.publish({ ...CONFIG, slots: [...CONFIG.slots, { id: "size", selector: ".ößößößößößöß", goal: "order", arms: [{ block: "bold" }, { block: "calm" }] }] });
  await until(() => look("/about"), (text) => decisionsOf(text));
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

const look = async (path) => (await worker.fetch(path, { headers: BROWSER })).text();
const PATHS = ["/news/a", "/news/b?page=2", "/about"];
const editions = () => Promise.all(PATHS.map(async (path) => Number(/Edition (\d+)/.exec(await look(path))?.[1])));

/** Until the list has been read again: the view after its time sees to that. */
async function followed() {
  await new Promise((done) => setTimeout(done, 300));
  await editions();
  await new Promise((done) => setTimeout(done, 200));
}

/** Everything is kept, and the origin has moved on. */
async function kept() {
  edition++;
  const before = edition;
  await worker.must("POST", "purge", { everything: true });
  await followed();
  await until(editions, (shown) => shown.every((one) => one === before));
  const asks = async () => {
    const n = origin.requests.length;
    await editions();
    return origin.requests.length - n;
  };
  await until(asks, (n) => n === 0);
  edition++;
  assert.deepEqual(await editions(), [before, before, before]);
  return before;
}

const CASES = [
  ["an address without its host", () => ({ urls: ["/news/a"] }), [true, false, false]],
  ["a whole address, query included", () => ({ urls: [`${worker.url}/news/b?page=2`] }), [false, true, false]],
  ["an address without its query names another page", () => ({ urls: ["/news/b"], prefixes: ["/nowhere"] }), [false, false, false]],
  ["a prefix", () => ({ prefixes: ["/news/"] }), [true, true, false]],
  ["a tag, in either header", () => ({ tags: ["front"] }), [true, true, false]],
  ["a tag of one page", () => ({ tags: ["culture"] }), [false, true, false]],
  ["several at once", () => ({ urls: ["/about"], tags: ["sport"] }), [true, false, true]],
  ["everything", () => ({ everything: true }), [true, true, true]],
];

for (const [name, purge, gone] of CASES)
  test(`purged by ${name}`, async () => {
    const old = await kept();
    await worker.must("POST", "purge", purge());
    const expected = gone.map((isGone) => (isGone ? old + 1 : old));
    await followed();
    await until(editions, (shown) => String(shown) === String(expected));
  });

test("a page that was on the way when it was purged is not kept", async () => {
  origin.route("/late", () => ({ ...html(HOME.replace("Welcome", `Edition ${edition}`), { "cache-control": "public, max-age=3600" }), delayMillis: 1_500 }));
  const old = ++edition;
  const first = look("/late");
  await new Promise((done) => setTimeout(done, 100));
  edition++;
  await worker.must("POST", "purge", { urls: ["/late"] });
  await followed();
  assert.match(await first, new RegExp(`Edition ${old}\\b`));
  assert.match(await look("/late"), new RegExp(`Edition ${edition}\\b`));
});

test("an isolate that starts later, and a list that can't be read, cost nothing", async () => {
  const old = await kept();
  const key = "site:test:purges:v1";
  const list = worker.kv.values.get(key);
  worker.kv.values.set(key, Buffer.from("{ broken"));
  await followed();
  assert.deepEqual(await editions(), [old, old, old]);
  worker.kv.values.set(key, list);
});

test("what is no purge is refused with its place, and nothing goes", async () => {
  const old = await kept();
  for (const [body, pointer] of [[{}, undefined], [{ url: ["/about"] }, "/url"], [{ urls: ["about"] }, "/urls"], [{ tags: "front" }, "/tags"], [{ urls: Array(101).fill("/a") }, "/urls"]]) {
    const response = await worker.call("POST", "purge", body);
    assert.equal(response.status, 422);
    assert.equal((await response.json()).errors?.[0]?.pointer, pointer);
  }
  assert.equal((await worker.fetch("/_edgeloom/admin/purge", { method: "POST", body: '{"everything":true}' })).status, 401);
  await followed();
  assert.deepEqual(await editions(), [old, old, old]);
});

test("what is kept of purges stays short, and everything is never forgotten", async () => {
  const list = () => JSON.parse(worker.kv.text("site:test:purges:v1"));
  for (let i = 0; i < 4; i++) await worker.must("POST", "purge", { urls: Array.from({ length: 30 }, (_, n) => `/${i}-${n}${"x".repeat(900)}`) });
  assert.ok(worker.kv.text("site:test:purges:v1").length < 70_000, `${worker.kv.text("site:test:purges:v1").length} bytes`);
  assert.equal(list()[0].everything, true);
  assert.equal(list().at(-1).urls.length, 30);
  assert.ok(list().every(({ at }, i) => i === 0 || at > list()[i - 1].at));
  await worker.must("POST", "purge", { everything: true });
  assert.equal(list().length, 1);
});

test("a purge is followed also where everything else reads the snapshot", async () => {
  const old = await kept();
  const poll = setInterval(() => worker.fetch("/_edgeloom/health").then((answer) => answer.arrayBuffer(), () => {}), 50);
  try {
    await worker.must("POST", "purge", { everything: true });
    await until(editions, (shown) => shown.every((one) => one === old + 1));
  } finally {
    clearInterval(poll);
  }
});

test("of two purges at once the later one is not lost", async () => {
  worker.kv.delayMillis = 300;
  const first = worker.must("POST", "purge", { urls: ["/first"] });
  await new Promise((done) => setTimeout(done, 50));
  worker.kv.delayMillis = 0;
  await Promise.all([first, worker.must("POST", "purge", { urls: ["/second"] })]);
  assert.deepEqual(JSON.parse(worker.kv.text("site:test:purges:v1")).slice(-2).map(({ urls }) => urls[0]), ["/first", "/second"]);
});

test("hosts are told apart, and beginnings of hosts are no prefixes", () => {
  const named = (purge) => concerns(purge, "https://shop.example/a", []);
  assert.ok(concerns({ urls: ["/über"], prefixes: [] }, "https://shop.example/%C3%BCber", []) && named({ prefixes: ["https://shop.example"] }));
  assert.ok(named({ urls: ["https://shop.example/a"] }) && named({ prefixes: ["https://shop.example/"] }) && named({ urls: ["/a"] }));
  assert.ok(!named({ urls: ["https://other.example/a"] }) && !named({ prefixes: ["/b"] }) && !named({ tags: ["a"] }) && !named({}));
});
