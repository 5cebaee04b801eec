// Pages whose origin names neither a version nor a life, or names them for one visitor alone: whether such a page is the one
// that was cut is seen by its bytes. So it is safe whoever asks: what is spliced is what the origin sent to this visitor.

import { mayCopy } from "./freshness.mjs";
import { Recent } from "./recent.mjs";
import { MAX_ADDRESS_CHARS, PERSONAL, cutLater, drop, keyOf, lookUp } from "./skeletons.mjs";
import { isHeld } from "./unfit.mjs";
import { UNNAMED_VIEWS } from "./version.mjs";

/** So many views in a row of other bytes: the page is made for each visitor or moment. */
const MAX_MISSES = 2;
const MAX_ADDRESSES = 2_000;

/** By address: whether it was seen before, misses in a row, views to let pass. @type {Map<string, { misses: number, rest: number }>} */
const addresses = new Recent(MAX_ADDRESSES);

/**
 * The skeleton of an answer where its bytes are known.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  that the runtime can rewrite
 * @returns {Promise<{ entry?: import("./skeletons.mjs").Kept, unread: Response }>} `unread` is the answer, still to be read
 *   where there is no entry
 */
export async function recognise(view, response) {
  if (!isComparable(view, response)) return { unread: response };
  const known = addresses.get(view.address);
  if (!known) {
    addresses.set(view.address, { misses: 0, rest: 0 });
    return { unread: response };
  }
  if (known.rest > 0) {
    known.rest--;
    return { unread: response };
  }
  // The same bytes are other characters, and so other elements, in another charset.
  const key = keyOf(view, [`\0${response.headers.get("content-type")}`]);
  const entry = lookUp(key);
  if (!entry) {
    cutLater(view, response, key, () => ({ headers: new Headers(), served: new Headers({ "cache-control": PERSONAL }), csp: null }));
    return { unread: response };
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (isMadeOf(entry.skeleton, bytes)) {
    known.misses = 0;
    return { entry, unread: response };
  }
  known.misses++;
  if (known.misses >= MAX_MISSES) {
    drop(key);
    Object.assign(known, { misses: 0, rest: UNNAMED_VIEWS });
  }
  return { unread: new Response(bytes, response) };
}

/** Whether an answer may be kept, and is there whole: it is compared before its first byte leaves. */
function isComparable({ request, address }, response) {
  return response.body !== null && isHeld(response) && address.length <= MAX_ADDRESS_CHARS && mayCopy(request, response);
}

/** Whether a page is, byte by byte, the one that was cut. */
function isMadeOf({ items, bytes: length }, page) {
  if (page.length !== length) return false;
  let at = 0;
  for (const item of items) {
    if (!(item instanceof Uint8Array)) continue;
    // What others call timing-safe is here the runtime's own comparison of bytes, fifty times as fast as a loop.
    if (!crypto.subtle.timingSafeEqual(item, page.subarray(at, at + item.length))) return false;
    at += item.length;
  }
  return true;
}
