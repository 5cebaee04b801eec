// The fault suite: whatever breaks, the visitor gets what the origin would have given, or a clean error where that is
// impossible. One row, one fault; the count of rows survived is printed.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Kv, Queue } from "./support/bindings.mjs";
import { html, startOrigin } from "./support/origin.mjs";
import { BROWSER, CONFIG, HOME, ROUTES, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

const BIG = `<!doctype html><title>Big</title><edge-slot name="hero">default</edge-slot>${"<p>filler text of some length, nothing else</p>".repeat(650_000)}<p>last</p>`;
const LATIN = Buffer.from('<!doctype html><title>x</title><edge-slot name="hero">d</edge-slot><p>\xe9\xe8\xfc</p>', "latin1");
const UTF16 = Buffer.from(`\ufeff${HOME}`, "utf16le");

let origin;
let worker;
let stored;
const FRESH = { FRESH_MILLIS: "100", PUBLISH_MILLIS: "1000", EDGELOOM_FAULTS: "on" };
const get = (path, headers = {}, init = {}) => worker.fetch(path, { headers: { ...BROWSER, "accept-encoding": "identity", ...headers }, ...init });
const body = async (answer) => Buffer.from(await answer.arrayBuffer());

let survived = 0;
const rows = [];
/** One row of the table. */
function fault(name, run) {
  rows.push(name);
  test(name, async () => {
    await run();
    survived++;
  });
}

before(async () => {
  origin = await startOrigin({
    ...ROUTES,
    "/gzip": { ...html(HOME), encoding: "gzip" },
    "/br": { ...html(HOME), encoding: "br" },
    "/deflate": { ...html(HOME), encoding: "deflate" },
    "/zstd": html(HOME, { "content-encoding": "zstd" }),
    "/garbled": { ...html(HOME), encoding: "gzip", garbled: true },
    "/cut-gzip": { headers: { "content-type": "text/html", "content-encoding": "gzip" }, body: gzipSync(HOME).subarray(0, 60) },
    "/utf16": { headers: { "content-type": "text/html; charset=utf-16le" }, body: UTF16 },
    "/utf16-bom": { headers: { "content-type": "text/html" }, body: UTF16 },
    "/latin1": { headers: { "content-type": "text/html; charset=ISO-8859-1" }, body: LATIN },
    "/unknown-charset": { headers: { "content-type": "text/html; charset=klingon" }, body: HOME },
    "/no-type": { headers: {}, body: HOME },
    "/download": html(HOME, { "content-disposition": 'attachment; filename="page.html"' }),
    "/big": html(BIG),
    "/slow": { ...html(""), body: [HOME.slice(0, 100), HOME.slice(100, 300), HOME.slice(300)], gapMillis: 300 },
    "/late": { ...html(HOME), delayMillis: 1500 },
    "/streamed": html([HOME]),
    "/cut": { ...html(HOME), cutAfterBytes: 200 },
    "/short": html(HOME, { "content-length": String(HOME.length + 500) }),
    "/part": (request) => (request.headers.range ? { status: 206, headers: { "content-type": "text/html", "content-range": "bytes 0-9/900" }, body: HOME.slice(0, 10) } : html(HOME)),
    "/part-of-data": (request) => (request.headers.range ? { status: 206, headers: { "content-type": "application/pdf", "content-range": "bytes 0-9/900" }, body: HOME.slice(0, 10) } : html(HOME)),
    "/broken-markup": html('<edge-slot name="hero">default</edge-slot><p>never closed <!-- <div <edge-slot name="hero"> \u0000 </p'),
    "/ambiguous": html(`${HOME}<select><style>a</style></select>`),
    "/ambiguous-stream": html([`${HOME}<select><style>a</style></select>`]),
    "/unclosed": html('<edge-slot name="hero">default<p>the rest of the page</p>'),
    "/implied": html('<ul><li data-edge-slot="hero">A<li>B<li>C</ul><p>after</p>'),
    "/void-slot": html('<p>before</p><img data-edge-slot="hero" src="/x.png"><p>after</p>'),
    "/events": { headers: { "content-type": "text/event-stream" }, body: ["data: 1\n\n", "data: 2\n\n"], gapMillis: 50 },
    "/post": (request) => ({ headers: { "content-type": "text/plain" }, body: `${request.method} ${request.body}` }),
    "/image": { headers: { "content-type": "image/png", etag: '"i"' }, body: Buffer.from([0x89, 0x50, 0, 0xff]) },
    ...Object.fromEntries([201, 204, 301, 304, 400, 401, 403, 404, 418, 500, 503].map((status) => [`/status/${status}`, { status, headers: { "content-type": "text/html" }, body: status === 204 || status === 304 ? "" : HOME }])),
  });
  worker = await start({ origin: origin.url, vars: FRESH });
  await worker.publish(CONFIG);
  await until(async () => decisionsOf((await body(await get("/"))).toString()), Boolean);
  stored = [...worker.kv.values.entries()];
});
after(async () => {
  console.log(`faults survived: ${survived}/${rows.length}`);
  await worker?.stop();
  await origin?.close();
});

/** The answer is what the origin gives when asked without us. */
async function untouched(path, headers = {}, through = worker) {
  const direct = await fetch(origin.url + path, { headers: { "accept-encoding": "identity", ...headers }, redirect: "manual" });
  const ours = await through.fetch(path, { headers: { ...BROWSER, "accept-encoding": "identity", ...headers } });
  assert.equal(ours.status, direct.status);
  assert.deepEqual(await body(ours), await body(direct));
  return ours;
}

async function personalised(path, headers = {}) {
  const answer = await get(path, headers);
  assert.equal(answer.status, 200);
  const text = (await body(answer)).toString();
  assert.ok(decisionsOf(text)?.slots.hero.arm, text.slice(0, 500));
  return text;
}

/** A Worker of its own for a fault that lasts, in front of the same origin. */
async function other(options, run) {
  const own = await start({ origin: origin.url, ...options, vars: { ...FRESH, ...options.vars } });
  try {
    await run(own);
  } finally {
    await own.stop();
  }
}

const withKv = (values, settings = {}) => Object.assign(new Kv(), { values: new Map(values) }, settings);

// Snapshot.
fault("KV is empty: the origin's page", () => other({ kv: new Kv() }, (own) => untouched("/", {}, own)));
fault("KV errors: the origin's page", () => other({ kv: withKv(stored, { fault: "error" }) }, (own) => untouched("/", {}, own)));
fault("KV hangs: the origin's page, soon", () =>
  other({ kv: withKv(stored, { fault: "hang" }) }, async (own) => {
    const began = Date.now();
    await untouched("/", {}, own);
    assert.ok(Date.now() - began < 2000);
  }));
fault("KV is corrupt: the origin's page", () => other({ kv: withKv(stored, { fault: "corrupt" }) }, (own) => untouched("/", {}, own)));
fault("KV holds an HTML error page: the origin's page", () =>
  other({ kv: withKv(stored.map(([key]) => [key, Buffer.from("<html>Bad gateway</html>")])) }, (own) => untouched("/", {}, own)));
fault("KV holds another site's snapshot: the origin's page", () =>
  other({ kv: withKv(stored.map(([key, value]) => [key.replace("site:test:", "site:other:"), value])), vars: { SITE: "other" } }, (own) => untouched("/", {}, own)));
for (const kind of ["error", "empty", "corrupt", "hang"])
  fault(`KV turns ${kind} after a good snapshot: the last good one stays`, async () => {
    worker.kv.fault = kind;
    try {
      for (let i = 0; i < 5; i++) {
        await personalised("/");
        await new Promise((done) => setTimeout(done, 150));
      }
    } finally {
      worker.kv.fault = "none";
    }
  });
fault("an older snapshot never replaces a newer one", async () => {
  const [key, newest] = [...worker.kv.values.entries()][0];
  await worker.publish({ ...CONFIG, slots: CONFIG.slots.slice(0, 1) });
  await until(async () => Object.keys(decisionsOf((await body(await get("/"))).toString())?.slots ?? {}).length, (n) => n === 1);
  worker.kv.values.set(key, newest);
  await new Promise((done) => setTimeout(done, 400));
  for (let i = 0; i < 3; i++) assert.equal(Object.keys(decisionsOf(await personalised("/")).slots).length, 1);
  await worker.publish(CONFIG);
  await until(async () => Object.keys(decisionsOf((await body(await get("/"))).toString())?.slots ?? {}).length, (n) => n === 3);
});

// Wasm.
fault("a panic while planning: the origin's page, and the next request works", async () => {
  await untouched("/", { "x-edgeloom-fault": "plan-panic" });
  await until(() => get("/").then(body).then(String), (text) => decisionsOf(text));
});
fault("a panic while another page streams: that page is whole", async () => {
  const streaming = personalised("/slow");
  await new Promise((done) => setTimeout(done, 150));
  await untouched("/", { "x-edgeloom-fault": "plan-panic" });
  assert.ok((await streaming).includes("</html>"));
});
fault("a slot handler that fails: the slot keeps its content", async () => {
  const answer = await get("/streamed", { "x-edgeloom-fault": "handler-panic" });
  const text = (await body(answer)).toString();
  assert.ok(text.includes("default hero") && text.includes("</html>"), text);
});
fault("a POST during a panic: the origin gets the whole body", async () => {
  const [, posted] = await Promise.all([get("/", { "x-edgeloom-fault": "plan-panic" }), get("/post", {}, { method: "POST", body: "x".repeat(100_000) })]);
  assert.equal((await body(posted)).toString(), `POST ${"x".repeat(100_000)}`);
});
fault("a panic while collecting: an error the client can retry, and the next request works", async () => {
  const answer = await worker.fetch("/_edgeloom/collect", { method: "POST", body: '{"events":[]}', headers: { "x-edgeloom-fault": "collect-panic" } });
  assert.equal(answer.status, 503);
  await until(() => get("/").then(body).then(String), (text) => decisionsOf(text));
});

// Origin.
fault("the origin is slow: bytes are passed on as they come", async () => {
  const began = Date.now();
  const answer = await get("/slow");
  const reader = answer.body.getReader();
  await reader.read();
  assert.ok(Date.now() - began < 290, `first bytes after ${Date.now() - began} ms`);
  while (!(await reader.read()).done);
});
fault("the origin answers late: so do we, whole", () => personalised("/late"));
fault("the origin is dead: a clean error page", async () => {
  await origin.die();
  try {
    const answer = await get("/");
    assert.equal(answer.status, 502);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.match((await body(answer)).toString(), /can't be reached/);
  } finally {
    await origin.revive();
  }
});
for (const path of ["/cut", "/short"])
  fault(`the origin breaks off (${path}): a broken connection, not a tidy end`, async () => {
    const raw = await new Promise((done) => {
      const socket = connect(worker.port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n`));
      let text = "";
      socket.on("data", (data) => (text += data));
      socket.on("close", () => done(text));
      socket.on("error", () => {});
      setTimeout(() => socket.destroy(), 3000);
    });
    assert.ok(!raw.includes("\r\n0\r\n\r\n"), "the chunked body was ended as if it were whole");
  });
for (const path of ["/gzip", "/br"]) fault(`the origin compresses (${path.slice(1)}): personalised all the same`, () => personalised(path, { "accept-encoding": "gzip, br" }));
for (const path of ["/deflate", "/zstd", "/utf16", "/unknown-charset", "/no-type", "/download"])
  fault(`what the runtime can't rewrite passes as it is: ${path.slice(1)}`, async () => {
    const direct = await rawBody(origin.port, path);
    assert.deepEqual(await rawBody(worker.port, path), direct);
  });
fault("UTF-16 without a declared charset passes as it is", async () => assert.deepEqual(await rawBody(worker.port, "/utf16-bom"), await rawBody(origin.port, "/utf16-bom")));
for (const path of ["/garbled", "/cut-gzip"])
  fault(`a broken coding fails for the visitor as it does without us: ${path.slice(1)}`, async () => {
    const isWhole = (ask) => ask().then(async (answer) => answer.status === 200 && (await body(answer)).includes("</html>")).catch(() => false);
    assert.equal(await isWhole(() => fetch(origin.url + path)), false);
    assert.equal(await isWhole(() => get(path, { "accept-encoding": "gzip" })), false);
  });
fault("Latin-1: foreign bytes stay, what is inserted is ASCII", async () => {
  const bytes = await body(await get("/latin1"));
  assert.ok(bytes.includes(Buffer.from("<p>\xe9\xe8\xfc</p>", "latin1")));
  assert.ok(bytes.every((byte) => byte < 0x80 || [0xe9, 0xe8, 0xfc].includes(byte)));
});
fault("markup that the rewriter gives up at: the origin's page, from the first view on", async () => {
  for (let i = 0; i < 3; i++) await untouched("/ambiguous");
});
fault("the same in a stream: it breaks off a few times, and is the origin's page from then on", async () => {
  for (let i = 0; i < 3; i++) await get("/ambiguous-stream").then(body).catch(() => {});
  await new Promise((done) => setTimeout(done, 1_100));
  for (let i = 0; i < 3; i++) await untouched("/ambiguous-stream");
});
fault("a list of purges that can't be read", () =>
  other({ kv: withKv(stored) }, async (own) => {
    own.kv.values.set("site:test:purges:v1", Buffer.from("{ broken"));
    await until(async () => decisionsOf(await (await own.fetch("/", { headers: BROWSER })).text()), Boolean);
  }));
fault("30 MB of HTML: whole, and memory stays flat", async () => {
  const before = worker.rssBytes();
  const bytes = await body(await get("/big"));
  assert.ok(bytes.subarray(-400).includes("<p>last</p>") && bytes.length > 28_000_000);
  assert.ok(worker.rssBytes() - before < 100e6, `${(worker.rssBytes() - before) / 1e6} MB more`);
});
fault("broken markup around slots that are closed arrives whole", async () => {
  const text = await personalised("/broken-markup");
  assert.ok(text.includes("<p>never closed <!-- <div <edge-slot"), text);
});
fault("a slot that is never closed: noticed at the first view, the origin's page from then on", () =>
  other({ kv: withKv(stored) }, async (own) => {
    await (await own.fetch("/unclosed", { headers: BROWSER })).text();
    await untouched("/unclosed", {}, own);
  }));
fault("a slot closed by its parent only: noticed at the first view, the origin's page from then on", async () => {
  // Its own Worker: what was noticed of the marker above would hide this.
  await other({ kv: withKv(stored) }, async (own) => {
    await (await own.fetch("/implied", { headers: BROWSER })).text();
    await untouched("/implied", {}, own);
  });
});
fault("a selector that names an element without content: left alone", () => untouched("/void-slot"));
for (const status of [201, 204, 301, 304, 400, 401, 403, 404, 418, 500, 503]) fault(`the origin answers ${status}: passed on`, () => untouched(`/status/${status}`));
fault("a part of a page is asked for: the whole of it, filled, for parts of other pages would not fit together", () => personalised("/part", { range: "bytes=0-9" }));
fault("a part of what is no page passes as it is", () => untouched("/part-of-data", { range: "bytes=0-9" }));
fault("server-sent events stream through", () => untouched("/events", { accept: "text/event-stream" }));
fault("an image keeps its bytes and validators", async () => assert.equal((await untouched("/image", { accept: "image/*" })).headers.get("etag"), '"i"'));
for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
  fault(`${method} goes to the origin with its body`, async () => {
    const answer = await get("/post", {}, { method, body: method === "OPTIONS" ? undefined : "some body" });
    assert.equal((await body(answer)).toString(), `${method} ${method === "OPTIONS" ? "" : "some body"}`);
  });

// Ledger and queue: pages never notice, acknowledged events are never lost.
for (const kind of ["shard-panic", "shard-throw", "shard-slow"])
  fault(`the ledger fails (${kind}): pages are served, events go to the queue`, () =>
    other({ queue: new Queue({ name: "edgeloom-overflow" }) }, async (own) => {
      await own.publish({ ...CONFIG, privacy: { mode: "measured", consent: { cookie: "c", measured: "yes", personal: "all" } } });
      const load = async () => decisionsOf(await (await own.fetch("/", { headers: { ...BROWSER, cookie: "c=yes" } })).text());
      const decisions = await until(load, (d) => d?.slots.hero.receipt);
      const events = [{ kind: "exposure", receipt: decisions.slots.hero.receipt }];
      const answer = await own.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { "x-edgeloom-fault": kind } });
      assert.ok([200, 202, 503].includes(answer.status), String(answer.status));
      assert.ok(await load());
      // A client that was refused sends it again; either way it counts exactly once.
      if (kind === "shard-slow" || kind === "shard-throw") assert.equal(answer.status, 202);
      if (answer.status === 503) assert.equal((await own.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }) })).status, 200);
      const exposures = async () => (await own.must("GET", "status")).slots[0].arms.reduce((n, arm) => n + arm.exposures, 0);
      await until(exposures, (n) => n >= 1, 20_000);
      await new Promise((done) => setTimeout(done, 2000));
      assert.equal(await exposures(), 1);
    }));
fault("ledger and queue both refuse: 503, the client keeps the event", () =>
  other({ queue: Object.assign(new Queue({ name: "edgeloom-overflow" }), { fault: "refuse" }) }, async (own) => {
    await own.publish({ ...CONFIG, privacy: { mode: "measured", consent: { cookie: "c", measured: "yes", personal: "all" } } });
    const load = async () => decisionsOf(await (await own.fetch("/", { headers: { ...BROWSER, cookie: "c=yes" } })).text());
    const { slots } = await until(load, (d) => d?.slots.hero.receipt);
    const events = [{ kind: "exposure", receipt: slots.hero.receipt }];
    const answer = await own.fetch("/_edgeloom/collect", { method: "POST", body: JSON.stringify({ events }), headers: { "x-edgeloom-fault": "shard-throw" } });
    assert.equal(answer.status, 503);
    assert.ok(answer.headers.get("retry-after"));
    assert.ok(await load());
  }));
fault("without secrets the site still works and the API stays shut", () =>
  other({ vars: { RECEIPT_KEYS: "", ADMIN_TOKENS: "" }, kv: withKv(stored) }, async (own) => {
    const answer = await own.fetch("/", { headers: BROWSER });
    assert.equal(answer.status, 200);
    assert.ok((await answer.text()).includes("</html>"));
    assert.ok([401, 403, 503].includes((await own.call("GET", "config")).status));
  }));

/** The body as it travels, after the head; nothing decoded. */
function rawBody(port, path) {
  return new Promise((done, fail) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\n\r\n`));
    const pieces = [];
    socket.on("data", (piece) => pieces.push(piece));
    socket.on("error", fail);
    socket.on("close", () => {
      const all = Buffer.concat(pieces);
      const at = all.indexOf("\r\n\r\n");
      const head = all.subarray(0, at).toString().toLowerCase();
      let rest = all.subarray(at + 4);
      if (!head.includes("transfer-encoding: chunked")) return done(rest);
      const whole = [];
      for (;;) {
        const end = rest.indexOf("\r\n");
        const size = parseInt(rest.subarray(0, end).toString(), 16);
        if (!size) return done(Buffer.concat(whole));
        whole.push(rest.subarray(end + 2, end + 2 + size));
        rest = rest.subarray(end + 4 + size);
      }
    });
  });
}
