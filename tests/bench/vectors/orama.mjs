// Orama: a search engine in JavaScript; vectors are compared one after the other.

import * as orama from "@orama/orama";

export const version = "3.1.18";
export const wasmBytes = () => 0;
/** It takes lists of numbers. */
export const prepare = (query) => Array.from(query);
const empty = (dimension) => orama.create({ schema: { embedding: `vector[${dimension}]` } });

export async function build({ rows, dimension }) {
  const db = empty(dimension);
  await orama.insertMultiple(db, rows().map((row, i) => ({ id: String(i), embedding: Array.from(row) })), 1000);
  return Buffer.from(JSON.stringify(orama.save(db)));
}

export async function load(stored, { dimension, k }) {
  const db = empty(dimension);
  orama.load(db, JSON.parse(stored.toString()));
  // Without `similarity` it leaves out what is less similar than 0.8.
  const ask = (value) => orama.searchVector(db, { vector: { value, property: "embedding" }, similarity: -1, limit: k });
  if (ask(Array(dimension).fill(1)) instanceof Promise) throw new Error("answers later");
  return { nearest: (query) => ask(query).hits.map(({ id }) => id) };
}
