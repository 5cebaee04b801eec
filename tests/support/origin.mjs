// A website of our own to put behind the Worker: every route is data or a function, and it can be slow, cut or dead.

import { createServer } from "node:http";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

/**
 * What a route answers. All fields are optional.
 * @typedef {object} Reply
 * @property {number} status
 * @property {Record<string, string | string[]>} headers
 * @property {string | Buffer | (string | Buffer)[]} body  a list is sent piece by piece
 * @property {number} delayMillis  before the first byte
 * @property {number} gapMillis  between the pieces of a list
 * @property {"gzip" | "br" | "deflate"} encoding  compresses the body and says so
 * @property {boolean} garbled  says the encoding, but sends bytes that don't decode
 * @property {number} cutAfterBytes  breaks the connection after so many bytes of the body
 * @property {boolean} hang  never answers
 * @property {string | Buffer} raw  exactly these bytes on the socket, then the end
 */

const COMPRESS = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync };

/** A page as most servers send it. */
export const html = (body, headers = {}) => ({ headers: { "content-type": "text/html; charset=utf-8", ...headers }, body });

/**
 * Starts the website on a free port.
 *
 * @param {Record<string, Reply | ((request: object) => Reply | Promise<Reply>)>} routes
 *   by path; `*` is every other path. A function gets `{ method, url, path, query, headers, rawHeaders, body }`.
 */
export async function startOrigin(routes = {}) {
  const table = new Map(Object.entries(routes));
  const requests = [];
  const sockets = new Set();
  let port = 0;
  let server;

  async function answer(incoming, outgoing) {
    const pieces = [];
    for await (const piece of incoming) pieces.push(piece);
    const { pathname, searchParams } = new URL(incoming.url, "http://origin");
    const request = {
      method: incoming.method,
      url: incoming.url,
      path: pathname,
      query: searchParams,
      headers: incoming.headers,
      rawHeaders: incoming.rawHeaders,
      body: Buffer.concat(pieces),
    };
    requests.push(request);
    const route = table.get(pathname) ?? table.get("*") ?? { status: 404, body: "no such page" };
    await send(outgoing, request, typeof route === "function" ? await route(request) : route);
  }

  /** Listens; again on the same port after a death. */
  async function revive() {
    server = createServer((incoming, outgoing) => {
      answer(incoming, outgoing).catch((error) => outgoing.destroy(error));
    });
    // A connection that the Worker keeps open must not be closed under its next request.
    server.keepAliveTimeout = 60_000;
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    });
    await new Promise((done, fail) => server.once("error", fail).listen(port, "127.0.0.1", done));
    port = server.address().port;
  }

  /** Refuses connections and cuts the ones it has. */
  async function die() {
    const closed = new Promise((done) => server.close(done));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  await revive();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    /** Everything asked so far, oldest first. */
    requests,
    /** Adds or replaces a route. */
    route: (pathname, reply) => table.set(pathname, reply),
    die,
    revive,
    close: die,
  };
}

const sleep = (millis) => new Promise((done) => setTimeout(done, millis));

async function send(outgoing, request, reply) {
  if (reply.hang) return;
  if (reply.delayMillis) await sleep(reply.delayMillis);
  if (reply.raw !== undefined) {
    outgoing.socket.end(reply.raw);
    return;
  }
  const headers = { ...reply.headers };
  // As every server that sends a tag.
  if (headers.etag !== undefined && request.headers["if-none-match"] === headers.etag) return outgoing.writeHead(304, headers).end();
  let pieces = [reply.body ?? ""].flat().map((piece) => Buffer.from(piece));
  if (reply.encoding) {
    headers["content-encoding"] = reply.encoding;
    pieces = [reply.garbled ? Buffer.from("these bytes are not compressed") : COMPRESS[reply.encoding](Buffer.concat(pieces))];
  }
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  // A list is a stream of unknown length, anything else has one.
  if (!Array.isArray(reply.body) && !("content-length" in headers)) headers["content-length"] = String(bytes);
  outgoing.writeHead(reply.status ?? 200, headers);
  if (request.method === "HEAD") return outgoing.end();
  let left = reply.cutAfterBytes ?? Infinity;
  for (const [i, piece] of pieces.entries()) {
    if (i > 0 && reply.gapMillis) await sleep(reply.gapMillis);
    if (piece.length > left) {
      // What was written must arrive before the connection breaks.
      outgoing.write(piece.subarray(0, left), () => outgoing.socket?.destroy());
      return;
    }
    left -= piece.length;
    outgoing.write(piece);
  }
  outgoing.end();
}
