// Events that the edge itself saw, on their way to the ledger: they travel in batches, behind the responses.

/** One call to the ledger per second and isolate. */
const FLUSH_MILLIS = 1_000;
/** Pieces of one call. Of a hundred views the slowest waits no less with calls of 100, and those cost more. */
const FLUSH_PIECES = 400;
/** More than this waiting means the ledger has been gone for long; further ones are let go (they were never acknowledged). */
const MAX_WAITING = 20_000;
/** A request that was cut off in the middle of sending frees its turn after this time. */
const SENDING_MILLIS = 15_000;

const waiting = [];
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
  if (waiting.length < MAX_WAITING) waiting.push(events.slice());
  if (Date.now() - sendingSince < SENDING_MILLIS) return;
  sendingSince = Date.now();
  ctx.waitUntil(flush(env, engine));
}

async function flush(env, engine) {
  await new Promise((done) => setTimeout(done, FLUSH_MILLIS));
  sendingSince = 0;
  // What comes meanwhile waits its second: a call for a few events costs more than the events do.
  for (let due = waiting.length; due > 0; due -= FLUSH_PIECES) {
    const batch = waiting.splice(0, Math.min(due, FLUSH_PIECES));
    try {
      await engine.record(env, joined(batch));
    } catch (error) {
      // Every event has its key, so sending it again can't count it twice.
      console.error("edge events wait", batch.length, String(error));
      waiting.unshift(...batch);
      return;
    }
  }
}

/** Pieces of bytes in one. */
export function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
