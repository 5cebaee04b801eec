// The demo's origin must behave as a good web server does, or the Worker in front would be tested against a toy.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { load, serve } from "./origin.mjs";

let server;
let files;
before(async () => {
  files = await load();
  server = await serve(0);
});
after(() => server.close());

/** A request as written: `fetch` would follow redirects, decode bodies and tidy paths. */
function ask(path, headers = {}, method = "GET") {
  return new Promise((done, failed) => {
    const sent = request({ port: server.address().port, host: "127.0.0.1", path, method, headers, agent: false }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    sent.on("error", failed).end();
  });
}

const pages = () => [...files].filter(([, file]) => file.type.startsWith("text/html"));

test("every file is served whole, with its type and the strict policy", async () => {
  assert.ok(files.size > 15);
  for (const [path, file] of files) {
    const { status, headers, body } = await ask(path);
    assert.equal(status, 200, path);
    assert.equal(headers["content-type"], file.type);
    assert.equal(headers["content-security-policy"], "default-src 'self'");
    assert.ok(body.equals(file.body), path);
  }
});

test("every link and picture of every page leads to a file of the site", () => {
  for (const [path, file] of pages()) {
    const html = file.body.toString();
    const targets = [...html.matchAll(/\b(?:href|src|action)="([^"]+)"/g)].map((found) => found[1]);
    assert.ok(targets.length > 5, path);
    for (const target of targets.filter((target) => !target.startsWith("#"))) {
      assert.ok(files.has(target.split(/[?#]/)[0]), `${path} -> ${target}`);
    }
  }
});

test("pages need no inline style and no script, which the policy would refuse", () => {
  for (const [path, file] of pages()) assert.doesNotMatch(file.body.toString(), /<script|<style|\sstyle=|\son\w+=/i, path);
});

test("every picture says what it shows or that it is decoration", () => {
  for (const [path, file] of pages()) {
    for (const [picture] of file.body.toString().matchAll(/<img\b[^>]*>/g)) assert.match(picture, /\balt="/, path);
  }
});

test("gzip is used where it is accepted, under a tag of its own", async () => {
  const plain = await ask("/");
  const zipped = await ask("/", { "accept-encoding": "br, gzip" });
  assert.equal(zipped.headers["content-encoding"], "gzip");
  assert.ok(gunzipSync(zipped.body).equals(plain.body));
  assert.notEqual(zipped.headers.etag, plain.headers.etag);
  assert.equal(zipped.headers.vary, "accept-encoding");
  assert.equal((await ask("/", { "accept-encoding": "gzip;q=0" })).headers["content-encoding"], undefined);
});

test("a copy that is still right is not sent again", async () => {
  const { headers } = await ask("/");
  for (const condition of [{ "if-none-match": headers.etag }, { "if-none-match": `"x", W/${headers.etag}` }, { "if-modified-since": headers["last-modified"] }]) {
    const again = await ask("/", condition);
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
  }
  const other = await ask("/", { "if-none-match": '"x"', "if-modified-since": headers["last-modified"] });
  assert.equal(other.status, 200, "a tag beats a date");
});

test("a range of a picture is the same bytes of the whole", async () => {
  const path = "/art/dusk.svg";
  const whole = files.get(path).body;
  const size = whole.length;
  for (const [range, from, to] of [["bytes=0-99", 0, 99], ["bytes=100-", 100, size - 1], ["bytes=-50", size - 50, size - 1], ["bytes=5-9999999", 5, size - 1]]) {
    const part = await ask(path, { range, "accept-encoding": "gzip" });
    assert.equal(part.status, 206, range);
    assert.equal(part.headers["content-range"], `bytes ${from}-${to}/${size}`);
    assert.ok(part.body.equals(whole.subarray(from, to + 1)), range);
  }
  assert.equal((await ask(path, { range: `bytes=${size}-` })).status, 416);
  assert.equal((await ask(path, { range: "bytes=0-1,5-6" })).status, 200, "several ranges: the whole file");
  assert.equal((await ask(path, { range: "bytes=0-9", "if-range": '"old"' })).status, 200, "another version: the whole file");
});

test("HEAD is GET without the body", async () => {
  const get = await ask("/stories/tide");
  const head = await ask("/stories/tide", {}, "HEAD");
  assert.equal(head.body.length, 0);
  for (const name of ["content-length", "content-type", "etag", "last-modified"]) assert.equal(head.headers[name], get.headers[name]);
});

test("an unknown address gets the page that says so, and no path leads out of the folder", async () => {
  for (const path of ["/nowhere", "/../origin.mjs", "/..%2forigin.mjs", "/art", "//elsewhere.example/"]) {
    const { status, body, headers } = await ask(path);
    assert.equal(status, 404, path);
    assert.match(body.toString(), /gone out with the tide/);
    assert.equal(headers.etag, undefined);
  }
});

test("each page has one address; others lead there with their query", async () => {
  for (const path of ["/stories/tide/", "/stories/tide.html"]) {
    const { status, headers } = await ask(`${path}?a=1`);
    assert.equal(status, 301, path);
    assert.equal(headers.location, "/stories/tide?a=1");
  }
  assert.equal((await ask("/index.html")).headers.location, "/");
});

test("other methods are refused", async () => {
  const { status, headers } = await ask("/", {}, "POST");
  assert.equal(status, 405);
  assert.equal(headers.allow, "GET, HEAD");
});
