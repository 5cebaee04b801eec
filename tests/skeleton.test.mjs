// Pages spliced from what is kept of them: alike with those that stream, and given to nobody they are not for.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { leaseOf, mayCut, wantsOrigin } from "../worker/freshness.mjs";
import { parse, splice } from "../worker/skeleton.mjs";
import { lookUp, noteUse, store } from "../worker/skeletons.mjs";
import { html } from "./support/origin.mjs";
import { BROWSER, CONFIG, HOME, decisionsOf, tokenLinks, until } from "./support/sample.mjs";
import { LIFE, SHARED, startSite } from "./support/site.mjs";
import { start } from "./support/workerd.mjs";

let site;
let origin;
let worker;
let view;
let askedFor;
let settled;

before(async () => {
  site = await startSite();
  ({ origin, worker, view, askedFor, settled } = site);
});
after(() => site?.stop());

/** What differs from view to view: receipts, decisions and arms. */
const plain = (text) =>
  text
    .replace(/<script type="application\/json" id="edgeloom-decisions".*?<\/script>/s, "")
    .replace(/<a class="\w+" href="[^"]*">[^<]*<\/a>/g, "<block>");

test("a page with a life is asked for once, and spliced as it would stream", async () => {
  origin.route("/kept", html(HOME, { ...LIFE, "x-of-the-site": "1" }));
  // A page of unknown length streams.
  origin.route("/kept-streaming", html([HOME], { ...LIFE, "x-of-the-site": "1" }));
  const streamed = await view("/kept-streaming");
  assert.equal(streamed.headers.get("etag"), null);
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

test("a page that is there whole is kept from its first view on, one that streams from its second", async () => {
  origin.route("/first", html(HOME, LIFE));
  for (let i = 0; i < 5; i++) assert.equal(Object.keys(decisionsOf((await view("/first")).text).slots).length, 3);
  assert.equal(askedFor("/first").length, 1);
  origin.route("/first-streaming", html([HOME], LIFE));
  await settled("/first-streaming");
  assert.ok(askedFor("/first-streaming").length >= 2);
});

test("what a visitor changed while its page was on the way is not kept as it was", async () => {
  let n = 1;
  for (const headers of [{ "cache-control": "public, max-age=600" }, LIFE]) {
    // Made when it is asked for, and late.
    origin.route("/late", ({ method }) => (method === "POST" ? html("done") : { ...html(HOME.replace("Welcome", `State ${n}.`), headers), delayMillis: 400 }));
    const first = view("/late");
    await new Promise((done) => setTimeout(done, 100));
    await worker.fetch("/late", { method: "POST" });
    const before = n++;
    assert.match((await first).text, new RegExp(`State ${before}\\.`));
    assert.match((await view("/late")).text, new RegExp(`State ${n}\\.`));
    await worker.fetch("/late", { method: "POST" });
    n++;
  }
});

test("pages of a single view push out none that others came back to", () => {
  const entryOf = (key) => ({ key, skeleton: { items: [], bytes: 100_000, tag: "" }, isProven: false });
  const page = (kind, i) => `https://lru.test/${kind}/${i}\0`;
  for (let i = 0; i < 100; i++) noteUse(store(entryOf(page("read", i))));
  for (let i = 0; i < 1_000; i++) store(entryOf(page("crawled", i)));
  const held = (kind, n) => Array.from({ length: n }, (_, i) => i).filter((i) => lookUp(page(kind, i)));
  assert.equal(held("read", 100).length, 100);
  const crawled = held("crawled", 1_000);
  assert.equal(crawled.at(-1), 999);
  assert.ok(crawled.length > 50 && crawled.length < 150, `${crawled.length} pages beside them`);
  // Those that are read again and again take its room, the one read longest ago goes first.
  for (let i = 0; i < 300; i++) noteUse(store(entryOf(page("new", i))));
  assert.equal(held("read", 100).length, 0);
  assert.equal(held("new", 300).at(-1), 299);
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

test("a visitor who asks for a fresher answer gets the origin's", () => {
  const lease = { madeAt: 1e12 - 30_000, freshUntil: 1e12 + 30_000 };
  const asks = (headers) => wantsOrigin(new Request("https://shop.example/", { headers }), lease, 1e12);
  for (const line of ["no-cache", "max-age=0", "max-age=29", "max-age=x", "min-fresh=31"]) assert.ok(asks({ "cache-control": line }), line);
  for (const line of ["max-age=30", "min-fresh=30", "max-stale=5", "only-if-cached"]) assert.ok(!asks({ "cache-control": line }), line);
  assert.ok(asks({ pragma: "no-cache" }));
  assert.ok(!asks({ pragma: "no-cache", "cache-control": "max-age=60" }) && !asks({}));
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
  // As old as it says or looks, in whole seconds as its date; older than everything where that can't be read.
  const dated = (millis, age) => lease({ "cache-control": "max-age=60", date: new Date(1e12 - millis).toUTCString(), age });
  assert.equal(dated(20_900, "5").freshUntil, 1e12 + 39_000);
  assert.equal(dated(0, "0").freshUntil, 1e12 + 60_000);
  assert.equal(dated(-9_000, "5").freshUntil, 1e12 + 55_000);
  for (const age of ["x", "-5", "5.0", "5, 0", ""]) assert.equal(dated(0, age), undefined, age);
  assert.equal(lease({ "cache-control": "max-age=60", "cdn-cache-control": "max-age=9" }).freshUntil, 1e12 + 9_000);
  assert.equal(lease({ date: "Tue, 24 Nov 2026 10:00:00 GMT", expires: "Tue, 24 Nov 2026 10:01:00 GMT" }).freshUntil, 1e12 + 60_000);
  for (const line of ["max-age=0", "no-cache", "max-age=60, no-cache", "max-age=-1", "max-age=x", "max-age=1e9", "max-age", "max-age =60", "max-age= 60"]) assert.equal(lease({ "cache-control": line }), undefined, line);
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

  const own = await start({ origin: origin.url, vars: { FRESH_MILLIS: "200" } });
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
    // Whoever took the line for a page that is not the same for everybody takes it back, and that is it.
    await own.publish({ ...CONFIG, pages: [] });
    await until(() => asks("/configured/long"), (n) => n === 1);
    assert.match(await look("/configured/long", { cookie: "a=1" }), /for a=1/);
  } finally {
    await own.stop();
  }
});

test("marks that are cut, crossed or foreign lose no byte", () => {
  const text = (skeleton, ...blocks) => Buffer.from(splice(skeleton, blocks.map((html) => ({ html: Buffer.from(html), seen: false })), () => new Uint8Array(0))).toString("latin1");
  const secret = crypto.randomUUID();
  const markOf = (own, side, numbers) => `<!--\x1a${own}${side}${numbers}-->`;
  // In the cases, `{0,1` is the first mark of the first element, a place of the second slot, and `0}` its second mark.
  const cutAt = (page, names = ["b", "i"]) => {
    const marked = page.replace(/\{(\d,\d)/g, (_, numbers) => markOf(secret, "<", numbers)).replace(/(\d)\}/g, (_, n) => markOf(secret, ">", n));
    return parse(Buffer.from(marked, "latin1"), secret, names);
  };
  assert.equal(text(cutAt("a{0,0b0}</b>c"), "X"), "aX</b>c");
  assert.equal(text(cutAt("a{0,0b0}</B\n>c"), ""), "ab</B\n>c");
  assert.equal(text(cutAt("a{0,0b"), "X"), "ab");
  assert.equal(text(cutAt("a{0,0b{1,1c0}</b>d1}</i>e"), "X", "Y"), "abY</i>e", "crossed");
  assert.equal(text(cutAt("a{0,0b{1,1c1}</i>d0}</b>e"), "", "Y"), "abY</i>d</b>e");
  assert.equal(text(cutAt("a{0,0b{1,1c1}</i>d0}</b>e"), "X", "Y"), "aX</b>e");
  assert.deepEqual(cutAt("a{0,0b{1,1c0}</b>d1}</i>e").unclosed, [0]);
  // What a parent ends is not closed; where both end at once, the tag behind says whose it is.
  const both = cutAt("a{0,0b{1,1c1}0}</b>e");
  assert.equal(text(both, "", "Y"), "abc</b>e");
  assert.deepEqual(both.unclosed, [1]);
  assert.deepEqual(cutAt("{0,0b0}</bb>").unclosed, [0]);
  assert.deepEqual(cutAt("{0,0b0}").unclosed, [0]);
  assert.equal(text(cutAt("a{0,0b0}</\xc3\xa9>", ["\u00e9"]), "X"), "aX</\xc3\xa9>", "a name beyond ASCII");
  const foreign = markOf(crypto.randomUUID(), "<", "0,0");
  for (const page of [`${foreign}\xff`, "\x1a", "<!--\x1a", `\x1a${secret}<0,0-->`, `<!--\x1a${secret}`]) assert.equal(text(cutAt(page), "X"), page);
});
