// Pages as no tutorial has them: whatever it is, the page arrives whole, and the slots that can be filled are.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { html, startOrigin } from "./support/origin.mjs";
import { BROWSER, CONFIG, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const BLOCK = "<em>a chosen note</em>";
const SLOT = '<edge-slot name="hero">default</edge-slot>';
const FILLED = `<edge-slot name="hero">${BLOCK}</edge-slot>`;
const SLOTS = 500;

const slot = (id, block, more = {}) => ({ id, goal: "order", policy: { kind: "fixed", baseline: block }, arms: [{ block }], ...more });
// A block is shown once on a page, so that each of the many slots has its own.
const many = Array.from({ length: SLOTS }, (_, i) => ({ id: `s${i}`, template: `<em>note ${i}</em>` }));
const config = {
  ...CONFIG,
  blocks: [{ id: "note", template: BLOCK }, ...many],
  slots: [slot("hero", "note"), ...many.map(({ id }) => slot(id, id, { paths: ["/many/*"] }))],
};
/** How an origin may speak of a page: it streams, is kept for a while, has a tag, or is known by its bytes. */
const KINDS = { streamed: undefined, living: { "cache-control": "public, max-age=600" }, tagged: { etag: '"1"' }, bare: {} };

let origin;
let worker;
before(async () => {
  origin = await startOrigin({ "/": html(SLOT) });
  worker = await start({ origin: origin.url });
  await worker.publish(config);
  await until(async () => decisionsOf((await view("/")).tail), Boolean);
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

/** One view: the page, and apart from it what follows its last byte. */
async function view(path, headers = {}, through = worker) {
  const response = await through.fetch(path, { headers: { ...BROWSER, ...headers } });
  // One character per byte.
  const text = Buffer.from(await response.arrayBuffer()).toString("latin1");
  const at = text.lastIndexOf('<script type="application/json" id="edgeloom-decisions"');
  return { page: at < 0 ? text : text.slice(0, at), tail: at < 0 ? "" : text.slice(at), headers: response.headers };
}

/** Serves a page in every kind; the paths. */
function serve(name, body, type = "text/html; charset=utf-8") {
  return Object.entries(KINDS).map(([kind, headers]) => {
    const path = `/${name}/${kind}`;
    origin.route(path, { headers: { "content-type": type, ...headers }, body: headers ? body : [body] });
    return path;
  });
}

/** Enough views for every way a page can take: streamed, watched, cut and spliced. */
const VIEWS = 4;
const brief = (text) => (text.length > 600 ? `${text.slice(0, 300)} … ${text.slice(-300)}` : text);

/** Every view of a page, in every kind, is the expected one. */
async function always(name, body, expected, type) {
  for (const path of serve(name, body, type)) {
    for (let i = 1; i <= VIEWS; i++) {
      const { page } = await view(path);
      assert.ok(page === Buffer.from(expected).toString("latin1"), `${path}, view ${i}: ${brief(page)}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}

const nested = (n) => `${"<div>".repeat(n)}x${"</div>".repeat(n)}`;
const big = (bytes) => "a".repeat(bytes);

test("a slot in the first and in the last byte of the page", () => always("edges", `${SLOT}between${SLOT}`, `${FILLED}between${FILLED}`));

test("a slot in a template, in a table and in a drawing", async () => {
  await always("template", `<template>${SLOT}</template><p>after`, `<template>${FILLED}</template><p>after`);
  await always("table", `<table><tr><td>${SLOT}<tr><td>b</table>`, `<table><tr><td>${FILLED}<tr><td>b</table>`);
  await always("svg", `<svg><g data-edge-slot="hero"><path d="M0"/></g></svg>`, `<svg><g data-edge-slot="hero">${BLOCK}</g></svg>`);
});

// For a browser that runs scripts what is in there is text, and so it is for the runtime.
test("a slot in what is text to a browser stays as it is", async () => {
  for (const name of ["noscript", "script", "style", "textarea", "title", "iframe", "xmp"]) {
    await always(name, `<${name}>${SLOT}</${name}><p>after${SLOT}`, `<${name}>${SLOT}</${name}><p>after${FILLED}`);
  }
  await always("comment", `<!-- ${SLOT} --><p>after${SLOT}`, `<!-- ${SLOT} --><p>after${FILLED}`);
});

test("a slot in a slot, the same slot twice, and none at all", async () => {
  await always("inner", `<div data-edge-slot="hero">a${SLOT}b</div><p>after`, `<div data-edge-slot="hero">${BLOCK}</div><p>after`);
  await always("twice", `${SLOT}<p>and${SLOT}`, `${FILLED}<p>and${FILLED}`);
  await always("missing", "<p>no slot", "<p>no slot");
  await always("empty", "", "");
});

test("a slot that nobody closes swallows nothing of a page that is there whole, not even at its first view", async () => {
  const pages = [
    ["living", '<main><div data-edge-slot="hero">a<p>b</main><p>after'],
    ["tagged", '<ul><li data-edge-slot="hero">a<li>b</ul><p>after'],
    ["bare", '<p>before<div data-edge-slot="hero">a<p>rest'],
  ];
  // A Worker of its own each: a slot that is open on several pages is left alone on all.
  for (const [kind, page] of pages) {
    const own = await start({ origin: origin.url });
    try {
      await own.publish(config);
      await until(async () => decisionsOf((await view("/", {}, own)).tail), Boolean);
      const path = serve("unclosed", page).find((one) => one.endsWith(kind));
      for (let i = 1; i <= VIEWS; i++) assert.equal((await view(path, {}, own)).page, page, `${path}, view ${i}`);
    } finally {
      await own.stop();
    }
  }
});

test("broken markup", async () => {
  const broken = ["<", "</", "<!", "<!--", "<![CDATA[", "<p", '<p a="', "<p a='>", "</p", "&", "&#", "<\0p>", "<p/ /a=b=c>", "</edge-slot>", "<b><i></b></i>", "\ufeff", "<?xml ?>", "<svg><![CDATA[<p>", "<math><mi><p>"];
  for (const [i, text] of broken.entries()) await always(`broken-${i}`, `${SLOT}${text}`, `${FILLED}${text}`);
});

test("a charset that nobody knows passes as it is, one of single bytes is filled", async () => {
  for (const charset of ["klingon", "utf-16le", "utf-7", "iso-2022-jp"]) await always(`charset-${charset}`, SLOT, SLOT, `text/html; charset=${charset}`);
  await always("charset-koi8", `${SLOT}ü`, `${FILLED}ü`, "text/html; charset=koi8-r");
});

// The rewriter holds a tag in memory until it ends, 3 MB of it at most; anything else it lets through as it comes.
test("attributes of two megabytes, comments, texts and scripts of five", async () => {
  const pages = { attribute: `<p title="${big(2e6)}">x</p>`, name: `<p ${big(2e6)}>x</p>`, comment: `<!--${big(5e6)}-->`, text: big(5e6), script: `<script>${"a<b;".repeat(1.25e6)}</script>` };
  for (const [name, text] of Object.entries(pages)) await always(`big-${name}`, `${SLOT}${text}${SLOT}`, `${FILLED}${text}${FILLED}`);
});

test("thousands of nested elements", () => always("nested-10000", `${SLOT}${nested(10_000)}`, `${FILLED}${nested(10_000)}`));

test(`${SLOTS} slots on one page`, () => {
  const page = (fill) => many.map((block) => `<p><edge-slot name="${block.id}">${fill(block)}</edge-slot>`).join("");
  return always("many", page(() => "default"), page(({ template }) => template));
});

/** What the runtime's rewriter gives up at, and with it the page ends. */
const UNFIT = {
  nested: `${SLOT}${nested(20_000)}${SLOT}`,
  ambiguous: `${SLOT}<select><style>a</style><option>b</select>${SLOT}<p>end`,
  frames: `${SLOT}<frameset><plaintext></plaintext>`,
};

test("a page that the rewriter does not get through, and that is there whole, is given as it is from the first view on", async () => {
  for (const [name, page] of Object.entries(UNFIT)) {
    for (const path of serve(`unfit-${name}`, page).slice(1)) {
      for (let i = 1; i <= 6; i++) {
        const { page: given, tail, headers } = await view(path);
        assert.ok(given === page && tail === "", `${path}, view ${i}: ${brief(given)}`);
        // Nobody's page in particular is still the caches'.
        assert.equal(headers.get("cache-control"), KINDS[path.split("/").at(-1)]["cache-control"] ?? null, path);
      }
    }
  }
});

test("one that streams, or is too long to be held back, breaks off once and is given as it is from then on", async () => {
  const long = {
    late: `${SLOT}${"<p>text</p>".repeat(50_000)}<select><style>a</style></select>`,
    deep: `${SLOT}${nested(50_000)}`,
    attribute: `${SLOT}<p title="${big(5e6)}">x</p>`,
  };
  const pages = Object.entries(UNFIT).map(([name, page]) => [serve(`once-${name}`, page)[0], page]);
  for (const [name, page] of Object.entries(long)) for (const path of serve(`once-${name}`, page)) pages.push([path, page]);
  for (const [path, page] of pages) {
    // A broken connection, so that nobody takes the half for the whole.
    await assert.rejects(view(path), path);
    for (let i = 1; i <= 6; i++) assert.ok((await view(path)).page === page, `${path}, view ${i + 1}`);
  }
});

test("a page that no longer gets to its end is found out although it did before", async () => {
  const good = `${SLOT}<p>some text`;
  const bad = `${SLOT}<select><style>a</style></select>`;
  origin.route("/turning", html([good]));
  for (let i = 0; i < 5; i++) await view("/turning");
  origin.route("/turning", html([bad]));
  await assert.rejects(view("/turning"));
  // A second later that one should have ended, so that the next one is looked at.
  await new Promise((done) => setTimeout(done, 1_100));
  await view("/turning").catch(() => {});
  assert.equal((await view("/turning")).page, bad);
});

test("a new version of a page that is there whole is never broken off, nor one that is another at each view", async () => {
  const good = `${SLOT}<p>some text`;
  const bad = `${SLOT}<select><style>a</style></select>`;
  let n = 0;
  origin.route("/version", html(good, { etag: '"1"', vary: "cookie" }));
  for (let i = 0; i < 3; i++) assert.notEqual((await view("/version")).tail, "");
  origin.route("/version", html(bad, { etag: '"2"', vary: "cookie" }));
  for (let i = 0; i < 3; i++) assert.equal((await view("/version")).page, bad);
  origin.route("/anew", () => html(`${good} ${++n}`, { etag: `"${n}"` }));
  for (let i = 1; i <= 5; i++) assert.equal((await view("/anew")).page, `${FILLED}<p>some text ${i}`);
});

test("a page that is there whole never breaks off, however it is asked for and whatever it was before", async () => {
  const good = `${SLOT}<p>some text`;
  const bad = `${SLOT}<select><style>a</style></select>`;
  const open = '<p>before<div data-edge-slot="hero">a<p>rest';
  // Longer than what is remembered of addresses.
  const long = `?q=${"x".repeat(3_000)}`;
  const headers = { none: {}, etag: { etag: '"1"' }, shared: { "cache-control": "public, max-age=600" }, own: { "cache-control": "private, no-store" } };
  for (const [name, own] of Object.entries(headers)) {
    origin.route(`/long-${name}`, html(bad, own));
    for (let i = 1; i <= 6; i++) assert.equal((await view(`/long-${name}${long}`)).page, bad, `${name}, view ${i}`);
    origin.route(`/long-${name}`, html(open, own));
    for (let i = 1; i <= 3; i++) assert.equal((await view(`/long-${name}${long}`)).page, open, `${name}, view ${i}`);
    // Another page at each view, which gets worse one day and better another.
    let n = 0;
    const changing = (page) => () => html(`${page}<p>${++n}`, name === "etag" ? { etag: `"${n}"` } : own);
    origin.route(`/changing-${name}`, changing(good));
    for (let i = 1; i <= 6; i++) assert.equal((await view(`/changing-${name}`)).page, `${FILLED}<p>some text<p>${name === "shared" ? 1 : n}`, `${name}, view ${i}`);
    if (name === "shared") continue;
    origin.route(`/changing-${name}`, changing(bad));
    for (let i = 1; i <= 8; i++) assert.equal((await view(`/changing-${name}`)).page, `${bad}<p>${n}`, `${name}, view ${i}`);
  }
});

test("of two slots in one element the first has it, in every kind of page", async () => {
  const own = await start({ origin: origin.url });
  try {
    const second = { id: "second", selector: "edge-slot", goal: "order", policy: { kind: "fixed", baseline: "s0" }, arms: [{ block: "s0" }] };
    await own.publish({ ...config, slots: [config.slots[0], second] });
    await until(async () => decisionsOf((await view("/", {}, own)).tail), Boolean);
    for (const path of serve("doubled", SLOT)) {
      for (let i = 1; i <= VIEWS; i++) {
        const { page } = await view(path, {}, own);
        assert.equal(page, FILLED, `${path}, view ${i}`);
      }
    }
  } finally {
    await own.stop();
  }
});

test("a page that is mended is filled again, and nobody's view breaks off on the way", async () => {
  const good = `${SLOT}<p>mended`;
  const bad = `${SLOT}<select><style>a</style></select>`;
  for (const [path, tag] of [["/mended-tagged", (n) => ({ etag: `"${n}"` })], ["/mended-bare", () => ({})]]) {
    origin.route(path, html(bad, tag(1)));
    for (let i = 0; i < 3; i++) assert.equal((await view(path)).page, bad);
    origin.route(path, html(bad, tag(2)));
    for (let i = 0; i < 3; i++) assert.equal((await view(path)).page, bad, "another version, as bad");
    origin.route(path, html(good, tag(3)));
    let views = 0;
    while ((await view(path)).page === good) {
      assert.ok(views++ < 80, `${path} is never filled again`);
      await new Promise((done) => setTimeout(done, 5));
    }
    assert.equal((await view(path)).page, good.replace(SLOT, FILLED));
  }
});

test("visitors who leave in the middle and origins that break off say nothing of a page", async () => {
  origin.route("/left", { ...html([`${SLOT}<p>`, ...Array(20).fill(`${big(20_000)}<p>`)]), gapMillis: 30 });
  for (let i = 0; i < 6; i++) {
    const leaving = new AbortController();
    const response = await worker.fetch("/left", { headers: BROWSER, signal: leaving.signal });
    await response.body.getReader().read();
    leaving.abort();
  }
  const cut = { ...html([SLOT, big(1_000), big(1_000)]), cutAfterBytes: 1_500 };
  origin.route("/broken-off", cut);
  for (let i = 0; i < 6; i++) await assert.rejects(view("/broken-off"));
  origin.route("/broken-off", html([SLOT]));
  for (const path of ["/left", "/broken-off"]) assert.ok((await view(path)).page.startsWith(FILLED), path);
});
