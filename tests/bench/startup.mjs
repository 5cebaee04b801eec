// What it costs to start: CPU time of a fresh workerd until its first answer, for our Worker, for a workers-rs hello built
// with the same settings, and for an empty Worker in JavaScript. Contestants take turns; every start is a new process.
//
// Two ratios. "Over an empty Worker" takes away what the runtime needs for itself, which no Worker can change and which
// production pays once per machine and not per Worker: that is what the target is for. "Whole process" includes it and
// is the lenient one.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { html, startOrigin } from "../support/origin.mjs";
import { built } from "../support/paths.mjs";
import { median, report } from "../support/report.mjs";
import { BROWSER, CONFIG, HOME, decisionsOf, until } from "../support/sample.mjs";
import { start } from "../support/workerd.mjs";

const ROUNDS = 31;

const OBJECTS = 'import { DurableObject } from "cloudflare:workers";\nexport class Shard extends DurableObject {}\nexport class Root extends DurableObject {}\n';

const EMPTY = `${OBJECTS}export default { fetch() { return new Response("hello"); } };`;

/** What `worker-build` puts around a hello; the objects are there because the configuration names them. */
const HELLO = `import { WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "./index.js";
${OBJECTS}export default class extends WorkerEntrypoint { fetch(request) { return wasm.fetch(request, this.env, this.ctx); } }`;

const home = mkdtempSync(join(tmpdir(), "edgeloom-startup-"));

function bundleOf(name, code) {
  const folder = join(home, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "entry.js"), code);
  return folder;
}

/** The hello, bundled and minified as wrangler bundles ours. */
function helloBundle() {
  const source = built("build/bench/hello");
  const folder = bundleOf("hello", "");
  const options = { bundle: true, minify: true, format: "esm", external: ["cloudflare:*", "*.wasm"], logLevel: "warning" };
  buildSync({ ...options, stdin: { contents: HELLO, resolveDir: source }, outfile: join(folder, "entry.js") });
  copyFileSync(join(source, "index_bg.wasm"), join(folder, "index_bg.wasm"));
  return folder;
}

const origin = await startOrigin({ "*": html(HOME) });
const workers = {
  ours: await start({ origin: origin.url }),
  "workers-rs hello": await start({ origin: origin.url, bundle: helloBundle() }),
  "empty Worker": await start({ origin: origin.url, bundle: bundleOf("empty", EMPTY) }),
};
const HEALTH = "/_edgeloom/health";
await workers.ours.publish(CONFIG);
await until(async () => (await workers.ours.fetch(HEALTH)).json(), ({ source }) => source === "kv");

/** CPU milliseconds of a fresh process until the first answer to a request. */
async function startOf(worker, path, isRight) {
  await worker.restart();
  const text = await (await worker.fetch(path, { headers: BROWSER })).text();
  const millis = worker.cpuMillis();
  if (!isRight(text)) throw new Error(`${path}: ${text.slice(0, 300)}`);
  return millis;
}

const saysHello = (text) => text === "hello";
const STARTS = {
  ours: ["ours", HEALTH, (text) => JSON.parse(text).source === "kv"],
  page: ["ours", "/", (text) => Object.keys(decisionsOf(text)?.slots ?? {}).length === 3],
  hello: ["workers-rs hello", "/", saysHello],
  empty: ["empty Worker", "/", saysHello],
};
const cpu = Object.fromEntries(Object.keys(STARTS).map((name) => [name, []]));
for (let round = -1; round < ROUNDS; round++) {
  for (const [name, [worker, path, isRight]] of Object.entries(STARTS)) {
    const millis = await startOf(workers[worker], path, isRight);
    if (round >= 0) cpu[name].push(millis);
  }
}
for (const worker of Object.values(workers)) await worker.stop();
await origin.close();
rmSync(home, { recursive: true });

const middle = Object.fromEntries(Object.entries(cpu).map(([name, list]) => [name, median(list)]));
/** Round by round, since the machine's speed drifts between rounds and hardly within one. */
const ratio = (name, less) => median(cpu[name].map((millis, i) => (millis - less(i)) / (cpu.hello[i] - less(i))));
const overEmpty = (i) => cpu.empty[i];
const whole = () => 0;
const strict = ratio("ours", overEmpty);
const row = (name, figure, empty) => ({
  name,
  unit: "ms",
  ours: middle[figure] - empty,
  others: { "workers-rs hello": middle.hello - empty, ...(empty ? {} : { "empty Worker": middle.empty }) },
});
report("startup", [
  row("CPU until the first answer (ours: snapshot loaded from KV)", "ours", 0),
  row("CPU until the first page, personalised", "page", 0),
  row("CPU until the first answer, over an empty Worker", "ours", middle.empty),
  { name: "start beside workers-rs hello, over an empty Worker", unit: "×", ours: strict, target: 1.5, holds: strict <= 1.5 },
  { name: "start beside workers-rs hello, whole process (lenient)", unit: "×", ours: ratio("ours", whole) },
  { name: "start to a page beside workers-rs hello, over an empty Worker", unit: "×", ours: ratio("page", overEmpty) },
]);
