// What blocks mean to each other on a page, worth that falls with repetition, and arms that come with a request, end to end.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { startOrigin } from "./support/origin.mjs";
import { SECRETS } from "./support/paths.mjs";
import { exposure, reward } from "./support/receipt.mjs";
import { BROWSER, CONFIG, ROUTES, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const KEY = SECRETS.IMPORT_KEYS.split(":")[1];
const CONSENT = "choice=statistics";
const PRIVACY = { mode: "measured", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } };
const ALL = ["bold", "calm", "warm", "cool"];

let origin;
let worker;
const view = async (headers = {}) => {
  const answer = await worker.fetch("/", { headers: { ...BROWSER, cookie: CONSENT, ...headers } });
  const text = await answer.text();
  return { ...decisionsOf(text), text, cookie: answer.headers.getSetCookie()[0]?.split(";")[0] };
};
const armsOf = ({ slots }) => ["hero", "cta", "teaser"].map((name) => slots[name].arm);
const decide = async (body) => {
  const answer = await worker.fetch("/_edgeloom/decide", { method: "POST", body: JSON.stringify(body), headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" } });
  return { status: answer.status, ...(await answer.json()) };
};
const send = async (events) => {
  const answer = await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { "content-type": "application/json" } });
  assert.equal(answer.status, 200);
};
/** Publishes slots and waits until pages are decided by them. */
async function publish(config) {
  const { version } = await worker.publish({ ...CONFIG, privacy: PRIVACY, ...config });
  const { snapshot } = await until(() => worker.must("GET", "status"), ({ config_version: used }) => used === version);
  await until(() => view(), ({ snapshot: seen }) => seen === snapshot.version);
}
const slot = (id, blocks) => ({ id, goal: "order", ...(id === "teaser" ? { selector: "aside.teaser" } : {}), policy: { burn_in: 0, assignment: "per_view" }, arms: blocks.map((block) => ({ block })) });

before(async () => {
  origin = await startOrigin(ROUTES);
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "200", PUBLISH_MILLIS: "600" } });
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

test("what excludes each other never meets on a page, with and without consent", async () => {
  const tagged = CONFIG.blocks.map((block) => (["bold", "calm", "warm"].includes(block.id) ? { ...block, tags: ["offer"] } : block));
  await publish({ blocks: tagged, combinations: [{ tag: "offer", most: 1 }], slots: [slot("hero", ALL), slot("cta", ALL), slot("teaser", ["warm", "first"])] });
  const seen = new Set();
  for (let n = 0; n < 60; n++) {
    const page = await view(n % 2 ? { cookie: "" } : {});
    const arms = armsOf(page);
    const offers = arms.filter((arm) => ["bold", "calm", "warm"].includes(arm));
    assert.ok(offers.length <= 1, arms.join());
    arms.filter(Boolean).forEach((arm) => assert.ok(page.text.includes(`class="${arm}"`), arm));
    seen.add(arms.join());
  }
  assert.ok(seen.size > 4, [...seen].join(" "));
});

test("what is pinned follows, and its propensity is that among what belongs to it", async () => {
  await publish({ combinations: [{ blocks: ["bold", "first", "second"], pinned: true }], slots: [slot("hero", ["bold", "calm"]), slot("cta", ["warm"]), slot("teaser", ["first", "second", "cool"])] });
  const followed = { bold: new Set(), calm: new Set() };
  for (let n = 0; n < 60; n++) {
    const { slots } = await view();
    followed[slots.hero.arm].add(`${slots.teaser.arm} ${slots.teaser.propensity.toFixed(6)}`);
  }
  assert.deepEqual([...followed.bold].sort(), ["first 0.500000", "second 0.500000"]);
  assert.deepEqual([...followed.calm].sort(), ["cool 0.333333", "first 0.333333", "second 0.333333"]);
});

test("a visitor who has seen a block is shown another one, and what was lost is in the receipt", async () => {
  const blocks = CONFIG.blocks.map((block) => (block.id === "bold" ? { ...block, fades: { factor: 0.02, hours: 12 } } : block));
  const hero = { ...slot("hero", []), arms: [{ block: "bold", prior: [300, 700] }, { block: "calm", prior: [50, 950] }] };
  await publish({ blocks, slots: [hero] });
  let cookie = "";
  let first;
  for (let n = 0; n < 20 && first?.slots.hero.arm !== "bold"; n++) {
    first = await view();
    cookie = first.cookie;
  }
  const share = [0, 0];
  for (let n = 0; n < 30; n++) {
    share[0] += (await view()).slots.hero.arm === "bold" ? 1 : 0;
    const again = await view({ cookie: `${CONSENT}; ${cookie}` });
    share[1] += again.slots.hero.arm === "bold" ? 1 : 0;
    // A floor of 1 % is what is left to it.
    if (again.slots.hero.arm === "bold") assert.ok(again.slots.hero.propensity < 0.011);
  }
  assert.ok(share[0] >= 28 && share[1] <= 3, share.join());
});

test("a server brings its own actions, and what is learned of some is known of others", async () => {
  const gift = {
    id: "hero",
    goal: "order",
    policy: { kind: "contextual", burn_in: 0, exploration_floor: 0.01, features: [{ name: "device", one_of: ["phone"] }] },
    arms: [{ block: "bold", prior: [1, 99] }, { id: "products", actions: [{ name: "price", number: { mean: 20, scale: 10 } }] }],
  };
  await publish({ slots: [gift] });
  const offer = (n) => [["cheap", 8], ["dear", 35]].map(([id, price]) => ({ id: `${id}-${n}`, features: { price } }));
  const ask = async (n) => (await decide({ path: "/", device: "phone", visitor: randomBytes(16).toString("hex"), actions: { hero: offer(n) } })).slots.hero;
  // A page brings nothing, so it shows what else there is.
  assert.deepEqual(armsOf({ slots: { cta: {}, teaser: {}, ...(await view()).slots } })[0], "bold");

  const events = [];
  for (let n = 0; n < 150; n++) {
    const { arm, action, receipt } = await ask(n);
    assert.ok(arm === "bold" ? action === undefined : /^(cheap|dear)-\d+$/.test(action), JSON.stringify({ arm, action }));
    events.push(exposure(receipt), ...(action?.startsWith("cheap") ? [reward(receipt)] : []));
  }
  for (let at = 0; at < events.length; at += 50) await send(events.slice(at, at + 50));
  // Published a moment later; of actions that nobody has seen before.
  const cheap = async () => (await Promise.all(Array.from({ length: 40 }, (_, n) => ask(1_000 + n)))).filter(({ action }) => action?.startsWith("cheap")).length;
  await until(cheap, (n) => n >= 34);
  const log = await (await worker.call("GET", "log")).text();
  const line = log.split("\n").filter(Boolean).map((text) => JSON.parse(text)).find(({ action }) => action);
  assert.equal(line.arm, "products");
  assert.equal(line.x.length, 4);
});

test("actions that can't be read are refused by name, and nothing is decided", async () => {
  for (const actions of [{ hero: [{ id: "a b" }] }, { hero: "x" }, { hero: [{ id: "a", price: 3 }] }, { hero: Array.from({ length: 101 }, (_, n) => ({ id: `a${n}` })) }, []]) {
    const { status, errors } = await decide({ path: "/", actions });
    assert.deepEqual([status, errors.map(({ pointer }) => pointer)], [400, ["/actions"]], JSON.stringify(actions).slice(0, 80));
  }
});
