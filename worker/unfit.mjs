// Pages that the runtime's rewriter does not get through. Where markup can be read in two ways (a `<style>` in a `<select>`),
// or elements are nested by the ten thousand, it gives up, and the page ends there. Such a page passes as it is, and is tried
// again only behind a response, where nobody waits for it.
//
// A short page is through before its first byte leaves (whole.mjs). A stream that fails tells nobody: it is the runtime that
// sends it. So one in doubt gets to the rewriter through a pipe of the runtime's own, which ends with what ended the rewriter;
// no byte of it is touched here. The pipe costs a tenth of a view, so a page that came to its end goes without, until views of
// it begin and none ends.

import { Recent } from "./recent.mjs";
import { UNNAMED_VIEWS, isNamed, versionOf } from "./version.mjs";

/** A longer page is not tried: that reads faster than a visitor, and what that visitor has not read yet is kept in memory. */
const MAX_TRIED_BYTES = 8 * 1024 * 1024;
/** A trial that was cut off with its request must not hold up the next one for ever. */
const TRIAL_MILLIS = 30_000;
const MAX_ADDRESSES = 1_000;

/** By address. @type {Map<string, { version: string, left: number, tryingSince: number }>} */
const unfit = new Recent(MAX_ADDRESSES);
/**
 * By address, a page that came to its end: its version, how often that one did, and since when views have begun of which none
 * ended; 0 where the last one did.
 *
 * @type {Map<string, { version: string, ends: number, since: number }>}
 */
const ended = new Recent(MAX_ADDRESSES);
/** Most pages are through by then, and where many are asked for one always ends: only then it costs anything to be wrong. */
const UNENDED_MILLIS = 1_000;

/**
 * By address, views through the pipe since one came to its end, and when the first and the last of them began: where the
 * connection goes first, what ended it is not always told.
 *
 * @type {Map<string, { n: number, since: number, at: number }>}
 */
const begun = new Recent(MAX_ADDRESSES);
/** So many of them, and the page is taken for one that has no end; it is tried again like any other. */
const UNENDED_VIEWS = 3;
/** Where somebody always looks, none has to be the last: a page that takes its origin longer is rare. */
const UNENDED_ALL_MILLIS = 5_000;

/** The rewriter's own words; an origin that breaks off or a visitor who leaves is told otherwise, and says nothing of the page. */
const isItsFailure = (error) => /^Parser error\b/.test(error?.message ?? "");

/** Whether the page of the view that begins may not come to its end. */
export function isDoubtful({ address }, version) {
  const known = ended.get(address);
  if (!known) return true;
  // A page that is another at each view would be in doubt for ever.
  if (known.version !== version && known.ends > 1) return true;
  const now = Date.now();
  if (known.since === 0) known.since = now;
  return now - known.since > UNENDED_MILLIS;
}

/** Notes a page that came to its end. */
export function noteEnd({ address }, version) {
  begun.delete(address);
  const known = ended.get(address);
  if (known) {
    known.ends = known.version === version ? known.ends + 1 : 1;
    known.version = version;
    known.since = 0;
    return;
  }
  ended.set(address, { version, ends: 1, since: 0 });
}

/**
 * Notes a page that did not get through the rewriter.
 *
 * @param {import("./page.mjs").View} view
 * @param {string} version
 * @param {unknown} error  what ended it
 * @returns {boolean} whether it was the page's fault
 */
export function noteFailure({ address }, version, error) {
  if (!isItsFailure(error)) return false;
  give(address, version, isNamed(version) ? Infinity : UNNAMED_VIEWS, error.message.split("\n", 1)[0]);
  return true;
}

/** From now on the page is given as it is. */
function give(address, version, left, why) {
  unfit.set(address, { version, left, tryingSince: 0 });
  begun.delete(address);
  console.error("a page can't be rewritten and stays as it is", new URL(address).pathname, why);
}

/**
 * Whether a page has to pass as it is; one that may have changed is tried again meanwhile.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  stays readable
 */
export function isUnfit(view, response) {
  const unended = begun.get(view.address);
  const now = Date.now();
  if (unended && unended.n >= UNENDED_VIEWS && (now - unended.at > UNENDED_MILLIS || now - unended.since > UNENDED_ALL_MILLIS)) {
    give(view.address, versionOf(response, view.plan), UNNAMED_VIEWS, `${unended.n} views never ended`);
  }
  const known = unfit.get(view.address);
  if (!known) return false;
  const version = versionOf(response, view.plan);
  const mayHaveChanged = known.version !== version || known.left-- <= 0;
  if (mayHaveChanged && response.body && Date.now() >= known.tryingSince + TRIAL_MILLIS) {
    known.tryingSince = Date.now();
    view.ctx.waitUntil(tryAgain(view, response.clone(), known, version));
  }
  return true;
}

async function tryAgain({ address }, response, known, version) {
  try {
    // Which slots are looked for hardly matters: any handler makes the rewriter read all of the page.
    const rewriter = new HTMLRewriter().on("*", { element() {} });
    let length = 0;
    for await (const piece of rewriter.transform(response).body) {
      length += piece.length;
      if (length > MAX_TRIED_BYTES) throw new Error("too long to be tried");
    }
    if (unfit.get(address) === known) unfit.delete(address);
  } catch (error) {
    // Still the same, as far as one can tell.
    if (isItsFailure(error)) known.version = version;
    known.left = isNamed(version) ? Infinity : UNNAMED_VIEWS;
  } finally {
    known.tryingSince = 0;
  }
}

/**
 * An answer that streams through the rewriter, with its failure seen: it breaks off, and that is noted.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  with a body; consumed
 * @param {HTMLRewriter} rewriter
 * @param {string} version
 * @returns {Response}
 */
export function tried(view, response, rewriter, version) {
  const now = Date.now();
  const { n, since } = begun.get(view.address) ?? { n: 0, since: now };
  begun.set(view.address, { n: n + 1, since, at: now });
  const { readable, writable } = new IdentityTransformStream();
  // Origins that break off and visitors who leave end it as well.
  view.ctx.waitUntil(response.body.pipeTo(writable).catch((error) => noteFailure(view, version, error)));
  return rewriter.transform(new Response(readable, response));
}
