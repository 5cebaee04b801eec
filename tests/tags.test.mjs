// What a page that is kept says of itself: its tag, its hints, its headers, and what it tells scripts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { html } from "./support/origin.mjs";
import { BROWSER, CONFIG, HOME, decisionsOf, until } from "./support/sample.mjs";
import { LIFE, having, startSite } from "./support/site.mjs";

let site;
let origin;
let worker;
let view;
let settled;
let withConfig;

before(async () => {
  site = await startSite();
  ({ origin, worker, view, settled, withConfig } = site);
});
after(() => site?.stop());

/** One arm for everybody: what is shown is the same at each view, whatever is drawn. */
const SETTLED = { ...CONFIG, slots: CONFIG.slots.map((slot) => ({ ...slot, arms: slot.arms.slice(0, 1) })) };

test("a visitor who has the page already is told so", async () => {
  let page = HOME;
  origin.route("/had", () => html(page, { etag: `"${page.length}"` }));
  await withConfig(SETTLED, async (look) => {
    const tag = await until(async () => (await look("/had")).headers.get("etag"), Boolean);
    for (let i = 0; i < 5; i++) {
      const again = await look("/had", having(`"other", ${tag}`));
      assert.equal(again.status, 304);
      assert.equal(await again.text(), "");
      assert.equal(again.headers.get("etag"), tag);
      assert.equal(again.headers.get("cache-control"), "private, no-cache");
    }
    // A page that nobody looks at has no receipts, so it is another.
    assert.equal((await look("/had", { ...having(tag), "sec-purpose": "prefetch" })).status, 200);
    for (const foreign of ['"1"', "*", tag.slice(0, -2), 'W/"el.x.y"']) assert.equal((await look("/had", having(foreign))).status, 200, foreign);
    page = HOME.replace("Welcome", "Welcome again");
    assert.equal((await look("/had", having(tag))).status, 200, "the page is another");
  });
});

test("a tag tells what is shown and nothing of who looks", async () => {
  origin.route("/tagged", html(HOME, LIFE));
  await settled("/tagged");
  const tags = new Map();
  for (let i = 0; i < 60; i++) {
    const { headers, text } = await view("/tagged");
    const arms = JSON.stringify(Object.values(decisionsOf(text).slots).map(({ arm }) => arm));
    tags.set(arms, (tags.get(arms) ?? new Set()).add(headers.get("etag")));
  }
  assert.ok(tags.size > 1 && tags.size <= 8, `${tags.size} pages`);
  for (const [arms, of] of tags) assert.equal(of.size, 1, arms);
  assert.equal(new Set([...tags.values()].flatMap((of) => [...of])).size, tags.size);
});

test("with consent a slot that is drawn at each view makes another page of it, and so do a new key and a nonce", async () => {
  const privacy = { mode: "personal", consent: { cookie: "consent", measured: "statistics", personal: "marketing" } };
  origin.route("/consented", (request) => html(HOME, request.query.has("nonce") ? { "content-security-policy": `script-src 'nonce-${Math.random().toString(36).slice(2)}'` } : LIFE));
  const perView = { ...SETTLED, privacy };
  const sticky = { ...perView, slots: perView.slots.map((slot) => ({ ...slot, policy: {} })) };
  for (const [config, expected] of [[sticky, 304], [perView, 200]])
    await withConfig(config, async (look) => {
      const tag = await until(async () => (await look("/consented")).headers.get("etag"), Boolean);
      assert.equal((await look("/consented", having(tag))).status, 304, "without consent");
      const consented = await look("/consented", { cookie: "consent=marketing" });
      const cookie = `consent=marketing; ${consented.headers.get("set-cookie").split(";", 1)[0]}`;
      // The life is for visitors without cookies; these are asked for each time, and known by their bytes.
      const own = await until(async () => (await look("/consented", { cookie })).headers.get("etag"), Boolean);
      assert.equal((await look("/consented", { ...having(own), cookie })).status, expected);
      assert.equal((await look("/consented", { ...having(own), cookie: "consent=marketing" })).status, 200, "a new key");
      const nonced = await until(async () => (await look("/consented?nonce=1", { cookie })).headers.get("etag"), Boolean);
      assert.equal((await look("/consented?nonce=1", { ...having(nonced), cookie })).status, 200, "a nonce");
    });
});

test("another block is another page, though its address and its bytes outside are the same", async () => {
  origin.route("/reblocked", html(HOME, LIFE));
  await withConfig(SETTLED, async (look, own) => {
    const tag = await until(async () => (await look("/reblocked")).headers.get("etag"), Boolean);
    assert.equal((await look("/reblocked", having(tag))).status, 304);
    const blocks = CONFIG.blocks.map((block) => ({ ...block, template: `${block.template}<i>new</i>` }));
    await own.publish({ ...SETTLED, blocks });
    const changed = await until(() => look("/reblocked", having(tag)), ({ status }) => status === 200);
    assert.match(await changed.text(), /<i>new<\/i>/);
  });
});

test("a picture that matters is loaded before the page is read, where its slot is on the page", async () => {
  const hero = (slot) => `<!doctype html><body>${slot}<p>end</p></body>`;
  origin.route("/pictured", html(hero('<edge-slot name="hero">x</edge-slot>'), { ...LIFE, link: "</site.css>; rel=preload; as=style" }));
  origin.route("/unpictured", html(hero('<edge-slot name="cta">x</edge-slot>'), LIFE));
  const picture = '<img src="/big.jpg?w=1&amp;h=2" alt="" width="640" height="480" fetchpriority="high">';
  const blocks = CONFIG.blocks.map((block) => (["bold", "calm"].includes(block.id) ? { ...block, template: `${block.template}${picture}` } : block));
  await withConfig({ ...CONFIG, blocks }, async (look) => {
    const linked = async (path) => (await look(path)).headers.get("link") ?? "";
    const link = await until(() => linked("/pictured"), (text) => text.includes("big.jpg"));
    assert.equal(link, "</site.css>; rel=preload; as=style, </big.jpg?w=1&h=2>; rel=preload; as=image; fetchpriority=high");
    for (let i = 0; i < 4; i++) assert.equal(await linked("/unpictured"), "");
  });
});

test("of a slot that is not filled a page tells no receipt, streamed and spliced", async () => {
  const privacy = { mode: "measured", consent: { cookie: "consent", measured: "statistics", personal: "marketing" } };
  // A picture can't be filled, and the other slot is not there.
  const page = '<!doctype html><body><img data-edge-slot="cta"><edge-slot name="hero">x</edge-slot></body>';
  origin.route("/untold", html(page));
  origin.route("/untold-stream", html([page]));
  await withConfig({ ...CONFIG, privacy }, async (look) => {
    const told = async (path) => decisionsOf(await (await look(path, { cookie: "consent=statistics" })).text());
    await until(() => told("/untold"), Boolean);
    for (const path of ["/untold", "/untold-stream"])
      for (let i = 0; i < 5; i++) {
        const { slots } = await told(path);
        assert.ok(slots.hero.receipt && slots.hero.place, path);
        for (const id of ["cta", "teaser"]) assert.deepEqual([slots[id].receipt, slots[id].place], [undefined, undefined], `${path} ${id}`);
      }
  });
});

test("what a script asks for is no page for whoever comes by a link", async () => {
  origin.route("/fetched", html(HOME, { "cache-control": "public, max-age=600", vary: "Accept-Language" }));
  const { headers, text } = await view("/fetched", { "sec-fetch-dest": "empty", accept: "*/*" });
  assert.equal(text, HOME);
  assert.equal(headers.get("cache-control"), "public, max-age=600");
  assert.equal(headers.get("vary"), "Accept-Language, Sec-Fetch-Dest, Accept");
});

test("HEAD says what GET would, and is no view", async () => {
  origin.route("/headed", html(HOME, { ...LIFE, "x-of-the-site": "1" }));
  const got = await settled("/headed");
  const response = await worker.fetch("/headed", { method: "HEAD", headers: BROWSER });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "");
  for (const name of ["content-type", "cache-control", "x-of-the-site"]) assert.equal(response.headers.get(name), got.headers.get(name), name);
  assert.match(response.headers.get("etag"), /^W\/"el\./);
  assert.ok(Number(response.headers.get("content-length")) > HOME.length, "of the page with its blocks");
});
