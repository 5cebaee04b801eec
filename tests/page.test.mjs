// The request path of a page in the real runtime: what a visitor gets, and what the origin is asked.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { html, startOrigin } from "./support/origin.mjs";
import { BROWSER, CONFIG, HOME, ROUTES, decisionsOf, tokenLinks, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

let origin;
let worker;
const get = (path, headers = {}, init = {}) => worker.fetch(path, { headers: { ...BROWSER, ...headers }, ...init });

before(async () => {
  origin = await startOrigin({
    ...ROUTES,
    "/cached": html(HOME, { etag: '"abc"', "last-modified": "Tue, 24 Nov 2026 00:00:00 GMT", "content-md5": "x", "accept-ranges": "bytes", "cache-control": "public, max-age=600" }),
    "/data": { headers: { "content-type": "application/json", etag: '"data"' }, body: '{"a":1}' },
    "/cookies": html(HOME, { "set-cookie": ["a=1; Path=/", "b=2; Path=/"], link: "</x.css>; rel=preload" }),
    "/moved": { status: 302, headers: { location: "/elsewhere?x=1" } },
    "/csp": html(HOME, { "content-security-policy": "default-src 'self'; script-src 'nonce-abc123='" }),
    "/gone": { status: 410, headers: { "content-type": "text/html" }, body: HOME },
    "/echo": (request) => ({ headers: { "content-type": "application/json" }, body: JSON.stringify({ headers: request.headers, url: request.url, method: request.method, body: request.body.toString() }) }),
  });
  worker = await start({ origin: origin.url, vars: { FRESH_MILLIS: "300", PUBLISH_MILLIS: "1000" } });
  await worker.publish(CONFIG);
  await until(async () => decisionsOf(await (await get("/")).text()), Boolean);
});
after(async () => {
  await worker?.stop();
  await origin?.close();
});

test("slots are filled and nothing else changes", async () => {
  const text = await (await get("/")).text();
  const decisions = decisionsOf(text);
  assert.deepEqual(Object.keys(decisions.slots).sort(), ["cta", "hero", "teaser"]);
  for (const slot of Object.values(decisions.slots)) assert.ok(slot.propensity > 0 && slot.propensity <= 1 && slot.arm);
  assert.ok(text.includes(`class="${decisions.slots.hero.arm}"`));
  // What the Worker put in is taken out again: the rest is the origin's page, byte for byte.
  const bare = text
    .replace(/<script type="application\/json".*<\/script>/s, "")
    .replace(/(<edge-slot name="hero">).*?(<\/edge-slot>)/s, "$1<p>default hero</p>$2")
    .replace(/(<div data-edge-slot="cta" class="x">).*?(<\/div>)/s, "$1<p>default cta</p>$2")
    .replace(/(<aside class="teaser">).*?(<\/aside>)/s, "$1<p>default teaser</p>$2");
  assert.equal(bare, HOME);
});

test("what is inserted is ASCII, so that it fits every charset", async () => {
  for (let i = 0; i < 40; i++) {
    const text = await (await get("/")).text();
    if (!text.includes('class="bold"')) continue;
    assert.ok(text.includes("Bold &#"), text);
    return;
  }
  assert.fail("the arm was never shown");
});

test("a page without slots is byte for byte the origin's", async () => {
  const answer = await get("/plain");
  assert.equal(await answer.text(), ROUTES["/plain"].body);
});

test("a personalised page has no validators of its origin and is never stored by others", async () => {
  const answer = await get("/cached", { "if-none-match": '"abc"' });
  assert.equal(answer.status, 200);
  for (const name of ["last-modified", "content-md5", "accept-ranges"]) assert.equal(answer.headers.get(name), null, name);
  assert.match(answer.headers.get("etag"), /^W\/"el\./);
  assert.equal(answer.headers.get("cache-control"), "private, no-cache");
  assert.match(answer.headers.get("server-timing"), /^edgeloom;desc="hero=\w+, cta=\w+, teaser=\w+"$/);
  assert.equal(origin.requests.at(-1).headers["if-none-match"], undefined);
});

test("what is not HTML passes with its validators, conditions and ranges", async () => {
  const answer = await worker.fetch("/data", { headers: { range: "bytes=0-1", "if-none-match": '"x"', accept: "*/*" } });
  assert.equal(await answer.text(), '{"a":1}');
  assert.equal(answer.headers.get("etag"), '"data"');
  assert.equal(origin.requests.at(-1).headers.range, "bytes=0-1");
  assert.equal(origin.requests.at(-1).headers["if-none-match"], '"x"');
});

test("several cookies, links and redirects stay as they are", async () => {
  const answer = await get("/cookies");
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1; Path=/", "b=2; Path=/"]);
  assert.equal(answer.headers.get("link"), "</x.css>; rel=preload");
  const moved = await get("/moved");
  assert.equal(moved.status, 302);
  assert.equal(moved.headers.get("location"), "/elsewhere?x=1");
});

test("a nonce of the page is reused and its policy never weakened", async () => {
  const answer = await get("/csp");
  assert.equal(answer.headers.get("content-security-policy"), "default-src 'self'; script-src 'nonce-abc123='");
  assert.match(await answer.text(), /<script nonce="abc123=" type="application\/json"/);
});

test("errors of the origin are passed on, not personalised", async () => {
  const answer = await get("/gone");
  assert.equal(answer.status, 410);
  assert.equal(await answer.text(), HOME);
});

test("a body goes to the origin untouched, internal headers of a client do not", async () => {
  const answer = await worker.fetch("/echo", { method: "POST", body: "a=1&b=2", headers: { "x-edgeloom-loop": "forged", "x-edgeloom-anything": "1" } });
  const { headers, method, body } = await answer.json();
  assert.deepEqual([method, body], ["POST", "a=1&b=2"]);
  assert.equal(headers["x-edgeloom-anything"], undefined);
  assert.notEqual(headers["x-edgeloom-loop"], "forged");
});

test("HEAD has the headers of GET and no body", async () => {
  const whole = await get("/cached");
  await whole.text();
  const answer = await get("/cached", {}, { method: "HEAD" });
  for (const name of ["cache-control", "content-type"]) assert.equal(answer.headers.get(name), whole.headers.get(name), name);
  // The arms behind it are drawn at each view; the page is the same.
  const pageOf = ({ headers }) => headers.get("etag").split(".")[1];
  assert.equal(pageOf(answer), pageOf(whole));
  assert.equal(await answer.text(), "");
});

test("the receipt of a link is not sent to the origin and its goal page counts as a reward", async () => {
  const before = await worker.must("GET", "status");
  const rewards = (status) => status.slots.find((s) => s.slot === "hero").arms.reduce((n, arm) => n + arm.rewards, 0);
  const text = await (await get("/")).text();
  const [link] = tokenLinks(text);
  assert.ok(link, text);
  await (await get(link.href)).text();
  assert.ok(!origin.requests.at(-1).url.includes("_el="), origin.requests.at(-1).url);
  const after = await until(() => worker.must("GET", "status"), (status) => rewards(status) > rewards(before));
  assert.equal(rewards(after), rewards(before) + 1);
});

test("a receipt in the referrer counts, one from another site and a forged one do not", async () => {
  const rewards = (status) => status.slots.flatMap((s) => s.arms).reduce((n, arm) => n + arm.rewards, 0);
  const [link] = tokenLinks(await (await get("/")).text());
  const referer = new URL(link.href, worker.url).href;
  const token = new URL(referer).searchParams.get("_el");
  const before = rewards(await worker.must("GET", "status"));
  await (await get("/thanks", { referer: referer.replace("127.0.0.1", "evil.example") })).text();
  await (await get(`/thanks?_el=${token.slice(0, -4)}AAAA`)).text();
  await (await get("/thanks", { referer })).text();
  await until(async () => rewards(await worker.must("GET", "status")), (n) => n > before);
  await new Promise((done) => setTimeout(done, 2500));
  assert.equal(rewards(await worker.must("GET", "status")), before + 1);
});

test("replaying a link never gives more rewards than exposures", async () => {
  const [link] = tokenLinks(await (await get("/")).text());
  for (let i = 0; i < 30; i++) await (await get(link.href)).text();
  await new Promise((done) => setTimeout(done, 2500));
  const status = await worker.must("GET", "status");
  for (const arm of status.slots.flatMap((s) => s.arms)) assert.ok(arm.rewards <= arm.exposures, JSON.stringify(arm));
});

test("GET with a content-length or a body reaches the origin", async () => {
  for (const body of ["", "surprise"]) {
    const raw = await new Promise((done) => {
      const socket = connect(worker.port, "127.0.0.1", () => socket.write(`GET / HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`));
      let text = "";
      socket.on("data", (data) => (text += data)).on("close", () => done(text));
    });
    assert.match(raw, /^HTTP\/1.1 200 /);
    assert.ok(raw.includes("</html>"));
  }
});

test("a redirect of the origin takes the receipt along, within the site only", async () => {
  origin.route("/thanks-old", ({ url }) => ({ status: 301, headers: { location: url.includes("away") ? "https://elsewhere.example/" : "/thanks?x=1#top" } }));
  const [link] = tokenLinks(await (await get("/")).text());
  const token = new URL(link.href, worker.url).searchParams.get("_el");
  assert.equal((await get(`/thanks-old?_el=${token}`)).headers.get("location"), `/thanks?x=1&_el=${token}#top`);
  assert.equal((await get(`/thanks-old?away&_el=${token}`)).headers.get("location"), "https://elsewhere.example/");
});

test("the origin never sees a receipt, not even in the referrer", async () => {
  await (await get("/plain", { referer: `${worker.url}/a?_el=abc&b=1` })).text();
  assert.equal(origin.requests.at(-1).headers.referer, `${worker.url}/a?b=1`);
  await (await get("/plain", { referer: `${worker.url}/a?_el=abc` })).text();
  assert.equal(origin.requests.at(-1).headers.referer, `${worker.url}/a`);
});

test("what only a CDN reads does not make a personalised page public", async () => {
  origin.route("/cdn", html(HOME, { "cdn-cache-control": "max-age=600", "surrogate-control": "max-age=600" }));
  const answer = await get("/cdn");
  for (const name of ["cdn-cache-control", "surrogate-control"]) assert.equal(answer.headers.get(name), null, name);
});

test("what nobody navigates to is neither personalised nor counted", async () => {
  const answer = await worker.fetch("/", { headers: { ...BROWSER, "sec-fetch-dest": "empty" } });
  assert.equal(await answer.text(), HOME);
});

test("an origin that redirects to its own address means ours; other hosts are left alone", async () => {
  const moved = (location) => ({ status: 303, headers: { location } });
  origin.route("/own", moved(`${origin.url}/thanks?x=1#y`));
  origin.route("/root", moved(origin.url));
  origin.route("/lookalike", moved(`${origin.url}.example.org/thanks`));
  const location = async (path, init) => (await worker.fetch(path, { headers: BROWSER, ...init })).headers.get("location");
  assert.equal(await location("/own"), `${worker.url}/thanks?x=1#y`);
  assert.equal(await location("/own", { method: "POST", body: "a=1" }), `${worker.url}/thanks?x=1#y`);
  assert.equal(await location("/root"), `${worker.url}/`);
  assert.equal(await location("/lookalike"), `${origin.url}.example.org/thanks`);
});

test("a slot inside a filled slot is gone and is not counted", async () => {
  origin.route("/nested", html('<edge-slot name="hero">x<aside class="teaser">inner</aside></edge-slot><p>after</p>'));
  const text = await (await get("/nested")).text();
  assert.ok(text.includes("</edge-slot><p>after</p>") && !text.includes("inner"), text);
});

test("a page with a name for its version is filled alike when it is no longer watched, and watched again when it changes", async () => {
  const own = await start({ origin: origin.url, vars: { FRESH_MILLIS: "300" } });
  const view = async (path) => (await own.fetch(path, { headers: BROWSER })).text();
  await own.publish(CONFIG);
  await until(async () => decisionsOf(await view("/")), Boolean);
  const filled = (text) => /class="teaser"><a/.test(text);
  origin.route("/named", html('<aside class="teaser">origin</aside><p>after</p>', { etag: '"one"' }));
  origin.route("/named-nested", html('<edge-slot name="hero">x<aside class="teaser">inner</aside></edge-slot><p>after</p>', { etag: '"one"' }));
  for (let nth = 0; nth < 3; nth++) {
    const [text, nested] = [await view("/named"), await view("/named-nested")];
    assert.ok(filled(text) && text.includes("</aside><p>after</p>") && !text.includes("origin"), text);
    assert.ok(nested.includes("</edge-slot><p>after</p>") && !nested.includes("inner"), nested);
  }
  // Now its slot is never closed: one view finds out, from the next one on the slot is left alone.
  origin.route("/named", html('<main><aside class="teaser">origin<p>after</p></main>', { etag: '"two"' }));
  await view("/named");
  assert.ok((await view("/named")).startsWith('<main><aside class="teaser">origin<p>after</p></main>'));
  await own.stop();
});

test("an unclosed slot is left alone on its own page, and everywhere when it is no matter of a single page", async () => {
  const own = await start({ origin: origin.url });
  const view = async (path) => (await own.fetch(path, { headers: BROWSER })).text();
  const broken = '<main><aside class="teaser">origin<p>after</p></main>';
  const filled = /class="teaser"><a.*<\/aside><p>after/;
  try {
    await own.publish(CONFIG);
    await until(async () => decisionsOf(await view("/")), Boolean);
    // A stream: what is there whole is known to close its slots once it is cut.
    origin.route("/whole", html(['<aside class="teaser">origin</aside><p>after</p>']));
    for (let n = 1; n <= 3; n++) origin.route(`/broken-${n}`, html(broken));
    for (let n = 1; n <= 2; n++) {
      await view(`/broken-${n}`);
      assert.ok((await view(`/broken-${n}`)).startsWith(broken));
      assert.match(await view("/whole"), filled);
    }
    await view("/broken-3");
    assert.match(await view("/whole"), /class="teaser">origin<\/aside>/);
  } finally {
    await own.stop();
  }
});

test("elements whose content is no markup are never filled", async () => {
  const page = '<title data-edge-slot="cta">t</title><script data-edge-slot="cta">1</script><textarea data-edge-slot="cta">a</textarea><div data-edge-slot="cta">x</div>';
  origin.route("/raw", html(page));
  const text = await (await get("/raw")).text();
  assert.match(text, /<title data-edge-slot="cta">t<\/title><script data-edge-slot="cta">1<\/script><textarea data-edge-slot="cta">a<\/textarea><div data-edge-slot="cta"><a /);
});

test("a page that does not name its version is watched now and then", async () => {
  const own = await start({ origin: origin.url });
  const view = async (path) => (await own.fetch(path, { headers: BROWSER })).text();
  await own.publish(CONFIG);
  await until(async () => decisionsOf(await view("/")), Boolean);
  origin.route("/unnamed", html('<aside class="teaser">origin</aside><p>after</p>'));
  for (let nth = 0; nth < 3; nth++) assert.match(await view("/unnamed"), /class="teaser"><a.*<\/aside><p>after<\/p>/);
  const broken = '<main><aside class="teaser">origin<p>after</p></main>';
  origin.route("/unnamed", html(broken));
  let views = 0;
  await until(() => (views++, view("/unnamed")), (text) => text.startsWith(broken));
  assert.ok(views <= 16, `after ${views} views`);
  await own.stop();
});

test("a visitor who asks for no coding gets none", async () => {
  origin.route("/coded", ({ headers }) => ({ ...html(HOME), encoding: /gzip|br/.test(headers["accept-encoding"] ?? "") ? "gzip" : undefined }));
  for (const path of ["/coded", "/coded?plain"]) {
    const raw = await new Promise((done) => {
      const socket = connect(worker.port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\n\r\n`));
      let text = "";
      socket.on("data", (data) => (text += data)).on("close", () => done(text));
    });
    assert.ok(raw.includes("edgeloom-decisions") && !/content-encoding/i.test(raw), raw.slice(0, 600));
  }
});

test("a loop is answered instead of followed", async () => {
  const self = await start({ vars: { FRESH_MILLIS: "300" } });
  await self.stop();
  const looping = await start({ origin: self.url, port: self.port });
  const answer = await looping.fetch("/", { headers: BROWSER });
  assert.equal(answer.status, 508);
  await looping.stop();
});

test("an upgrade is handed to the origin", async () => {
  origin.route("/socket", ({ headers }) => ({ status: 426, headers: { "x-asked-for": headers.upgrade ?? "nothing" }, body: "" }));
  const raw = await new Promise((done) => {
    const socket = connect(worker.port, "127.0.0.1", () => socket.write("GET /socket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    let text = "";
    socket.on("data", (data) => (text += data));
    socket.on("close", () => done(text));
    setTimeout(() => socket.destroy(), 2000);
  });
  assert.match(raw, /^HTTP\/1.1 \d+ /, raw);
  assert.ok(!raw.includes("edgeloom-decisions"));
});
