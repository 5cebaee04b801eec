// Contestants take turns on the same load, so that a slow moment of the machine meets all of them.

import { load } from "./load.mjs";
import { median } from "./report.mjs";
import { BROWSER } from "./sample.mjs";

/** Ours records what it showed up to a second later: that is its work too, and must not fall into another's turn. */
const BEHIND_MILLIS = 1_400;

/**
 * CPU per view (µs, of the runtime's process), requests per second and latencies (ms), by contestant, one figure per round.
 *
 * @param {Record<string, object>} workers
 * @param {{ rounds: number, requests: number, connections: number, path: (i: number) => string, cookie?: (i: number) => string, own?: string[] }} options
 *   `path` and `cookie` of each request; `own` are the contestants that are ours
 */
export async function takeTurns(workers, { rounds, requests, connections, path, cookie, own = ["ours"] }) {
  const figures = { cpu: {}, rate: {}, p50: {}, p99: {} };
  const request = (i) => ({ path: path(i), headers: cookie ? { ...BROWSER, cookie: cookie(i) } : BROWSER });
  // The first round only warms up.
  for (let round = -1; round < rounds; round++) {
    for (const [name, worker] of Object.entries(workers)) {
      const before = worker.cpuMillis();
      const result = await load({ url: worker.url, requests, connections, request });
      if (result.errors > 0 || result.statuses[200] !== result.requests) throw new Error(`${name}: ${JSON.stringify(result.statuses)}, ${result.errors} errors`);
      await new Promise((done) => setTimeout(done, own.includes(name) ? BEHIND_MILLIS : 0));
      if (round < 0) continue;
      const { p50, p99 } = result.latencyMillis;
      const taken = { cpu: ((worker.cpuMillis() - before) * 1e3) / result.requests, rate: result.perSecond, p50, p99 };
      for (const [figure, value] of Object.entries(taken)) (figures[figure][name] ??= []).push(value);
    }
  }
  return figures;
}

/** Ours beside another, round by round, since the machine's speed drifts between rounds and hardly within one. */
export const ratioTo = (figure, name) => median(figure.ours.map((value, i) => value / figure[name][i]));

/** A row of plain figures. */
export function row(name, unit, figure) {
  const { ours, ...others } = Object.fromEntries(Object.entries(figure).map(([own, list]) => [own, median(list)]));
  return { name, unit, ours, others };
}

/** A row with a ratio: one that is only told, one that is to be large, one that is to be small. */
export const told = (name, ours) => ({ name, unit: "×", ours, others: {} });
export const atLeast = (name, ours, target) => ({ ...told(name, ours), target, holds: ours >= target });
export const atMost = (name, ours, target) => ({ ...told(name, ours), target, holds: ours <= target });
