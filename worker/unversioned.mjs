// Pages whose origin names neither a version nor a life, or names them for one visitor alone: whether such a page is the one
// that was cut is seen by its bytes. So it is safe whoever asks: what is spliced is what the origin sent to this visitor.

import { mayCopy } from "./freshness.mjs";
import { Recent } from "./recent.mjs";
import { MAX_ADDRESS_CHARS, PERSONAL, drop, keyOf, lookUp, noteUse, store } from "./skeletons.mjs";
import { isDoubtful } from "./unfit.mjs";
import { UNNAMED_VIEWS, versionOf } from "./version.mjs";
import { cutWhole } from "./whole.mjs";

/** So many views in a row of other bytes: the page is made for each visitor or moment. */
const MAX_MISSES = 2;
const MAX_ADDRESSES = 2_000;

/** By address: misses in a row, views to let pass. @type {Map<string, { misses: number, rest: number }>} */
const addresses = new Recent(MAX_ADDRESSES);

/**
 * The skeleton of an answer that is held back: the one that is kept where its bytes are those, else a new one.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  that the runtime can rewrite
 * @returns {Promise<{ entry?: import("./skeletons.mjs").Kept, unread?: Response, isUnfit?: boolean }>}  without an entry the answer,
 *   still to be read, and whether it has to pass as it is
 */
export async function recognise(view, response) {
  if (!mayCopy(view.request, response) || view.address.length > MAX_ADDRESS_CHARS) return passing(view, response);
  const known = addresses.get(view.address) ?? { misses: 0, rest: 0 };
  addresses.set(view.address, known);
  if (known.rest > 0) {
    known.rest--;
    return { unread: response };
  }
  // The same bytes are other characters, and so other elements, in another charset.
  const key = keyOf(view, [`\0${response.headers.get("content-type")}`]);
  const entry = lookUp(key);
  const bytes = await response.arrayBuffer();
  if (entry && isMadeOf(entry.skeleton, new Uint8Array(bytes))) {
    known.misses = 0;
    noteUse(view, entry);
    return { entry };
  }
  if (entry && ++known.misses >= MAX_MISSES) {
    drop(key);
    Object.assign(known, { misses: 0, rest: UNNAMED_VIEWS });
    return { unread: new Response(bytes, response) };
  }
  const { skeleton, ...failed } = await cutWhole(view, response, bytes);
  return skeleton ? { entry: store({ key, skeleton, headers: new Headers(), isProven: false, ...withoutHeaders(PERSONAL) }) } : failed;
}

/** An answer of which no copy may stay: cut for this view alone where nothing is known of its page yet, else it streams. */
async function passing(view, response) {
  if (!isDoubtful(view, versionOf(response, view.plan))) return { unread: response };
  const { skeleton, ...failed } = await cutWhole(view, response);
  return skeleton ? { entry: { skeleton, ...withoutHeaders("private, no-store") } } : failed;
}

/** Each view brings its own headers. */
const withoutHeaders = (cacheControl) => ({ served: new Headers({ "cache-control": cacheControl }), csp: null, askingSince: 0 });

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
