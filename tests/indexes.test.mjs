// Vector indexes: pieces are stored by content, an index is switched all at once and back, isolates pick it up and keep the
// last good one, and whoever may asks for what is nearest.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Kv } from "./support/bindings.mjs";
import { html, startOrigin } from "./support/origin.mjs";
import { ADMIN_TOKEN, SECRETS, SITE, path } from "./support/paths.mjs";
import { BROWSER, CONFIG, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const LISTED = "https://app.example.org";
const KEY = `indexes/${SITE}`;
const IMPORT = { authorization: `Bearer ${SECRETS.IMPORT_KEYS.split(":")[1]}` };
/** A page about an item, with a list of others. */
const PAGE = html('<!doctype html><title>Item</title><edge-slot name="next"><p>default</p></edge-slot>');
const TEASER = { id: "teaser", template: '<a href="{{link}}">{{title}}</a>', fields: { link: { url: "/" }, title: { text: "" } } };
const LISTS = {
  ...CONFIG,
  privacy: { mode: "personal", interest_cookie: "profile", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } },
  ledger: { origins: [LISTED] },
  blocks: [...CONFIG.blocks, TEASER],
  indexes: [{ id: "shop", path: "/items/{id}" }],
  slots: [{ id: "next", goal: "order", arms: [{ block: "first" }], list: { index: "shop", block: "teaser", length: 2 } }],
};
const VARS = { FRESH_MILLIS: "200", PUBLISH_MILLIS: "1000" };

const pieceOf = (bytes) => ({ bytes, hash: createHash("sha256").update(bytes).digest("hex") });
const pieceIn = (name) => pieceOf(readFileSync(path(`tests/fixtures/pieces/${name}.piece`)));
const [SHOP, CHANGES, OTHER_MODEL] = ["shop", "changes", "other-model"].map(pieceIn);
const versionOf = (...pieces) => createHash("sha256").update(pieces.map(({ hash }) => hash).join("")).digest("hex").slice(0, 32);

/** A namespace that remembers what was read. */
class Watched extends Kv {
  read = [];
  handle(request, response, body) {
    if (request.method === "GET") this.read.push(decodeURIComponent(new URL(request.url, "http://kv").pathname.slice(1)));
    return super.handle(request, response, body);
  }
}

let origin;
let worker;
let kv;
before(async () => {
  origin = await startOrigin({ "/items/tea": PAGE, "/items/hats": PAGE });
  kv = new Watched();
  worker = await start({ origin: origin.url, kv, vars: VARS });
  await worker.publish({ ...CONFIG, ledger: { origins: [LISTED] } });
  await until(async () => (await (await worker.fetch("/_edgeloom/health")).json()).snapshot, Boolean);
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

const admin = (method, name, init = {}, through = worker) =>
  through.fetch(`/_edgeloom/admin/${name}`, { method, ...init, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...init.headers } });
const push = (piece, through = worker) => admin("PUT", `pieces/${piece.hash}`, { body: piece.bytes }, through);
const put = (pieces, more = {}, through = worker) => through.call("PUT", "indexes/shop", { pieces: pieces.map(({ hash }) => hash), ...more });
const nearest = (query, headers = {}, through = worker) => through.fetch(`/_edgeloom/nearest?${new URLSearchParams(query)}`, { headers });
const like = async (item, more = {}, through = worker) => (await nearest({ index: "shop", item, ...more }, {}, through)).json();
const versionHere = async (through = worker) => (await like("tea", {}, through)).version;
const idsOf = ({ items }) => items.map(({ id }) => id);

/** What the links of a page say. */
const titlesOf = async (answer) => [...(await answer.text()).matchAll(/<a[^>]*>([^<]+)<\/a>/g)].map(([, title]) => title);

async function problemOf(answer, status) {
  assert.equal(answer.status, status, await answer.clone().text());
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  return answer.json();
}
const pointersOf = ({ errors }) => errors.map(({ pointer }) => pointer);

test("a piece is stored once, under the SHA-256 of bytes that are one", async () => {
  const there = async () => (await admin("HEAD", `pieces/${SHOP.hash}`)).status;
  assert.equal(await there(), 404);
  await problemOf(await admin("PUT", `pieces/${CHANGES.hash}`, { body: SHOP.bytes }), 422);
  const noPiece = await problemOf(await push(pieceOf(Buffer.from("not a piece"))), 422);
  assert.equal(noPiece.title, "Not a piece of an index");
  const changed = Buffer.from(SHOP.bytes);
  changed[changed.length >> 1] ^= 1;
  await problemOf(await push(pieceOf(changed)), 422);
  // Refused by its length, before it is sent; what goes on sending all the same is cut off.
  const large = pieceOf(Buffer.alloc(24 * 1024 * 1024 + 1));
  const answer = await push(large).catch(() => undefined);
  if (answer) await problemOf(answer, 413);
  assert.equal(kv.values.get(`piece/${SITE}/${large.hash}`), undefined);
  assert.equal(await there(), 404);
  assert.deepEqual([(await push(SHOP)).status, (await push(SHOP)).status, await there()], [201, 200, 200]);
  assert.deepEqual(Buffer.from(await (await admin("GET", `pieces/${SHOP.hash}`)).arrayBuffer()), SHOP.bytes);
  assert.deepEqual(kv.values.get(`piece/${SITE}/${SHOP.hash}`), SHOP.bytes);
  for (const name of [SHOP.hash.toUpperCase(), "0".repeat(63), ".."]) await problemOf(await admin("GET", `pieces/${name}`), 404);
  assert.equal((await admin("DELETE", `pieces/${SHOP.hash}`)).headers.get("allow"), "GET, HEAD, PUT");
});

test("only a token stores pieces and changes indexes, and no other site does", async () => {
  for (const [method, name] of [["PUT", `pieces/${SHOP.hash}`], ["PUT", "indexes/shop"], ["DELETE", "indexes/shop"], ["POST", "indexes/shop/rollback"]]) {
    await problemOf(await admin(method, name, { headers: { authorization: "Bearer wrong" }, body: "{}" }), 401);
    await problemOf(await admin(method, name, { headers: IMPORT, body: "{}" }), 401);
    await problemOf(await admin(method, name, { headers: { origin: "https://evil.example" }, body: "{}" }), 403);
  }
});

test("pieces that are not there, or don't fit together, are no index", async () => {
  await push(OTHER_MODEL);
  const wrong = [
    [{ pieces: [SHOP.hash, CHANGES.hash] }, "/pieces/1", /no such piece/],
    [{ pieces: [SHOP.hash, SHOP.hash] }, "/pieces/1", /twice/],
    [{ pieces: ["shop"] }, "/pieces/0", /64 hexadecimal/],
    [{ pieces: [] }, "/pieces", /1 to 64/],
    [{}, "/pieces", /1 to 64/],
    [{ pieces: [SHOP.hash, OTHER_MODEL.hash] }, "/pieces", /other-model/],
    [{ pieces: [SHOP.hash], colour: "red" }, "/colour", /no such field/],
  ];
  for (const [body, pointer, detail] of wrong) {
    const answer = await worker.call("PUT", "indexes/shop", body);
    // Only what may show in a moment is worth asking again for.
    assert.equal(answer.headers.has("retry-after"), detail.source === "no such piece");
    const problem = await problemOf(answer, 422);
    assert.deepEqual(pointersOf(problem), [pointer]);
    assert.match(problem.errors[0].detail, detail);
  }
  await problemOf(await worker.call("PUT", "indexes/a%20b", { pieces: [SHOP.hash] }), 404);
  await problemOf(await worker.call("DELETE", "indexes/shop"), 404);
  assert.deepEqual(await worker.must("GET", "indexes"), { indexes: [] });
  await problemOf(await nearest({ index: "shop", item: "tea" }), 404);
});

test("a configuration whose index is not there yet is stored, and that is remarked on", async () => {
  const etag = (await admin("GET", "config")).headers.get("etag");
  const body = JSON.stringify({ ...CONFIG, ledger: { origins: [LISTED] }, indexes: [{ id: "ghost", path: "/ghosts/{id}" }] });
  const answer = await admin("PUT", "config", { body, headers: { "if-match": etag } });
  assert.equal(answer.status, 200, await answer.clone().text());
  const [{ pointer, detail }, ...more] = (await answer.json()).warnings;
  assert.deepEqual([pointer, more], ["/indexes/0", []]);
  assert.match(detail, /no index 'ghost' yet/);
});

test("an index is there once its pieces are named, and says what it is", async () => {
  const answer = await put([SHOP], { message: "The shop – all of it" });
  assert.equal(answer.status, 200, await answer.clone().text());
  const { created_millis, ...told } = await answer.json();
  assert.ok(Math.abs(created_millis - Date.now()) < 60_000);
  const bytes = SHOP.bytes.length;
  assert.deepEqual(told, {
    name: "shop",
    version: versionOf(SHOP),
    model: "test-model",
    dimension: 4,
    items: 6,
    bytes,
    pieces: [{ hash: SHOP.hash, items: 6, bytes }],
    what: "put",
    who: "t",
    message: "The shop – all of it",
  });
  const { indexes } = await worker.must("GET", "indexes");
  assert.deepEqual([indexes.length, indexes[0].version, indexes[0].who, indexes[0].message], [1, told.version, "t", "The shop – all of it"]);
  assert.deepEqual(indexes[0].history, []);
  assert.equal(JSON.parse(kv.text(KEY)).indexes[0].version, told.version);
  // The same again changes nothing, and mends a value that was lost.
  kv.values.delete(KEY);
  assert.equal((await (await put([SHOP])).json()).created_millis, created_millis);
  assert.equal(JSON.parse(kv.text(KEY)).indexes[0].version, told.version);
  assert.deepEqual((await worker.must("GET", "indexes")).indexes[0].history, []);
});

test("the nearest of an item are told with what is known of them", async () => {
  await until(versionHere, (version) => version === versionOf(SHOP));
  const { index, version, items } = await like("tea", { k: 2 });
  assert.deepEqual([index, version], ["shop", versionOf(SHOP)]);
  assert.deepEqual(items.map(({ id }) => id), ["coffee", "cups"]);
  assert.deepEqual(items[0].fields, { title: "COFFEE", topic: "drinks", price: 4 });
  assert.ok(Math.abs(items[0].similarity - 0.9 / Math.hypot(0.9, 0.3)) < 0.01, String(items[0].similarity));
  assert.equal(idsOf(await like("tea")).length, 5, "all but itself");
  const filter = JSON.stringify({ tests: [{ field: "topic", one_of: ["kitchen", "clothes"] }, { field: "price", max: 10 }] });
  assert.deepEqual(idsOf(await like("tea", { filter })), ["cups", "socks"]);
  const answer = await nearest({ index: "shop", item: "tea" });
  assert.equal(answer.headers.get("cache-control"), "public, max-age=60");
});

test("what can't be asked is named", async () => {
  const sound = { index: "shop", item: "tea" };
  for (const [query, status, pointers] of [
    [{ ...sound, index: "none" }, 404],
    [{ ...sound, item: "none" }, 404],
    [{ index: "shop" }, 400, ["/item"]],
    [{ item: "tea" }, 400, ["/index"]],
    [{ ...sound, k: "0" }, 400, ["/k"]],
    [{ ...sound, k: "101" }, 400, ["/k"]],
    [{ ...sound, k: "many" }, 400, ["/k"]],
    [{ ...sound, filter: "{" }, 400, ["/filter"]],
    [{ ...sound, filter: '{"tests":[{"field":"price","mim":3}]}' }, 400, ["/filter/tests/0/mim"]],
    [{ ...sound, filter: '{"tests":[{"max":3}]}' }, 400, ["/filter/tests/0"]],
  ]) {
    const problem = await problemOf(await nearest(query), status);
    assert.deepEqual(problem.errors && pointersOf(problem), pointers, JSON.stringify(query));
  }
  assert.equal((await worker.fetch("/_edgeloom/nearest", { method: "DELETE" })).headers.get("allow"), "GET, POST");
});

test("pages of the site and of listed origins may ask, others may not", async () => {
  const query = { index: "shop", item: "tea" };
  const listed = await nearest(query, { origin: LISTED });
  assert.deepEqual([listed.status, listed.headers.get("access-control-allow-origin")], [200, LISTED]);
  const own = await nearest(query, { "sec-fetch-site": "same-origin" });
  assert.deepEqual([own.status, own.headers.get("access-control-allow-origin"), own.headers.get("vary")], [200, null, "Origin"]);
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }, { origin: "null" }]) {
    await problemOf(await nearest(query, headers), 403);
  }
  const preflight = await worker.fetch("/_edgeloom/nearest", { method: "OPTIONS", headers: { origin: LISTED } });
  assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-methods")], [204, "GET"]);
});

test("a server asks with a vector of its own, with a key and of the same model", async () => {
  const ask = (body, headers = IMPORT) => worker.fetch("/_edgeloom/nearest", { method: "POST", headers, body: JSON.stringify(body) });
  const sound = { index: "shop", vector: [2, 0, 0, 0], model: "test-model", k: 2 };
  assert.deepEqual(idsOf(await (await ask(sound)).json()), ["tea", "coffee"]);
  assert.deepEqual(idsOf(await (await ask({ ...sound, k: 1, filter: { tests: [{ field: "topic", none_of: ["drinks"] }] } })).json()), ["cups"]);
  for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: `Bearer ${ADMIN_TOKEN}` }]) await problemOf(await ask(sound, headers), 401);
  const wrong = [
    [{ ...sound, model: "other-model" }, "/vector", /other-model.*test-model/s],
    [{ ...sound, model: undefined }, "/model", /missing/],
    [{ ...sound, vector: [1, 2] }, "/vector", /2 numbers/],
    [{ ...sound, vector: [0, 0, 0, 0] }, "/vector", /no direction/],
    [{ ...sound, vector: [1, "2", 3, 4] }, "/vector", /list of/],
    [{ ...sound, vector: undefined }, "/vector", /missing/],
    [{ ...sound, k: 0 }, "/k", /1 to 100/],
    [{ ...sound, filter: { test: [1] } }, "/filter/test", /no such field/],
    [{ ...sound, colour: 1 }, "/colour", /no such field/],
  ];
  for (const [body, pointer, detail] of wrong) {
    const problem = await problemOf(await ask(body), 400);
    assert.deepEqual(pointersOf(problem), [pointer]);
    assert.match(problem.errors[0].detail, detail);
  }
  await problemOf(await ask({ ...sound, index: "none" }), 404);
});

test("changes come as a piece of their own; what is here already is not read again", async () => {
  await push(CHANGES);
  kv.read = [];
  const { items, version } = await (await put([SHOP, CHANGES])).json();
  assert.deepEqual([items, version], [6, versionOf(SHOP, CHANGES)]);
  await until(versionHere, (here) => here === version);
  const told = await like("tea");
  assert.deepEqual(idsOf(told).slice(0, 2), ["mate", "coffee"]);
  assert.equal(told.items[1].fields.price, 2);
  assert.ok(!idsOf(told).includes("socks"));
  await problemOf(await nearest({ index: "shop", item: "socks" }), 404);
  const reads = (piece) => kv.read.filter((key) => key === `piece/${SITE}/${piece.hash}`).length;
  assert.deepEqual([reads(SHOP), reads(CHANGES)], [0, 2], "of the new one once to check it and once to use it");
});

test("a change made from what is in use no longer is refused, and nothing is lost", async () => {
  const answer = await worker.call("PUT", "indexes/shop", { pieces: [SHOP.hash], before: versionOf(SHOP) });
  const problem = await problemOf(answer, 409);
  assert.match(problem.detail, new RegExp(versionOf(SHOP, CHANGES)));
  assert.equal((await worker.must("GET", "indexes")).indexes[0].version, versionOf(SHOP, CHANGES));
  // The same again changes nothing, whatever it was made from.
  const same = { pieces: [SHOP.hash, CHANGES.hash], before: versionOf(SHOP) };
  assert.equal((await worker.must("PUT", "indexes/shop", same)).version, versionOf(SHOP, CHANGES));
});

test("an index goes back to what it was, and says so", async () => {
  const back = await worker.must("POST", "indexes/shop/rollback", { version: versionOf(SHOP), message: "too cheap" });
  assert.equal(back.version, versionOf(SHOP));
  await until(versionHere, (version) => version === versionOf(SHOP));
  const [{ history, ...now }] = (await worker.must("GET", "indexes")).indexes;
  const all = [now, ...history].map(({ version, what, message }) => [version, what, message]);
  assert.deepEqual(all, [[versionOf(SHOP), "rollback", "too cheap"], [versionOf(SHOP, CHANGES), "put", ""], [versionOf(SHOP), "put", "The shop – all of it"]]);
  for (const version of ["f".repeat(32), "x", 7, undefined]) {
    const answer = await worker.call("POST", "indexes/shop/rollback", { version });
    assert.ok([404, 422].includes(answer.status), String(answer.status));
  }
});

test("a page reads the indexes that its lists use behind the response, and shows their arms until then", async () => {
  const page = (cookie = "") => worker.fetch("/items/tea", { headers: { ...BROWSER, cookie } });
  await worker.restart();
  await page();
  await new Promise((done) => setTimeout(done, 500));
  kv.read = [];
  await (await page()).text();
  await new Promise((done) => setTimeout(done, 500));
  assert.deepEqual(kv.read.filter((key) => !key.startsWith("site:")), [], "nothing is read where no list needs it");

  // A piece that is on its way yet, as far as this data centre knows.
  const key = `piece/${SITE}/${SHOP.hash}`;
  kv.values.delete(key);
  await worker.publish(LISTS);
  const first = await until(async () => titlesOf(await page()), (titles) => titles.length > 0);
  await until(async () => (await page()).text().then(() => kv.read), (read) => read.includes(key));
  assert.deepEqual([first, await titlesOf(await page())], [["First"], ["First"]], "the arm of the slot stands in");
  kv.values.set(key, SHOP.bytes);
  const titles = await until(async () => titlesOf(await page()), (titles) => titles.length === 2);
  assert.ok(titles.every((title) => ["COFFEE", "CUPS", "PANS", "SOCKS", "HATS"].includes(title)), String(titles));
  kv.read = [];
  assert.equal(await versionHere(), versionOf(SHOP));
  await until(async () => (await page()).text().then(() => kv.read), (read) => read.includes(KEY));
  assert.deepEqual(kv.read.filter((key) => key.startsWith("piece/")), [], "what is here is not read again");
});

test("what a visitor looks at is remembered with consent, and forgotten without", async () => {
  const page = async (item, cookie) => {
    const answer = await worker.fetch(`/items/${item}`, { headers: { ...BROWSER, cookie } });
    await answer.arrayBuffer();
    return answer.headers.getSetCookie();
  };
  const bytesOf = (line) => Buffer.from(line.split(";")[0].split("=")[1], "base64url");
  const [line] = await page("tea", "choice=marketing");
  // Format, key id; mode with the mark of a trail, hour, key; one item of seven bytes; tag.
  assert.deepEqual([bytesOf(line).length, bytesOf(line)[2], bytesOf(line)[23]], [2 + 21 + 8 + 16, 0x82, 1]);
  const cookie = (line) => `choice=marketing; ${line.split(";")[0]}`;
  const [next] = await page("hats", cookie(line));
  assert.equal(bytesOf(next)[23], 2);
  assert.deepEqual(bytesOf(next).subarray(31, 38), bytesOf(line).subarray(24, 31), "what was seen first is second now");
  const [withdrawn] = await page("hats", cookie(next).replace("marketing", "necessary"));
  assert.match(withdrawn, /^__Host-edgeloom=; Path=\/; Max-Age=0;/);
  assert.deepEqual(await page("hats", "choice=necessary"), []);
});

test("a piece that is damaged where it is kept is refused, and the index before it stays", async () => {
  const key = `piece/${SITE}/${CHANGES.hash}`;
  const next = versionOf(CHANGES, SHOP);
  const damaged = Buffer.from(CHANGES.bytes);
  damaged[damaged.length - 1] ^= 1;
  assert.equal((await put([CHANGES, SHOP])).status, 200);
  kv.values.set(key, damaged);
  const lines = () => worker.log.filter((line) => /indexes: 'shop' not loaded/.test(line)).length;
  const before = lines();
  const logged = () => lines() - before;
  // Whoever asked between the two has it; of the others none takes it.
  if ((await versionHere()) !== next) {
    await until(async () => (await versionHere(), logged()), (n) => n > 0);
    assert.equal(await versionHere(), versionOf(SHOP));
    await new Promise((done) => setTimeout(done, 700));
    assert.equal(await versionHere(), versionOf(SHOP));
    assert.equal(logged(), 1, "once");
  }
  const refused = await problemOf(await put([CHANGES]), 422);
  assert.deepEqual(pointersOf(refused), ["/pieces/0"]);
  kv.values.set(key, CHANGES.bytes);
  await until(versionHere, (version) => version === next);
});

test("while KV is down the last index stays, and an isolate without one says that it can't", async () => {
  const here = await versionHere();
  const own = await start({ origin: origin.url, kv: Object.assign(new Kv(), { values: new Map(kv.values), fault: "error" }), vars: VARS });
  try {
    assert.equal((await nearest({ index: "shop", item: "tea" }, {}, own)).status, 503);
    own.kv.fault = "none";
    await until(() => versionHere(own), (version) => version === here);
    own.kv.fault = "error";
    await new Promise((done) => setTimeout(done, 500));
    for (let i = 0; i < 3; i++) assert.equal(await versionHere(own), here);
    await problemOf(await push(OTHER_MODEL, own), 503);
    await problemOf(await put([SHOP, CHANGES], {}, own), 503);
  } finally {
    await own.stop();
  }
});

test("a change that KV does not take is written later", async () => {
  const before = kv.text(KEY);
  // KV answers the reads of the check, and refuses the write.
  const handle = kv.handle;
  kv.handle = function (request, response, body) {
    if (request.method === "PUT" && decodeURIComponent(request.url).includes("indexes/")) {
      response.writeHead(500);
      return response.end("KV is out of order");
    }
    return handle.call(this, request, response, body);
  };
  await problemOf(await put([SHOP, CHANGES]), 503);
  assert.equal(kv.text(KEY), before);
  kv.handle = handle;
  await until(async () => JSON.parse(kv.text(KEY)).indexes[0].version, (version) => version === versionOf(SHOP, CHANGES));
  await until(versionHere, (version) => version === versionOf(SHOP, CHANGES));
});

test("a restart forgets nothing, and the cron mends what KV lost", async () => {
  const before = await worker.must("GET", "indexes");
  await worker.restart();
  assert.deepEqual(await worker.must("GET", "indexes"), before);
  // Of all who ask a new isolate at once one reads for the others.
  kv.read = [];
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 8 }, () => versionHere()))), new Set([versionOf(SHOP, CHANGES)]));
  assert.equal(kv.read.filter((key) => key.startsWith("piece/")).length, 2);
  const { indexes } = await (await worker.fetch("/_edgeloom/health")).json();
  assert.deepEqual(indexes, [{ name: "shop", version: versionOf(SHOP, CHANGES) }]);
  kv.values.delete(KEY);
  await worker.scheduled();
  await until(async () => kv.text(KEY), Boolean);
});

test("a deleted index is gone, and can be had back", async () => {
  assert.equal((await worker.call("DELETE", "indexes/shop")).status, 204);
  assert.deepEqual(await worker.must("GET", "indexes"), { indexes: [] });
  await until(async () => (await nearest({ index: "shop", item: "tea" })).status, (status) => status === 404);
  await worker.must("POST", "indexes/shop/rollback", { version: versionOf(SHOP) });
  await until(versionHere, (version) => version === versionOf(SHOP));
});

test("what a visitor is interested in is stored for personal use, for as long as it says, and erased", async () => {
  const key = `interest/${SITE}/visitor-7`;
  const send = (method, body, headers = IMPORT) => worker.fetch("/_edgeloom/admin/interests/visitor-7", { method, headers, body: body && JSON.stringify(body) });
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const sound = { vector: [0, 0, 1, 0], model: "test-model", purpose: "personal", expires };
  for (const headers of [{}, { authorization: `Bearer ${ADMIN_TOKEN}` }]) await problemOf(await send("PUT", sound, headers), 401);
  for (const [change, pointer] of [
    [{ purpose: "measured" }, "/purpose"],
    [{ expires: "tomorrow" }, "/expires"],
    [{ expires: "2020-01-01T00:00:00Z" }, "/expires"],
    [{ vector: [0] }, "/vector"],
    [{ model: undefined }, "/model"],
  ]) {
    assert.deepEqual(pointersOf(await problemOf(await send("PUT", { ...sound, ...change }), 422)), [pointer]);
  }
  assert.equal(kv.text(key), undefined);
  assert.equal((await send("PUT", sound)).status, 204);
  assert.deepEqual(JSON.parse(kv.text(key)), { vector: sound.vector, model: sound.model, purpose: "personal", expires_millis: Date.parse(expires) });
  assert.equal((await send("DELETE")).status, 204);
  assert.equal(kv.text(key), undefined);
  await problemOf(await send("GET"), 405);
});

test("a visitor who consented is shown what they are interested in, from the view after the first on", async () => {
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const send = (name, body) => worker.fetch(`/_edgeloom/admin/interests/${name}`, { method: "PUT", headers: IMPORT, body: JSON.stringify({ model: "test-model", purpose: "personal", expires, ...body }) });
  assert.equal((await send("clothes-fan", { vector: [0, 0, 1, 0] })).status, 204);
  assert.equal((await send("foreign", { vector: [0, 0, 1, 0], model: "other-model" })).status, 204);
  // As many candidates as places: what is shown is what is nearest.
  await worker.publish({ ...LISTS, slots: LISTS.slots.map((slot) => ({ ...slot, list: { ...slot.list, candidates: 2, diversity: 0, interest: { page: 0.5, declared: 1 } } })) });
  const view = async (cookie) => (await titlesOf(await worker.fetch("/items/tea", { headers: { ...BROWSER, cookie } }))).sort();
  await until(() => view(""), (titles) => String(titles) === "COFFEE,CUPS");
  const read = () => kv.read.filter((key) => key.startsWith("interest/"));
  kv.read = [];
  for (const cookie of ["profile=clothes-fan", "choice=statistics; profile=clothes-fan", "choice=marketing; profile=no%20key", "choice=marketing"]) await view(cookie);
  await new Promise((done) => setTimeout(done, 500));
  assert.deepEqual(read(), [], "nothing is asked without consent to that");
  const fan = "choice=marketing; profile=clothes-fan";
  assert.deepEqual(await view(fan), ["COFFEE", "CUPS"], "nobody waits for it");
  await until(() => view(fan), (titles) => String(titles) === "HATS,SOCKS", 5_000);
  assert.deepEqual(read(), [`interest/${SITE}/clothes-fan`], "read once");
  const foreign = "choice=marketing; profile=foreign";
  await view(foreign);
  await until(async () => read(), ({ length }) => length === 2, 5_000);
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual(await view(foreign), ["COFFEE", "CUPS"], "of another model it says nothing");
});

test("whoever asks too much is told to wait; events of theirs are still taken", async () => {
  const own = await start({ origin: origin.url, kv: Object.assign(new Kv(), { values: new Map(kv.values) }), vars: VARS, limit: 3 });
  try {
    const ask = () => nearest({ index: "shop", item: "tea" }, { "cf-connecting-ip": "203.0.113.7" }, own);
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await ask()).status);
    assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    assert.equal((await ask()).headers.get("retry-after"), "30");
    const collect = await own.fetch("/_edgeloom/collect", { method: "POST", headers: { "cf-connecting-ip": "203.0.113.7" }, body: '{"events":[]}' });
    assert.equal(collect.status, 200);
  } finally {
    await own.stop();
  }
});
