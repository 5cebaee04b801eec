// The demo's origin must behave as a good web server does, or the Worker in front would be tested against a toy.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { newest, notes } from "./notes.mjs";
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
  const others = [["/stories/tide/", "/stories/tide"], ["/stories/tide.html", "/stories/tide"], ["/notes", "/notes/"], ["/notes/rule-of-twelfths/", "/notes/rule-of-twelfths"]];
  for (const [path, page] of others) {
    const { status, headers } = await ask(`${path}?a=1`);
    assert.equal(status, 301, path);
    assert.equal(headers.location, `${page}?a=1`);
  }
  assert.equal((await ask("/index.html")).headers.location, "/");
});

test("other methods are refused", async () => {
  const { status, headers } = await ask("/", {}, "POST");
  assert.equal(status, 405);
  assert.equal(headers.allow, "GET, HEAD");
});

test("every note is whole, has an address of its own and a text worth a page", async () => {
  const all = await notes();
  assert.equal(new Set(all.map((note) => note.id)).size, all.length);
  assert.equal(new Set(all.map((note) => note.published)).size, all.length, "the newest is one and not several");
  for (const { id, title, topic, link, lead, minutes, published, views, text } of all) {
    assert.match(id, /^[a-z0-9-]+$/);
    assert.equal(link, `/notes/${id}`);
    assert.ok(title && topic && text.startsWith(lead), id);
    assert.match(published, /^20\d\d-\d\d-\d\d$/);
    assert.ok(Number.isInteger(minutes) && minutes > 0 && Number.isInteger(views) && views >= 20 && views <= 5000, id);
    const n_words = text.split(" ").length;
    assert.ok(n_words >= 70 && n_words <= 110, `${id} has ${n_words} words`);
  }
});

test("a note ends with the three newest of its topic, and is none of them", async () => {
  const all = newest(await notes());
  for (const note of [all[0], all.at(-1), all[100]]) {
    const { headers, body } = await ask(note.link);
    assert.ok(headers.etag && Date.parse(headers["last-modified"]), note.id);
    const slot = /<edge-slot name="read-next">(.*?)<\/edge-slot>/s.exec(body.toString())[1];
    const links = [...slot.matchAll(/href="([^"]+)"/g)].map((found) => found[1]);
    assert.deepEqual(links, all.filter((other) => other.topic === note.topic && other !== note).slice(0, 3).map((note) => note.link));
  }
});

test("the home page shows the newest notes, and the page of all of them links to each once", async () => {
  const all = newest(await notes());
  const home = (await ask("/")).body.toString();
  const links = (html) => [...html.matchAll(/href="(\/notes\/[^"#]+)"/g)].map((found) => found[1]);
  assert.deepEqual(links(home), all.slice(0, 5).map((note) => note.link));
  for (const { title, topic, minutes, link } of all.slice(0, 5)) {
    assert.match(home, new RegExp(`${topic}</p>\\s*<h3><a href="${link}">${title}</a></h3>[^]*?${minutes} min`));
  }
  assert.deepEqual(links((await ask("/notes/")).body.toString()).sort(), all.map((note) => note.link).sort());
});
