// The configuration of workerd for the bundled Worker: the bindings of wrangler.toml, mapped as wrangler maps them.

import { compatibilityDate } from "./paths.mjs";

/** Brings events other than requests to the Worker; only tests can reach it. */
const CONTROL = `
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
function messageOf({ id, timestamp, attempts, contentType, body }) {
  const message = { id, timestamp: new Date(timestamp), attempts };
  if (contentType === "v8") return { ...message, serializedBody: bytes(body) };
  if (contentType === "bytes") return { ...message, body: bytes(body).buffer };
  const text = new TextDecoder().decode(bytes(body));
  return { ...message, body: contentType === "json" ? JSON.parse(text) : text };
}
export default {
  async fetch(request, env) {
    try {
      const event = await request.json();
      if (event.cron) return Response.json(await env.WORKER.scheduled({ cron: event.cron, scheduledTime: new Date() }));
      const metrics = { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: new Date() };
      return Response.json(await env.WORKER.queue(event.queue, event.messages.map(messageOf), { metrics }));
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};`;

/** The rate limit binding; the runtime knows it by the name of its class. */
const RATE_LIMIT = `
class Ratelimit {
  #counts = new Map();
  #minute = 0;
  constructor(env) { this.most = env.limit; }
  async limit({ key }) {
    const minute = Math.floor(Date.now() / 60000);
    if (minute !== this.#minute) { this.#minute = minute; this.#counts.clear(); }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return { success: count <= this.most };
  }
}
export default (env) => new Ratelimit(env);`;

/** JSON strings are text literals of Cap'n Proto too, as long as they are ASCII. */
const quote = (text) => JSON.stringify(String(text)).replace(/[\u007f-\uffff]/g, (c) => [...Buffer.from(c)].map((b) => `\\x${b.toString(16)}`).join(""));

const moduleOf = (name) => `(name = ${quote(name)}, ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed ${quote(name)})`;

const faked = (name, port) =>
  `(name = ${quote(name)}, external = (address = "127.0.0.1:${port}", http = (injectRequestHeaders = [(name = "x-binding", value = ${quote(name)})])))`;

/** The text of the configuration; modules are embedded from its own folder, the entry script first. */
export function configOf({ modules, port, fakes, objects, vars, assets, limit, cache }) {
  const date = compatibilityDate();
  const ordered = [...modules].sort((a, b) => a.endsWith(".wasm") - b.endsWith(".wasm"));
  const texts = Object.entries(vars).map(([name, value]) => `(name = ${quote(name)}, text = ${quote(value)})`);
  const assetsService = `(name = "assets", assets = (path = ${quote(assets)}, userWorker = "worker",
      config = ${quote(JSON.stringify({ run_worker_first: ["/*", "!/_edgeloom/beacon.js", "!/_edgeloom/console/*"] }))})),`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "control", worker = (
      modules = [(name = "control.mjs", esModule = ${quote(CONTROL)})],
      compatibilityDate = "${date}",
      compatibilityFlags = ["service_binding_extra_handlers"],
      bindings = [(name = "WORKER", service = "worker")],
    )),
    ${faked("STATE", fakes)},
    ${faked("OVERFLOW", fakes)},
    ${cache ? `${faked("CACHE", fakes)},` : ""}
    ${assets ? assetsService : ""}
    (name = "objects", disk = (path = ${quote(objects)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:${port}", http = (cfBlobHeader = "x-test-cf"), service = "${assets ? "assets" : "worker"}"),
    (name = "control", address = "127.0.0.1:0", http = (), service = "control"),
  ],
  extensions = [(modules = [(name = "edgeloom-test:limit", internal = true, esModule = ${quote(RATE_LIMIT)})])],
);
const worker :Workerd.Worker = (
  modules = [${ordered.map(moduleOf).join(", ")}],
  compatibilityDate = "${date}",
  ${cache ? `cacheApiOutbound = "CACHE",` : ""}
  bindings = [
    ${texts.join(",\n    ")},
    (name = "STATE", kvNamespace = "STATE"),
    (name = "OVERFLOW", queue = "OVERFLOW"),
    (name = "SHARD", durableObjectNamespace = (className = "Shard")),
    (name = "ROOT", durableObjectNamespace = (className = "Root")),
    ${assets ? `(name = "ASSETS", service = (name = "assets", entrypoint = "AssetWorker")),` : ""}
    (name = "INGEST_LIMIT", wrapped = (moduleName = "edgeloom-test:limit", innerBindings = [(name = "limit", json = "${limit}")])),
  ],
  durableObjectNamespaces = [
    (className = "Shard", uniqueKey = "edgeloom-Shard", enableSql = true),
    (className = "Root", uniqueKey = "edgeloom-Root", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
);
`;
}
