// The inner loops of the index with wasm's 128-bit instructions give the bits of their plain twins, in the wasm that the Worker's
// settings make of them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { differs, initSync } from "../build/test/twins/twins.js";
import { built } from "./support/paths.mjs";
import { generator } from "./support/seeded.mjs";

/** Blocks of sixteen with and without a rest, and the sizes of embeddings in use. */
const DIMENSIONS = [1, 2, 7, 15, 16, 17, 31, 33, 256, 383, 384, 768, 1536, 4096];
const ROUNDS = 8;

initSync({ module: readFileSync(built("build/test/twins/twins_bg.wasm")) });

test("the inner loops agree with their twins", () => {
  const random = generator(7);
  for (const dimension of DIMENSIONS) {
    for (let round = 0; round < ROUNDS; round++) {
      const bits = BigUint64Array.from({ length: 6 * dimension + 64 }, () => (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32)));
      assert.equal(differs(dimension, bits), undefined, `${dimension} numbers`);
    }
  }
});
