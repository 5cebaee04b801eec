// The tools of the other tests: what they report must be true.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./support/load.mjs";
import { html, startOrigin } from "./support/origin.mjs";
import { median } from "./support/report.mjs";

test("the load generator reads answers of known length and in chunks", async () => {
  const origin = await startOrigin({ "/whole": html("x".repeat(100_000)), "/pieces": html(["ab", "", "c".repeat(70_000)]) });
  for (const [path, length] of [["/whole", 100_000], ["/pieces", 70_002]]) {
    const bodies = [];
    const result = await load({ url: origin.url, requests: 50, connections: 4, request: { path }, onAnswer: (_, body) => bodies.push(body.length) });
    assert.deepEqual(result.statuses, { 200: 50 });
    assert.equal(result.errors, 0);
    assert.deepEqual(bodies, Array(50).fill(length));
  }
  await origin.close();
});

test("the load generator sends what each request says, once", async () => {
  const origin = await startOrigin({ "*": (request) => ({ body: request.body }) });
  const request = (i) => ({ method: "POST", path: `/${i}`, headers: { "content-type": "text/plain" }, body: `event ${i}` });
  await load({ url: origin.url, requests: 40, connections: 8, request, onAnswer: (_, body, i) => assert.equal(body.toString(), `event ${i}`) });
  assert.deepEqual(new Set(origin.requests.map(({ path }) => path)).size, 40);
  assert.equal(origin.requests.length, 40);
  await origin.close();
});

test("the load generator counts requests without an answer as errors", async () => {
  const origin = await startOrigin({ "/": { ...html(["a".repeat(500), "b".repeat(500)]), cutAfterBytes: 700 } });
  const cut = await load({ url: origin.url, requests: 10, connections: 3 });
  assert.deepEqual([cut.requests, cut.errors], [0, 10]);
  await origin.die();
  const dead = await load({ url: origin.url, requests: 10, connections: 3 });
  assert.deepEqual([dead.requests, dead.errors], [0, 10]);
});

test("an origin dies and comes back on the same port", async () => {
  const origin = await startOrigin({ "/": html("here") });
  assert.equal(await (await fetch(origin.url)).text(), "here");
  await origin.die();
  await assert.rejects(() => fetch(origin.url));
  await origin.revive();
  assert.equal(await (await fetch(origin.url)).text(), "here");
  await origin.close();
});

test("an origin compresses, garbles and sends raw bytes", async () => {
  const origin = await startOrigin({
    "/br": { ...html("packed"), encoding: "br" },
    "/garbled": { ...html("packed"), encoding: "gzip", garbled: true },
    "/raw": { raw: "HTTP/1.1 299 Odd\r\ncontent-length: 2\r\n\r\nhi" },
  });
  assert.equal(await (await fetch(`${origin.url}/br`)).text(), "packed");
  await assert.rejects(async () => (await fetch(`${origin.url}/garbled`)).text());
  assert.equal((await fetch(`${origin.url}/raw`)).status, 299);
  await origin.close();
});

test("the median of an even number of values lies between the two in the middle", () => {
  assert.equal(median([9, 1, 2, 4]), 3);
  assert.equal(median([5, 1, 3]), 3);
});
