// One contestant in a process of its own, so that its memory is its own: `node contestant.mjs NAME SET`. Builds its index once
// (`build`), and is then asked in turns with the others.
//
// A contestant is a module:
//   build(set)     the stored form of its index: a Buffer
//   load(stored)   what answers a query with ids, the nearest first: { nearest(query), free?(), set?(setting) }
//   settings       from quick to thorough, of those it can be set to
//   prepare(query) the form it wants queries in
//   wasmBytes()    memory of its wasm

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const [, , name, base] = process.argv;
const contestant = await import(`./${name}.mjs`);
const facts = JSON.parse(readFileSync(`${base}.json`, "utf8"));
const numbers = (file) => {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
};
const rows = (table) => Array.from({ length: table.length / facts.dimension }, (_, i) => table.slice(i * facts.dimension, (i + 1) * facts.dimension));
const stored = contestant.file?.(base) ?? `${base}.${name}.${contestant.version}.${facts.stamp}`;

/** As often as a load is measured. */
const LOADS = 7;
let queries;
let loaded;

const held = () => {
  gc();
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers + contestant.wasmBytes();
};

async function timedLoad() {
  const bytes = readFileSync(stored);
  const began = performance.now();
  const result = await contestant.load(bytes, facts);
  const millis = performance.now() - began;
  // What keeps its index in a browser's database says itself how long it took from there.
  return { result, millis: result.millis ?? millis, bytes: bytes.length };
}

/** What a look at the clock costs, µs. */
const clock = () => {
  const list = Array.from({ length: 1000 }, () => -performance.now() + performance.now()).sort((a, b) => a - b);
  return list[500] * 1e3;
};

const ACTS = {
  async build() {
    if (existsSync(stored)) return { seconds: 0 };
    const began = performance.now();
    const bytes = await contestant.build({ ...facts, base, rows: () => rows(numbers(`${base}.f32`)) });
    writeFileSync(`${stored}.part`, bytes);
    renameSync(`${stored}.part`, stored);
    return { seconds: (performance.now() - began) / 1e3 };
  },
  async load() {
    queries = rows(numbers(`${base}.queries.f32`)).map(contestant.prepare ?? ((query) => query));
    await contestant.begin?.();
    const before = held();
    const first = await timedLoad();
    loaded = first.result;
    first.result = undefined;
    const memory = held() - before;
    const millis = [first.millis];
    for (let i = 1; i < LOADS && !contestant.isBuiltAnew; i++) {
      const again = await timedLoad();
      millis.push(again.millis);
      again.result.free?.();
    }
    return { millis: contestant.isBuiltAnew ? undefined : millis, bytes: first.bytes, memory, settings: contestant.settings };
  },
  async found({ setting }) {
    loaded.set?.(setting);
    return Uint32Array.from(queries.flatMap((query) => Array.from(loaded.nearest(query), Number)));
  },
  /** The time of single queries, µs, for about so long. */
  async turn({ setting, millis }) {
    loaded.set?.(setting);
    const cost = clock();
    const times = [];
    const end = performance.now() + millis;
    for (let i = 0; times.length < 10 || performance.now() < end; i = (i + 1) % queries.length) {
      const query = queries[i];
      const began = performance.now();
      loaded.nearest(query);
      times.push((performance.now() - began) * 1e3 - cost);
    }
    return times;
  },
};

process.on("message", async ({ act, ...what }) => {
  try {
    process.send({ done: await ACTS[act](what) });
  } catch (error) {
    process.send({ failed: error?.stack ?? error?.message ?? JSON.stringify(error) });
  }
});
