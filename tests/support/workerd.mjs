// Runs the bundled Worker in workerd itself, without wrangler: for kills, for faults of the bindings, and for CPU time
// that is the Worker's alone (wrangler's proxy costs more than the Worker and caps at some hundred requests a second).

import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import runtime from "workerd";
import { adminOf } from "./admin.mjs";
import { Kv, Queue, serveBindings } from "./bindings.mjs";
import { configOf } from "./config.mjs";
import { SECRETS, SITE, built } from "./paths.mjs";
import { cpuMillis, cpuSeconds, rssBytes } from "./process.mjs";

const START_LIMIT_MILLIS = 30_000;
const RUNTIME = runtime.default ?? runtime;

/**
 * Starts the Worker.
 *
 * @param {object} [options]
 * @param {string} [options.origin]  base URL of the website behind it
 * @param {Record<string, string>} [options.vars]  added to those of the tests; secrets are vars here
 * @param {Kv} [options.kv]
 * @param {Queue} [options.queue]  with its `dead` queue, where it has one
 * @param {import("./bindings.mjs").DataCentre} [options.cache]  what the Cache API speaks to; there is none otherwise
 * @param {string} [options.dir]  keeps the Durable Objects; a temporary folder that goes with `stop` otherwise
 * @param {number} [options.port]  a free one otherwise
 * @param {string} [options.bundle]  another bundle than the Worker's: a folder of `.js` and `.wasm`, the entry first by name
 * @param {boolean} [options.assets]  serves `build/assets` before the Worker, as `run_worker_first` says
 * @param {number} [options.limit]  events per key and minute that INGEST_LIMIT lets through
 * @param {boolean} [options.compiled]  compiles the configuration first, so that a start does not pay for embedding the modules
 * @param {boolean} [options.quiet]  keeps the runtime's log off the terminal; `log` has it in any case
 */
export async function start(options = {}) {
  const { origin = "", vars = {}, bundle = built("build/bundle"), quiet = true } = options;
  const kv = options.kv ?? new Kv();
  const queue = options.queue ?? new Queue({ name: "edgeloom-overflow" });
  const home = mkdtempSync(join(tmpdir(), "edgeloom-"));
  const dir = options.dir ?? join(home, "objects");
  mkdirSync(dir, { recursive: true });
  const fakes = await serveBindings({ STATE: kv, OVERFLOW: queue, CACHE: options.cache });
  const modules = readdirSync(bundle).filter((name) => /\.(js|mjs|wasm)$/.test(name)).sort();
  for (const name of modules) copyFileSync(join(bundle, name), join(home, name));

  const log = [];
  let port = options.port ?? 0;
  let control = 0;
  let child;
  let isOver = false;

  async function boot() {
    const text = configOf({
      modules,
      port,
      fakes: fakes.port,
      objects: dir,
      vars: { ORIGIN: origin, SITE, ...SECRETS, ...vars },
      assets: options.assets ? built("build/assets") : undefined,
      limit: options.limit ?? 1e9,
      cache: options.cache !== undefined,
    });
    writeFileSync(join(home, "config.capnp"), text);
    // File descriptor 3 tells the ports once they are open.
    const args = ["serve", ...(options.compiled ? compiled(home) : ["config.capnp"]), "--experimental", "--control-fd=3"];
    const born = spawn(RUNTIME, args, { cwd: home, stdio: ["ignore", "pipe", "pipe", "pipe"] });
    child = born;
    for (const stream of [born.stdout, born.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        if (!quiet) console.error(line);
      });
    }
    const ports = await listening(born, log);
    port = ports.http;
    control = ports.control;
  }

  /** Ends the process with a signal and waits until it is gone. */
  async function end(signal) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await gone;
  }

  /** Brings an event other than a request to the Worker; what its handler came to. */
  async function dispatch(body) {
    const response = await fetch(`http://127.0.0.1:${control}/`, { method: "POST", body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return JSON.parse(text);
  }

  await boot();
  for (const one of [queue, queue.dead]) one?.run((name, messages) => dispatch({ queue: name, messages }), () => isOver);

  const call = (target, init) => fetch(new URL(target, `http://127.0.0.1:${port}`), { redirect: "manual", ...init });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    /** Where the Durable Objects are: a folder per class, a database per object. */
    dir,
    kv,
    queue,
    log,
    /** A request; redirects are not followed. A header `x-test-cf` with JSON becomes `request.cf`. */
    fetch: call,
    ...adminOf(call),
    /** Runs the cron handler. */
    scheduled: (cron = "*/5 * * * *") => dispatch({ cron }),
    /** SIGKILL: as if the power went. KV, queue and the disk stay. */
    kill: () => end("SIGKILL"),
    /** Starts it again, on the same port and disk, ending it first where it still runs. */
    async restart() {
      await end("SIGKILL");
      await boot();
    },
    /** CPU seconds of the runtime since it was (re)started. */
    cpuSeconds: () => cpuSeconds(child.pid),
    /** The same in milliseconds and finer; of threads that are still there. */
    cpuMillis: () => cpuMillis(child.pid),
    /** Memory of the runtime. */
    rssBytes: () => rssBytes(child.pid),
    async stop() {
      isOver = true;
      await end("SIGTERM");
      await fakes.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Compiles the configuration of a folder; how to serve it. */
function compiled(home) {
  const { status, stdout, stderr } = spawnSync(RUNTIME, ["compile", "--config-only", "config.capnp"], { cwd: home, maxBuffer: 64e6 });
  if (status !== 0) throw new Error(String(stderr));
  writeFileSync(join(home, "config.bin"), stdout);
  return ["--binary", "config.bin"];
}

/** Waits for both sockets; the ports they got. */
function listening(child, log) {
  return new Promise((done, fail) => {
    const ports = {};
    const late = setTimeout(() => fail(new Error(`workerd did not start\n${log.join("\n")}`)), START_LIMIT_MILLIS);
    child.once("exit", (code, signal) => {
      clearTimeout(late);
      fail(new Error(`workerd ended (${code ?? signal})\n${log.join("\n")}`));
    });
    createInterface({ input: child.stdio[3] }).on("line", (line) => {
      const said = JSON.parse(line);
      if (said.event === "listen") ports[said.socket] = said.port;
      if (ports.http && ports.control) {
        clearTimeout(late);
        done(ports);
      }
    });
  });
}
