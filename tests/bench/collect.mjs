// Events through one shard in batches of ten: signature or key check, routing, dedupe, commit, answer.

import { load } from "../support/load.mjs";
import { SECRETS } from "../support/paths.mjs";
import { report } from "../support/report.mjs";
import { start } from "../support/workerd.mjs";

const BATCH = 10;
const REQUESTS = 3_000;
const TARGET = 2_000;
const key = SECRETS.IMPORT_KEYS.split(",")[0].split(":")[1];

const worker = await start({ vars: { PUBLISH_MILLIS: "5000" } });
await worker.publish({ site: "test", goals: [{ id: "order" }], slots: [{ id: "hero", goal: "order", arms: [{ id: "a" }, { id: "b" }] }] });

const rows = [];
for (const connections of [1, 32]) {
  const request = (i) => ({
    method: "POST",
    path: "/_edgeloom/collect",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ events: Array.from({ length: BATCH }, (_, k) => ({ kind: "exposure", decision: `${connections}-${i}-${k}`, slot: "hero", arm: k % 2 ? "a" : "b", propensity: 0.5 })) }),
  });
  const before = worker.cpuSeconds();
  const result = await load({ url: worker.url, requests: REQUESTS, connections, request });
  if (result.statuses[200] !== REQUESTS) throw new Error(`not all were taken: ${JSON.stringify(result.statuses)}, ${result.errors} errors`);
  const events = result.perSecond * BATCH;
  const micros = ((worker.cpuSeconds() - before) * 1e6) / (REQUESTS * BATCH);
  const busy = connections > 1;
  rows.push({ name: `events per second, batches of ${BATCH}, ${connections} connections`, unit: "1/s", ours: events, target: busy ? TARGET : null, holds: !busy || events >= TARGET });
  rows.push({ name: `CPU per event, ${connections} connections`, unit: "µs", ours: micros });
}
await worker.stop();
report("collect", rows);
