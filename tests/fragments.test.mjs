// One slot as HTML and decisions as JSON: both are what a page would get, with the same receipts, and nothing of ours that
// fails costs a caller more than its block.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Kv } from "./support/bindings.mjs";
import { startOrigin } from "./support/origin.mjs";
import { ADMIN_TOKEN, SECRETS, path } from "./support/paths.mjs";
import { exposure, reward } from "./support/receipt.mjs";
import { BROWSER, CONFIG, HOME, ROUTES, decisionsOf, tokenLinks, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const KEY = SECRETS.IMPORT_KEYS.split(":")[1];
const CRAWLER = { "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)" };
const VARS = { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000", EDGELOOM_FAULTS: "on" };
const ARMS = [{ block: "warm" }, { block: "cool" }];
/** Beside the slots of the sample: one of some pages, one for one campaign, one whose only arm is the page as it is. */
const SITE = {
  ...CONFIG,
  privacy: { mode: "personal", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } },
  audiences: [{ id: "campaign", when: { "query.utm": "tea" } }, { id: "searched", when: { referrer: "search.example" } }],
  blocks: [...CONFIG.blocks, { id: "tea", template: "<b>Tea</b>" }, { id: "found", template: "<b>Found</b>" }],
  slots: [
    ...CONFIG.slots,
    { id: "news", goal: "order", paths: ["/news/*"], arms: ARMS },
    { id: "offer", goal: "order", audience: "campaign", arms: [{ block: "tea" }] },
    { id: "welcome", goal: "order", audience: "searched", arms: [{ block: "found" }] },
    { id: "plain", goal: "order", arms: [{ id: "own" }] },
  ],
};

let origin;
let worker;
before(async () => {
  origin = await startOrigin(ROUTES);
  worker = await start({ origin: origin.url, vars: VARS });
  await worker.publish(SITE);
  await until(async () => (await slot("hero")).status, (status) => status === 200);
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

/** What a script of the page gets; `at` is another worker. */
async function slot(name, headers = {}, init = {}, at = worker) {
  const answer = await at.fetch(`/_edgeloom/slot/${name}`, { headers: { "user-agent": BROWSER["user-agent"], accept: "*/*", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin", ...headers }, ...init });
  const text = await answer.text();
  return { status: answer.status, text, headers: answer.headers, receipt: answer.headers.get("edgeloom-receipt"), cookies: answer.headers.getSetCookie(), arm: /class="(\w+)"/.exec(text)?.[1] };
}
async function view(headers = {}, at = worker) {
  const answer = await at.fetch("/", { headers: { ...BROWSER, ...headers } });
  const text = await answer.text();
  return { text, decisions: decisionsOf(text), cookies: answer.headers.getSetCookie() };
}
async function decide(body, headers = {}, at = worker) {
  const answer = await at.fetch("/_edgeloom/decide", { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers } });
  return { status: answer.status, headers: answer.headers, ...(await answer.json()) };
}
const collect = async (...events) => (await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { "content-type": "application/json" } })).json();
const counted = async (name, field, at = worker) => (await at.must("GET", "status")).slots.find((one) => one.slot === name).arms.reduce((n, arm) => n + arm[field], 0);
/** A count once nothing is under way any more. */
async function settled(name, field) {
  for (let before = -1; ; await new Promise((done) => setTimeout(done, 2500))) {
    const now = await counted(name, field);
    if (now === before) return now;
    before = now;
  }
}
const consenting = async (word = "marketing") => {
  const { cookies } = await view({ cookie: `choice=${word}` });
  return `choice=${word}; ${cookies[0].split(";")[0]}`;
};
const at = (page) => ({ referer: new URL(page, worker.url).href });
const hex = (n) => n.toString(16).padStart(32, "0");

describe("a slot by itself", () => {
  test("it is the block with its signed link, and nobody stores it", async () => {
    const { status, text, headers } = await slot("hero");
    assert.equal(status, 200);
    assert.match(text, /^<a class="(bold|calm)" href="\/thanks\?(from=calm&amp;)?_el=[\w-]+(#top)?">[\x20-\x7e]+<\/a>$/);
    assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(headers.get("cache-control"), "private, no-store");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.match(headers.get("server-timing"), /^edgeloom;desc="hero=(bold|calm)"$/);
  });

  test("HEAD has the headers of GET, no body, and counts nothing", async () => {
    const before = await settled("hero", "exposures");
    for (let i = 0; i < 3; i++) {
      const { status, text, headers } = await slot("hero", {}, { method: "HEAD" });
      assert.deepEqual([status, text], [200, ""]);
      assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
      assert.match(headers.get("server-timing"), /^edgeloom;desc="hero=/);
    }
    assert.equal(await settled("hero", "exposures"), before);
  });

  test("without consent it is recorded when it is served, and carries no receipt but that of its links", async () => {
    const before = await settled("cta", "exposures");
    for (let i = 0; i < 5; i++) {
      const { receipt, cookies, text } = await slot("cta");
      assert.deepEqual([receipt, cookies], [null, []]);
      assert.equal(tokenLinks(text).length, 1);
    }
    await until(() => counted("cta", "exposures"), (n) => n >= before + 5);
    assert.equal(await settled("cta", "exposures"), before + 5);
  });

  test("the link of a slot rewards the exposure that was recorded", async () => {
    const before = await settled("hero", "rewards");
    const [{ href }] = tokenLinks((await slot("hero")).text);
    await worker.fetch(href, { headers: BROWSER });
    await until(() => counted("hero", "rewards"), (n) => n === before + 1);
  });

  for (const word of ["statistics", "marketing"])
    test(`with consent to ${word} it is the page's own arm, and its receipt is for the caller to send`, async () => {
      const cookie = await consenting(word);
      const { decisions } = await view({ cookie });
      const before = await settled("hero", "exposures");
      const found = await slot("hero", { cookie });
      assert.equal(found.arm, decisions.slots.hero.arm);
      assert.deepEqual(found.cookies, []);
      assert.equal(await settled("hero", "exposures"), before);
      assert.deepEqual(await collect(exposure(found.receipt), reward(found.receipt)), { accepted: 2, repeated: 0, refused: {} });
      await until(() => counted("hero", "exposures"), (n) => n === before + 1);
    });

  test("twenty visitors find in each slot what their page shows", async () => {
    for (let i = 0; i < 20; i++) {
      const cookie = await consenting();
      const { decisions } = await view({ cookie });
      // Of `cta` every view is drawn anew.
      for (const name of ["hero", "teaser"]) assert.equal((await slot(name, { cookie })).arm, decisions.slots[name].arm, name);
    }
  });

  test("it sets the cookie that the page would set, and takes back the one the page would take back", async () => {
    const first = await slot("hero", { cookie: "choice=marketing" });
    assert.match(first.cookies[0], /^__Host-edgeloom=[\w-]+; Path=\/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax$/);
    const cookie = `choice=marketing; ${first.cookies[0].split(";")[0]}`;
    assert.equal((await view({ cookie })).decisions.slots.hero.arm, first.arm);
    for (const objection of [{ "sec-gpc": "1" }, { dnt: "1" }]) {
      const { cookies, receipt } = await slot("hero", { cookie, ...objection });
      assert.match(cookies[0], /^__Host-edgeloom=; Path=\/; Max-Age=0;/);
      assert.equal(receipt, null);
    }
  });

  test("crawlers, what is fetched ahead, and what another site loads are never counted", async () => {
    const before = await settled("hero", "exposures");
    const cookie = await consenting();
    for (const headers of [CRAWLER, { "sec-purpose": "prefetch" }]) {
      const { status, text, receipt } = await slot("hero", { ...headers, cookie });
      assert.deepEqual([status, receipt, tokenLinks(text)], [200, null, []]);
      assert.equal((await slot("hero", headers)).status, 200);
    }
    assert.equal((await slot("hero", { "sec-fetch-site": "cross-site" })).status, 200);
    // A program that says nothing of where it comes from is a server: ESI.
    assert.equal((await worker.fetch("/_edgeloom/slot/hero", { headers: { "user-agent": BROWSER["user-agent"] } })).status, 200);
    await until(() => counted("hero", "exposures"), (n) => n > before);
    assert.equal(await settled("hero", "exposures"), before + 1);
  });

  test("which page it is for is said by the query, else by the referrer of this site", async () => {
    assert.equal((await slot("news?path=/news/today")).status, 200);
    assert.equal((await slot("news?path=%2Fnews%2Ftoday", at("/about"))).status, 200);
    assert.equal((await slot("news", at("/news/today?page=2"))).status, 200);
    for (const [name, headers] of [["news", {}], ["news?path=/about", at("/news/today")], ["news", { referer: "https://elsewhere.example/news/today" }], ["news", { referer: "no address" }], ["news?path=/news/../about", {}]]) {
      const { status, text, headers: found, cookies } = await slot(name, { cookie: "choice=marketing", ...headers });
      assert.deepEqual([status, text, cookies], [204, "", []], name);
      assert.equal(found.get("cache-control"), "private, no-store");
    }
  });

  test("audiences see the query of that page, and where its visitor came from", async () => {
    assert.equal((await slot("offer")).status, 204);
    assert.equal((await slot("offer?utm=tea")).status, 204);
    assert.equal((await slot("offer", at("/?utm=tea"))).status, 200);
    assert.equal((await slot(`offer?path=${encodeURIComponent("/?utm=tea")}`)).status, 200);
    // An ESI processor hands on what the page itself was asked with.
    assert.equal((await slot("welcome?path=/", { referer: "https://search.example/?q=tea" })).status, 200);
    assert.equal((await slot("welcome?path=/", at("/"))).status, 204);
  });

  test("where the page keeps its own there is nothing to change, and that counts as it would in the page", async () => {
    const cookie = await consenting();
    const found = await slot("plain", { cookie });
    assert.deepEqual([found.status, found.text], [204, ""]);
    assert.match(found.headers.get("server-timing"), /plain=own/);
    assert.equal((await collect(exposure(found.receipt))).accepted, 1);
  });

  test("a path that is none is refused with what to write", async () => {
    for (const bad of ["", "news", "//evil.example/x", "/\\evil.example/x", "https://evil.example/", "javascript:1"]) {
      const { status, text, headers } = await slot(`hero?path=${encodeURIComponent(bad)}`);
      assert.equal(status, 400, bad);
      assert.equal(headers.get("content-type"), "application/problem+json");
      assert.match(JSON.parse(text).detail, /^`path` is no path of this site; hint: /);
    }
  });

  test("a path with line breaks, NUL or receipts in it is a path and nothing more", async () => {
    for (const odd of ["/a\nb", "/a\r\nMozilla", "/a\0b", "/ü?x=ü", "/?_el=forged", `/${"x".repeat(8000)}`]) {
      assert.equal((await slot(`hero?path=${encodeURIComponent(odd)}`)).status, 200, odd.slice(0, 20));
    }
  });

  test("a slot that there is not is a problem that names those there are", async () => {
    for (const name of ["heros", "", "hero/x", "%00", "x".repeat(5000)]) {
      const { status, text, headers } = await slot(name);
      assert.equal(status, 404, name.slice(0, 20));
      assert.equal(headers.get("content-type"), "application/problem+json");
      assert.match(JSON.parse(text).detail, /^there is no such slot; hint: hero, cta, teaser, news, offer, welcome, plain$/);
    }
  });

  test("other methods are refused with those that work", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await slot("hero", {}, { method });
      assert.deepEqual([status, headers.get("allow")], [405, "GET, HEAD"]);
    }
  });
});

describe("what fails", () => {
  test("a trap of the wasm leaves the caller with what it has, and the next one gets its block", async () => {
    const { status, text } = await slot("hero", { "x-edgeloom-fault": "plan-panic" });
    assert.deepEqual([status, text], [204, ""]);
    await until(async () => (await slot("hero")).status, (status) => status === 200);
  });

  test("before anything is published a slot is left alone, and a decision is asked for later", async () => {
    const empty = await start({ origin: origin.url, vars: VARS });
    try {
      assert.equal((await slot("hero", {}, {}, empty)).status, 204);
      const answer = await decide({}, {}, empty);
      assert.deepEqual([answer.status, answer.headers.get("content-type"), answer.headers.get("retry-after")], [503, "application/problem+json", "1"]);
    } finally {
      await empty.stop();
    }
  });

  test("without keys for receipts nothing is decided", async () => {
    const keyless = await start({ origin: origin.url, kv: worker.kv, vars: { ...VARS, RECEIPT_KEYS: "" } });
    try {
      assert.equal((await slot("hero", {}, {}, keyless)).status, 204);
      assert.equal((await decide({}, {}, keyless)).status, 503);
    } finally {
      await keyless.stop();
    }
  });

  test("a ledger that is down costs no block, and what was served is counted once it is back", async () => {
    await slot("teaser");
    await until(() => counted("teaser", "exposures"), (n) => n > 0);
    const own = await start({ origin: origin.url, kv: worker.kv, vars: VARS });
    // Where the databases of the shards should be there are folders, and the queue refuses: events find nobody.
    const databases = readdirSync(join(worker.dir, "edgeloom-Shard")).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name));
    const paths = databases.map((name) => join(own.dir, "edgeloom-Shard", name));
    for (const path of paths) mkdirSync(path, { recursive: true });
    own.queue.fault = "refuse";
    try {
      for (let i = 0; i < 5; i++) assert.equal((await slot("teaser", {}, {}, own)).status, 200);
      await until(() => own.log, (log) => log.some((line) => line.includes("5 events are not stored")));
      for (const path of paths) rmSync(path, { recursive: true });
      own.queue.fault = "none";
      // Whoever comes next takes along what waits.
      assert.equal((await slot("teaser", {}, {}, own)).status, 200);
      await own.publish(SITE);
      await until(() => counted("teaser", "exposures", own), (n) => n === 6);
    } finally {
      await own.stop();
    }
  });

  test("KV that hangs or lies holds up no slot for long", async () => {
    for (const fault of ["hang", "error", "corrupt"]) {
      const kv = new Kv();
      for (const [key, value] of worker.kv.values) kv.values.set(key, value);
      kv.fault = fault;
      const own = await start({ origin: origin.url, kv, vars: VARS });
      try {
        const started = Date.now();
        assert.equal((await slot("hero", {}, {}, own)).status, 204, fault);
        assert.ok(Date.now() - started < 1500, fault);
      } finally {
        await own.stop();
      }
    }
  });
});

describe("a holdout", () => {
  let own;
  before(async () => {
    own = await start({ origin: origin.url, vars: VARS });
    await own.publish({ ...SITE, holdout: { share: 0.5, salt: "half" } });
    await until(async () => (await decide({}, {}, own)).status, (status) => status === 200);
  });
  after(() => own?.stop());

  test("it keeps the page's own in slots too, and its visits are compared with", async () => {
    let [held, filled] = [0, 0];
    for (let i = 0; i < 40; i++) {
      const first = await slot("hero", { cookie: "choice=marketing" }, {}, own);
      const cookie = `choice=marketing; ${first.cookies[0].split(";")[0]}`;
      assert.equal((await view({ cookie }, own)).decisions.slots.hero.reason === "HOLDOUT", first.status === 204);
      assert.ok(first.receipt);
      first.status === 204 ? held++ : filled++;
    }
    // Of 40 visitors none or all: 2 × 2⁻⁴⁰.
    assert.ok(held > 0 && filled > 0, `${held} ${filled}`);
    const heldOut = async () => (await own.must("GET", "status")).slots.find((one) => one.slot === "hero").held_out?.exposures ?? 0;
    // Without consent the edge records it, as in a page.
    const before = await heldOut();
    for (let i = 0; i < 40; i++) await slot("hero", {}, {}, own);
    await until(heldOut, (n) => n > before);
  });

  test("it is a reason of decisions, with a receipt", async () => {
    const reasons = new Set();
    for (let i = 0; i < 40; i++) {
      const { slots } = await decide({ visitor: hex(i) }, {}, own);
      reasons.add(slots.hero.reason);
      assert.ok(slots.hero.receipt);
      assert.equal(slots.hero.arm === undefined, slots.hero.reason === "HOLDOUT");
    }
    assert.deepEqual([...reasons].sort(), ["HOLDOUT", "SPLIT"]);
  });
});

describe("decisions as JSON", () => {
  test("they have the form that a page is told, and nothing is recorded by deciding", async () => {
    const before = await settled("hero", "exposures");
    const { status, headers, ...told } = await decide({ path: "/", device: "phone" });
    assert.equal(status, 200);
    assert.equal(headers.get("cache-control"), "no-store");
    assert.deepEqual(headers.getSetCookie(), []);
    const { decisions } = await view({ cookie: "choice=marketing" });
    assert.deepEqual(Object.keys(told), Object.keys(decisions));
    assert.deepEqual(Object.keys(told.slots), Object.keys(decisions.slots));
    assert.equal(told.snapshot, decisions.snapshot);
    const { place, ...hero } = decisions.slots.hero;
    assert.deepEqual(Object.keys(told.slots.hero), Object.keys(hero));
    assert.equal(await settled("hero", "exposures"), before);
  });

  test("their receipts are taken by collect, once each", async () => {
    const { slots } = await decide({ visitor: hex(7) });
    assert.deepEqual(await collect(exposure(slots.hero.receipt), reward(slots.hero.receipt), exposure(slots.cta.receipt)), { accepted: 3, repeated: 0, refused: {} });
    assert.deepEqual(await collect(exposure(slots.hero.receipt)), { accepted: 0, repeated: 1, refused: {} });
    const anonymous = await decide({});
    assert.equal((await collect(exposure(anonymous.slots.hero.receipt))).accepted, 1);
  });

  test("a visitor keeps the arms, a decision keeps everything, and without either each call is a view of its own", async () => {
    const arms = new Set();
    for (let i = 0; i < 12; i++) arms.add((await decide({ visitor: hex(99) })).slots.hero.arm);
    assert.equal(arms.size, 1);
    const [a, b] = [await decide({ visitor: hex(99), decision: hex(5) }), await decide({ visitor: hex(99), decision: hex(5).toUpperCase() })];
    assert.deepEqual([a.decision, a.mode], [hex(5), "personal"]);
    for (const name of Object.keys(a.slots)) assert.equal(b.slots[name].arm, a.slots[name].arm);
    const [c, d] = [await decide({}), await decide({})];
    assert.notEqual(c.decision, d.decision);
    assert.equal(c.mode, "measured");
  });

  test("they are those of the golden cases, as in a browser", async () => {
    const { stored, cases } = JSON.parse(readFileSync(path("tests/fixtures/golden/decisions.json"), "utf8"));
    const kv = new Kv();
    kv.values.set("site:golden:snapshot:v1", Buffer.from(stored, "hex"));
    const golden = await start({ kv, vars: { ...VARS, SITE: "golden" } });
    try {
      for (const { visit, told } of cases) {
        const { status, slots, snapshot, decision } = await decide(visit, {}, golden);
        assert.deepEqual([status, snapshot, decision], [200, told.snapshot, visit.decision]);
        const found = Object.entries(slots).map(([slot, { arm, reason }]) => (arm === undefined ? { slot, reason } : { slot, arm, reason }));
        assert.deepEqual(found, told.slots.map(({ propensity, ...slot }) => slot));
        for (const { slot, propensity, reason } of told.slots) {
          assert.ok(Math.abs(slots[slot].propensity - propensity) <= 1e-12);
          assert.equal(slots[slot].receipt === undefined, reason === "DEFAULT");
        }
      }
    } finally {
      await golden.stop();
    }
  });

  test("facts are believed: address, path, query, referrer", async () => {
    const has = async (name, body) => (await decide(body)).slots[name]?.arm !== undefined;
    assert.ok(await has("news", { path: "/news/today" }));
    assert.ok(await has("news", { url: "https://shop.example/news/today?x=1#y" }));
    assert.ok(!(await has("news", {})));
    assert.ok(!(await has("news", { url: "https://shop.example/news/today", path: "/" })));
    assert.ok(await has("offer", { url: "https://shop.example/?utm=tea" }));
    assert.ok(await has("offer", { query: { utm: "tea" } }));
    assert.ok(await has("welcome", { referrer: "search.example" }));
    assert.ok(await has("welcome", { referrer: "https://search.example/?q=1" }));
    assert.ok(!(await has("welcome", { referrer: null })));
  });

  test("blocks come along where they are asked for, with links as in a page", async () => {
    const { slots } = await decide({ html: true, visitor: hex(3) });
    const [link] = tokenLinks(slots.hero.html);
    assert.equal(link.arm, slots.hero.arm);
    assert.equal(slots.plain.html, undefined);
    assert.equal((await decide({})).slots.hero.html, undefined);
    assert.ok(!link.href.includes(slots.hero.receipt), "an address does not tell who");
  });

  test("only the slots asked for are told, decided as in the whole page; one that is gone costs only itself", async () => {
    const all = await decide({ visitor: hex(4), decision: hex(1) });
    const { slots, unknown } = await decide({ visitor: hex(4), decision: hex(1), slots: ["teaser", "gone", "hero", "news", "\"\u0000ü"] });
    assert.deepEqual(Object.keys(slots), ["hero", "teaser"]);
    for (const name of ["hero", "teaser"]) assert.equal(slots[name].arm, all.slots[name].arm);
    assert.deepEqual(unknown, ["gone", "\"\u0000ü"]);
    assert.equal(all.unknown, undefined);
    assert.deepEqual((await decide({ slots: [] })).slots, {});
  });

  test("a crawler is decided for and gives no receipt", async () => {
    const { slots } = await decide({ device: "crawler", html: true });
    assert.ok(slots.hero.arm);
    assert.equal(slots.hero.receipt, undefined);
    assert.deepEqual(tokenLinks(slots.hero.html), []);
  });

  test("it takes a key of the trusted logs, and says so", async () => {
    for (const authorization of [undefined, "", "Bearer", `Bearer ${KEY}x`, `Bearer ${ADMIN_TOKEN}`, "Basic eDp5"]) {
      const answer = await worker.fetch("/_edgeloom/decide", { method: "POST", body: "{}", headers: authorization === undefined ? {} : { authorization } });
      assert.equal(answer.status, 401, authorization);
      assert.match(answer.headers.get("www-authenticate"), /^Bearer /);
      assert.match((await answer.json()).detail, /IMPORT_KEYS/);
    }
    assert.equal((await decide({}, { authorization: `Bearer t:${KEY}` })).status, 200);
  });

  test("a field that can't be used is named with what it has to be", async () => {
    const wrong = {
      visitor: "7", decision: 5, url: "/news", path: "news", query: [], referrer: 1, country: 49, language: 7,
      device: {}, time_millis: -1, attributes: "x", slots: ["hero", 7], html: "yes", visiter: "x", "a/b~c": null,
    };
    const { status, title, errors, headers } = await decide(wrong);
    assert.deepEqual([status, title, headers.get("content-type")], [400, "Not a visit", "application/problem+json"]);
    assert.deepEqual(errors.map(({ pointer }) => pointer).sort(), [...Object.keys(wrong).filter((name) => name !== "a/b~c").map((name) => `/${name}`), "/a~1b~0c"].sort());
    for (const { pointer, detail } of errors) assert.match(detail, pointer in { "/visiter": 1, "/a~1b~0c": 1 } ? /^there is no such field; hint: / : /^has to be /);
    for (const path of ["", "/a?b", "/a#b"]) assert.equal((await decide({ path })).status, 400, path);
    assert.equal((await decide({ slots: Array(101).fill("hero") })).errors[0].pointer, "/slots");
    assert.equal((await decide({ slots: Array(100).fill("hero") })).status, 200);
  });

  test("what is no visit at all, nests too deep or is too large is refused", async () => {
    for (const body of ["", "x", '{"path":', "[".repeat(60_000)]) assert.deepEqual([(await decide(body)).status, (await decide(body)).title], [400, "Not readable"], body.slice(0, 10));
    for (const body of ["7", "[]", "null", '"x"']) assert.deepEqual((await decide(body)).errors, [{ pointer: "", detail: "has to be an object" }]);
    assert.equal((await decide({ attributes: { x: "x".repeat(64 * 1024) } })).status, 413);
    const deep = `{"attributes":{"x":${"[".repeat(100)}${"]".repeat(100)}}}`;
    assert.equal((await decide(deep)).status, 200);
  });

  test("other methods are refused with the one that works", async () => {
    for (const method of ["GET", "HEAD", "PUT", "OPTIONS"]) {
      const answer = await worker.fetch("/_edgeloom/decide", { method, headers: { authorization: `Bearer ${KEY}` } });
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST"]);
    }
  });
});

test("the origin was asked for none of this", () => {
  assert.ok(origin.requests.every(({ path }) => !path.startsWith("/_edgeloom/")));
  assert.ok(HOME.includes("default hero"));
});
