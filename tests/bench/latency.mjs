// How long visitors wait: until the first byte behind a slow origin, and in the worst of a hundred views while the machine is
// half busy.

import { contestants, pageOf } from "../support/contestants.mjs";
import { html, startOrigin } from "../support/origin.mjs";
import { median, report } from "../support/report.mjs";
import { BROWSER, decisionsOf, until } from "../support/sample.mjs";
import { load } from "../support/load.mjs";
import { atMost } from "../support/turns.mjs";

const SLOW_MILLIS = 200;
const LIFE = { "cache-control": "max-age=3600" };
const page = pageOf(10, 100);
const origin = await startOrigin({ "/life": html(page.text, LIFE), "*": { ...html(page.text, LIFE), delayMillis: SLOW_MILLIS } });
const { ours, proxy, ...rest } = await contestants(page, origin.url);
for (const worker of Object.values(rest)) await worker.stop();
const look = async (path) => (await ours.fetch(path, { headers: BROWSER })).text();
await until(() => look("/life"), (text) => Object.keys(decisionsOf(text)?.slots ?? {}).length === page.slots.length);

/** Milliseconds until the first byte of the body. */
async function firstByte(worker, path) {
  const began = performance.now();
  const response = await worker.fetch(path, { headers: BROWSER });
  const reader = response.body.getReader();
  await reader.read();
  const taken = performance.now() - began;
  while (!(await reader.read()).done);
  return taken;
}

const first = { ours: [], proxy: [] };
const kept = [];
for (let i = 0; i < 30; i++) {
  first.ours.push(await firstByte(ours, `/slow/${i}`));
  first.proxy.push(await firstByte(proxy, `/slow/${i}`));
}
// The second view of a page cuts it, the third one is spliced.
for (let i = 0; i < 30; i++) await firstByte(ours, `/slow/${i}`);
for (let i = 0; i < 30; i++) kept.push(await firstByte(ours, `/slow/${i}`));

const views = async (worker, options) => {
  const result = await load({ url: worker.url, connections: 8, request: { path: "/life", headers: BROWSER }, ...options });
  if (result.errors > 0) throw new Error(`${result.errors} errors`);
  return result;
};
/** Half of what the proxy can take. */
const pace = (await views(proxy, { requests: 3_000 })).perSecond / 2;
await views(ours, { requests: 3_000 });
const p99 = async (worker) => (await views(worker, { requests: 3_000, pace })).latencyMillis.p99;
const tail = { ours: [], proxy: [] };
for (let round = 0; round < 5; round++) {
  tail.ours.push(await p99(ours));
  tail.proxy.push(await p99(proxy));
}
for (const worker of [ours, proxy]) await worker.stop();
await origin.close();

const middle = (lists) => Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, median(list)]));
const [firsts, tails] = [middle(first), middle(tail)];
report("latency", [
  { name: `first byte of a first view, origin ${SLOW_MILLIS} ms`, unit: "ms", ours: firsts.ours, others: { proxy: firsts.proxy } },
  atMost("first byte of a first view beside a plain proxy", firsts.ours / firsts.proxy, 1.2),
  { name: `first byte of a page that is kept, origin ${SLOW_MILLIS} ms`, unit: "ms", ours: median(kept), others: {}, target: 5, holds: median(kept) <= 5 },
  { name: `99th percentile at ${Math.round(pace)} views a second, half of what a plain proxy can take`, unit: "ms", ours: tails.ours, others: { proxy: tails.proxy } },
  atMost("99th percentile beside a plain proxy", tails.ours / tails.proxy, 2),
]);
