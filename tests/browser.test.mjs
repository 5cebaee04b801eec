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
    "/thanks": html("<!doctype html><title>Thanks</title><p>Thank you.</p>"),
  });
  worker = await start({ origin: origin.url, assets: true, vars: { FRESH_MILLIS: "200", PUBLISH_MILLIS: "1000" } });
  await worker.publish({ ...CONFIG, privacy: { mode: "personal", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } } });
  browser = await chromium.launch({ executablePath: BROWSER, args: FLAGS });
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

test("a strict content security policy is met without a violation", { skip }, async () => {
  const { context, page, complaints } = await visitor("marketing");
  await page.goto(`${worker.url}/strict`);
  await until(() => page.evaluate(() => typeof window.edgeloom), (type) => type === "object");
  assert.deepEqual(complaints, []);
  await context.close();
});
