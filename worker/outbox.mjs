// Events that the edge itself saw, on their way to the ledger: they travel in batches, behind the responses.

import { joined } from "./bytes.mjs";

/** One call to the ledger per second and isolate. */
const FLUSH_MILLIS = 1_000;
/** Of one call: some 1,600 events. Smaller calls cost more, and of a hundred views the slowest waits no less with them. */
const FLUSH_BYTES = 128 * 1024;
/** More than this waiting means the ledger has been gone for long; further ones are let go (they were never acknowledged). */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** A request that was cut off in the middle of sending frees its turn after this time. */
const SENDING_MILLIS = 15_000;

const waiting = [];
let waitingBytes = 0;
/** Bytes of those that were let go since the last call. */
let lostBytes = 0;
let sendingSince = 0;

/**
 * Keeps events for the next batch; the first ones of a batch see to its sending, after the response.
 *
 * @param {import("./page.mjs").View} view
 * @param {Uint8Array} events  in their binary form, one after another
 */
export function later({ env, ctx, engine }, events) {
  if (events.length === 0) return;
  // A copy: they are a part of something larger.
  if (waitingBytes < MAX_WAITING_BYTES) keep(events.slice());
  else lostBytes += events.length;
  if (Date.now() - sendingSince < SENDING_MILLIS) return;
  sendingSince = Date.now();
  ctx.waitUntil(flush(env, engine));
}

async function flush(env, engine) {
  await new Promise((done) => setTimeout(done, FLUSH_MILLIS));
  sendingSince = 0;
  if (lostBytes > 0) console.error("edge events were let go", lostBytes, "bytes; hint: more shards take more");
  lostBytes = 0;
  // What comes meanwhile waits its second: a call for a few events costs more than the events do.
  // Another flush may have taken what was due here.
  for (let due = waitingBytes; due > 0 && waiting.length > 0; ) {
    const events = next();
    due -= events.length;
    try {
      await engine.record(env, events);
    } catch (error) {
      // Every event has its key, so sending it again can't count it twice.
      console.error("edge events wait", events.length, "bytes", String(error));
      keep(events);
      return;
    }
  }
}

/** The events of one call, oldest first; a piece that is larger goes alone, and none grows with what failed before it. */
function next() {
  let bytes = 0;
  let n = 0;
  while (n < waiting.length && (n === 0 || bytes + waiting[n].length <= FLUSH_BYTES)) bytes += waiting[n++].length;
  waitingBytes -= bytes;
  return joined(waiting.splice(0, n));
}

/** Their order does not matter; those of a call that failed stay one piece. */
function keep(events) {
  waiting.push(events);
  waitingBytes += events.length;
}
