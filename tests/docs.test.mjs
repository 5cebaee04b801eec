// Real HTML that nobody here wrote: the documentation that comes with the Rust toolchain, as the origin.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { after, before, test } from "node:test";
import { html, startOrigin } from "./support/origin.mjs";
import { inParallel } from "./support/parallel.mjs";
import { BROWSER, CONFIG, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

/** Pages asked for in each run; the whole set has tens of thousands. */
const PAGES = 4_000;
/** The runtime's rewriter keeps what it has not decided about in memory; huge pages have a test of their own. */
const MAX_BYTES = 3_000_000;

/** The documentation of any installed toolchain: the pinned one may have been installed without. */
function documentation() {
  const sysroot = execFileSync("rustc", ["--print", "sysroot"], { encoding: "utf8" }).trim();
  const toolchains = readdirSync(dirname(sysroot)).map((name) => join(dirname(sysroot), name));
  return [sysroot, ...toolchains].map((root) => join(root, "share/doc/rust/html")).find(existsSync);
}

const root = documentation();
const skip = root ? false : "skipped: no documentation; hint: rustup component add rust-docs";

function* pagesBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* pagesBelow(path);
    else if (entry.name.endsWith(".html") && statSync(path).size <= MAX_BYTES) yield path;
  }
}

/** Every n-th page, so that all books and crates are met. */
function sample() {
  const all = [...pagesBelow(root)].sort();
  const step = Math.max(1, Math.floor(all.length / PAGES));
  return all.filter((_, i) => i % step === 0);
}

let origin;
let worker;
let pages = [];
const config = (selector, paths) => ({
  ...CONFIG,
  blocks: [{ id: "note", template: "<em>a chosen note</em>" }],
  slots: [{ id: "title", selector, paths, goal: "order", policy: { kind: "fixed", baseline: "note" }, arms: [{ block: "note" }] }],
});
const bytesOf = async (path) => Buffer.from(await (await worker.fetch(encodeURI(`/${relative(root, path)}`), { headers: BROWSER })).arrayBuffer());

before(async () => {
  if (skip) return;
  pages = sample();
  origin = await startOrigin({
    "/": html("<!doctype html><h1>here</h1>"),
    "*": ({ path }) => html(readFileSync(join(root, decodeURIComponent(path)))),
  });
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "100", PUBLISH_MILLIS: "1000" } });
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

test("without a slot on it every page is byte-identical", { skip }, async () => {
  await worker.publish(config("h1", ["/"]));
  await until(async () => decisionsOf(await (await worker.fetch("/", { headers: BROWSER })).text()), Boolean);
  await inParallel(pages, 8, async (path) => assert.ok((await bytesOf(path)).equals(readFileSync(path)), path));
  console.log(`${pages.length} pages of the Rust documentation, byte-identical without slots`);
});

test("a selector that matches nothing leaves every page byte-identical while it is rewritten", { skip }, async () => {
  await worker.publish(config("h1.edgeloom-nothing-has-this", []));
  await until(async () => decisionsOf(await (await worker.fetch("/", { headers: BROWSER })).text()), (found) => !found);
  await inParallel(pages, 8, async (path) => assert.ok((await bytesOf(path)).equals(readFileSync(path)), path));
});

test("with a selector only that element's content changes", { skip }, async () => {
  const inserted = Buffer.from("<em>a chosen note</em>");
  await worker.publish(config("main h1", []));
  await until(async () => (await (await worker.fetch("/", { headers: BROWSER })).text()).includes("edgeloom-decisions") === false, Boolean);
  let changed = 0;
  await until(async () => (await bytesOf(pages.find((p) => /<main[\s\S]*<h1/.test(readFileSync(p, "utf8"))))).includes(inserted), Boolean);
  await inParallel(pages, 8, async (path) => {
    const original = readFileSync(path);
    let ours = await bytesOf(path);
    if (!ours.includes(inserted)) return assert.ok(ours.equals(original), path);
    changed++;
    const tail = ours.lastIndexOf('<script type="application/json" id="edgeloom-decisions"');
    assert.ok(tail > 0, path);
    ours = ours.subarray(0, tail);
    // Before each insertion stands the start tag, after it the end tag, and all in between is the original's.
    let at = 0;
    let rest = ours;
    for (let cut = rest.indexOf(inserted); cut >= 0; cut = rest.indexOf(inserted)) {
      const piece = rest.subarray(0, cut);
      assert.ok(original.subarray(at, at + piece.length).equals(piece), path);
      assert.match(piece.subarray(piece.lastIndexOf("<")).toString(), /^<h1\b[^>]*>$/i, path);
      at = original.indexOf("</h1>", at + piece.length);
      rest = rest.subarray(cut + inserted.length);
      assert.ok(at > 0 && rest.subarray(0, 5).toString() === "</h1>", path);
    }
    assert.ok(original.subarray(at).equals(rest), path);
  });
  assert.ok(changed > pages.length / 4, `only ${changed} pages had the slot`);
  console.log(`${pages.length} pages, ${changed} with the slot: only that element changed`);
});
