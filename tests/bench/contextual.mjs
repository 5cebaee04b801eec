// One slot whose choice depends on the visit: 20 arms × 32 numbers, a regression with its full covariance published for each arm,
// beside the contextual bandits a site could take from npm. All get the same visitors. They do not do the same: Eppo's adds up one
// linear score per arm and knows no deviation, GrowthBook's looks up which leaf of a published tree the visit is in.

import { readFileSync } from "node:fs";
import { GrowthBookClient } from "@growthbook/growthbook";
import eppo from "@eppo/js-client-sdk-common";
import { initSync, Engine } from "../../build/web/edgeloom.js";
import { Form } from "../../build/web/form.js";
import { built } from "../support/paths.mjs";
import { median, report } from "../support/report.mjs";
import { generator } from "../support/seeded.mjs";

// GrowthBook then spares itself what it would tell a developer.
process.env.NODE_ENV = "production";

const published = JSON.parse(readFileSync(built("target/bench/learned.json"), "utf8"));
const [slot] = published.config.slots;
const ARMS = published.learned[0].arms;
const NAMES = slot.policy.features.map(({ name }) => name);

const random = generator(11);
const normal = () => Array.from({ length: 12 }, random).reduce((a, b) => a + b, -6);
const visitors = Array.from({ length: 1024 }, (_, i) => {
  const x = NAMES.map(normal);
  const attributes = Object.fromEntries(NAMES.map((name, k) => [name, x[k]]));
  const id = i.toString(16).padStart(32, "0");
  return { id, x, attributes: { id, ...attributes }, context: { numericAttributes: attributes, categoricalAttributes: {} } };
});

/** Both ways of ours: the choice alone, and with its exact propensity. */
function ours() {
  initSync({ module: readFileSync(built("build/web/edgeloom_bg.wasm")) });
  const engine = Engine.preview(JSON.stringify(published));
  if (engine.warnings.length > 0) throw new Error(engine.warnings.join("\n"));
  const form = new Form(engine, NAMES);
  return { choice: ({ id, x }) => form.arms(id, id, x)[0], exact: ({ id, x }) => form.decide(id, id, x).arms[0] };
}

/** A tree of five questions a leaf, as its payloads have it: 32 leaves, each with a weight per arm. */
function growthbook() {
  const depth = 5;
  const contexts = Array.from({ length: 2 ** depth }, (_, leafId) => {
    const weights = ARMS.map(() => random() ** 3);
    const sum = weights.reduce((a, b) => a + b, 0);
    // Question d is about one of the numbers that this depth has for its part of the tree.
    const condition = Object.fromEntries(
      Array.from({ length: depth }, (_, d) => [NAMES[2 ** d - 1 + (leafId >> (depth - d))], (leafId >> (depth - 1 - d)) & 1 ? { $gte: 0 } : { $lt: 0 }]),
    );
    return { leafId, condition, weights: weights.map((weight) => weight / sum) };
  });
  const names = ARMS.map(({ arm }) => arm);
  const rule = { key: "hero", hashAttribute: "id", contextualVariations: names, weights: names.map(() => 1 / names.length), contextualBanditRef: "hero" };
  const client = new GrowthBookClient({ trackingCallback: () => {} });
  client.initSync({ payload: { features: { hero: { defaultValue: "none", rules: [rule] } }, contextualBandits: { hero: { banditVersion: 1, contexts } } } });
  return ({ attributes }) => client.getFeatureValue("hero", "none", { attributes });
}

/** One linear score per action, from the same means. */
async function eppos() {
  const { EppoClient, MemoryOnlyConfigurationStore, VariationType, BANDIT_ASSIGNMENT_SHARDS } = eppo;
  const range = { start: 0, end: 10_000 };
  const flag = {
    key: "hero",
    enabled: true,
    variationType: VariationType.STRING,
    variations: { bandit: { key: "bandit", value: "bandit" } },
    allocations: [{ key: "all", rules: [], splits: [{ variationKey: "bandit", shards: [{ salt: "hero", ranges: [range] }] }], doLog: false }],
    totalShards: 10_000,
  };
  const coefficients = Object.fromEntries(
    ARMS.map(({ arm, regression: { mean } }) => [
      arm,
      {
        actionKey: arm,
        intercept: mean[0],
        subjectNumericCoefficients: NAMES.map((attributeKey, k) => ({ attributeKey, coefficient: mean[k + 1], missingValueCoefficient: 0 })),
        subjectCategoricalCoefficients: [],
        actionNumericCoefficients: [],
        actionCategoricalCoefficients: [],
      },
    ]),
  );
  const model = { banditKey: "bandit", modelName: "falcon", modelVersion: "1", modelData: { gamma: 100, defaultActionScore: 0, actionProbabilityFloor: 0.04, coefficients } };
  const store = async (entries) => {
    const made = new MemoryOnlyConfigurationStore();
    await made.setEntries(entries);
    return made;
  };
  const client = new EppoClient({
    flagConfigurationStore: await store({ hero: flag }),
    banditVariationConfigurationStore: await store({ hero: [{ key: "bandit", flagKey: "hero", variationKey: "bandit", variationValue: "bandit" }] }),
    banditModelConfigurationStore: await store({ bandit: model }),
  });
  const quiet = { logAssignment() {}, logBanditAction() {} };
  client.setAssignmentLogger(quiet);
  client.setBanditLogger(quiet);
  client.disableAssignmentCache();
  client.disableBanditAssignmentCache();
  const actions = Object.fromEntries(ARMS.map(({ arm }) => [arm, { numericAttributes: {}, categoricalAttributes: {} }]));
  return ({ id, context }) => client.getBanditAction("hero", id, context, actions, "none").action;
}

const { choice, exact } = ours();
const contestants = { choice, exact, GrowthBook: growthbook(), Eppo: await eppos() };
for (const [name, run] of Object.entries(contestants)) {
  const arms = new Set(visitors.map(run));
  if (arms.size !== ARMS.length || arms.has("none") || arms.has(-1) || arms.has(null)) throw new Error(`${name} does not choose among ${ARMS.length} arms: ${[...arms]}`);
}

/** Time of a processor, µs: other programs that take theirs don't count. */
const spent = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Contestants take turns of the same length, so that a slow moment of the machine meets all of them, and each is warm. */
const TURN_MICROS = 40_000;
const turns = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
for (let round = 0; round < 31; round++) {
  for (const [name, run] of Object.entries(contestants)) {
    const began = spent();
    let taken = 0;
    let n = 0;
    for (; taken < TURN_MICROS; taken = spent() - began, n += 16) {
      for (let i = 0; i < 16; i++) run(visitors[(n + i) % visitors.length]);
    }
    turns[name].push(taken / n);
  }
}
const quietest = Object.fromEntries(Object.entries(turns).map(([name, list]) => [name, Math.min(...list)]));
const { choice: alone, exact: accounted, ...others } = quietest;
/** What both may take, µs, on the machine where Eppo took 140: where a machine is slower, the ratio tells what it would be there. */
const EPPO_MICROS = 140;
const MICROS = { choice: 5, exact: 25 };
const ratio = (peer, own) => median(turns[peer].map((theirs, round) => theirs / turns[own][round]));
const what = `${ARMS.length} arms × ${NAMES.length} features`;
report("contextual", [
  { name: `${what}, the arm, quietest turn`, unit: "µs", ours: alone, others },
  { name: `${what}, the arm and its exact propensity, quietest turn`, unit: "µs", ours: accounted, others },
  ...Object.entries(MICROS).map(([own, micros]) => {
    const [ours, target] = [ratio("Eppo", own), EPPO_MICROS / micros];
    const name = `${own === "choice" ? "arms" : "arms with propensities"} as often as Eppo finds one (${micros} µs where it takes ${EPPO_MICROS}), median`;
    return { name, unit: "×", ours, target, holds: ours >= target };
  }),
  ...Object.keys(MICROS).map((own) => ({ name: `${own === "choice" ? "arms" : "arms with propensities"} as often as GrowthBook finds one, median`, unit: "×", ours: ratio("GrowthBook", own) })),
]);
