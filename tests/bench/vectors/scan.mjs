// No library: all floats, one after the other.

import { readFileSync } from "node:fs";

export const version = "1";
export const wasmBytes = () => 0;
export const build = ({ base }) => readFileSync(`${base}.f32`);

export function load(stored, { dimension, k }) {
  const items = new Float32Array(stored.buffer.slice(stored.byteOffset, stored.byteOffset + stored.length));
  const n = items.length / dimension;
  const ids = new Uint32Array(k);
  const best = new Float64Array(k);
  function nearest(query) {
    best.fill(-Infinity);
    for (let i = 0, at = 0; i < n; i++, at += dimension) {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let j = 0; j < dimension; j += 4) {
        a += items[at + j] * query[j];
        b += items[at + j + 1] * query[j + 1];
        c += items[at + j + 2] * query[j + 2];
        d += items[at + j + 3] * query[j + 3];
      }
      const similarity = a + b + c + d;
      if (similarity <= best[k - 1]) continue;
      let place = k - 1;
      for (; place > 0 && best[place - 1] < similarity; place--) {
        best[place] = best[place - 1];
        ids[place] = ids[place - 1];
      }
      best[place] = similarity;
      ids[place] = i;
    }
    return ids.slice();
  }
  return { nearest };
}
