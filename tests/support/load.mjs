// A load generator over raw sockets: N connections, each with one request at a time, as browsers behind a keep-alive do.
// It counts what it must and nothing more, so that the machine's time goes to what is measured.

import { connect } from "node:net";

/**
 * What to send as request number `i`.
 * @typedef {{ method?: string, path?: string, headers?: Record<string, string>, body?: string | Buffer }} Shot
 */

/**
 * Sends requests as fast as the answers come, or at a pace; `requests` of the result were answered, `errors` were not.
 *
 * @param {object} options
 * @param {string} options.url  where, such as `http://127.0.0.1:8787`
 * @param {number} [options.requests]  how many in all
 * @param {number} [options.connections]
 * @param {number} [options.pace]  requests per second, evenly; one that finds no connection free waits from its due time on
 * @param {Shot | ((i: number) => Shot)} [options.request]
 * @param {(status: number, body: Buffer, i: number) => void} [options.onAnswer]  keeps bodies only when given
 * @returns {Promise<{ requests: number, errors: number, seconds: number, perSecond: number, statuses: Record<string, number>,
 *   bytes: number, latencyMillis: { p50: number, p90: number, p99: number, max: number } }>}
 */
export async function load({ url, requests = 10_000, connections = 8, pace = Infinity, request = {}, onAnswer }) {
  const { hostname, port, host } = new URL(url);
  const fixed = typeof request === "function" ? undefined : bytesOf(request, host);
  const latencies = new Float64Array(requests);
  const total = { requests: 0, errors: 0, bytes: 0, statuses: {} };
  let next = 0;

  /** One connection after another, each with one request at a time, until there are none left. */
  const lane = (done) => {
    if (next >= requests) return done();
    const reader = new AnswerReader(onAnswer !== undefined);
    const socket = connect(Number(port), hostname);
    let at = 0;
    let began = 0;
    let isWaiting = false;
    const fire = () => {
      at = next++;
      isWaiting = true;
      const due = start + (at * 1_000) / pace;
      const early = due - performance.now();
      // A timer that rings late is not the Worker's doing.
      if (early > 0) setTimeout(() => send(performance.now()), early);
      else send(pace === Infinity ? performance.now() : due);
    };
    const send = (since) => {
      began = since;
      if (!socket.destroyed) socket.write(fixed ?? bytesOf(request(at), host));
    };
    socket.setNoDelay(true);
    socket.on("connect", () => (next < requests ? fire() : socket.destroy()));
    // What follows an error is a close.
    socket.on("error", () => {
      if (isWaiting || next >= requests) return;
      next++;
      isWaiting = true;
    });
    socket.on("close", () => {
      // A request without an answer is lost, not sent again: that would be the client's decision.
      if (isWaiting) total.errors++;
      lane(done);
    });
    socket.on("data", (piece) => {
      if (!reader.take(piece)) return;
      isWaiting = false;
      latencies[total.requests++] = performance.now() - began;
      total.bytes += reader.bytes;
      total.statuses[reader.status] = (total.statuses[reader.status] ?? 0) + 1;
      onAnswer?.(reader.status, reader.body(), at);
      if (reader.closes || next >= requests) return socket.destroy();
      reader.reset();
      fire();
    });
  };

  const start = performance.now();
  await Promise.all(Array.from({ length: Math.min(connections, requests) }, () => new Promise(lane)));
  const seconds = (performance.now() - start) / 1000;
  const sorted = latencies.subarray(0, total.requests).sort();
  const quantile = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
  return {
    ...total,
    seconds,
    perSecond: total.requests / seconds,
    latencyMillis: { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: quantile(1) },
  };
}

function bytesOf({ method = "GET", path = "/", headers = {}, body }, host) {
  const content = body === undefined ? undefined : Buffer.from(body);
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${host}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (content) lines.push(`content-length: ${content.length}`);
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return content ? Buffer.concat([head, content]) : head;
}

/** Finds the end of an HTTP/1.1 answer: by its length, or by its chunks. */
class AnswerReader {
  status = 0;
  bytes = 0;
  closes = false;
  #keeps;
  #rest = Buffer.alloc(0);
  #pieces = [];
  /** What is being read: the head, a body of known length, the size line of a chunk, its content, or the trailer. */
  #state = "head";
  #left = 0;

  constructor(keeps) {
    this.#keeps = keeps;
  }

  reset() {
    this.bytes = 0;
    this.#pieces = [];
    this.#state = "head";
  }

  body() {
    return Buffer.concat(this.#pieces);
  }

  /** Takes what arrived; true once the answer is complete. */
  take(piece) {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece;
    for (;;) {
      if (this.#state === "length" || this.#state === "chunk") {
        const now = Math.min(this.#left, data.length);
        this.bytes += now;
        if (this.#keeps && now > 0) this.#pieces.push(data.subarray(0, now));
        this.#left -= now;
        data = data.subarray(now);
        if (this.#left > 0) return this.#wait(data);
        if (this.#state === "length") return this.#finish(data);
        this.#state = "after";
      }
      const end = data.indexOf(this.#state === "head" ? "\r\n\r\n" : "\r\n");
      if (end < 0) return this.#wait(data);
      const line = data.latin1Slice(0, end);
      data = data.subarray(end + (this.#state === "head" ? 4 : 2));
      if (this.#state === "head") this.#readHead(line);
      else if (this.#state === "after") this.#state = "size";
      else if (this.#state === "size") {
        this.#left = Number.parseInt(line, 16);
        this.#state = this.#left === 0 ? "trailer" : "chunk";
      } else if (line === "") return this.#finish(data);
      if (this.#state === "length" && this.#left === 0) return this.#finish(data);
    }
  }

  #readHead(head) {
    this.status = Number(head.slice(9, 12));
    this.closes = /\r\nconnection: close/i.test(head);
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = "size";
    } else {
      this.#state = "length";
      this.#left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    }
  }

  #wait(data) {
    this.#rest = data;
    return false;
  }

  #finish(data) {
    this.#rest = data;
    return true;
  }
}
