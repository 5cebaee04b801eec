// EdgeVec: a graph of its own, or sign bits of the vectors as they are and then the floats of the best.
//
// Version 0.9.0 can't open what it saved ("This is a feature that PostCard will never implement"), so it is built anew in the
// process that asks it, and there is no load to be compared.

import { readFileSync } from "node:fs";
import { initSync, EdgeVec, EdgeVecConfig } from "edgevec";
import { path } from "../../support/paths.mjs";

export const version = "0.9.0";
export const isBuiltAnew = true;
/** How many times k are compared by floats; the graph has nothing to be set once it is built. */
export const settings = [5, 10, 20, "graph", 40, 80, 160];
const { memory } = initSync({ module: readFileSync(path("node_modules/edgevec/edgevec_bg.wasm")) });
export const wasmBytes = () => memory.buffer.byteLength;

export const build = ({ base }) => readFileSync(`${base}.f32`);

export function load(stored, { dimension, items, k }) {
  const config = new EdgeVecConfig(dimension);
  // Of unit vectors the nearest are the most similar. Its own measures of similarity gave the farthest.
  config.metric = "l2";
  const index = new EdgeVec(config);
  const numbers = new Float32Array(stored.buffer.slice(stored.byteOffset, stored.byteOffset + stored.length));
  for (let i = 0; i < items; i++) {
    const id = index.insert(numbers.subarray(i * dimension, (i + 1) * dimension));
    if (id !== i + 1) throw new Error(`item ${i} has id ${id}`);
  }
  if (!index.hasBQ()) index.enableBQ();
  let setting;
  const found = (query) => (setting === "graph" ? index.search(query, k) : index.searchBQRescored(query, k, setting));
  return { nearest: (query) => found(query).map(({ id }) => id - 1), set: (to) => (setting = to), free: () => index.free() };
}
