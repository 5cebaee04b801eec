// The result of a benchmark: a table row per figure, in the form `cargo xtask bench` reads.

import { mkdirSync, writeFileSync } from "node:fs";
import { path } from "./paths.mjs";

/**
 * Writes `target/bench/NAME.json`.
 *
 * @param {string} name  of the benchmark: the name of its file
 * @param {{ name: string, unit: string, ours: number, others?: Record<string, number>, target?: string | number | null, holds?: boolean }[]} rows
 *   `target` is what was promised, in words or as a number; a row without one always holds
 */
export function report(name, rows) {
  const full = rows.map(({ others = {}, target = null, holds = target === null, ...row }) => ({ ...row, others, target, holds }));
  for (const row of full) {
    if (!Number.isFinite(row.ours)) throw new Error(`${row.name}: ${row.ours} is not a figure`);
  }
  mkdirSync(path("target/bench"), { recursive: true });
  writeFileSync(path(`target/bench/${name}.json`), `${JSON.stringify(full, null, 2)}\n`);
}

/** The value in the middle: on a busy machine the only honest average. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
