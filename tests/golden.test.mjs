// The golden cases through the built wasm inside the runtime: the same draws, weights and decisions as natively.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { built, path } from "./support/paths.mjs";
import { start } from "./support/workerd.mjs";

const golden = (name) => JSON.parse(readFileSync(path(`tests/fixtures/golden/${name}`), "utf8"));
/** As in `golden.rs`: probabilities agree to this, everything else exactly. */
const TOLERANCE = 1e-12;

const ENTRY = `
import module from "./edgeloom_bg.wasm";
import * as wasm from "./edgeloom.js";
import { DurableObject } from "cloudflare:workers";
export class Shard extends DurableObject {}
export class Root extends DurableObject {}
wasm.initSync({ module });
export default {
  async fetch(request) {
    const { call, args } = await request.json();
    if (call === "draws") return Response.json([...wasm.draws(args[0], args[1], BigInt(args[2]), args[3])]);
    if (call === "weights") return Response.json([...wasm.weights(new Float64Array(args[0]))]);
    const engine = new wasm.Engine(Uint8Array.from(args[0].match(/../g), (pair) => parseInt(pair, 16)));
    return Response.json(args[1].map((visit) => engine.decide(visit)));
  },
};`;

let worker;
const ask = async (call, ...args) => (await worker.fetch("/", { method: "POST", body: JSON.stringify({ call, args }) })).json();

before(async () => {
  const bundle = mkdtempSync(join(tmpdir(), "edgeloom-golden-"));
  for (const name of ["edgeloom.js", "edgeloom_bg.wasm"]) copyFileSync(built(`build/web/${name}`), join(bundle, name));
  writeFileSync(join(bundle, "0-entry.js"), ENTRY);
  worker = await start({ bundle });
});
after(() => worker?.stop());

test("draws are the same bits in the runtime", async () => {
  const cases = golden("draws.json");
  assert.ok(cases.length > 0);
  for (const { alpha, beta, seed, draws } of cases) assert.deepEqual(await ask("draws", alpha, beta, seed, draws.length), draws);
});

test("weights are the same numbers in the runtime", async () => {
  for (const { arms, weights } of golden("weights.json")) {
    const found = await ask("weights", arms.flat());
    for (const [i, weight] of weights.entries()) assert.ok(Math.abs(found[i] - weight) <= TOLERANCE, `${found[i]} is not ${weight}`);
  }
});

test("decisions are the same in the runtime", async () => {
  const { stored, cases } = golden("decisions.json");
  const found = await ask("decide", stored, cases.map(({ visit }) => visit));
  assert.equal(found.length, cases.length);
  for (const [i, { told }] of cases.entries()) {
    const near = (slots) => slots.map(({ propensity, ...slot }) => slot);
    assert.deepEqual({ ...found[i], slots: near(found[i].slots) }, { ...told, slots: near(told.slots) });
    for (const [k, slot] of told.slots.entries()) assert.ok(Math.abs(found[i].slots[k].propensity - slot.propensity) <= TOLERANCE);
  }
});
