// The ten nearest of thousands of embeddings: our index of each kind, in the wasm that the Worker's settings make of it, beside the
// libraries that a site could take from npm and a plain scan of all floats. Each runs in a process of its own; they take turns, and a
// figure is the median of single calls. Whoever can be set is set to the quickest that finds as many as is promised, and only who
// finds as many is compared with.
//
// Embeddings of 384 numbers: 10,000 made up ones (mixtures of topics), and those of the paragraphs of Rust's documentation by latent
// semantic analysis. With `--large` 100,000 made up ones as well: hnswlib-wasm then takes some minutes to build its graph, once, and the
// others are left out, for they need hundreds of MB of JSON, or as long for each run.

import { deepStrictEqual } from "node:assert";
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { built, path } from "../support/paths.mjs";
import { median, report } from "../support/report.mjs";

const KINDS = ["flat", "sketch", "graph"];
const PEERS = { "hnswlib-wasm": "hnswlib", EdgeVec: "edgevec", Orama: "orama", voy: "voy", "plain scan": "scan" };
/** Those whose index is a graph that is stored, so that loading it can be compared. */
const STORED_GRAPHS = ["hnswlib-wasm"];
const NO_LIBRARY = "plain scan";
const MB = 1e6;
const ROUNDS = 9;
const TURN_MILLIS = 250;

/** What was promised; µs on the machine where the plain scan takes `scan`: where a machine is slower, the ratio tells what it would be there. */
const SETS = {
  "clustered-10000": { title: "10,000 clustered", recall: 0.99, micros: 60, scan: 2_621, megabytes: 5, times: 8, loadMillis: 5, loadTimes: 10, peers: Object.keys(PEERS) },
  text: { title: "paragraphs of documentation", recall: 0.985, micros: 60, scan: 2_621, megabytes: 5, times: 8, loadMillis: 5, loadTimes: 10, peers: Object.keys(PEERS) },
  "clustered-100000": { title: "100,000 clustered", recall: 0.985, micros: 650, scan: 32_000, megabytes: 48, times: 1 / 0.35, peers: ["hnswlib-wasm", NO_LIBRARY] },
};

/** Starts a contestant; how to ask it. */
function contestant(module, base) {
  const child = fork(path("tests/bench/vectors/contestant.mjs"), [module, base], { execArgv: ["--expose-gc", "--no-warnings"], serialization: "advanced" });
  const ask = (act, what) =>
    new Promise((done, fail) => {
      const ended = (code, signal) => fail(new Error(`${module} ended: ${code ?? signal}`));
      child.once("exit", ended);
      child.once("message", ({ done: result, failed }) => {
        child.off("exit", ended);
        if (failed) fail(new Error(`${module}: ${failed}`));
        else done(result);
      });
      child.send({ act, ...what });
    });
  return { ask, end: () => child.kill() };
}

const idsOf = (file) => {
  const bytes = readFileSync(built(file));
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

/** How many of the nearest are found, on average. */
function recallOf(found, exact, k) {
  if (found.length !== exact.length) throw new Error(`${found.length} ids instead of ${exact.length}`);
  let n = 0;
  for (let at = 0; at < exact.length; at += k) {
    const right = new Set(exact.subarray(at, at + k));
    for (const id of found.subarray(at, at + k)) n += right.has(id);
  }
  return n / exact.length;
}

/** Loads a contestant and sets it to find as many as is promised. */
async function ready(module, base, exact, { k, recall: goal }) {
  const builder = contestant(module, base);
  if (!module.startsWith("ours")) await builder.ask("build");
  builder.end();
  const { ask, end } = contestant(module, base);
  const loaded = await ask("load");
  let best;
  for (const setting of loaded.settings ?? [undefined]) {
    const found = await ask("found", { setting });
    const recall = recallOf(found, exact, k);
    if (!best || recall > best.recall) best = { setting, recall, found };
    if (recall >= goal) break;
  }
  return { ...loaded, ...best, ask, end, micros: [] };
}

async function rowsOf(set, promised) {
  const { title, recall: goal } = promised;
  const base = path(`target/bench/vectors/${set}`);
  const facts = JSON.parse(readFileSync(`${base}.json`, "utf8"));
  const exact = idsOf(`target/bench/vectors/${set}.exact`);
  const all = {};
  const ours = KINDS.filter((kind) => kind in facts.kinds);
  for (const kind of ours) {
    all[kind] = await ready(`ours-${kind}`, base, exact, { ...facts, recall: 0 });
    deepStrictEqual(all[kind].found, idsOf(`target/bench/vectors/${set}.${kind}.found`), `${title}, ${kind}: wasm finds others than the native code, or in another order`);
  }
  for (const peer of promised.peers) {
    try {
      all[peer] = await ready(PEERS[peer], base, exact, { ...facts, recall: goal });
    } catch (error) {
      console.log(`  ${title}: ${peer} does not run here: ${error.message.split("\n")[0]}`);
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of Object.values(all)) one.micros.push(median(await one.ask("turn", { setting: one.setting, millis: TURN_MILLIS })));
  }
  for (const one of Object.values(all)) one.end();
  for (const [name, { recall, setting, millis }] of Object.entries(all)) {
    const notes = [setting !== undefined && `set to ${setting}`, recall < goal && !ours.includes(name) && "does not find as many as promised, so not compared with", !millis && "can't be loaded (see its file)"].filter(Boolean);
    if (notes.length > 0) console.log(`  ${title}: ${name}: ${notes.join("; ")}`);
  }

  const of = (figure) => Object.fromEntries(Object.entries(all).flatMap(([name, one]) => (figure(one) === undefined ? [] : [[name, figure(one)]])));
  const row = (name, unit, figure, target, holds) => {
    const { sketch, ...others } = of(figure);
    return { name: `${title}: ${name}`, unit, ours: sketch, others, ...(target === undefined ? {} : { target, holds: holds(sketch, target) }) };
  };
  const [least, most] = [(value, target) => value >= target, (value, target) => value <= target];
  const ratio = (name, figure, target) => ({ name: `${title}: ${name}`, unit: "×", ours: figure, ...(target === undefined ? {} : { target, holds: figure >= target }) });
  const beside = (peer) => median(all[peer].micros.map((theirs, round) => theirs / all.sketch.micros[round]));
  const libraries = promised.peers.filter((peer) => peer !== NO_LIBRARY && all[peer]?.recall >= goal);
  const fastest = libraries.sort((a, b) => median(all[a].micros) - median(all[b].micros))[0];
  const load = ({ millis }) => millis && median(millis);
  return [
    row("a query, sketch", "µs", ({ micros }) => median(micros)),
    { name: `${title}: the same natively`, unit: "µs", ours: facts.kinds.sketch.native_micros, others: Object.fromEntries(ours.filter((kind) => kind !== "sketch").map((kind) => [kind, facts.kinds[kind].native_micros])) },
    row("recall of ten", "", ({ recall }) => recall, goal, least),
    row("memory", "MB", ({ memory }) => memory / MB, promised.megabytes, most),
    row("stored", "MB", ({ bytes, millis }) => millis && bytes / MB),
    row("load, bytes to queryable", "ms", load, promised.loadMillis, most),
    row("the first load of a process", "ms", ({ millis }) => millis?.[0]),
    ratio(`as often as a plain scan (${promised.micros} µs where it takes ${promised.scan})`, beside(NO_LIBRARY), promised.scan / promised.micros),
    ...(fastest ? [ratio(`as often as ${fastest}, the fastest library that finds as many`, beside(fastest), promised.times)] : []),
    ...STORED_GRAPHS.filter((peer) => all[peer]?.millis).map((peer) => ratio(`loads as often as ${peer}`, load(all[peer]) / load(all.sketch), promised.loadTimes)),
  ];
}

const sets = JSON.parse(readFileSync(built("target/bench/vectors/sets.json"), "utf8"));
const rows = [];
for (const set of sets) rows.push(...(await rowsOf(set, SETS[set])));
report("vectors", rows);
