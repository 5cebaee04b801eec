// Pages spliced from what is kept of them: alike with those that stream, and given to nobody they are not for.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { leaseOf, mayCut } from "../worker/freshness.mjs";
import { parse, splice } from "../worker/skeleton.mjs";
import { html, startOrigin } from "./support/origin.mjs";
import { BROWSER, CONFIG, HOME, decisionsOf, tokenLinks, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const LIFE = { "cache-control": "max-age=600" };
let origin;
let worker;

before(async () => {
  origin = await startOrigin({ "/": html(HOME) });
  worker = await start({ origin: origin.url });
  await worker.publish(CONFIG);
  await until(() => view("/"), ({ text }) => decisionsOf(text));
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

async function view(path, headers = {}) {
  const response = await worker.fetch(path, { headers: { ...BROWSER, ...headers } });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const askedFor = (path) => origin.requests.filter((request) => request.path === path);
/** The headers of a visitor who has a page and looks at it again, as browsers do; `fetch` alone would ask for a reload. */
const having = (tag) => ({ "if-none-match": tag, "cache-control": "max-age=3600" });
/** Views until the origin is not asked any more. */
async function settled(path, headers) {
  for (let i = 0; i < 50; i++) {
    const before = askedFor(path).length;
    const answer = await view(path, headers);
    if (askedFor(path).length === before) return answer;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`${path} is asked for at every view`);
}

/** What differs from view to view: receipts, decisions and arms. */
const plain = (text) =>
  text
    .replace(/<script type="application\/json" id="edgeloom-decisions".*?<\/script>/s, "")
    .replace(/<a class="\w+" href="[^"]*">[^<]*<\/a>/g, "<block>");

test("a page with a life is asked for once, and spliced as it would stream", async () => {
  origin.route("/kept", html(HOME, { ...LIFE, "x-of-the-site": "1" }));
  const streamed = await view("/kept");
  const spliced = await settled("/kept");
  assert.equal(plain(spliced.text), plain(streamed.text));
  assert.equal(Object.keys(decisionsOf(spliced.text).slots).length, 3);
  assert.equal(tokenLinks(spliced.text).length, 3);
  assert.equal(spliced.headers.get("x-of-the-site"), "1");
  assert.equal(spliced.headers.get("cache-control"), "private, no-cache");
  assert.match(spliced.headers.get("etag"), /^W\/"el\./, "a tag of ours, not the origin's");
  for (const name of ["last-modified", "age", "expires"]) assert.equal(spliced.headers.get(name), null, name);
  assert.match(spliced.headers.get("server-timing"), /hero=/);
});

test("each view of a spliced page has a decision of its own", async () => {
  origin.route("/each", html(HOME, LIFE));
  await settled("/each");
  const ids = new Set();
  for (let i = 0; i < 20; i++) ids.add(decisionsOf((await view("/each")).text).decision);
  assert.ok(ids.size > 15, `${ids.size} decisions in 20 views`);
});

test("exposures of spliced pages are counted, each once", async () => {
  origin.route("/counted", html(HOME, LIFE));
  const own = await start({ origin: origin.url });
  try {
    await own.publish(CONFIG);
    let filled = 0;
    const look = async () => {
      const text = await (await own.fetch("/counted", { headers: BROWSER })).text();
      if (decisionsOf(text)) filled++;
      return text;
    };
    await until(look, decisionsOf);
    for (let i = 0; i < 30; i++) await look();
    assert.ok(askedFor("/counted").length < 20, "most were spliced");
    const total = async () => (await own.must("GET", "status")).slots.flatMap((slot) => slot.arms).reduce((sum, arm) => sum + arm.exposures, 0);
    await until(total, (n) => n >= 3 * filled, 30_000);
    await new Promise((done) => setTimeout(done, 3_000));
    assert.equal(await total(), 3 * filled);
  } finally {
    await own.stop();
  }
});

test("a page under a tag alone is asked about at each view, with the visitor's own headers, and not parsed again", async () => {
  const seen = [];
  origin.route("/tagged", (request) => {
    seen.push({ tag: request.headers["if-none-match"], language: request.headers["accept-language"] });
    return html(HOME, { etag: '"a"' });
  });
  for (let i = 0; i < 6; i++) {
    await view("/tagged", { "accept-language": `x-${i}` });
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.equal(seen.length, 6);
  assert.equal(seen[0].tag, undefined);
  assert.deepEqual(seen.at(-1), { tag: '"a"', language: "x-5" });
});

test("a new version of a page is shown at once where its life is over", async () => {
  let version = 1;
  origin.route("/changing", () => html(HOME.replace("Welcome", `Version ${version}`), { etag: `"${version}"` }));
  for (let i = 0; i < 4; i++) await view("/changing");
  version = 2;
  assert.match((await view("/changing")).text, /Version 2/);
  assert.match((await view("/changing")).text, /Version 2/);
});

test("a reload reaches the origin although the page has a life", async () => {
  origin.route("/reload", html(HOME, LIFE));
  await settled("/reload");
  const before = askedFor("/reload").length;
  await view("/reload", { "cache-control": "no-cache" });
  assert.equal(askedFor("/reload").length, before + 1);
});

test("an origin that fails is replaced by what is kept, as long as it allowed that", async () => {
  let fails = false;
  const headers = { etag: '"1"', "cache-control": "max-age=0, stale-if-error=60" };
  const reply = (headers) => () => (fails ? { status: 503, body: "down" } : html(HOME, headers));
  origin.route("/rescued", reply(headers));
  origin.route("/lost", reply({ etag: '"1"', "cache-control": "max-age=0" }));
  for (let i = 0; i < 4; i++) for (const path of ["/rescued", "/lost"]) await view(path);
  await new Promise((done) => setTimeout(done, 100));
  fails = true;
  const rescued = await view("/rescued");
  assert.equal(rescued.status, 200);
  assert.equal(Object.keys(decisionsOf(rescued.text).slots).length, 3);
  assert.equal((await view("/lost")).status, 503);
});

test("while a page is renewed behind the response its visitors don't wait", async () => {
  let millis = 0;
  origin.route("/renewed", () => ({ ...html(HOME, { etag: '"1"', "cache-control": "max-age=1, stale-while-revalidate=600" }), delayMillis: millis }));
  await settled("/renewed");
  millis = 1_500;
  await new Promise((done) => setTimeout(done, 1_100));
  const before = askedFor("/renewed").length;
  const began = performance.now();
  const views = await Promise.all(Array.from({ length: 5 }, () => view("/renewed")));
  assert.ok(performance.now() - began < 1_400, "nobody waited for the origin");
  assert.ok(views.every(({ text }) => decisionsOf(text)));
  await until(async () => askedFor("/renewed").length, (n) => n > before);
  assert.equal(askedFor("/renewed").length, before + 1);
});

const SHARED = { "cache-control": "public, max-age=600", etag: '"1"' };
/** What keeps an answer from being shared, beside headers that would let it. */
const OWN = [
  { "cache-control": "public, max-age=600, private" },
  { "cache-control": "public, max-age=600, no-store" },
  { "cdn-cache-control": "no-store" },
  { "cloudflare-cdn-cache-control": "private" },
  { "surrogate-control": "no-store" },
  { "set-cookie": "session=1" },
  { vary: "Accept, Cookie" },
  { vary: "*" },
  { "content-security-policy": "script-src 'NONCE-abc'" },
];

test("what a client steers a server with does not get into what others are shown", async () => {
  origin.route("/steered", ({ headers }) => html(HOME.replace("Welcome", `of ${headers["x-original-url"] ?? headers["x-host"] ?? "here"}`), SHARED));
  for (const name of ["x-original-url", "x-host", "x-rewrite-url", "forwarded", "x-forwarded-host"]) {
    for (let i = 0; i < 4; i++) await view("/steered", { [name]: "evil.example" });
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.match((await view("/steered")).text, /of here/);
  assert.match((await settled("/steered")).text, /of here/);
});

test("a page that many look at at once is kept", async () => {
  origin.route("/busy", { ...html(HOME, LIFE), delayMillis: 20 });
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 10 }, () => view("/busy")));
  assert.ok(askedFor("/busy").length < 50, `${askedFor("/busy").length} of 100 views reached the origin`);
});

test("HEAD takes nothing away that is kept", async () => {
  let isDead = false;
  origin.route("/watched", () => (isDead ? { status: 503, body: "down" } : html(HOME, { "cache-control": "max-age=1, stale-if-error=600" })));
  await settled("/watched");
  await new Promise((done) => setTimeout(done, 1_100));
  await worker.fetch("/watched", { method: "HEAD", headers: BROWSER });
  isDead = true;
  await new Promise((done) => setTimeout(done, 1_100));
  assert.equal((await view("/watched")).status, 200);
});

test("variants under another Vary are other variants", async () => {
  let vary = "x-lang";
  origin.route("/moved-vary", ({ headers }) => html(HOME.replace("Welcome", `lang ${headers["x-lang"]} land ${headers["x-land"]}`), { ...SHARED, vary }));
  await settled("/moved-vary", { "x-lang": "de" });
  vary = "x-land";
  await view("/moved-vary", { "x-lang": "fr" });
  assert.match((await view("/moved-vary", { "x-land": "de" })).text, /lang undefined land de/);
});

test("what is one visitor's is never kept", async () => {
  for (const [i, headers] of OWN.entries()) {
    const path = `/own-${i}`;
    origin.route(path, (request) => html(HOME.replace("Welcome", `for ${request.headers.cookie ?? request.headers["x-name"]}`), { ...SHARED, ...headers }));
    for (let visitor = 0; visitor < 5; visitor++) {
      // The first with a cookie, the others known to the origin in a way that no cache can see.
      const { text } = await view(path, visitor === 0 ? { cookie: "name=0" } : { "x-name": `name=${visitor}` });
      assert.match(text, new RegExp(`for name=${visitor}`), JSON.stringify(headers));
      await new Promise((done) => setTimeout(done, 30));
    }
  }
  // The same way of asking does share where nothing forbids it: the rows above can fail.
  origin.route("/own-none", (request) => html(HOME.replace("Welcome", `for ${request.headers["x-name"]}`), SHARED));
  for (let visitor = 0; visitor < 4; visitor++) await view("/own-none", { "x-name": "first" });
  await new Promise((done) => setTimeout(done, 100));
  assert.match((await view("/own-none", { "x-name": "second" })).text, /for first/);
});

test("a page that became one visitor's under the same tag is that visitor's", async () => {
  let headers = { etag: '"1"' };
  // An origin that does not know conditions, as many do that write a tag.
  origin.route("/turned", (request) => ({ ...html(HOME.replace("Welcome", `for ${request.headers["x-name"]}`), { "x-tag": "1" }), headers: { "content-type": "text/html", ...headers, ETag: '"1"' } }));
  for (let i = 0; i < 4; i++) await view("/turned", { "x-name": "anyone" });
  headers = { "cache-control": "private" };
  assert.match((await view("/turned", { "x-name": "me" })).text, /for me/);
});

test("what the origin says to one visitor stays with that visitor", async () => {
  const user = async (path, name, headers) => (await view(path, { "x-name": name, ...headers })).headers.get("x-user");
  const reply = (headers) => (request) => html(HOME, { etag: '"1"', "x-user": request.headers["x-name"], ...headers });
  origin.route("/asked", reply({}));
  origin.route("/living", reply({ "cache-control": "max-age=600" }));
  for (let i = 0; i < 4; i++) for (const path of ["/asked", "/living"]) await view(path, { "x-name": "first" });
  await new Promise((done) => setTimeout(done, 100));
  for (const name of ["second", "third", "first"]) assert.equal(await user("/asked", name), name);
  // A reload asks; its answer does not get into what others are served.
  assert.equal(await user("/living", "second", { "cache-control": "no-cache" }), "second");
  assert.equal(await user("/living", "third"), "first");
});

test("a change that a visitor makes is seen by the next one", async () => {
  let n = 1;
  origin.route("/comments", (request) => (request.method === "POST" ? (n++, { status: 303, headers: { location: "/comments" } }) : html(HOME.replace("Welcome", `${n} comments`), SHARED)));
  assert.match((await settled("/comments")).text, /1 comments/);
  await worker.fetch("/comments?_el=abc", { method: "POST", body: "text=hello" });
  assert.match((await view("/comments")).text, /2 comments/);
});

test("a page that is gone, or is no page any more, is not shown for long while it is renewed behind the response", async () => {
  const line = { "cache-control": "max-age=1, stale-while-revalidate=600" };
  const changes = { gone: { status: 404, body: "gone" }, file: { headers: { "content-type": "application/json", ...line }, body: "{}" }, private: html("<p>mine</p>", { "cache-control": "private" }) };
  for (const [name, reply] of Object.entries(changes)) {
    origin.route(`/then-${name}`, html(HOME, line));
    await settled(`/then-${name}`);
    origin.route(`/then-${name}`, reply);
  }
  await new Promise((done) => setTimeout(done, 1_100));
  for (const name of Object.keys(changes)) await view(`/then-${name}`);
  await new Promise((done) => setTimeout(done, 300));
  assert.equal((await view("/then-gone")).status, 404);
  assert.equal((await view("/then-file")).text, "{}");
  assert.match((await view("/then-private")).text, /^<p>mine/);
});

test("an origin that takes a life back is asked again", async () => {
  let headers = { etag: '"1"', "cache-control": "max-age=600" };
  origin.route("/shortened", () => html(HOME, headers));
  await settled("/shortened");
  headers = { etag: '"1"', "cache-control": "no-cache" };
  await new Promise((done) => setTimeout(done, 1_100));
  await view("/shortened", { "cache-control": "no-cache" });
  const before = askedFor("/shortened").length;
  await view("/shortened");
  assert.equal(askedFor("/shortened").length, before + 1);
});

test("visitors with cookies share only what names itself shared", async () => {
  const cases = [["life", { "cache-control": "max-age=600" }, false], ["tag", { etag: '"1"' }, false], ["public", { "cache-control": "public, max-age=600" }, true], ["shared", { "cache-control": "s-maxage=600" }, true]];
  for (const [name, line, isShared] of cases) {
    const path = `/cookie-${name}`;
    origin.route(path, (request) => html(HOME.replace("Welcome", `for ${request.headers.cookie ?? "anyone"}`), line));
    for (let i = 0; i < 4; i++) await view(path);
    await new Promise((done) => setTimeout(done, 100));
    assert.match((await view(path, { cookie: "a=1" })).text, isShared ? /for anyone/ : /for a=1/, name);
    assert.match((await view(path)).text, /for anyone/, name);
  }
  origin.route("/cookie-first", (request) => html(HOME.replace("Welcome", `for ${request.headers.cookie ?? "anyone"}`), { "cache-control": "max-age=600" }));
  for (let i = 0; i < 3; i++) await view("/cookie-first", { cookie: "a=1" });
  assert.match((await view("/cookie-first")).text, /for anyone/, "what a cookie made is not kept");
});

test("who signs in gets the origin's own page, whatever is kept for others", async () => {
  origin.route("/signed", (request) => html(HOME.replace("Welcome", request.headers.authorization ?? "anyone"), LIFE));
  await settled("/signed");
  assert.match((await view("/signed", { authorization: "Basic abc" })).text, /Basic abc/);
  assert.match((await settled("/signed")).text, /anyone/);
});

test("variants that a page names are kept apart", async () => {
  origin.route("/varied", (request) => html(HOME.replace("Welcome", `in ${request.headers["accept-language"]}`), { ...LIFE, vary: "Accept-Language" }));
  for (const language of ["de", "fr"]) assert.match((await settled("/varied", { "accept-language": language })).text, new RegExp(`in ${language}`));
  assert.match((await settled("/varied", { "accept-language": "de" })).text, /in de/);
});

test("compressed pages of the origin are spliced like any other", async () => {
  for (const encoding of ["gzip", "br"]) {
    origin.route(`/${encoding}`, { ...html(HOME, LIFE), encoding });
    const streamed = await view(`/${encoding}`);
    const spliced = await settled(`/${encoding}`);
    assert.equal(plain(spliced.text), plain(streamed.text), encoding);
  }
});

test("bytes outside the slots stay what they are in every charset", async () => {
  const bytes = Buffer.concat([Buffer.from("<!doctype html><p>"), Buffer.from([0xe4, 0xff, 0x80, 0x9d, 0x81]), Buffer.from('</p><edge-slot name="hero">x</edge-slot><p>'), Buffer.from([0xfc]), Buffer.from("</p>")]);
  origin.route("/latin1", { headers: { "content-type": "text/html; charset=iso-8859-1", ...LIFE }, body: bytes });
  await settled("/latin1");
  const response = await worker.fetch("/latin1", { headers: BROWSER });
  const body = Buffer.from(await response.arrayBuffer());
  assert.deepEqual([...body.subarray(18, 23)], [0xe4, 0xff, 0x80, 0x9d, 0x81]);
  assert.ok(body.includes(0xfc));
});

test("a slot that is not closed stays as it is from the first spliced view on", async () => {
  const page = '<!doctype html><body><main><div data-edge-slot="cta"><p>open</main><edge-slot name="hero">default</edge-slot><p>end</body>';
  origin.route("/open", html(page, LIFE));
  const { text } = await settled("/open");
  assert.match(text, /<div data-edge-slot="cta"><p>open<\/main>/);
  assert.match(text, /<edge-slot name="hero"><a /);
  assert.match(text, /<p>end/);
});

test("images, slots in slots and the same slot twice", async () => {
  const page = '<!doctype html><img data-edge-slot="cta"><edge-slot name="hero"><i><b data-edge-slot="cta">inner</b></i></edge-slot><edge-slot name="hero">again</edge-slot><p>end';
  origin.route("/odd", html(page, LIFE));
  const { text } = await settled("/odd");
  assert.equal(text.match(/<edge-slot name="hero"><a [^>]*>[^<]*<\/a><\/edge-slot>/g)?.length, 2, text);
  assert.match(text, /<img data-edge-slot="cta"><edge-slot/);
  assert.doesNotMatch(text, /inner|again/);
});

/** One arm for everybody: what is shown is the same at each view, whatever is drawn. */
const SETTLED = { ...CONFIG, slots: CONFIG.slots.map((slot) => ({ ...slot, arms: slot.arms.slice(0, 1) })) };

/** A Worker of its own with another configuration. */
async function withConfig(config, run) {
  const own = await start({ origin: origin.url });
  const look = (path, headers = {}, method = "GET") => own.fetch(path, { method, headers: { ...BROWSER, ...headers } });
  try {
    await own.publish(config);
    await run(look, own);
  } finally {
    await own.stop();
  }
}

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
  const own = await start({ origin: origin.url });
  const picture = '<img src="/big.jpg?w=1&amp;h=2" alt="" width="640" height="480" fetchpriority="high">';
  const blocks = CONFIG.blocks.map((block) => (["bold", "calm"].includes(block.id) ? { ...block, template: `${block.template}${picture}` } : block));
  const linked = async (path) => (await own.fetch(path, { headers: BROWSER })).headers.get("link") ?? "";
  try {
    await own.publish({ ...CONFIG, blocks });
    const link = await until(() => linked("/pictured"), (text) => text.includes("big.jpg"));
    assert.equal(link, "</site.css>; rel=preload; as=style, </big.jpg?w=1&h=2>; rel=preload; as=image; fetchpriority=high");
    for (let i = 0; i < 4; i++) assert.equal(await linked("/unpictured"), "");
  } finally {
    await own.stop();
  }
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

/**
 * Spliced pages are there whole, so that their length is known; streaming ones are not. At its first view a page that is there
 * whole is held back (`unfit.mjs`), which says nothing.
 */
const isSpliced = ({ headers }) => headers.has("content-length");

test("a page that names no version is spliced while its bytes stay, for everybody with what the origin says to each", async () => {
  let page = HOME;
  origin.route("/plain", (request) => html(page, { "set-cookie": `seen=${request.headers["x-name"]}`, "x-user": request.headers["x-name"] }));
  const streamed = await view("/plain", { "x-name": "first" });
  assert.ok(!isSpliced(await view("/plain", { "x-name": "first" })), "nothing is known before a page came twice");
  const spliced = await until(() => view("/plain", { "x-name": "second", cookie: "seen=first" }), isSpliced);
  assert.equal(plain(spliced.text), plain(streamed.text));
  assert.equal(Object.keys(decisionsOf(spliced.text).slots).length, 3);
  assert.equal(spliced.headers.get("x-user"), "second");
  assert.match(spliced.headers.get("set-cookie"), /seen=second/);
  assert.equal(spliced.headers.get("cache-control"), "private, no-cache");
  // As long as before, and one letter is another.
  page = HOME.replace("Welcome", "Welcame");
  const changed = await view("/plain", { "x-name": "third" });
  assert.match(changed.text, /Welcame/);
  assert.equal(Object.keys(decisionsOf(changed.text).slots).length, 3);
  page = HOME;
  assert.ok(isSpliced(await view("/plain")), "one other page is no reason to begin anew");
});

test("a page that is another at each view streams, and is watched for the day when it is not", async () => {
  let n = 0;
  let page = () => HOME.replace("Welcome", `View ${++n}`);
  origin.route("/anew", () => html(page()));
  for (let i = 1; i <= 12; i++) {
    const answer = await view("/anew");
    assert.match(answer.text, new RegExp(`View ${i}\\b`));
    assert.ok(i === 1 || !isSpliced(answer), `view ${i}`);
    assert.equal(Object.keys(decisionsOf(answer.text).slots).length, 3);
  }
  page = () => HOME;
  let views = 0;
  while (!isSpliced(await view("/anew"))) assert.ok(views++ < 80, "never settles");
});

test("nothing is compared where a copy may not stay, or would have to be waited for", async () => {
  const rows = { private: html(HOME, { "cache-control": "private" }), "no-store": html(HOME, { "cache-control": "no-store" }), stream: html([HOME]), coded: { ...html(HOME), encoding: "gzip" } };
  for (const [name, route] of Object.entries(rows)) {
    origin.route(`/uncompared-${name}`, route);
    for (let i = 0; i < 6; i++) {
      const answer = await view(`/uncompared-${name}`);
      assert.ok(i === 0 || !isSpliced(answer), name);
      assert.equal(Object.keys(decisionsOf(answer.text).slots).length, 3);
      await new Promise((done) => setTimeout(done, 10));
    }
  }
});

test("a page known by its bytes that breaks off is a broken connection, not a tidy end", async () => {
  origin.route("/breaks", html(HOME));
  await until(() => view("/breaks"), isSpliced);
  origin.route("/breaks", { ...html(HOME), cutAfterBytes: 200 });
  await assert.rejects(view("/breaks"));
});

test("a page without slots keeps its origin's tag, life and conditions, until it has one", async () => {
  let page = "<!doctype html><title>About</title><p>No slot here.";
  let tag = '"a"';
  origin.route("/slotless", () => html(page, { etag: tag, "cache-control": "public, max-age=600" }));
  const passed = await until(() => view("/slotless"), ({ headers }) => headers.get("etag") === '"a"');
  assert.equal(passed.text, page);
  assert.equal(passed.headers.get("cache-control"), "public, max-age=600");
  assert.equal((await view("/slotless", { ...having('"a"'), cookie: "a=1" })).status, 304);
  page = HOME;
  tag = '"b"';
  const filled = await until(() => view("/slotless", { cookie: "a=1" }), ({ text }) => decisionsOf(text));
  assert.match(filled.headers.get("cache-control"), /^private/);
  // For each visitor another page: one without a slot says nothing of the next one's.
  origin.route("/some-slotless", (request) => html(request.headers.cookie ? page : "<!doctype html><p>No slot here.", { "cache-control": "max-age=60" }));
  for (let i = 0; i < 5; i++) {
    await view("/some-slotless");
    await new Promise((done) => setTimeout(done, 20));
  }
  for (let i = 0; i < 5; i++) assert.ok(decisionsOf((await view("/some-slotless", { cookie: "a=1" })).text), "for visitors with cookies");
});

test("a page too large to keep streams at every view", async () => {
  const large = HOME.replace("</body>", `<p>${"long ".repeat(300_000)}</p></body>`);
  origin.route("/large", html(large, LIFE));
  for (let i = 0; i < 3; i++) {
    const { text } = await view("/large");
    assert.equal(Object.keys(decisionsOf(text).slots).length, 3);
    assert.ok(text.includes("long ".repeat(300_000)), "all of it");
  }
  assert.equal(askedFor("/large").length, 3);
});

test("the lease follows what the origin says", () => {
  const lease = (headers, { now = 1e12, lifeMillis, cookie } = {}) => {
    const request = new Request("https://shop.example/", { headers: cookie ? { cookie } : {} });
    return leaseOf({ request, plan: { lifeMillis } }, { status: 200, headers: new Headers(headers) }, now);
  };
  const life = (line) => (lease({ "cache-control": line }).freshUntil - 1e12) / 1000;
  assert.equal(life("max-age=60"), 60);
  assert.equal(life("max-age=60, s-maxage=5"), 5);
  assert.equal(life('public, MAX-AGE="30"'), 30);
  assert.equal(lease({ "cache-control": "max-age=60", age: "20" }).freshUntil, 1e12 + 40_000);
  assert.equal(lease({ "cache-control": "max-age=60", "cdn-cache-control": "max-age=9" }).freshUntil, 1e12 + 9_000);
  assert.equal(lease({ date: "Tue, 24 Nov 2026 10:00:00 GMT", expires: "Tue, 24 Nov 2026 10:01:00 GMT" }).freshUntil, 1e12 + 60_000);
  for (const line of ["max-age=0", "no-cache", "max-age=60, no-cache", "max-age=-1", "max-age=x", "max-age=1e9", "max-age"]) assert.equal(lease({ "cache-control": line }), undefined, line);
  for (const headers of OWN) assert.equal(lease({ ...SHARED, ...headers }), undefined, JSON.stringify(headers));
  assert.ok(lease(SHARED).forAll);
  // A line that says nothing is no line; one for caches like us ends what `Expires` says.
  assert.equal(lease({ "cdn-cache-control": "", "cache-control": "max-age=60" }).freshUntil, 1e12 + 60_000);
  assert.equal(lease({ "cdn-cache-control": "stale-if-error=9", expires: "Tue, 24 Nov 2099 10:01:00 GMT", etag: '"a"' }).freshUntil, 1e12);
  assert.equal(lease({}), undefined);
  assert.equal(lease({ etag: '"a"' }).freshUntil, 1e12);
  const { renewUntil, rescueUntil } = lease({ "cache-control": "max-age=1, stale-while-revalidate=2, stale-if-error=3" });
  assert.deepEqual([renewUntil, rescueUntil], [1e12 + 3_000, 1e12 + 4_000]);
  const strict = lease({ "cache-control": "max-age=1, must-revalidate, stale-while-revalidate=2, stale-if-error=3" });
  assert.deepEqual([strict.renewUntil, strict.rescueUntil], [1e12 + 1_000, 1e12 + 1_000]);
});

test("a life that the configuration states counts where the origin states none and forbids nothing", async () => {
  const configured = (headers, cookie) => leaseOf({ request: new Request("https://shop.example/", { headers: cookie ? { cookie } : {} }), plan: { lifeMillis: 5_000 } }, { status: 200, headers: new Headers(headers) }, 1e12);
  assert.equal(configured({}).freshUntil, 1e12 + 5_000);
  assert.ok(configured({}).forAll);
  assert.ok(mayCut({ request: new Request("https://shop.example/") }, configured({})));
  assert.ok(!mayCut({ request: new Request("https://shop.example/", { headers: { cookie: "a=1" } }) }, configured({}, "a=1")), "what a cookie was sent with may be another page");
  assert.equal(configured({ "cache-control": "max-age=60" }).freshUntil, 1e12 + 60_000);
  for (const headers of [{ "cache-control": "no-cache" }, { "cache-control": "max-age=0" }, ...OWN]) assert.equal(configured(headers), undefined, JSON.stringify(headers));

  const own = await start({ origin: origin.url });
  const pages = [{ path: "/configured/long", life_seconds: 3600 }, { path: "/configured/*", life_seconds: 0 }];
  for (const path of ["/configured/long", "/configured/short"]) origin.route(path, (request) => html(HOME.replace("Welcome", `for ${request.headers.cookie ?? "anyone"}`)));
  const look = async (path, headers = {}) => (await own.fetch(path, { headers: { ...BROWSER, ...headers } })).text();
  try {
    await own.publish({ ...CONFIG, pages });
    await until(() => look("/configured/long"), (text) => decisionsOf(text));
    const asks = async (path) => {
      const before = askedFor(path).length;
      await look(path);
      return askedFor(path).length - before;
    };
    await until(() => asks("/configured/long"), (n) => n === 0);
    for (let i = 0; i < 3; i++) assert.equal(await asks("/configured/long"), 0);
    assert.match(await look("/configured/long", { cookie: "a=1" }), /for anyone/);
    for (let i = 0; i < 5; i++) assert.equal(await asks("/configured/short"), 1);
  } finally {
    await own.stop();
  }
});

test("marks that are cut, crossed or foreign lose no byte", () => {
  const text = (skeleton, ...blocks) => Buffer.from(splice(skeleton, blocks.map((html) => ({ html, seen: false })), () => "")).toString("latin1");
  const cutAt = (page) => parse(Buffer.from(page, "latin1"), "S");
  assert.equal(text(cutAt("a<!--S<0,0-->b<!--S>0-->c"), "X"), "aXc");
  assert.equal(text(cutAt("a<!--S<0,0-->b<!--S>0-->c"), ""), "abc");
  assert.equal(text(cutAt("a<!--S<0,0-->b"), "X"), "ab");
  assert.equal(text(cutAt("a<!--S<0,0-->b<!--S<1,1-->c<!--S>0-->d<!--S>1-->e"), "X", "Y"), "abYe", "crossed");
  assert.equal(text(cutAt("a<!--S<0,0-->b<!--S<1,1-->c<!--S>1-->d<!--S>0-->e"), "", "Y"), "abYde");
  assert.equal(text(cutAt("a<!--S<0,0-->b<!--S<1,1-->c<!--S>1-->d<!--S>0-->e"), "X", "Y"), "aXe");
  assert.equal(text(cutAt("<!--T<0,0-->\xff"), "X"), "<!--T<0,0-->\xff");
});
