// The three privacy modes: what is stored, what is read, what is learned.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startOrigin } from "./support/origin.mjs";
import { token } from "./support/receipt.mjs";
import { BROWSER, CONFIG, ROUTES, decisionsOf, tokenLinks, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const PRIVACY = { mode: "personal", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } };
const COOKIE = "__Host-edgeloom";

let origin;
let worker;
const get = (headers = {}, path = "/") => worker.fetch(path, { headers: { ...BROWSER, ...headers } });
const page = async (headers) => {
  const answer = await get(headers);
  return { decisions: decisionsOf(await answer.clone().text()), text: await answer.text(), cookies: answer.headers.getSetCookie() };
};

before(async () => {
  origin = await startOrigin(ROUTES);
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000", EDGELOOM_FAULTS: "on" } });
  await worker.publish({ ...CONFIG, privacy: PRIVACY });
  await until(() => page(), ({ decisions }) => Boolean(decisions));
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

test("without consent nothing is stored and no receipt names the visit", async () => {
  const { decisions, text, cookies } = await page();
  assert.equal(decisions.mode, "contextual");
  assert.deepEqual(cookies, []);
  assert.ok(!text.includes("beacon.js"));
  const slots = Object.values(decisions.slots);
  assert.equal(slots.length, 3);
  assert.ok(slots.every((slot) => slot.receipt === undefined));
});

test("consent to measurement sets one signed cookie for a day, which is then kept", async () => {
  const first = await page({ cookie: "choice=necessary,statistics" });
  assert.equal(first.decisions.mode, "measured");
  assert.equal(first.cookies.length, 1);
  assert.match(first.cookies[0], /^__Host-edgeloom=[\w-]+; Path=\/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax$/);
  assert.ok(first.text.includes('src="/_edgeloom/beacon.js"'));
  const cookie = first.cookies[0].split(";")[0];
  const second = await page({ cookie: `choice=necessary,statistics; ${cookie}` });
  assert.deepEqual(second.cookies, []);
  assert.equal(second.decisions.slots.hero.arm, first.decisions.slots.hero.arm);
  assert.notEqual(second.decisions.decision, first.decisions.decision);
});

test("consent to personalisation remembers for thirty days", async () => {
  const { decisions, cookies } = await page({ cookie: "choice=statistics|marketing" });
  assert.equal(decisions.mode, "personal");
  assert.match(cookies[0], /Max-Age=2592000;/);
});

test("a visitor keeps the arm of a sticky slot", async () => {
  const { cookies, decisions } = await page({ cookie: "choice=marketing" });
  const cookie = `choice=marketing; ${cookies[0].split(";")[0]}`;
  for (let i = 0; i < 10; i++) assert.equal((await page({ cookie })).decisions.slots.hero.arm, decisions.slots.hero.arm);
});

test("Global Privacy Control and Do Not Track mean contextual, and take the cookie back", async () => {
  const { cookies } = await page({ cookie: "choice=marketing" });
  const cookie = `choice=marketing; ${cookies[0].split(";")[0]}`;
  for (const objection of [{ "sec-gpc": "1" }, { dnt: "1" }]) {
    const answer = await page({ cookie, ...objection });
    assert.equal(answer.decisions.mode, "contextual");
    assert.match(answer.cookies[0], /^__Host-edgeloom=; Path=\/; Max-Age=0;/);
  }
});

test("withdrawn consent deletes the cookie", async () => {
  const { cookies } = await page({ cookie: "choice=marketing" });
  const answer = await page({ cookie: `choice=necessary; ${cookies[0].split(";")[0]}` });
  assert.match(answer.cookies[0], /Max-Age=0/);
});

test("what was looked at stands in the cookie, and goes with it", async () => {
  const hour = Buffer.alloc(4);
  hour.writeUInt32BE(Math.floor(Date.now() / 3_600_000));
  // An item: the hash of its id, and when it was seen, in tens of minutes.
  const seen = (id) => Buffer.from([id, 2, 3, 4, ...[0, 8, 16].map((shift) => (Math.floor(Date.now() / 600_000) >> shift) & 255)]);
  const cookieOf = (...trail) => `${COOKIE}=${token("cookie", Buffer.concat([Buffer.from([0x80 | 2]), hour, Buffer.alloc(16, 7), Buffer.from([trail.length]), ...trail]))}`;
  const sound = cookieOf(seen(1), seen(2));
  assert.deepEqual((await page({ cookie: `choice=marketing; ${sound}` })).cookies, [], "it is read as ours");
  assert.match((await page({ cookie: `choice=necessary; ${sound}` })).cookies[0], /^__Host-edgeloom=; Path=\/; Max-Age=0;/);
  for (const broken of [cookieOf(seen(1), seen(1)), cookieOf(...Array.from({ length: 9 }, (_, n) => seen(n)))]) {
    assert.match((await page({ cookie: `choice=marketing; ${broken}` })).cookies[0], /^__Host-edgeloom=[\w-]{40}/);
  }
});

test("a tampered, foreign or broken cookie is no cookie", async () => {
  const { cookies } = await page({ cookie: "choice=marketing" });
  const value = cookies[0].split(";")[0];
  const tampered = value.slice(0, -2) + (value.endsWith("AA") ? "BB" : "AA");
  for (const bad of [tampered, `${COOKIE}=`, `${COOKIE}=%00`, `${COOKIE}=${"x".repeat(4000)}`]) {
    const answer = await page({ cookie: `choice=marketing; ${bad}` });
    assert.equal(answer.cookies.length, 1, bad);
    assert.ok(answer.cookies[0].startsWith(`${COOKIE}=`));
  }
});

test("contextual links carry receipts that many visitors share", async () => {
  // A receipt names its snapshot: this one stays what it is while the views run, however slow the machine.
  const own = await start({ origin: origin.url, vars: { PUBLISH_MILLIS: "3600000" } });
  const tokens = [];
  try {
    await own.publish({ ...CONFIG, privacy: PRIVACY });
    const links = async () => tokenLinks(await (await own.fetch("/", { headers: BROWSER })).text());
    await until(links, ({ length }) => length === 3);
    for (let i = 0; i < 300; i++) {
      for (const { href } of await links()) tokens.push(new URL(href, own.url).searchParams.get("_el"));
    }
  } finally {
    await own.stop();
  }
  assert.equal(tokens.length, 900, "a receipt for each slot of each view");
  assert.ok(tokens.every((token) => token.length > 40));
  // 4096 receipts per hour, slot and snapshot: two of 300 views share one with near certainty (birthday: 1 − e^−11).
  const distinct = new Set(tokens).size;
  assert.ok(distinct < 900, `${distinct} receipts for 900 slots`);
  // And not one for everybody: too few would tell nothing apart.
  assert.ok(distinct > 700, `${distinct} receipts for 900 slots`);
});

const count = async (field) => (await worker.must("GET", "status")).slots.flatMap(({ arms }) => arms).reduce((n, arm) => n + arm[field], 0);
/** A count once nothing is under way any more: the edge sends once a second, shards report as often. */
async function settled(field) {
  for (let before = -1; ; await new Promise((done) => setTimeout(done, 3000))) {
    const now = await count(field);
    if (now === before) return now;
    before = now;
  }
}

test("a crawler gets a page like anybody and teaches nothing", async () => {
  const CRAWLER = { "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)" };
  const before = await settled("exposures");
  for (let i = 0; i < 10; i++) assert.deepEqual(tokenLinks((await page(CRAWLER)).text), []);
  // A visitor's view of three slots arrives after them, and is all that is counted.
  assert.equal(tokenLinks((await page()).text).length, 3);
  await until(() => count("exposures"), (n) => n > before);
  assert.equal(await settled("exposures"), before + 3);
  const crawler = await page({ ...CRAWLER, cookie: "choice=marketing" });
  assert.ok(crawler.decisions.slots.hero.arm);
  assert.deepEqual(tokenLinks(crawler.text), []);
  assert.ok(!crawler.text.includes("receipt"));
});

/** Everything that outlives the visit: objects on disk, KV, messages under way, and the log. */
function kept() {
  const files = readdirSync(worker.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const disk = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name)));
  const messages = worker.queue.messages.map(({ body }) => Buffer.from(body, "base64"));
  return { disk: Buffer.concat(disk), log: worker.log.join("\n"), all: Buffer.concat([...disk, ...worker.kv.values.values(), ...messages, Buffer.from(worker.log.join("\n"))]) };
}

test("logs and state name nobody", async () => {
  const marks = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.7777.31 Safari/537.36",
    "cf-connecting-ip": "203.0.113.77",
    "x-forwarded-for": "203.0.113.78",
    "x-real-ip": "203.0.113.79",
    referer: "https://search.example/?q=marked-referrer",
    "accept-language": "en-US,en;q=0.77",
  };
  const path = "/?email=marked%40example.org";
  const first = await get({ ...marks, cookie: "choice=marketing; session=marked-session" }, path);
  const cookie = first.headers.getSetCookie()[0].split(";")[0].slice(COOKIE.length + 1);
  assert.ok(cookie.length > 40);
  const { decision, slots } = decisionsOf(await first.text());
  const events = Object.values(slots).flatMap(({ receipt }) => [{ kind: "exposure", receipt }, { kind: "reward", receipt, goal: "order" }]);
  const sending = { ...marks, cookie: `${COOKIE}=${cookie}; session=marked-session`, referer: `${worker.url}${path}`, "content-type": "text/plain" };
  const send = (events, more) => worker.fetch("/_edgeloom/collect", { method: "POST", headers: { ...sending, ...more }, body: JSON.stringify({ events }) });
  const before = await count("rewards");
  assert.equal((await (await send(events)).json()).accepted, 6);
  await until(() => count("rewards"), (n) => n > before);
  // What goes wrong is logged, and that is where a name slips out most easily.
  worker.queue.paused = true;
  assert.equal((await send(events, { "x-edgeloom-fault": "shard-throw" })).status, 202);
  await get({ ...marks, cookie: `choice=marketing; ${COOKIE}=${cookie}`, "x-edgeloom-fault": "plan-panic" }, path);
  const { disk, log, all } = kept();
  // What has to be there is there, so that what is not found is not merely looked for in the wrong place.
  assert.ok(disk.includes("hero") && all.includes("Bold – grün") && worker.queue.messages.length > 0);
  assert.match(log, /ledger: a shard failed/);
  assert.match(log, /fail-open/);
  // The decision is what events are counted by; it is made anew for each view.
  assert.ok(all.includes(decision));
  for (const mark of ["7777.31", "203.0.113", "marked", "q=0.77", cookie, `${COOKIE}=`]) assert.ok(!all.includes(mark), mark);
  // The key of the visitor, wherever in the cookie it stands.
  const bytes = Buffer.from(cookie, "base64url");
  assert.ok(bytes.length >= 32);
  for (let at = 0; at + 16 <= bytes.length; at++) assert.ok(!all.includes(bytes.subarray(at, at + 16)), `byte ${at} of the cookie`);
  worker.queue.paused = false;
});
