// The three privacy modes: what is stored, what is read, what is learned.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startOrigin } from "./support/origin.mjs";
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
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000" } });
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
  assert.ok(Object.values(decisions.slots).every((slot) => slot.receipt === undefined));
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
  const tokens = new Map();
  for (let i = 0; i < 300; i++) {
    for (const { arm, href } of tokenLinks((await page()).text)) {
      const token = new URL(href, worker.url).searchParams.get("_el");
      tokens.set(arm, (tokens.get(arm) ?? new Set()).add(token));
    }
  }
  // 4096 receipts per hour, slot and snapshot: two of 300 views share one with near certainty (birthday: 1 − e^−11).
  const distinct = [...tokens.values()].reduce((n, set) => n + set.size, 0);
  assert.ok(distinct < 900, `${distinct} receipts for 900 slots`);
});

test("a crawler gets a page like anybody and leaves no trace", async () => {
  const crawler = await page({ "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", cookie: "choice=marketing" });
  assert.ok(crawler.decisions.slots.hero.arm);
  assert.deepEqual(tokenLinks(crawler.text), []);
  assert.ok(!crawler.text.includes("receipt"));
});

test("logs and state name nobody", async () => {
  const text = worker.log.join("\n") + JSON.stringify([...worker.kv.values.keys()]);
  assert.ok(!/127\.0\.0\.1:\d+.*visitor|Chrome\/140|__Host-edgeloom=/.test(text), text);
});
