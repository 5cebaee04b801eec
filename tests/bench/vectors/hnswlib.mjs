// hnswlib-wasm: hnswlib in wasm. It was built for web pages alone, and finds here what it asks of one.

import { contentOf } from "./database.mjs";

export const version = "0.8.2";
/** Neighbours of an item, and candidates for one while it is built: what its documentation recommends. */
const [M, EF_CONSTRUCTION, SEED] = [16, 200, 100];
/** Candidates at a search. */
export const settings = [20, 50, 75, 100, 150, 200, 300, 400, 600];
const FILE = "index.dat";

globalThis.window ??= globalThis;
globalThis.document ??= {};
const { log } = console;
console.log = () => {};
const { loadHnswlib } = await import("../../../node_modules/hnswlib-wasm/dist/hnswlib.js");
let lib;

export const begin = async () => {
  lib ??= await loadHnswlib("IDBFS");
};
export const wasmBytes = () => lib?.HEAPU8.length ?? 0;

const synced = (isRead) => new Promise((done) => lib.EmscriptenFileSystemManager.syncFS(isRead, done));
/** The file system is mounted below this name, which is that of the database, too. */
const folder = "/hnswlib-index";

export async function build({ rows, items, dimension }) {
  await begin();
  const index = new lib.HierarchicalNSW("ip", dimension, "");
  index.initIndex(items, M, EF_CONSTRUCTION, SEED);
  rows().forEach((row, i) => index.addPoint(row, i, false));
  await index.writeIndex(FILE);
  await synced(false);
  const content = contentOf(folder);
  const entry = [...content].find(([key]) => key.endsWith(FILE));
  if (!entry) throw new Error(`${FILE} was not written: ${[...content.keys()]}`);
  return Buffer.from(entry[1].contents);
}

export async function load(stored, { items, dimension, k }) {
  contentOf(folder).set(`${folder}/${FILE}`, { timestamp: new Date(), mode: 0o100666, contents: new Uint8Array(stored) });
  await synced(true);
  const began = performance.now();
  const index = new lib.HierarchicalNSW("ip", dimension, "");
  await index.readIndex(FILE, items);
  const millis = performance.now() - began;
  return { millis, nearest: (query) => index.searchKnn(query, k, undefined).neighbors, set: (ef) => index.setEfSearch(ef), free: () => index.delete() };
}
