// The runtime is killed under load, again and again: no acknowledged event may be lost, none counted twice.
// It proves the death of a process, not of the machine: the page cache survives SIGKILL.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SECRETS } from "./support/paths.mjs";
import { until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const KILLS = 20;
const CLIENTS = 32;
const BATCH = 10;
const KEY = SECRETS.IMPORT_KEYS.split(",")[0].split(":")[1];

test(`${KILLS} kills under ${CLIENTS} clients that retry: nothing lost, nothing double`, async () => {
  const worker = await start({ vars: { PUBLISH_MILLIS: "1000" } });
  try {
    await worker.publish({ site: "test", goals: [{ id: "order" }], slots: [{ id: "hero", goal: "order", arms: [{ id: "a" }, { id: "b" }] }] });
    const sent = { a: { exposures: 0, rewards: 0 }, b: { exposures: 0, rewards: 0 } };
    const seen = { acknowledged: 0, retried: 0 };
    let isOver = false;

    async function client(number) {
      for (let n = 0; !isOver; n++) {
        const events = Array.from({ length: BATCH }, (_, i) => {
          const arm = (number + i) % 2 ? "a" : "b";
          const rewarded = i % 5 === 0;
          const decision = `client-${number}-${n}-${rewarded ? i + 1 : i}`;
          if (rewarded) sent[arm === "a" ? "b" : "a"].rewards++;
          else sent[arm].exposures++;
          // A reward is that of the next event's exposure, so that it comes first and has to wait for it.
          return rewarded
            ? { kind: "reward", decision, slot: "hero", arm: arm === "a" ? "b" : "a", goal: "order", value: 1, propensity: 0.5 }
            : { kind: "exposure", decision, slot: "hero", arm, propensity: 0.5 };
        });
        for (;;) {
          try {
            const answer = await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { authorization: `Bearer ${KEY}` } });
            await answer.arrayBuffer();
            if (answer.status === 200 || answer.status === 202) break;
          } catch {
            // Killed: not acknowledged.
          }
          seen.retried++;
          await new Promise((done) => setTimeout(done, 20 + Math.random() * 30));
        }
        seen.acknowledged += BATCH;
      }
    }

    const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
    for (let kill = 0; kill < KILLS; kill++) {
      await new Promise((done) => setTimeout(done, 150 + Math.random() * 500));
      await worker.restart();
    }
    await new Promise((done) => setTimeout(done, 300));
    isOver = true;
    await Promise.all(clients);

    const counted = async () => {
      const [slot] = (await worker.must("GET", "status")).slots;
      return Object.fromEntries(slot.arms.map(({ arm, exposures, rewards }) => [arm, { exposures, rewards }]));
    };
    const total = (counts) => counts.a.exposures + counts.b.exposures;
    await until(counted, (counts) => total(counts) >= total(sent), 30_000);
    // Anything double would still be on its way.
    await new Promise((done) => setTimeout(done, 3000));
    assert.deepEqual(await counted(), sent);
    assert.ok(seen.retried > 0, "no request met a kill");
    console.log(`${KILLS} kills, ${seen.acknowledged} acknowledged events, ${seen.retried} requests sent again: 0 lost, 0 double`);
  } finally {
    await worker.stop();
  }
});
