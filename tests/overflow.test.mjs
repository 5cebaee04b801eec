// What no shard took: the queue at its real limits, letters that outlive every queue, and shards that a smaller
// configuration no longer names.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Queue } from "./support/bindings.mjs";
import { SECRETS } from "./support/paths.mjs";
import { exposure, receipt } from "./support/receipt.mjs";
import { CONFIG, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const KEY = SECRETS.IMPORT_KEYS.split(":")[1];
const VARS = { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000", EDGELOOM_FAULTS: "on" };
const sleep = (millis) => new Promise((done) => setTimeout(done, millis));

async function send(worker, events, headers = {}) {
  const answer = await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { "content-type": "text/plain", ...headers } });
  return { status: answer.status, ...(await answer.json()) };
}
const status = (worker) => worker.must("GET", "status");
const sum = (slots, field) => slots.flatMap(({ arms }) => arms).reduce((n, arm) => n + arm[field], 0);
const counted = async (worker, field = "exposures") => sum((await status(worker)).slots, field);

/** Starts a Worker, hands it to `run` and stops it whatever happens. */
async function withWorker(options, run) {
  const worker = await start({ vars: VARS, ...options });
  try {
    await run(worker);
  } finally {
    await worker.stop();
  }
}

test("a thousand events of the longest names pass through the queue within its limits", () =>
  withWorker({}, async (worker) => {
    const [slot, arm, goal] = ["s", "a", "g"].map((letter) => letter.repeat(64));
    await worker.publish({ site: "test", goals: [{ id: goal }], slots: [{ id: slot, goal, arms: [{ id: arm }, { id: "b" }] }] });
    const line = (kind, i) => ({ kind, decision: `longest-${i}`, slot, arm, goal, value: -1e9, propensity: 0.1 + 0.2 });
    for (const kind of ["exposure", "reward"]) {
      const lines = Array.from({ length: 1000 }, (_, i) => line(kind, i));
      const answer = await send(worker, lines, { authorization: `Bearer ${KEY}`, "x-edgeloom-fault": "shard-throw" });
      assert.deepEqual(answer, { status: 202, accepted: 0, repeated: 0, refused: {}, queued: 1000 });
    }
    await until(() => counted(worker, "rewards"), (n) => n === 1000, 30_000);
    assert.equal(await counted(worker), 1000);
    assert.equal(worker.queue.tooLarge, 0);
    assert.equal((await status(worker)).dead_letters, 0);
  }));

/** Makes the one shard unable to read its counts, so that it refuses everything; the cure. */
function breakShard(worker) {
  const folder = join(worker.dir, "edgeloom-Shard");
  const [name, ...others] = readdirSync(folder).filter((name) => name.endsWith(".sqlite") && !name.startsWith("metadata"));
  assert.equal(others.length, 0);
  const set = (bytes) => {
    const database = new DatabaseSync(join(folder, name));
    const { statistics } = database.prepare("SELECT statistics FROM tally WHERE id = 0").get();
    database.prepare("UPDATE tally SET statistics = ? WHERE id = 0").run(bytes);
    database.close();
    return statistics;
  };
  const sound = set(Buffer.from("no statistics"));
  return () => set(sound);
}

test("events of a shard that refuses for longer than every queue tries count once when it is well", async () => {
  const dead = new Queue({ name: "edgeloom-overflow-dead", retryMillis: 100, maxRetries: 1 });
  const queue = new Queue({ name: "edgeloom-overflow", retryMillis: 100, maxRetries: 2, dead });
  await withWorker({ queue }, async (worker) => {
    await worker.publish(CONFIG);
    assert.equal((await send(worker, [exposure(receipt())])).accepted, 1);
    await until(() => counted(worker), (n) => n === 1);
    await worker.kill();
    const heal = breakShard(worker);
    await worker.restart();

    const events = Array.from({ length: 30 }, () => exposure(receipt({ arm: "calm" })));
    for (let i = 0; i < 30; i += 3) assert.equal((await send(worker, events.slice(i, i + 3))).queued, 3);
    // Whoever sends an acknowledged event again after all does not count it twice either.
    await send(worker, events.slice(0, 5));
    await until(() => queue.messages.length + dead.messages.length, (n) => n === 0, 30_000);
    const kept = await status(worker);
    assert.ok(kept.dead_letters >= 1, `${kept.dead_letters} letters`);
    assert.equal(kept.dead_events, 35);

    // Still ill: what is tried in vain stays, also over a restart.
    await worker.scheduled();
    await worker.restart();
    await worker.scheduled();
    await sleep(3000);
    assert.equal((await status(worker)).dead_events, 35);
    assert.equal(await counted(worker), 1);

    await worker.kill();
    heal();
    await worker.restart();
    await worker.scheduled();
    await until(() => counted(worker), (n) => n === 31);
    const after = await until(() => status(worker), ({ dead_letters }) => dead_letters === 0);
    assert.equal(after.dead_events, 0);
    await worker.scheduled();
    await sleep(3000);
    assert.equal(await counted(worker), 31);
  });
});

test("while the root is away dead letters stay in their queue", async () => {
  const dead = new Queue({ name: "edgeloom-overflow-dead", retryMillis: 100, maxRetries: 100 });
  await withWorker({ queue: dead }, async (worker) => {
    await worker.publish(CONFIG);
    await send(worker, [exposure(receipt())]);
    await until(() => counted(worker), (n) => n === 1);
    await worker.kill();
    const heal = breakShard(worker);
    const [name] = readdirSync(join(worker.dir, "edgeloom-Root")).filter((name) => name.endsWith(".sqlite") && !name.startsWith("metadata"));
    const alter = (sql) => {
      const database = new DatabaseSync(join(worker.dir, "edgeloom-Root", name));
      database.exec(sql);
      database.close();
    };
    // A root that has no room: as if a gigabyte of letters were there already.
    alter("INSERT INTO letter(id, at, tries, reason, events, bytes, text) VALUES ('full', 0, 0, 'unreadable', 0, 2e9, '')");
    await worker.restart();
    assert.equal((await send(worker, [exposure(receipt())])).queued, 1);
    await sleep(2000);
    assert.equal(dead.messages.length, 1);
    assert.equal((await status(worker)).dead_letters, 1);

    await worker.kill();
    heal();
    alter("DELETE FROM letter WHERE id = 'full'");
    await worker.restart();
    await until(() => counted(worker), (n) => n === 2);
    await until(() => dead.messages.length, (n) => n === 0);
    assert.equal((await status(worker)).dead_letters, 0);
  });
});

test("shards that a lowered count no longer names are woken and report", () =>
  // They report after an hour, so that here only a call can make them.
  withWorker({ vars: { ...VARS, PUBLISH_MILLIS: "3600000" } }, async (worker) => {
    await worker.publish({ ...CONFIG, ledger: { shards: 4 } });
    const tokens = Array.from({ length: 40 }, () => receipt({ shards: 4 }));
    assert.equal((await send(worker, tokens.map(exposure))).accepted, 40);
    await worker.publish({ ...CONFIG, ledger: { shards: 1 } });
    assert.deepEqual((await status(worker)).shards, []);

    await worker.scheduled();
    await until(() => counted(worker), (n) => n === 40);
    const names = (await status(worker)).shards.map(({ name }) => name);
    assert.deepEqual(names, ["test/0", "test/1", "test/2", "test/3"]);

    // A page that was made before the change still sends its events to the old shards.
    const older = Array.from({ length: 20 }, () => receipt({ shards: 4 }));
    assert.equal((await send(worker, older.map(exposure))).accepted, 20);
    await worker.scheduled();
    await until(() => counted(worker), (n) => n === 60);
  }));

test("an event of a time that is forgotten is refused, one of a time that is still known is not", () =>
  withWorker({}, async (worker) => {
    await worker.publish({ ...CONFIG, ledger: { window_hours: 336 } });
    const day = 86_400_000;
    const [old, recent] = [receipt({ time: Date.now() - 10 * day }), receipt({ time: Date.now() - 2 * day })];
    assert.equal((await send(worker, [exposure(receipt())])).accepted, 1);
    await until(() => counted(worker), (n) => n === 1);
    await worker.kill();
    const folder = join(worker.dir, "edgeloom-Shard");
    const [name] = readdirSync(folder).filter((name) => name.endsWith(".sqlite") && !name.startsWith("metadata"));
    const database = new DatabaseSync(join(folder, name));
    // Set by hand: the least that is kept is longer than the longest window. Rows are numbered by hour, then 33 bits of a hash.
    const row = Math.floor((Date.now() - 5 * day) / 3_600_000) * 2 ** 33;
    database.prepare("INSERT OR REPLACE INTO tally(id, version) VALUES (1, ?)").run(row);
    database.close();
    await worker.restart();
    assert.deepEqual(await send(worker, [exposure(old), exposure(recent)]), { status: 200, accepted: 1, repeated: 0, refused: { late: 1 } });
    await until(() => status(worker), ({ refused }) => refused.late === 1);
  }));
