// What it costs to start: CPU time of a fresh workerd until its first answer, for our Worker, for a workers-rs hello built
// with the same settings, and for an empty Worker in JavaScript. Contestants take turns; every start is a new process.
//
// The target is for the start "over an empty Worker": what the runtime needs for itself, no Worker can change, and
// production pays it once per machine, not per Worker. The ratio of whole processes includes it and is lenient: it would
// hold for a Worker several times as slow. Both ask for an answer that needs no stored state, for a hello has none; what
// loading the snapshot and building a first page cost on top is told beside it.
//
// Reading the runtime's configuration costs 4 ms per MB of modules here and nothing in production: it is compiled
// beforehand, and each contestant carries ballast up to the size of the largest.

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
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

const bundles = { ours: built("build/bundle"), "workers-rs hello": helloBundle(), "empty Worker": bundleOf("empty", EMPTY) };
const bytesOf = (folder) => readdirSync(folder).filter((name) => /\.(js|wasm)$/.test(name)).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
const largest = Math.max(...Object.values(bundles).map(bytesOf));

const origin = await startOrigin({ "*": html(HOME) });
const workers = {};
for (const [name, bundle] of Object.entries(bundles)) {
  workers[name] = await start({ origin: origin.url, bundle, compiled: true, vars: { BALLAST: "x".repeat(largest - bytesOf(bundle)) } });
}
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
  // The way of every request to the wasm and back, to say that there is no such route.
  ours: ["ours", "/_edgeloom/nothing", (text) => JSON.parse(text).status === 404],
  state: ["ours", HEALTH, (text) => JSON.parse(text).source === "kv"],
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
const figures = (name, figure, less) => ({
  name,
  unit: "ms",
  ours: middle[figure] - less,
  others: { "workers-rs hello": middle.hello - less, ...(less > 0 ? {} : { "empty Worker": middle.empty }) },
});
report("startup", [
  figures("CPU until the first answer, whole process", "ours", 0),
  figures("… with the snapshot loaded from KV", "state", 0),
  figures("… with a page, personalised", "page", 0),
  figures("CPU until the first answer, over an empty Worker", "ours", middle.empty),
  { name: "start beside workers-rs hello, over an empty Worker", unit: "×", ours: strict, target: 1.5, holds: strict <= 1.5 },
  { name: "start beside workers-rs hello, whole process (lenient)", unit: "×", ours: ratio("ours", whole) },
]);
