// Real logs through the running Worker: 10,000 rows of a uniform random policy, sent as exposures and rewards, every
// batch twice, the runtime killed in between. The ledger must count what the file counts, and the published P(best) must
// be what an independent computation gives.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { SECRETS, path } from "./support/paths.mjs";
import { until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const FILE = path("../shared/data/open-bandit/random_all.csv.gz");
const skip = existsSync(FILE) ? false : "skipped: no ../shared";
const KEY = SECRETS.IMPORT_KEYS.split(",")[0].split(":")[1];
const BATCH = 500;
const KILLS = 3;

function rows() {
  const [head, ...lines] = gunzipSync(readFileSync(FILE)).toString().trim().split("\n");
  const names = head.split(",");
  const column = (name) => names.indexOf(name);
  const [item, position, click, propensity] = ["item_id", "position", "click", "propensity_score"].map(column);
  return lines.map((line, i) => {
    const cells = line.split(",");
    return { id: `obd-random-all-${i}`, slot: `position-${cells[position]}`, arm: `item-${cells[item]}`, clicked: cells[click] === "1", propensity: Number(cells[propensity]) };
  });
}

/** P(best) of Beta posteriors by the trapezoid rule on a fine grid of the rate: slow, plain, and nothing of ours. */
function pBest(arms) {
  const n = 40_000;
  // Rates are a few per cent; beyond this point every density here is below 1e-30.
  const top = 0.6;
  const step = top / n;
  const densities = arms.map(([a, b]) => {
    const log = Float64Array.from({ length: n + 1 }, (_, i) => {
      const x = Math.min(Math.max(i * step, 1e-300), 1 - 1e-16);
      return (a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x);
    });
    const peak = log.reduce((m, v) => Math.max(m, v), -Infinity);
    const density = log.map((v) => Math.exp(v - peak));
    const sum = density.reduce((s, v, i) => s + (i === 0 || i === n ? v / 2 : v), 0) * step;
    return density.map((v) => v / sum);
  });
  const cumulative = densities.map((density) => {
    const out = new Float64Array(n + 1);
    for (let i = 1; i <= n; i++) out[i] = out[i - 1] + ((density[i] + density[i - 1]) / 2) * step;
    return out;
  });
  return densities.map((density, k) => {
    let sum = 0;
    for (let i = 0; i <= n; i++) {
      let product = density[i];
      for (let j = 0; j < arms.length && product > 0; j++) if (j !== k) product *= cumulative[j][i];
      sum += i === 0 || i === n ? product / 2 : product;
    }
    return sum * step;
  });
}

let worker;
before(async () => {
  if (skip) return;
  worker = await start({ vars: { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000" } });
});
after(() => worker?.stop());

test("ten thousand real log lines, sent twice and through kills, are counted exactly", { skip }, async () => {
  const log = rows();
  const counts = new Map();
  for (const { slot, arm, clicked } of log) {
    const count = counts.get(`${slot} ${arm}`) ?? { exposures: 0, rewards: 0 };
    count.exposures++;
    if (clicked) count.rewards++;
    counts.set(`${slot} ${arm}`, count);
  }
  const arms = [...new Set(log.map((row) => row.arm))].map((id) => ({ id }));
  const slots = [...new Set(log.map((row) => row.slot))].map((id) => ({ id, goal: "click", arms }));
  await worker.publish({ site: "test", goals: [{ id: "click" }], slots });

  const send = async (batch) => {
    const events = batch.flatMap(({ id: decision, slot, arm, clicked, propensity }) => [
      { kind: "exposure", decision, slot, arm, propensity },
      ...(clicked ? [{ kind: "reward", decision, slot, arm, goal: "click", value: 1, propensity }] : []),
    ]);
    for (;;) {
      try {
        const answer = await worker.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { authorization: `Bearer ${KEY}` } });
        const text = await answer.text();
        if (answer.status === 200 || answer.status === 202) return JSON.parse(text);
        assert.equal(answer.status, 503, text);
      } catch (error) {
        if (error.code === "ERR_ASSERTION") throw error;
        // The runtime was killed under this request: nothing was acknowledged, so it is sent again.
      }
      await new Promise((done) => setTimeout(done, 100));
    }
  };
  const batches = [];
  for (let at = 0; at < log.length; at += BATCH) batches.push(log.slice(at, at + BATCH));
  for (const [i, batch] of batches.entries()) {
    const killing = i % Math.ceil(batches.length / KILLS) === 2 ? worker.restart() : undefined;
    const answers = await Promise.all([send(batch), send(batch)]);
    await killing;
    for (const { refused } of answers) assert.deepEqual(refused ?? {}, {});
  }

  const total = (status) => status.slots.flatMap((s) => s.arms).reduce((n, arm) => n + arm.exposures, 0);
  const status = await until(() => worker.must("GET", "status"), (s) => total(s) >= log.length, 30_000);
  let worst = 0;
  for (const slot of status.slots) {
    for (const { arm, exposures, rewards } of slot.arms) {
      assert.deepEqual({ exposures, rewards }, counts.get(`${slot.slot} ${arm}`) ?? { exposures: 0, rewards: 0 }, `${slot.slot} ${arm}`);
    }
    const expected = pBest(slot.arms.map(({ exposures, rewards }) => [1 + rewards, 1 + exposures - rewards]));
    for (const [i, { arm, p_best }] of slot.arms.entries()) {
      worst = Math.max(worst, Math.abs(p_best - expected[i]));
      assert.ok(Math.abs(p_best - expected[i]) < 1e-6, `${slot.slot} ${arm}: ${p_best} is not ${expected[i]}`);
    }
  }
  console.log(`${log.length} log lines counted exactly; published P(best) differs from the independent one by ${worst.toExponential(1)} at most`);
});
