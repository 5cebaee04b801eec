// The demo's website: a plain server of finished pages, like one that never heard of Edgeloom. `--port` is its only option.

import { createHash } from "node:crypto";
import { readFile, readdir, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { SOURCES, pages } from "./notes.mjs";

const PUBLIC = join(import.meta.dirname, "public");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};
/** What every answer says: the site needs nothing but itself, and tells its own pages where a visitor came from. */
const HEADERS = {
  "content-security-policy": "default-src 'self'",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

/** Reads the whole site, by address: it is small, and so no address can lead out of the folder. */
export async function load() {
  const files = new Map();
  for (const entry of await readdir(PUBLIC, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const type = TYPES[extname(path)];
    if (type) files.set(addressOf(relative(PUBLIC, path)), served(type, await readFile(path), await changed(path)));
  }
  const modified = Math.max(...(await Promise.all(SOURCES.map(changed))));
  for (const [address, html] of await pages()) files.set(address, served(TYPES[".html"], Buffer.from(html), modified));
  return files;
}

/** When a file was changed; HTTP dates have whole seconds. */
const changed = async (path) => Math.floor((await stat(path)).mtimeMs / 1000) * 1000;

function served(type, body, modified) {
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, 16);
  return { type, body, zipped: gzipSync(body, { level: 9 }), etag: `"${hash}"`, modified, ranged: type.startsWith("image/") };
}

function addressOf(file) {
  const address = `/${file.split(sep).join("/")}`;
  return address.replace(/\/index\.html$/, "/").replace(/\.html$/, "");
}

/** Starts the server; port 0 takes any free one. The promise holds it once it listens. */
export async function serve(port) {
  const files = await load();
  const server = createServer((request, response) => answer(files, request, response));
  await new Promise((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
  return server;
}

function answer(files, request, response) {
  request.resume();
  if (request.method !== "GET" && request.method !== "HEAD") {
    return plain(response, 405, "Only GET and HEAD are answered here.\n", { allow: "GET, HEAD" });
  }
  const path = request.url.split("?")[0];
  const file = files.get(path);
  if (file) return send(request, response, 200, file);
  // One address per page: `/stories/tide/` and `/stories/tide.html` lead to `/stories/tide`.
  const page = path.replace(/\/index\.html$/, "/").replace(/(.)(?:\.html|\/)$/, "$1");
  const canonical = [page, `${page}/`].find((address) => files.has(address));
  if (canonical && canonical !== path) {
    return plain(response, 301, "", { location: canonical + request.url.slice(path.length) });
  }
  const missing = files.get("/404");
  return missing ? send(request, response, 404, missing) : plain(response, 404, "Not found.\n");
}

function plain(response, status, text, headers = {}) {
  response.writeHead(status, { ...HEADERS, "content-type": TYPES[".txt"], "content-length": Buffer.byteLength(text), ...headers });
  response.end(text);
}

function send(request, response, status, file) {
  const headers = { ...HEADERS, "content-type": file.type, "cache-control": "no-cache" };
  let body = file.body;
  if (status === 200) {
    headers["last-modified"] = new Date(file.modified).toUTCString();
    headers.etag = file.etag;
    if (file.ranged) headers["accept-ranges"] = "bytes";
  }
  const range = status === 200 && file.ranged && request.method === "GET" ? rangeOf(request, file) : undefined;
  if (!range) {
    headers.vary = "accept-encoding";
    if (takesGzip(request)) {
      headers["content-encoding"] = "gzip";
      body = file.zipped;
      // Other bytes, so another strong tag.
      if (headers.etag) headers.etag = zippedTag(file);
    }
  }
  if (status === 200 && isFresh(request, file)) {
    delete headers["content-encoding"];
    response.writeHead(304, headers);
    return response.end();
  }
  if (range === "none") {
    return plain(response, 416, "", { "content-range": `bytes */${file.body.length}` });
  }
  if (range) {
    status = 206;
    headers["content-range"] = `bytes ${range.from}-${range.to}/${file.body.length}`;
    body = file.body.subarray(range.from, range.to + 1);
  }
  headers["content-length"] = body.length;
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? undefined : body);
}

const zippedTag = (file) => `${file.etag.slice(0, -1)}-gz"`;

function takesGzip(request) {
  const offers = (request.headers["accept-encoding"] ?? "").split(",").map((offer) => offer.trim());
  return offers.some((offer) => /^gzip\b/i.test(offer) && !/;\s*q=0(\.0*)?$/i.test(offer));
}

/** Whether the client's copy is still the right one (RFC 9110, 13.2.2: a tag beats a date). */
function isFresh(request, file) {
  const tags = request.headers["if-none-match"];
  if (tags !== undefined) {
    const known = tags.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
    return known.some((tag) => tag === "*" || tag === file.etag || tag === zippedTag(file));
  }
  const since = Date.parse(request.headers["if-modified-since"] ?? "");
  return file.modified <= since;
}

/** The one range asked for, `"none"` if it lies outside; undefined for the whole file, also for several ranges. */
function rangeOf(request, file) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? "");
  if (!found || (found[1] === "" && found[2] === "")) return undefined;
  const condition = request.headers["if-range"];
  if (condition !== undefined && condition !== file.etag && Date.parse(condition) !== file.modified) return undefined;
  const last = file.body.length - 1;
  if (found[1] === "") {
    const n = Number(found[2]);
    return n === 0 ? "none" : { from: Math.max(0, last - n + 1), to: last };
  }
  const from = Number(found[1]);
  const to = found[2] === "" ? last : Math.min(Number(found[2]), last);
  if (found[2] !== "" && Number(found[2]) < from) return undefined;
  return from > last ? "none" : { from, to };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--port");
  const port = at < 0 ? 9000 : Number(process.argv[at + 1]);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    console.error("usage: node origin.mjs [--port N]");
    process.exit(2);
  }
  try {
    const server = await serve(port);
    console.log(`The demo site runs at http://127.0.0.1:${server.address().port}/`);
  } catch (error) {
    console.error(`The demo site can't start: ${error.message}`);
    process.exit(1);
  }
}
