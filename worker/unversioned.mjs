// Pages whose origin names neither a version nor a life, or names them for one visitor alone: whether such a page is the one
// that was cut is seen by its bytes. So it is safe whoever asks: what is spliced is what the origin sent to this visitor.

import { mayCopy } from "./freshness.mjs";
import { hasSlot } from "./skeleton.mjs";
import { MAX_ADDRESS_CHARS, PERSONAL, keyOf, lookUp, noteUse, store } from "./skeletons.mjs";
import { cutWhole } from "./whole.mjs";

/**
 * The skeleton of an answer that is there whole: the one that is kept where its bytes are those, else a new one.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  that the runtime can rewrite
 * @param {ArrayBuffer} bytes  its body
 * @returns {Promise<import("./skeletons.mjs").Kept | undefined>}  nothing where it has to pass as it is
 */
export async function recognise(view, response, bytes) {
  const mayKeep = mayCopy(view.request, response) && view.address.length <= MAX_ADDRESS_CHARS;
  // The same bytes are other characters, and so other elements, in another charset.
  const key = keyOf(view, [`\0${response.headers.get("content-type")}`]);
  const known = mayKeep ? lookUp(key) : undefined;
  if (known && isMadeOf(known.skeleton, new Uint8Array(bytes))) {
    noteUse(known);
    return hasSlot(known.skeleton) ? known : undefined;
  }
  const skeleton = await cutWhole(view, response, bytes);
  if (!skeleton) return undefined;
  // Each view brings its own headers.
  const served = new Headers({ "cache-control": mayKeep ? PERSONAL : "private, no-store" });
  const entry = { key, skeleton, headers: new Headers(), served, csp: null, lease: undefined, askingSince: 0, isProven: false };
  if (mayKeep) store(entry);
  return hasSlot(skeleton) ? entry : undefined;
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
