// voy: a k-d tree in wasm.

import { readFileSync } from "node:fs";
import * as voy from "voy-search/voy_search_bg.js";
import { path } from "../../support/paths.mjs";

export const version = "0.6.3";
const module = new WebAssembly.Module(readFileSync(path("node_modules/voy-search/voy_search_bg.wasm")));
const { exports } = new WebAssembly.Instance(module, { "./voy_search_bg.js": voy });
voy.__wbg_set_wasm(exports);
export const wasmBytes = () => exports.memory.buffer.byteLength;

export function build({ rows }) {
  const embeddings = rows().map((row, i) => ({ id: String(i), title: "", url: "", embeddings: Array.from(row) }));
  return Buffer.from(new voy.Voy({ embeddings }).serialize());
}

export function load(stored, { k }) {
  const index = voy.Voy.deserialize(stored.toString());
  return { nearest: (query) => index.search(query, k).neighbors.map(({ id }) => id), free: () => index.free() };
}
