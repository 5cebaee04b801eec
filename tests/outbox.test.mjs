// Events on their way to a ledger that is slow or down. A hand-made ledger, since what is shown is the order of things.

import assert from "node:assert/strict";
import { test } from "node:test";
import { later } from "../worker/outbox.mjs";

/** The bound of `outbox.mjs`. */
const CALL_BYTES = 128 * 1024;

const sleep = (millis) => new Promise((done) => setTimeout(done, millis));

/** A view of an isolate whose ledger does as `record` says; `work` is what goes on behind responses. */
function viewWith(record) {
  const work = [];
  return { work, env: {}, ctx: { waitUntil: (promise) => work.push(promise) }, engine: { record } };
}

test("two flushes at a time end, take each event once, and make no empty calls", async () => {
  const calls = [];
  const view = viewWith(async (_, events) => {
    if (calls.length > 1_000) throw new Error("it never ends");
    calls.push(events.length);
    await sleep(events.length > 0 ? 1_500 : 0);
  });
  for (let i = 0; i < 320; i++) later(view, new Uint8Array(800));
  await sleep(1_100);
  later(view, new Uint8Array(800));
  await Promise.all(view.work);
  assert.equal(calls.reduce((sum, length) => sum + length, 0), 321 * 800);
  assert.ok(calls.every((length) => length > 0 && length <= CALL_BYTES), String(calls));
});

test("calls that fail are tried again and do not grow", async () => {
  let isDown = true;
  let taken = 0;
  let largest = 0;
  const view = viewWith(async (_, events) => {
    largest = Math.max(largest, events.length);
    if (isDown) throw new Error("down");
    taken += events.length;
  });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 120; i++) later(view, new Uint8Array(800));
    await Promise.all(view.work);
  }
  isDown = false;
  later(view, new Uint8Array(800));
  await Promise.all(view.work);
  assert.equal(taken, 361 * 800);
  assert.ok(largest <= CALL_BYTES, String(largest));
});
