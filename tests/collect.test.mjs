// What the collect route promises: every event counts once, a wrong one costs only itself, and nothing that was
// acknowledged is lost.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Queue } from "./support/bindings.mjs";
import { SECRETS } from "./support/paths.mjs";
import { exposure, receipt, reward } from "./support/receipt.mjs";
import { CONFIG, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const KEY = SECRETS.IMPORT_KEYS.split(":")[1];
const VARS = { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000", EDGELOOM_FAULTS: "on" };
const HOUR = 3_600_000;

let worker;
before(async () => {
  worker = await start({ vars: VARS });
  await worker.publish({ ...CONFIG, ledger: { shards: 4, window_hours: 2, origins: ["https://app.example.org"] } });
});
after(() => worker?.stop());

const post = (body, headers = {}, at = worker) =>
  at.fetch("/_edgeloom/collect", { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers: { "content-type": "text/plain;charset=UTF-8", ...headers } });
const send = async (events, headers, at) => {
  const answer = await post({ events }, headers, at);
  return { status: answer.status, ...(await answer.json()) };
};
const status = (at = worker) => at.must("GET", "status");
const slotOf = async (name, at) => (await status(at)).slots.find(({ slot }) => slot === name);
const armOf = async (name, arm, at) => (await slotOf(name, at)).arms.find((one) => one.arm === arm);
const line = (fields) => ({ kind: "exposure", decision: randomUUID(), slot: "teaser", arm: "first", propensity: 0.5, ...fields });
const importing = { authorization: `Bearer ${KEY}` };

test("an exposure and its reward count once, however often and in whatever order they come", async () => {
  const before = await armOf("hero", "bold");
  const token = receipt({ shards: 4 });
  assert.deepEqual(await send([reward(token)]), { status: 200, accepted: 1, repeated: 0, refused: {} });
  assert.deepEqual(await send([exposure(token), reward(token)]), { status: 200, accepted: 1, repeated: 1, refused: {} });
  assert.deepEqual(await send([exposure(token), exposure(token)]), { status: 200, accepted: 0, repeated: 2, refused: {} });
  const arm = await until(() => armOf("hero", "bold"), (arm) => arm.exposures > before.exposures);
  assert.equal(arm.exposures - before.exposures, 1);
  assert.equal(arm.rewards - before.rewards, 1);
  // The value of a reward that does not say it is its goal's.
  assert.equal(arm.value - before.value, 2.5);
});

test("the same event sent fifty times at once counts once", async () => {
  const before = await armOf("hero", "calm");
  const token = receipt({ arm: "calm", shards: 4 });
  const answers = await Promise.all(Array.from({ length: 50 }, () => send([exposure(token)])));
  assert.equal(answers.reduce((n, { accepted }) => n + accepted, 0), 1);
  assert.equal(answers.reduce((n, { repeated }) => n + repeated, 0), 49);
  const arm = await until(() => armOf("hero", "calm"), (arm) => arm.exposures > before.exposures);
  assert.equal(arm.exposures - before.exposures, 1);
});

test("decisions spread over all shards and each keeps to its own", async () => {
  const tokens = Array.from({ length: 40 }, () => receipt({ slot: "cta", arm: "warm", shards: 4 }));
  assert.equal((await send(tokens.map(exposure))).accepted, 40);
  assert.equal((await send(tokens.map(exposure))).repeated, 40);
  await until(() => armOf("cta", "warm"), (arm) => arm.exposures === 40);
  const names = (await status()).shards.map(({ name }) => name);
  for (const shard of ["test/0", "test/1", "test/2", "test/3"]) assert.ok(names.includes(shard), names.join());
});

test("held-out visits are counted apart", async () => {
  const token = receipt({ slot: "cta", arm: null, flags: ["heldOut"], shards: 4 });
  await send([exposure(token), reward(token)]);
  const slot = await until(() => slotOf("cta"), (slot) => slot.held_out.exposures);
  assert.deepEqual([slot.held_out.exposures, slot.held_out.rewards], [1, 1]);
});

const good = () => receipt({ slot: "teaser", arm: "second", shards: 4 });
const flipped = () => {
  const bytes = Buffer.from(good(), "base64url");
  bytes[bytes.length - 20] ^= 1;
  return bytes.toString("base64url");
};
const WRONG = {
  malformed: [{}, 7, null, "x", [], { kind: "click", receipt: "x" }, { kind: "exposure" }, { kind: "exposure", receipt: 7 }, exposure("no token"), { kind: "reward", receipt: good() }, reward(good(), "a b")],
  forged: [exposure(flipped())],
  unknown_key: [exposure(receipt({ key: "9:another-key-that-this-site-never-had-at-all" }))],
  format: [exposure(receipt({ format: 2 }))],
  late: [exposure(receipt({ time: Date.now() - 2 * HOUR }))],
  early: [exposure(receipt({ time: Date.now() + HOUR }))],
  unbound: [exposure(receipt({ flags: ["shared"] })), reward(receipt({ flags: ["shared"] }))],
  unknown_goal: [reward(good(), "made-up")],
  value: [reward(good(), "order", 1e10)],
};
for (const [kind, events] of Object.entries(WRONG))
  test(`what is ${kind} is refused by its kind, counted, and costs no other event`, async () => {
    const before = (await status()).refused[kind] ?? 0;
    const answer = await send([exposure(good()), ...events, exposure(good())]);
    assert.deepEqual(answer, { status: 200, accepted: 2, repeated: 0, refused: { [kind]: events.length } });
    await until(async () => (await status()).refused[kind] ?? 0, (n) => n === before + events.length);
  });

test("a receipt signed with the older key is good", async () => {
  const key = SECRETS.RECEIPT_KEYS.split(",")[1];
  assert.equal((await send([exposure(receipt({ key }))])).accepted, 1);
});

test("a batch is as large as allowed and not larger", async () => {
  const tokens = Array.from({ length: 51 }, () => receipt({ shards: 4 }));
  assert.equal((await send(tokens.slice(0, 50).map(exposure))).accepted, 50);
  const answer = await post({ events: tokens.map(exposure) });
  assert.equal(answer.status, 413);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  assert.equal((await post(`{"events":[],"x":"${"x".repeat(64 * 1024)}"}`)).status, 413);
  assert.equal((await send([])).status, 200);
});

test("what is no batch is a problem that says so, however deep it nests", async () => {
  for (const body of ["", "x", "[]", "{}", '{"events":7}', "[".repeat(60_000), `{"events":[${"[".repeat(30_000)}`]) {
    const answer = await post(body);
    assert.equal(answer.status, 400, body.slice(0, 20));
    assert.equal((await answer.json()).title, "Not readable");
  }
  assert.equal((await post(`{"events":[${"[".repeat(30_000)}${"]".repeat(30_000)}]}`)).status, 400);
});

test("only the types of sendBeacon and of JSON are read", async () => {
  assert.equal((await post({ events: [] }, { "content-type": "application/json" })).status, 200);
  assert.equal((await post({ events: [] }, { "content-type": "application/x-www-form-urlencoded" })).status, 415);
});

test("other methods are told which one to use", async () => {
  const answer = await worker.fetch("/_edgeloom/collect");
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.get("allow"), "POST, OPTIONS");
});

test("pages of the site and of listed origins may send, others may not", async () => {
  const own = { origin: new URL(worker.url).origin, "sec-fetch-site": "same-origin" };
  const listed = { origin: "https://app.example.org", "sec-fetch-site": "cross-site" };
  assert.equal((await post({ events: [] }, own)).status, 200);
  const answer = await post({ events: [] }, listed);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("access-control-allow-origin"), "https://app.example.org");
  assert.equal(answer.headers.get("vary"), "Origin");
  for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }, { origin: "http://app.example.org" }]) {
    const refused = await post({ events: [exposure(receipt())] }, headers);
    assert.equal(refused.status, 403, JSON.stringify(headers));
    assert.equal(refused.headers.get("access-control-allow-origin"), null);
  }
  await until(async () => (await status()).refused.origin, (n) => n === 4);
  const preflight = (origin) => worker.fetch("/_edgeloom/collect", { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
  const allowed = await preflight("https://app.example.org");
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get("access-control-allow-methods"), "POST");
  assert.equal((await preflight("https://evil.example")).status, 403);
});

test("a trusted log needs no receipts, and sent again it repeats itself", async () => {
  const before = await armOf("teaser", "first");
  const events = Array.from({ length: 1000 }, (_, i) => line({ propensity: 0.25, at: Date.now() - 400 * 24 * HOUR + i }));
  assert.equal((await send(events, importing)).accepted, 1000);
  assert.equal((await send(events.map(({ at, ...rest }) => rest), { authorization: `Bearer t:${KEY}` })).repeated, 1000);
  const arm = await until(() => armOf("teaser", "first"), (arm) => arm.exposures - before.exposures >= 1000);
  assert.equal(arm.exposures - before.exposures, 1000);
  assert.equal(arm.sum_propensity - before.sum_propensity, 250);
  assert.equal((await post({ events: [...events, line()] }, importing)).status, 413);
});

test("a line of a log that the configuration does not know is refused", async () => {
  const wrong = { unknown_slot: { slot: "nowhere" }, unknown_arm: { arm: "bold" }, unknown_goal: { kind: "reward", goal: "x" }, malformed: { propensity: 0 }, value: { kind: "reward", goal: "signup", value: -1e10 } };
  for (const [kind, fields] of Object.entries(wrong)) {
    assert.deepEqual((await send([line(), line(fields)], importing)), { status: 200, accepted: 1, repeated: 0, refused: { [kind]: 1 } });
  }
});

test("without the key a line of a log is malformed, with a wrong key nothing is read", async () => {
  assert.deepEqual((await send([line()])).refused, { malformed: 1 });
  for (const key of ["wrong", "t:", `x:${KEY}`, SECRETS.ADMIN_TOKENS]) {
    assert.equal((await post({ events: [line()] }, { authorization: `Bearer ${key}` })).status, 403, key);
  }
});

test("a shard that does not answer leaves its events to the queue, and they count once", async () => {
  const before = await armOf("teaser", "second");
  const token = receipt({ slot: "teaser", arm: "second", shards: 4 });
  const answer = await send([exposure(token)], { "x-edgeloom-fault": "shard-throw" });
  assert.deepEqual(answer, { status: 202, accepted: 0, repeated: 0, refused: {}, queued: 1 });
  const late = await send([exposure(token)], { "x-edgeloom-fault": "shard-slow" });
  assert.equal(late.status, 202);
  await until(() => armOf("teaser", "second"), (arm) => arm.exposures > before.exposures);
  await until(() => worker.queue.messages.length, (n) => n === 0);
  // The slow shard commits after three seconds; that is a repeat by then.
  await new Promise((done) => setTimeout(done, 4000));
  assert.equal((await armOf("teaser", "second")).exposures - before.exposures, 1);
});

test("when nobody can take the events, the sender is told to keep them", async () => {
  worker.queue.fault = "refuse";
  try {
    const token = receipt({ shards: 4 });
    const answer = await post({ events: [exposure(token)] }, { "x-edgeloom-fault": "shard-throw" });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("retry-after"), "1");
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal((await send([exposure(token)])).accepted, 1);
  } finally {
    worker.queue.fault = "none";
  }
});

test("a queue that delivers everything twice counts nothing twice", async () => {
  const before = await armOf("cta", "cool");
  worker.queue.twice = true;
  const tokens = Array.from({ length: 30 }, () => receipt({ slot: "cta", arm: "cool", shards: 4 }));
  assert.equal((await send(tokens.map(exposure), { "x-edgeloom-fault": "shard-throw" })).queued, 30);
  await until(() => worker.queue.messages.length, (n) => n === 0);
  worker.queue.twice = false;
  const arm = await until(() => armOf("cta", "cool"), (arm) => arm.exposures - before.exposures >= 30);
  assert.equal(arm.exposures - before.exposures, 30);
});

const message = (text) => ({ id: randomUUID(), timestamp: Date.now(), contentType: "text", body: Buffer.from(text).toString("base64"), attempts: 1 });

test("a message nobody can read is counted as a dead letter and holds up no other", async () => {
  const before = (await status()).dead_letters;
  worker.queue.messages.push(message("nonsense"), message('{"shard":"test/0","events":[{"k":"?"}]}'));
  await until(() => worker.queue.messages.length, (n) => n === 0);
  assert.equal((await status()).dead_letters - before, 2);
});

test("a dead letter that can be delivered after all is delivered", async () => {
  const dead = new Queue({ name: "edgeloom-overflow-dead" });
  const own = await start({ vars: VARS, queue: dead });
  try {
    await own.publish(CONFIG);
    dead.paused = true;
    assert.equal((await send([exposure(receipt())], { "x-edgeloom-fault": "shard-throw" }, own)).status, 202);
    dead.paused = false;
    const arm = await until(() => armOf("hero", "bold", own), (arm) => arm.exposures === 1);
    assert.equal(arm.exposures, 1);
    assert.equal((await status(own)).dead_letters, 0);
  } finally {
    await own.stop();
  }
});

test("clients that send too much are slowed down, trusted logs are not", async () => {
  const own = await start({ vars: VARS, limit: 3 });
  try {
    await own.publish(CONFIG);
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await post({ events: [] }, {}, own)).status);
    assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    assert.equal((await post({ events: [] }, importing, own)).status, 200);
    await until(async () => (await status(own)).refused.rate, (n) => n === 2);
  } finally {
    await own.stop();
  }
});

test("where nothing is published the sender keeps its events", async () => {
  const own = await start({ vars: VARS });
  try {
    assert.equal((await post({ events: [exposure(receipt())] }, {}, own)).status, 503);
  } finally {
    await own.stop();
  }
});
