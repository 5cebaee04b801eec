// The admin API: who may, optimistic locking, publishing and rolling back, and that a restart forgets nothing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { startWorker } from "./support/harness.mjs";
import { ADMIN_TOKEN, SECRETS, SITE } from "./support/paths.mjs";
import { exposure, receipt, reward } from "./support/receipt.mjs";
import { CONFIG, until } from "./support/sample.mjs";

const KEY = `site:${SITE}:snapshot:v1`;

let worker;
before(async () => {
  worker = await startWorker({ vars: { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000" } });
});
after(() => worker?.close());

const rolled = (rollout) => ({ ...CONFIG, slots: CONFIG.slots.map((slot) => ({ ...slot, rollout })) });
const put = (config, headers) => worker.call("PUT", "config", config, headers);
const etagOf = async () => (await worker.call("GET", "config")).headers.get("etag");
const stored = async () => Buffer.from(await (await worker.env()).STATE.get(KEY, "arrayBuffer"));
const publish = (version) => worker.must("POST", "publish", { version });
const sequenceOf = (bytes) => Number(bytes.readBigUInt64LE(6));
const send = async (events) => (await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }) })).json();

async function problemOf(answer, status) {
  assert.equal(answer.status, status, await answer.clone().text());
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const problem = await answer.json();
  assert.equal(problem.status, status);
  assert.equal(problem.type, "about:blank");
  assert.ok(problem.title && problem.detail);
  return problem;
}

test("before there is a configuration, everything says so", async () => {
  await problemOf(await worker.call("GET", "config"), 404);
  await problemOf(await worker.call("POST", "publish", { version: "0".repeat(32) }), 404);
  await problemOf(await put(CONFIG, { "if-match": '"00"' }), 412);
  await problemOf(await put(CONFIG), 428);
  const status = await worker.must("GET", "status");
  assert.deepEqual([status.site, status.snapshot, status.config_version, status.slots], [SITE, null, null, []]);
  assert.deepEqual(await worker.must("GET", "versions"), { versions: [] });
});

test("only a token opens the API", async () => {
  const basic = (password) => `Basic ${Buffer.from(`anyone:${password}`).toString("base64")}`;
  for (const authorization of ["", "Bearer", "Bearer wrong", `Bearer ${SECRETS.IMPORT_KEYS.split(":")[1]}`, basic(""), basic("wrong"), `Bearer x:${ADMIN_TOKEN}`]) {
    const answer = await worker.fetch("/_edgeloom/admin/status", { headers: authorization ? { authorization } : {} });
    assert.match(answer.headers.get("www-authenticate"), /^Bearer /);
    await problemOf(answer, 401);
  }
  for (const authorization of [`Bearer ${ADMIN_TOKEN}`, `bearer t:${ADMIN_TOKEN}`, basic(ADMIN_TOKEN)]) {
    assert.equal((await worker.fetch("/_edgeloom/admin/status", { headers: { authorization } })).status, 200);
  }
});

test("a stored password does not let another site change anything", async () => {
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }, { origin: "null" }]) {
    await problemOf(await worker.call("POST", "publish", {}, headers), 403);
  }
});

test("unknown routes and wrong methods are named", async () => {
  for (const path of ["admin/", "admin/nothing", "admin/snapshots/..", "nothing", "admin/config/x"]) {
    await problemOf(await worker.fetch(`/_edgeloom/${path}`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } }), 404);
  }
  for (const [method, name, allow] of [["DELETE", "config", "GET, PUT"], ["GET", "publish", "POST"], ["POST", "status", "GET"]]) {
    const answer = await worker.call(method, name);
    assert.equal(answer.headers.get("allow"), allow);
    await problemOf(answer, 405);
  }
});

test("a configuration that is wrong is refused with every field named, and not stored", async () => {
  const wrong = [
    [{ ...CONFIG, site: "other" }, ["/site"]],
    [{ ...CONFIG, colour: "red" }, ["/colour"]],
    [{ ...CONFIG, slots: [{ ...CONFIG.slots[0], goal: "nothing" }, { ...CONFIG.slots[1], rollout: "all" }] }, ["/slots/1/rollout"]],
    [{ ...CONFIG, slots: [{ ...CONFIG.slots[0], goal: "nothing" }, { ...CONFIG.slots[1], rollout: 2 }] }, ["/slots/0/goal", "/slots/1/rollout"]],
    [{ ...CONFIG, blocks: [{ ...CONFIG.blocks[0], fields: { link: { url: "javascript:alert(1)" }, text: { text: "x" } } }] }, undefined],
  ];
  for (const [config, pointers] of wrong) {
    const { errors } = await problemOf(await put(config, { "if-none-match": "*" }), 422);
    if (pointers) assert.deepEqual(errors.map(({ pointer }) => pointer), pointers);
    assert.ok(errors.every(({ detail }) => detail));
  }
  for (const body of ["", "{", "[]", "null", "{} x"]) {
    const answer = await worker.fetch("/_edgeloom/admin/config", { method: "PUT", body, headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    await problemOf(answer, 422);
  }
  await problemOf(await put({ ...CONFIG, blocks: [{ id: "x", template: "x".repeat(1024 * 1024) }] }), 413);
  await problemOf(await worker.call("GET", "config"), 404);
});

test("of several edits of one version exactly one wins", async () => {
  const first = await put(CONFIG, { "if-none-match": "*" });
  assert.equal(first.status, 200);
  const { version, warnings } = await first.json();
  assert.equal(first.headers.get("etag"), `"${version}"`);
  assert.deepEqual(warnings, []);
  await problemOf(await put(CONFIG, { "if-none-match": "*" }), 412);
  await problemOf(await put(CONFIG), 428);
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => put(rolled(0.5 + i / 100), { "if-match": `"${version}"` })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(7).fill(412)]);
  assert.notEqual(await etagOf(), `"${version}"`);
});

test("equal content is the equal version, whoever writes it and in whatever order of fields", async () => {
  const { version } = await (await put(CONFIG, { "if-match": await etagOf() })).json();
  const shuffled = Object.fromEntries(Object.entries(CONFIG).reverse());
  assert.equal((await (await put(shuffled, { "if-match": `"${version}"` })).json()).version, version);
  const { slots } = await (await worker.call("GET", "config")).json();
  assert.deepEqual(slots.map(({ id }) => id), CONFIG.slots.map(({ id }) => id));
});

test("publishing answers when visitors' storage has the snapshot", async () => {
  const { version } = await (await put(CONFIG, { "if-match": await etagOf() })).json();
  const answer = await publish(version);
  assert.equal(answer.version, version);
  const bytes = await stored();
  assert.equal(sequenceOf(bytes), answer.sequence);
  assert.equal(bytes.subarray(22, 38).toString("hex"), answer.snapshot);
  const same = await worker.call("GET", `snapshots/${answer.snapshot}`);
  assert.deepEqual(Buffer.from(await same.arrayBuffer()), bytes);
  await problemOf(await worker.call("GET", `snapshots/${"0".repeat(32)}`), 404);
  const health = async () => (await worker.fetch("/_edgeloom/health")).json();
  const { source, snapshot } = await until(health, ({ snapshot }) => snapshot?.version === answer.snapshot);
  assert.deepEqual([source, snapshot.sequence], ["kv", answer.sequence]);
  await problemOf(await worker.call("POST", "publish", { version: "f".repeat(32) }), 404);
  for (const body of [{}, { version: 7 }]) await problemOf(await worker.call("POST", "publish", body), 422);
});

test("publishing the same again changes nothing, and mends a value that was lost", async () => {
  const { config_version: version } = await worker.must("GET", "status");
  const before = await publish(version);
  await (await worker.env()).STATE.delete(KEY);
  assert.deepEqual(await publish(version), before);
  assert.equal(sequenceOf(await stored()), before.sequence);
});

test("a roll-back brings any earlier version back as it was, with a higher number", async () => {
  const { config_version: good } = await worker.must("GET", "status");
  const { version: bad } = await (await worker.call("PUT", "config?message=A%20quarter%20%E2%80%93%20try%20it", rolled(0.25), { "if-match": await etagOf() })).json();
  const published = await publish(bad);
  const back = await worker.must("POST", "rollback", { version: good });
  assert.equal(back.version, good);
  assert.ok(back.sequence > published.sequence);
  assert.equal(sequenceOf(await stored()), back.sequence);
  assert.equal(await etagOf(), `"${good}"`);
  assert.equal((await worker.must("GET", "status")).config_version, good);
  const { versions } = await worker.must("GET", "versions");
  const entry = versions.find(({ version }) => version === bad);
  assert.equal(entry.message, "A quarter – try it");
  assert.ok(entry.at_millis > 0 && entry.published_millis >= entry.at_millis);
  assert.ok(versions.some(({ published_millis }) => published_millis === null), "some were never published");
});

test("a restart keeps configuration, history, counts and what is needed to know a repeat", async () => {
  const token = receipt({ arm: "bold" });
  assert.equal((await send([exposure(token), reward(token)])).accepted, 2);
  await until(async () => (await worker.must("GET", "status")).slots[0].arms[0].rewards, (n) => n === 1);
  const [etag, versions, status] = [await etagOf(), await worker.must("GET", "versions"), await worker.must("GET", "status")];
  await worker.evict("SHARD", `${SITE}/0`);
  await worker.evict("ROOT", SITE);
  assert.equal(await etagOf(), etag);
  assert.deepEqual(await worker.must("GET", "versions"), versions);
  const again = await worker.must("GET", "status");
  assert.deepEqual([again.slots, again.config_version], [status.slots, status.config_version]);
  assert.deepEqual(await send([exposure(token), reward(token)]), { accepted: 0, repeated: 2, refused: {} });
  const other = receipt({ arm: "bold" });
  assert.equal((await send([exposure(other)])).accepted, 1);
  const { arms } = await until(async () => (await worker.must("GET", "status")).slots[0], ({ arms }) => arms[0].exposures > 1);
  assert.deepEqual([arms[0].exposures, arms[0].rewards], [2, 1]);
});

test("what was learned is published by itself", async () => {
  const before = sequenceOf(await stored());
  assert.equal((await send(Array.from({ length: 20 }, () => exposure(receipt({ arm: "calm" }))))).accepted, 20);
  await until(async () => sequenceOf(await stored()), (sequence) => sequence > before);
  const status = await worker.must("GET", "status");
  assert.equal(status.slots[0].arms.find(({ arm }) => arm === "calm").exposures, 20);
  assert.equal(status.snapshot.sequence, sequenceOf(await stored()));
});

test("a snapshot can be had byte for byte while receipts of it count, however many follow", async () => {
  const HOUR = 3_600_000;
  const sql = await worker.sql("ROOT", SITE);
  const one = async (query, ...values) => Object.values((await sql(query, ...values))[0])[0];
  const oldest = () => one("SELECT MIN(sequence) FROM publication");
  const fetched = async (version) => Buffer.from(await (await worker.call("GET", `snapshots/${version}`)).arrayBuffer());
  const publishLearned = async () => {
    const before = sequenceOf(await stored());
    assert.equal((await send([exposure(receipt({ arm: "calm" }))])).accepted, 1);
    await until(async () => sequenceOf(await stored()), (sequence) => sequence > before);
  };

  // Another configuration and back: each snapshot keeps its own.
  const { config_version: good } = await worker.must("GET", "status");
  const { version: other } = await (await put(rolled(0.75), { "if-match": await etagOf() })).json();
  const { snapshot: between } = await publish(other);
  const bytesBetween = await stored();
  await worker.must("POST", "rollback", { version: good });
  await publishLearned();
  assert.deepEqual(await fetched(between), bytesBetween);
  const last = await stored();
  const version = last.subarray(22, 38).toString("hex");
  assert.deepEqual(await fetched(version), last);

  // A day later, with one publication each five seconds.
  await sql("UPDATE publication SET at = at - ?", 24 * HOUR);
  const before = await fetched(version);
  assert.deepEqual(before.subarray(22, -16), last.subarray(22, -16));
  const [at, latest] = [await one("SELECT MAX(at) FROM publication"), sequenceOf(last)];
  await sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 17270)
     INSERT INTO publication(sequence, version, at, total, learned)
     SELECT p.sequence + i, 'x' || i, ? + 5000 * i, p.total + 600 * i, p.learned FROM n, publication p WHERE p.sequence = ?`,
    at,
    latest,
  );
  await publishLearned();
  assert.deepEqual(await fetched(version), before);
  assert.deepEqual((await fetched(between)).subarray(22, -16), bytesBetween.subarray(22, -16));

  // Three days and two hours after it was replaced nobody needs it any more; the one that replaced it then, somebody may.
  await sql("UPDATE publication SET at = at - ? WHERE sequence <= ?", 51 * HOUR, latest + 2);
  await until(async () => (await publishLearned(), oldest()), (sequence) => sequence === latest + 2, 30_000);
  await problemOf(await worker.call("GET", `snapshots/${version}`), 404);
  // With the next change the configurations of all that are gone go too.
  const { version: next } = await (await put(rolled(0.6), { "if-match": await etagOf() })).json();
  await publish(next);
  assert.equal(await one("SELECT COUNT(*) FROM base"), 2);
  await worker.must("POST", "rollback", { version: good });

  // Whatever the window, there is an end to what is kept.
  await sql("UPDATE publication SET total = total + 2e9 WHERE sequence = (SELECT MAX(sequence) FROM publication)");
  await publishLearned();
  assert.equal(await oldest(), latest + 2 + 15);
});

test("the cron mends a value that was lost", async () => {
  await (await worker.env()).STATE.delete(KEY);
  await worker.scheduled();
  await until(async () => (await worker.env()).STATE.get(KEY, "arrayBuffer"), (bytes) => bytes !== null);
});

test("the history says who did what, by the id of the key and never by the key", async () => {
  const sql = await worker.sql("ROOT", SITE);
  const rows = await sql("SELECT what, who FROM history");
  assert.deepEqual(new Set(rows.map(({ what }) => what)), new Set(["put", "publish", "rollback"]));
  assert.deepEqual(new Set(rows.map(({ who }) => who)), new Set(["t"]));
});

test("the status page asks for a password, and is a page without script", async () => {
  const shut = await worker.fetch("/_edgeloom/status");
  assert.match(shut.headers.get("www-authenticate"), /^Basic /);
  await problemOf(shut, 401);
  const authorization = `Basic ${Buffer.from(`x:${ADMIN_TOKEN}`).toString("base64")}`;
  const answer = await worker.fetch("/_edgeloom/status", { headers: { authorization } });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-security-policy"), /^default-src 'none'; style-src 'sha256-/);
  const html = await answer.text();
  const style = createHash("sha256").update(/<style>([^]*)<\/style>/.exec(html)[1]).digest("base64");
  assert.ok(answer.headers.get("content-security-policy").includes(`'sha256-${style}'`), "its own style sheet is let through");
  for (const text of ["hero", "bold", "calm", "P(best)", 'http-equiv="refresh"', "<svg"]) assert.ok(html.includes(text), text);
  assert.ok(!/<script|style="|javascript:/.test(html));
});

test("logs hold no ids, no tokens and no addresses", () => {
  const text = JSON.stringify(worker.logs());
  for (const secret of [ADMIN_TOKEN, ...Object.values(SECRETS).flatMap((list) => list.split(/[:,]/)).filter((part) => part.length > 8), "_el="]) {
    assert.ok(!text.includes(secret));
  }
});
