// Our index in the wasm that the Worker's settings make of it; the query goes in and the ids come out, as everybody's do.

import { readFileSync } from "node:fs";
import { initSync, Vectors } from "../../../build/bench/vectors/vectors.js";
import { built } from "../../support/paths.mjs";

const { memory } = initSync({ module: readFileSync(built("build/bench/vectors/vectors_bg.wasm")) });

export const wasmBytes = () => memory.buffer.byteLength;

export function load(stored, { k }) {
  const index = new Vectors(stored);
  return { nearest: (query) => index.nearest(query, k), free: () => index.free() };
}
