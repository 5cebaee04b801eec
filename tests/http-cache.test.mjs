// What caches and their clients expect of everything on the way between them: http-cache-tests through our Worker and
// through a plain proxy Worker. Ours is worse in no case.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import handleConfig from "http-cache-tests/server/handle-config.mjs";
import handleState from "http-cache-tests/server/handle-state.mjs";
import handleTest from "http-cache-tests/server/handle-test.mjs";
import { PROXY, bundleOf } from "./support/bundle.mjs";
import { path } from "./support/paths.mjs";
import { BROWSER, CONFIG, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

/** Below this path every page has a slot. */
const FILLED = "/filled";
const SLOT = '<edge-slot name="hero">default</edge-slot>';
const config = { ...CONFIG, slots: CONFIG.slots.map((slot) => ({ ...slot, paths: [`${FILLED}/*`] })) };
/** As many as the pinned version has for what is no browser. */
const CASES = 350;
const HANDLERS = { config: handleConfig, state: handleState, test: handleTest };

let server;
let plain;
let ours;
before(async () => {
  server = createServer((request, response) => {
    if (request.url.startsWith(`${FILLED}/test/`)) {
      const end = response.end.bind(response);
      response.end = (page) => end(page === undefined ? page : page + SLOT);
    }
    const [, name, ...rest] = new URL(request.url.replace(FILLED, ""), "http://origin").pathname.split("/");
    if (HANDLERS[name]) return HANDLERS[name](rest, request, response);
    response.setHeader("content-type", "text/html").end(SLOT);
  });
  // A connection that a Worker keeps open must not be closed under its next request, for which the suite lets it wait three
  // seconds; and one case has an answer that only ends with its connection.
  server.keepAliveTimeout = 10_000;
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${server.address().port}`;
  plain = await start({ origin, bundle: bundleOf(PROXY) });
  ours = await start({ origin });
  await ours.publish(config);
  await until(async () => decisionsOf(await (await ours.fetch(`${FILLED}/`, { headers: BROWSER })).text()), Boolean);
});
after(async () => {
  await plain?.stop();
  await ours?.stop();
  server?.closeAllConnections();
  server?.close();
});

/** The results of a run: by case, `true` or what was wrong. */
function run(worker, kind) {
  const url = kind === "filled" ? worker.url + FILLED : worker.url;
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [path("tests/support/http-cache-run.mjs"), url, kind], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.on("data", (piece) => (text += piece));
    child.once("exit", (code) => (code === 0 ? done(JSON.parse(text)) : fail(new Error(`http-cache-tests ended with ${code}`))));
  });
}

/** Runs a kind through both; the cases in which ours is worse. */
async function compare(kind) {
  const [theirs, own] = await Promise.all([run(plain, kind), run(ours, kind)]);
  const names = Object.keys(theirs);
  assert.equal(names.length, CASES);
  assert.deepEqual(Object.keys(own), names);
  const better = names.filter((name) => own[name] === true && theirs[name] !== true);
  const worse = names.filter((name) => own[name] !== true && theirs[name] === true);
  const equal = names.length - better.length - worse.length;
  console.log(`http-cache-tests, ${kind}: ${names.length} cases, ${equal} equal, ${better.length} better, ${worse.length} worse than a plain proxy`);
  return Object.fromEntries(worse.map((name) => [name, own[name].join(": ")]));
}

test("answers that are no pages: no case is worse than through a plain proxy", async () => {
  assert.deepEqual(await compare("answers"), {});
});

test("pages without slots: no case is worse than through a plain proxy", async () => {
  assert.deepEqual(await compare("pages"), {});
});

/** What a page that is made for its visitor can't do, and why that is no loss. */
const DIFFERENT = {
  // The visitor's copy was made for that visitor: the origin would answer for the page without its blocks.
  "conditional-etag-forward": /If-None-Match is "undefined"/,
  // As would be said of that copy.
  "conditional-lm-stale": /status is 200, not 304/,
  // It would tell the caches in front that they may keep the page.
  "surrogate-remove-header": /Surrogate-Control is "null"/,
};

test("pages with a slot differ in what must differ, and in nothing else", async () => {
  const worse = await compare("filled");
  assert.deepEqual(Object.keys(worse).sort(), Object.keys(DIFFERENT).sort(), JSON.stringify(worse));
  for (const [name, wrong] of Object.entries(DIFFERENT)) assert.match(worse[name], wrong);
});
