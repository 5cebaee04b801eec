// What a slot decides by beside its rates, end to end: context, caps, schedules, challengers, tripwires, the holdout's ghosts, and the
// log that tells all of it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startOrigin } from "./support/origin.mjs";
import { exposure, reward } from "./support/receipt.mjs";
import { BROWSER, CONFIG, ROUTES, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const CONSENT = "choice=statistics";

let origin;
let worker;
const view = async (headers = {}) => {
  const answer = await worker.fetch("/", { headers: { ...BROWSER, cookie: CONSENT, ...headers } });
  const text = await answer.text();
  return { ...decisionsOf(text), text, cookie: answer.headers.getSetCookie()[0]?.split(";")[0] };
};
const send = async (events) => {
  const answer = await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { "content-type": "application/json" } });
  assert.equal(answer.status, 200);
  return answer.json();
};
const slotOf = async (name) => (await worker.must("GET", "status")).slots.find(({ slot }) => slot === name);
/** All pages of the log, and how many there were. */
async function logOf(query = "") {
  const lines = [];
  let pages = 0;
  for (let path = `log${query}`; path; pages++) {
    const answer = await worker.call("GET", path);
    assert.equal(answer.status, 200);
    lines.push(...(await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line)));
    path = /<\/_edgeloom\/admin\/([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  return { lines, pages };
}
const arms = [{ block: "bold" }, { block: "calm" }];
/** Publishes one slot and waits until it is decided by it. */
async function publish(slot, more = {}) {
  const { version } = await worker.publish({
    ...CONFIG,
    privacy: { mode: "measured", consent: { cookie: "choice", measured: "statistics", personal: "marketing" } },
    slots: [{ id: "hero", goal: "order", arms, ...slot }],
    ...more,
  });
  const { snapshot } = await until(() => worker.must("GET", "status"), ({ config_version: used }) => used === version);
  await until(() => view(), ({ snapshot: seen }) => seen === snapshot.version);
}

before(async () => {
  origin = await startOrigin(ROUTES);
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "200", PUBLISH_MILLIS: "600" } });
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

test("a policy by device learns what works where, and the log has its features", async () => {
  const features = [{ name: "device", one_of: ["phone", "desktop"] }];
  await publish({ id: "hero", policy: { kind: "contextual", features, burn_in: 20, exploration_floor: 0.02 } });
  assert.equal((await slotOf("hero")).policy, "contextual");
  // Bold works on phones, calm at desks: always and never, so that some views are enough.
  const round = async (n) => {
    const events = [];
    const hits = { phone: 0, desk: 0 };
    for (let i = 0; i < n; i++) {
      const phone = i % 2 === 0;
      const { slots } = await view(phone ? { "user-agent": PHONE } : {});
      const works = slots.hero.arm === (phone ? "bold" : "calm");
      events.push(exposure(slots.hero.receipt), ...(works ? [reward(slots.hero.receipt)] : []));
      hits[phone ? "phone" : "desk"] += works ? 1 : 0;
    }
    for (let at = 0; at < events.length; at += 50) await send(events.slice(at, at + 50));
    return hits;
  };
  await round(120);
  await until(() => slotOf("hero"), ({ arms: all }) => all.reduce((n, arm) => n + arm.exposures, 0) === 120);
  const { snapshot } = await worker.must("GET", "status");
  await until(() => view(), ({ snapshot: seen }) => seen === snapshot.version);
  const hits = await round(60);
  // Each arm keeps 2 %: of 30 views, 26 or fewer hits have a chance of 4·10^-6.
  assert.ok(hits.phone >= 27 && hits.desk >= 27, JSON.stringify(hits));
  const { lines } = await logOf();
  assert.equal(lines.length, 180);
  const [line] = lines;
  assert.match(line.features, /^[0-9a-f]{8}$/);
  assert.deepEqual(new Set(lines.map(({ x }) => x.join())), new Set(["1,1,0", "1,0,1"]));
});

test("a cap is reached by a visitor who comes back, and by nobody else", async () => {
  const blocks = CONFIG.blocks.map((block) => (["bold", "calm"].includes(block.id) ? { ...block, cap: { times: 1, hours: 12 } } : block));
  await publish({}, { blocks });
  let cookie = "";
  const seen = [];
  for (let n = 0; n < 3; n++) {
    const { slots, cookie: changed } = await view({ cookie: `${CONSENT}; ${cookie}` });
    seen.push([slots.hero.arm ?? null, slots.hero.reason]);
    cookie = changed ?? cookie;
  }
  assert.deepEqual(new Set([seen[0][0], seen[1][0]]), new Set(["bold", "calm"]));
  assert.deepEqual([seen[0][1], seen[1][1], seen[2]], ["SPLIT", "STATIC", [null, "DEFAULT"]]);
  const other = await view();
  assert.equal(other.slots.hero.reason, "SPLIT");
  // A cookie that somebody changed is no cookie: a new visitor.
  const forged = await view({ cookie: `${CONSENT}; ${cookie.slice(0, -4)}AAAA` });
  assert.equal(forged.slots.hero.reason, "SPLIT");
});

test("before its start and after its end a slot stays as it is", async () => {
  const time = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();
  for (const [slot, reason] of [[{ start: time(1) }, "DEFAULT"], [{ end: time(-1) }, "DEFAULT"], [{ start: time(-1), end: time(1) }, "SPLIT"], [{ ramp: [{ from: time(-2), share: 0 }] }, "DEFAULT"], [{ ramp: [{ from: time(-2), share: 0 }, { from: time(-1), share: 1 }] }, "SPLIT"]]) {
    await publish(slot);
    assert.equal((await view()).slots.hero.reason, reason, JSON.stringify(slot));
  }
});

test("a challenger decides, is recorded, and is never shown", async () => {
  await publish({ arms: [...arms, { block: "warm", shadow: true }], challenger: { kind: "fixed", baseline: "warm" } });
  const views = await Promise.all(Array.from({ length: 12 }, () => view()));
  assert.ok(views.every(({ slots, text }) => slots.hero.arm !== "warm" && !text.includes('class="warm"')));
  await send(views.map(({ slots }) => exposure(slots.hero.receipt)));
  const shadows = (await logOf()).lines.filter(({ shadow }) => shadow === "warm");
  assert.equal(shadows.length, 12);
});

test("held out, a visit keeps the page, and the log knows what it would have got", async () => {
  await publish({}, { holdout: { share: 1 } });
  const { slots, text } = await view();
  assert.deepEqual([slots.hero.arm, slots.hero.reason], [undefined, "HOLDOUT"]);
  assert.ok(text.includes("default hero"));
  await send([exposure(slots.hero.receipt), reward(slots.hero.receipt)]);
  const [ghost] = (await logOf()).lines.filter(({ held_out: held }) => held);
  assert.ok(["bold", "calm"].includes(ghost.arm) && ghost.propensity < 1);
  assert.deepEqual([ghost.exposures, ghost.rewards, /^[0-9a-f]{16}$/.test(ghost.unit)], [1, { order: { n: 1, value: 2.5 } }, true]);
  const { held_out: held } = await until(() => slotOf("hero"), (slot) => slot.held_out?.exposures > 0);
  assert.equal(held.rewards, 1);
});

test("a goal that falls behind the holdout trips its wire: the baseline comes back by itself", async () => {
  const slot = { tripwires: [{ goal: "signup", exposures: 20 }], policy: { baseline: "calm", burn_in: 0 } };
  await publish(slot, { holdout: { share: 0.5 } });
  const events = [];
  for (let shown = 0, held = 0; shown < 40 || held < 40;) {
    const { slots } = await view();
    const isHeld = slots.hero.reason === "HOLDOUT";
    if (isHeld) held++;
    else shown++;
    events.push(exposure(slots.hero.receipt), ...(isHeld ? [reward(slots.hero.receipt, "signup")] : []));
  }
  for (let at = 0; at < events.length; at += 50) await send(events.slice(at, at + 50));
  const { tripped } = await until(() => slotOf("hero"), (found) => found.tripped);
  assert.match(tripped, /goal 'signup' is reached in .* behind it/);
  await until(() => view(), ({ slots }) => slots.hero.arm === "calm" && slots.hero.reason === "STATIC");
  const shown = await Promise.all(Array.from({ length: 10 }, () => view()));
  assert.ok(shown.every(({ slots: { hero } }) => hero.reason === "HOLDOUT" || (hero.arm === "calm" && hero.reason === "STATIC")));
});

test("the log comes in pages that lose and double nothing, to those who may read it", async () => {
  const whole = await logOf();
  const paged = await logOf("?rows=7");
  assert.ok(paged.pages >= whole.lines.length / 7);
  assert.deepEqual(paged.lines, whole.lines);
  assert.equal(new Set(whole.lines.map(({ row }) => row)).size, whole.lines.length);
  const later = await logOf(`?from=${Date.now() + 3 * 3_600_000}`);
  assert.deepEqual(later.lines, []);
  assert.equal((await worker.call("GET", "log?after=nonsense")).status, 400);
  assert.equal((await worker.call("POST", "log")).status, 405);
  assert.equal((await worker.fetch("/_edgeloom/admin/log")).status, 401);
});
