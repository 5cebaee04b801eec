// KV, the queue and the cache of a data centre as the runtime talks to them, kept in this process: they survive a kill of the
// runtime, as the real ones do, and fail on demand. The protocol is the one workerd speaks to its `kvNamespace` and `queue`
// services and as `cacheApiOutbound`.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

const sleep = (millis) => new Promise((done) => setTimeout(done, millis));

/** A KV namespace in memory. `fault` decides how it fails at the moment. */
export class Kv {
  /** Key to bytes. Tests may read and write it directly. */
  values = new Map();
  /** `"none"`, `"empty"` (nothing is found), `"error"` (500), `"corrupt"` (bytes flipped), `"hang"` (never answers). */
  fault = "none";
  /** Added to every answer. */
  delayMillis = 0;
  reads = 0;
  writes = 0;

  /** The text under a key, or undefined. */
  text(key) {
    return this.values.get(key)?.toString();
  }

  async handle(request, response, body) {
    const { pathname, searchParams } = new URL(request.url, "http://kv");
    const key = decodeURIComponent(pathname.slice(1));
    request.method === "GET" ? this.reads++ : this.writes++;
    if (this.fault === "hang") return;
    if (this.delayMillis) await sleep(this.delayMillis);
    if (this.fault === "error") return reply(response, 500, "KV is out of order");
    if (request.method === "PUT") {
      this.values.set(key, body);
      return reply(response, 200);
    }
    if (request.method === "DELETE") {
      this.values.delete(key);
      return reply(response, 200);
    }
    if (request.method !== "GET") return reply(response, 501, "not needed so far");
    if (key === "") return this.#list(response, searchParams.get("prefix") ?? "");
    const value = this.fault === "empty" ? undefined : this.values.get(key);
    if (value === undefined) return reply(response, 404, "Not Found");
    reply(response, 200, this.fault === "corrupt" ? garble(value) : value);
  }

  #list(response, prefix) {
    const names = [...this.values.keys()].filter((name) => name.startsWith(prefix)).sort();
    reply(response, 200, JSON.stringify({ keys: names.map((name) => ({ name })), list_complete: true, cacheStatus: null }));
  }
}

/** Every hundredth byte flipped, the first one too. */
function garble(value) {
  return Buffer.from(value).map((byte, i) => (i % 100 === 0 ? byte ^ 0xff : byte));
}

/** The Cache API of a data centre. What is kept there never runs out: whether it is fresh is for the Worker to say. */
export class DataCentre {
  /** Cache and address to the whole response, as bytes. */
  values = new Map();
  /** `"none"`, `"error"`, `"corrupt"` (a byte of the body flipped), `"hang"`. */
  fault = "none";
  /** Which byte of the body `"corrupt"` flips. */
  flipped = (length) => length - 1;
  /** Of every call: its method and address. */
  calls = [];

  async handle(request, response, body) {
    this.calls.push({ method: request.method, url: request.url });
    if (this.fault === "hang") return;
    if (this.fault === "error") return reply(response, 500, "the cache is out of order");
    const key = `${request.headers["cf-cache-namespace"]} ${request.headers.host}${request.url}`;
    const value = this.values.get(key);
    if (request.method === "PUT") {
      this.values.set(key, body);
      return reply(response, 204);
    }
    if (request.method === "PURGE") return reply(response, this.values.delete(key) ? 200 : 404);
    if (!value) return reply(response, 504);
    const at = value.indexOf("\r\n\r\n");
    const headers = value.subarray(0, at).toString().split("\r\n").slice(1).map((line) => line.split(": "));
    const kept = Buffer.from(value.subarray(at + 4));
    if (this.fault === "corrupt") kept[this.flipped(kept.length)] ^= 1;
    response.writeHead(200, { ...Object.fromEntries(headers), "cf-cache-status": "HIT" });
    response.end(kept);
  }
}

/** What the platform takes: bytes per message and per call, and messages per call; a message has up to 100 bytes of its own. */
const LIMITS = { message: 128_000, call: 256_000, messages: 100, own: 100 };

/** A queue in memory with one consumer, delivering at least once; what fails too often goes to the queue `dead`. */
export class Queue {
  /** Messages not yet acknowledged. */
  messages = [];
  /** `"none"`, `"refuse"` (429 on sending), `"hang"`. */
  fault = "none";
  /** Delivers every batch a second time, as a real queue may. */
  twice = false;
  /** Holds messages back while true. */
  paused = false;
  sent = 0;
  /** Calls and messages refused for their size. */
  tooLarge = 0;
  #delivering = false;

  /** @param {{ name: string, batch?: number, waitMillis?: number, retryMillis?: number, maxRetries?: number, dead?: Queue }} options */
  constructor({ name, batch = 100, waitMillis = 50, retryMillis = 200, maxRetries = 10, dead }) {
    Object.assign(this, { name, batch, waitMillis, retryMillis, maxRetries, dead });
  }

  async handle(request, response, body) {
    if (this.fault === "hang") return;
    if (this.fault === "refuse") return reply(response, 429, "Too Many Requests");
    const { pathname } = new URL(request.url, "http://queue");
    if (pathname === "/message") {
      this.#keep({ contentType: request.headers["x-msg-fmt"] ?? "v8", body: body.toString("base64") });
    } else if (pathname === "/batch") {
      const { messages } = JSON.parse(body);
      const sizes = messages.map((message) => Buffer.from(message.body, "base64").length + LIMITS.own);
      if (messages.length > LIMITS.messages || Math.max(...sizes) > LIMITS.message || sizes.reduce((sum, size) => sum + size, 0) > LIMITS.call) {
        this.tooLarge++;
        return reply(response, 413, "Payload Too Large");
      }
      for (const message of messages) this.#keep(message);
    }
    reply(response, 200, JSON.stringify({ metadata: { metrics: { backlogCount: this.messages.length, backlogBytes: 0, oldestMessageTimestamp: 0 } } }));
  }

  #keep({ contentType = "v8", body }) {
    this.sent++;
    this.messages.push({ id: randomUUID(), timestamp: Date.now(), contentType, body, attempts: 1 });
  }

  /** Delivers until `isOver`, through `dispatch(queue, messages)`, which answers what the consumer said. */
  async run(dispatch, isOver) {
    if (this.#delivering) return;
    this.#delivering = true;
    while (!isOver()) {
      await sleep(this.waitMillis);
      const due = this.messages.filter((message) => (message.notBefore ?? 0) <= Date.now()).slice(0, this.batch);
      if (this.paused || due.length === 0) continue;
      if (this.twice) await dispatch(this.name, due).catch(() => {});
      // A runtime that is down says nothing: all of it stays.
      const said = await dispatch(this.name, due).catch(() => undefined);
      if (said) this.#settle(due, said);
    }
    this.#delivering = false;
  }

  #settle(batch, said) {
    const all = said.outcome !== "ok" || said.retryBatch?.retry;
    const again = new Map((said.retryMessages ?? []).map((message) => [message.msgId, message.delaySeconds]));
    for (const message of batch) {
      const retry = all || again.has(message.id);
      if (retry && message.attempts++ <= this.maxRetries) {
        message.notBefore = Date.now() + this.retryMillis;
        continue;
      }
      this.messages.splice(this.messages.indexOf(message), 1);
      if (retry) this.dead?.messages.push({ ...message, attempts: 1, notBefore: 0 });
    }
  }
}

/** Serves bindings on a free port, each told by the header `x-binding` that the runtime is configured to add. */
export async function serveBindings(bindings) {
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    await bindings[request.headers["x-binding"]].handle(request, response, Buffer.concat(pieces));
  });
  server.keepAliveTimeout = 600_000;
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: server.address().port,
    close() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

function reply(response, status, body = "") {
  response.writeHead(status, { "content-length": Buffer.byteLength(body) });
  response.end(body);
}
