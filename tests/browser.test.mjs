// A real browser: what a visitor sees, what the beacon sends, and that nothing is stored without consent.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { html, startOrigin } from "./support/origin.mjs";
import { BROWSER as HEADERS, CONFIG, HOME, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const BROWSER = "/usr/bin/chromium";
const skip = existsSync(BROWSER) ? false : "skipped: no chromium; hint: apt-get install chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

let origin;
let worker;
let browser;
before(async () => {
  if (skip) return;
  origin = await startOrigin({
    "/": html(HOME),
    "/strict": html(HOME, { "content-security-policy": "default-src 'none'; script-src 'nonce-aGVsbG8='; connect-src 'self'" }),
    "/plain": html("<!doctype html><title>Plain</title><p>No slots here.</p>"),
    "/thanks": html("<!doctype html><title>Thanks</title><p>Thank you.</p>"),
  });
  worker = await start({ origin: origin.url, assets: true, vars: { FRESH_MILLIS: "200", PUBLISH_MILLIS: "1000" } });
  await worker.publish({ ...CONFIG, privacy: { mode: "personal", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } } });
  // Pages that are left are kept in memory, as every visitor's browser does.
  browser = await chromium.launch({ executablePath: BROWSER, args: FLAGS, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
});
after(async () => {
  await browser?.close();
  await worker?.stop();
  await origin?.close();
});

/** A visitor with a fresh profile; every complaint of the page is kept. */
async function visitor(choice) {
  // The headless browser announces itself as a program, which is never counted.
  const context = await browser.newContext({ userAgent: HEADERS["user-agent"] });
  if (choice) await context.addCookies([{ name: "choice", value: choice, url: worker.url }]);
  await context.addInitScript(() => addEventListener("pageshow", ({ persisted }) => (window.cameBack = persisted)));
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !message.location().url.includes("favicon") && complaints.push(`${message.text()} ${message.location().url}`));
  return { context, page, complaints };
}
/** Counts once everything under way has arrived: the edge sends once a second, shards report as often. */
async function settled(field) {
  await new Promise((done) => setTimeout(done, 4_000));
  return count(field);
}
const count = async (field) => (await worker.must("GET", "status")).slots.flatMap((slot) => slot.arms).reduce((n, arm) => n + arm[field], 0);

test("without consent a browser stores nothing and the link of a block still teaches", { skip }, async () => {
  const { context, page, complaints } = await visitor();
  await until(() => page.goto(`${worker.url}/`).then(() => page.locator("#edgeloom-decisions").count()), (n) => n === 1);
  assert.deepEqual(await context.cookies(), []);
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  const before = await settled("rewards");
  await page.locator("edge-slot a").click();
  await page.waitForURL(/thanks/);
  await until(() => count("rewards"), (n) => n === before + 1);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("with consent the beacon says what was seen and what was reached", { skip }, async () => {
  const { context, page, complaints } = await visitor("marketing");
  const before = { exposures: await settled("exposures"), rewards: await count("rewards") };
  await page.goto(`${worker.url}/`);
  const [cookie] = (await context.cookies()).filter(({ name }) => name === "__Host-edgeloom");
  assert.ok(cookie.httpOnly && cookie.secure);
  await until(() => count("exposures"), (n) => n === before.exposures + 3);
  await page.evaluate(() => window.edgeloom.reward("signup", 4));
  // The teaser learns from signups, the two others from orders: one reward of the three is theirs to count.
  await until(() => count("rewards"), (n) => n === before.rewards + 1);
  await until(() => page.evaluate(() => sessionStorage.getItem("edgeloom.outbox")), (text) => text === "[]");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("events wait in the outbox while the ledger is away", { skip }, async () => {
  const { context, page } = await visitor("marketing");
  const before = await settled("exposures");
  await context.route("**/_edgeloom/collect", (route) => route.fulfill({ status: 503 }));
  await page.goto(`${worker.url}/`);
  await until(() => page.evaluate(() => JSON.parse(sessionStorage.getItem("edgeloom.outbox") ?? "[]").length), (n) => n === 3);
  await context.unroute("**/_edgeloom/collect");
  await page.goto(`${worker.url}/thanks`);
  await page.goto(`${worker.url}/`);
  // Three from before and three of this view, each once.
  await until(() => count("exposures"), (n) => n === before + 6);
  await context.close();
});

const outbox = (page) => page.evaluate(() => JSON.parse(sessionStorage.getItem("edgeloom.outbox") ?? "[]").length);
/** Goes back to a page that the browser kept; a page that it loads anew is another case and fails here. */
async function back(page) {
  // The answer may get lost in the change of pages.
  await page.evaluate(() => history.back()).catch(() => {});
  const state = () => page.evaluate(() => [window.cameBack ?? null, performance.getEntriesByType("navigation")[0].notRestoredReasons]).catch(() => []);
  await until(state, ([cameBack]) => cameBack === true);
}
/** Takes no events, until `unroute`; nor what a page says in leaving, which no route sees. */
async function refuse(context) {
  await context.addInitScript(() => (navigator.sendBeacon = () => false));
  await context.route("**/_edgeloom/collect", (route) => route.fulfill({ status: 503 }));
}
const repeated = async () => (await worker.must("GET", "status")).repeated;

test("a page back from the browser's cache counts nothing again and loses no reward", { skip }, async () => {
  const { context, page, complaints } = await visitor("marketing");
  const before = { exposures: await settled("exposures"), rewards: await count("rewards"), repeated: await repeated() };
  await page.goto(`${worker.url}/`);
  await until(() => count("exposures"), (n) => n === before.exposures + 3);
  await until(() => outbox(page), (n) => n === 0);
  await page.goto(`${worker.url}/plain`);
  await back(page);
  await page.evaluate(() => window.edgeloom.reward("signup", 4));
  await until(() => count("rewards"), (n) => n === before.rewards + 1);
  await until(() => outbox(page), (n) => n === 0);
  await page.goto(`${worker.url}/plain`);
  await back(page);
  assert.deepEqual([await settled("exposures"), await count("rewards"), await repeated()], [before.exposures + 3, before.rewards + 1, before.repeated]);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what waited when a page was left is sent when it comes back from the browser's cache", { skip }, async () => {
  const { context, page } = await visitor("marketing");
  const before = { exposures: await settled("exposures"), repeated: await repeated() };
  await refuse(context);
  await page.goto(`${worker.url}/`);
  await until(() => outbox(page), (n) => n === 3);
  await page.goto(`${worker.url}/plain`);
  assert.equal(await settled("exposures"), before.exposures);
  await context.unroute("**/_edgeloom/collect");
  await back(page);
  // Nothing else happens on it.
  await until(() => count("exposures"), (n) => n === before.exposures + 3);
  await until(() => outbox(page), (n) => n === 0);
  assert.equal(await repeated(), before.repeated);
  await context.close();
});

test("a page back from the browser's cache does not send what another page has sent meanwhile", { skip }, async () => {
  const { context, page } = await visitor("marketing");
  const before = { exposures: await settled("exposures"), rewards: await count("rewards"), repeated: await repeated() };
  await refuse(context);
  await page.goto(`${worker.url}/`);
  await until(() => outbox(page), (n) => n === 3);
  await context.unroute("**/_edgeloom/collect");
  // The next page with slots takes over what waits, and has three of its own.
  await page.goto(`${worker.url}/?again`);
  await until(() => count("exposures"), (n) => n === before.exposures + 6);
  await until(() => outbox(page), (n) => n === 0);
  const sent = await repeated();
  await back(page);
  await page.evaluate(() => window.edgeloom.reward("signup", 4));
  // For the teasers of both views.
  await until(() => count("rewards"), (n) => n === before.rewards + 2);
  assert.deepEqual([await settled("exposures"), await repeated()], [before.exposures + 6, sent]);
  await context.close();
});

test("a call that is under way when the page is left is neither lost nor doubled", { skip }, async () => {
  const { context, page } = await visitor("marketing");
  const before = await settled("exposures");
  let calls = 0;
  await context.route("**/_edgeloom/collect", async (route) => {
    calls++;
    await new Promise((done) => setTimeout(done, 2_000));
    await route.continue().catch(() => {});
  });
  await page.goto(`${worker.url}/`);
  await until(() => calls, (n) => n > 0);
  await page.goto(`${worker.url}/plain`);
  await back(page);
  await until(() => count("exposures"), (n) => n === before + 3);
  await until(() => outbox(page), (n) => n === 0);
  assert.equal(await settled("exposures"), before + 3);
  await context.close();
});

test("a strict content security policy is met without a violation", { skip }, async () => {
  const { context, page, complaints } = await visitor("marketing");
  await page.goto(`${worker.url}/strict`);
  await until(() => page.evaluate(() => typeof window.edgeloom), (type) => type === "object");
  assert.deepEqual(complaints, []);
  await context.close();
});
