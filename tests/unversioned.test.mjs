// Pages that name no version, known by their bytes, and pages without slots.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { html } from "./support/origin.mjs";
import { HOME, decisionsOf, until } from "./support/sample.mjs";
import { having, startSite } from "./support/site.mjs";

let site;
let origin;
let view;

before(async () => {
  site = await startSite();
  ({ origin, view } = site);
});
after(() => site?.stop());

/** What differs from view to view: receipts, decisions and arms. */
const plain = (text) =>
  text
    .replace(/<script type="application\/json" id="edgeloom-decisions".*?<\/script>/s, "")
    .replace(/<a class="\w+" href="[^"]*">[^<]*<\/a>/g, "<block>");

/** Spliced pages are there whole, so that their length is known; streaming ones are not. */
const isSpliced = ({ headers }) => headers.has("content-length");

test("a page that names no version is spliced while its bytes stay, for everybody with what the origin says to each", async () => {
  let page = HOME;
  origin.route("/plain", (request) => html(page, { "set-cookie": `seen=${request.headers["x-name"]}`, "x-user": request.headers["x-name"] }));
  origin.route("/plain-streaming", html([HOME]));
  const streamed = await view("/plain-streaming");
  assert.ok(!isSpliced(streamed));
  const first = await view("/plain", { "x-name": "first" });
  assert.equal(plain(first.text), plain(streamed.text));
  assert.match(first.headers.get("set-cookie"), /seen=first/);
  const spliced = await view("/plain", { "x-name": "second", cookie: "seen=first" });
  assert.ok(isSpliced(spliced));
  assert.equal(plain(spliced.text), plain(streamed.text));
  assert.equal(Object.keys(decisionsOf(spliced.text).slots).length, 3);
  assert.equal(spliced.headers.get("x-user"), "second");
  assert.match(spliced.headers.get("set-cookie"), /seen=second/);
  assert.equal(spliced.headers.get("cache-control"), "private, no-cache");
  // As long as before, and one letter is another.
  page = HOME.replace("Welcome", "Welcame");
  const changed = await view("/plain", { "x-name": "third" });
  assert.match(changed.text, /Welcame/);
  assert.equal(Object.keys(decisionsOf(changed.text).slots).length, 3);
  page = HOME;
  assert.ok(isSpliced(await view("/plain")), "one other page is no reason to begin anew");
});

test("a page that is another at each view is filled at each", async () => {
  let n = 0;
  origin.route("/anew", () => html(HOME.replace("Welcome", `View ${++n}`)));
  for (let i = 1; i <= 12; i++) {
    const answer = await view("/anew");
    assert.match(answer.text, new RegExp(`View ${i}\\b`));
    assert.equal(Object.keys(decisionsOf(answer.text).slots).length, 3);
  }
});

test("nothing is waited for that does not say how long it is", async () => {
  const rows = { stream: html([HOME]), coded: { ...html(HOME), encoding: "gzip" } };
  for (const [name, route] of Object.entries(rows)) {
    origin.route(`/unknown-${name}`, route);
    for (let i = 0; i < 6; i++) {
      const answer = await view(`/unknown-${name}`);
      assert.ok(!isSpliced(answer), name);
      assert.equal(Object.keys(decisionsOf(answer.text).slots).length, 3);
    }
  }
});

test("of what nobody may keep each view says so", async () => {
  for (const line of ["private", "no-store", "private, no-store"]) {
    origin.route("/unkept", html(HOME, { "cache-control": line, "netlify-cdn-cache-control": "public, max-age=600", "edge-control": "max-age=600" }));
    for (let i = 0; i < 3; i++) {
      const { headers, text } = await view("/unkept");
      assert.equal(Object.keys(decisionsOf(text).slots).length, 3);
      assert.equal(headers.get("cache-control"), "private, no-store");
      for (const name of ["netlify-cdn-cache-control", "edge-control"]) assert.equal(headers.get(name), null, name);
    }
  }
});

test("a page that got its first slot is filled once the life it had without is over", async () => {
  let page = "<!doctype html><p>No slot here.";
  origin.route("/first-slot", () => html(page, { "cache-control": "public, max-age=1" }));
  for (let i = 0; i < 3; i++) assert.equal((await view("/first-slot")).text, page);
  page = HOME;
  await new Promise((done) => setTimeout(done, 1_100));
  assert.ok(decisionsOf((await view("/first-slot")).text));
});

test("a page without slots is its origin's at every view, whatever it says of itself", async () => {
  const page = "<!doctype html><p>No slot here.";
  const rows = [{}, { "cache-control": "max-age=600" }, { "last-modified": "Tue, 24 Nov 2026 10:00:00 GMT" }, { "cache-control": "private, max-age=60" }, { "set-cookie": "a=1" }, { "cache-control": "public, max-age=600", "netlify-cdn-cache-control": "max-age=9" }];
  for (const [i, own] of rows.entries()) {
    origin.route(`/no-slot-${i}`, html(page, own));
    for (let n = 0; n < 3; n++) {
      const { headers, text } = await view(`/no-slot-${i}`);
      assert.equal(text, page);
      for (const name of ["cache-control", "etag", "server-timing", "last-modified", "set-cookie", "netlify-cdn-cache-control"]) assert.equal(headers.get(name), own[name] ?? null, `${JSON.stringify(own)}: ${name}`);
    }
  }
});

test("a page known by its bytes that breaks off is a broken connection, not a tidy end", async () => {
  origin.route("/breaks", html(HOME));
  await until(() => view("/breaks"), isSpliced);
  origin.route("/breaks", { ...html(HOME), cutAfterBytes: 200 });
  await assert.rejects(view("/breaks"));
});

test("a page without slots keeps its origin's tag, life and conditions, until it has one", async () => {
  let page = "<!doctype html><title>About</title><p>No slot here.";
  let tag = '"a"';
  origin.route("/slotless", () => html(page, { etag: tag, "cache-control": "public, max-age=600" }));
  const passed = await until(() => view("/slotless"), ({ headers }) => headers.get("etag") === '"a"');
  assert.equal(passed.text, page);
  assert.equal(passed.headers.get("cache-control"), "public, max-age=600");
  assert.equal((await view("/slotless", { ...having('"a"'), cookie: "a=1" })).status, 304);
  page = HOME;
  tag = '"b"';
  const filled = await until(() => view("/slotless", { cookie: "a=1" }), ({ text }) => decisionsOf(text));
  assert.match(filled.headers.get("cache-control"), /^private/);
  // For each visitor another page: one without a slot says nothing of the next one's.
  origin.route("/some-slotless", (request) => html(request.headers.cookie ? page : "<!doctype html><p>No slot here.", { "cache-control": "max-age=60" }));
  for (let i = 0; i < 5; i++) {
    await view("/some-slotless");
    await new Promise((done) => setTimeout(done, 20));
  }
  for (let i = 0; i < 5; i++) assert.ok(decisionsOf((await view("/some-slotless", { cookie: "a=1" })).text), "for visitors with cookies");
});
