// The skeletons of this isolate: which page may be spliced from what is kept, and until when. Bounded by bytes; the one
// used longest ago goes first. What is kept here is the origin's own page, never what a visitor got.

import { STALE_HEADERS, isFor, leaseOf, mayShare, varyOf, wantsOrigin } from "./freshness.mjs";
import { cut, MAX_BYTES } from "./skeleton.mjs";

/** Of the 128 MB an isolate has; a hundred pages of the median size of the web with room to spare. */
const MAX_TOTAL_BYTES = 24 * 1024 * 1024;
/** An entry costs more than its literals: strings, headers, positions. */
const ENTRY_BYTES = 4 * 1024;
/** Addresses whose last version is remembered. */
const MAX_ADDRESSES = 2_000;

/** What is not kept of an answer's headers: it was about that one transfer. */
const TRANSFER_HEADERS = ["content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "set-cookie", "set-cookie2"];
/** What a 304 says is taken over once in this time: a busy page without a life is asked about at each view. */
const RENEW_MILLIS = 1_000;

/**
 * @typedef {object} Kept
 * @property {string} key
 * @property {import("./skeleton.mjs").Skeleton} skeleton
 * @property {Headers} headers  of the origin's answer
 * @property {Headers} served  those of them that a personalised page may have
 * @property {string | null} csp  its content security policy
 * @property {number} renewedMillis  when the origin's headers were taken over last
 * @property {import("./freshness.mjs").Lease} lease
 * @property {number} askingSince  when somebody began to ask the origin behind a response
 */

/** By key, in the order of use. @type {Map<string, Kept>} */
const kept = new Map();
let total = 0;
/**
 * By address: what its answers vary by, the version seen last, and whether it was too large.
 * @type {Map<string, { vary: string[], version: string | null, isLarge: boolean }>}
 */
const addresses = new Map();
/** Keys that are being cut, with the time since when. @type {Map<string, number>} */
const cutting = new Map();
/** Work behind a response ends by then; what was cut off with its request must not hold up the next one for ever. */
export const WORK_MILLIS = 30_000;

/** One page in one variant, for one set of slots. */
function keyOf(request, address, vary, plan) {
  let key = address;
  for (const name of vary) key += `\n${request.headers.get(name) ?? ""}`;
  for (const slot of plan.slots) key += `\n${slot.css}`;
  return key;
}

/** What is kept of a page, fresh or not; nothing where this request must not be answered from it. */
export function find(request, address, plan) {
  const known = addresses.get(address);
  if (!known || !mayShare(request)) return undefined;
  const key = keyOf(request, address, known.vary, plan);
  const entry = kept.get(key);
  if (!entry || !isFor(request, entry.lease)) return undefined;
  kept.delete(key);
  kept.set(key, entry);
  return entry;
}

/** How a page that is kept may be used at this moment. @returns {"fresh" | "renew" | "ask"} */
export function standing(entry, request, now) {
  if (wantsOrigin(request)) return "ask";
  if (now < entry.lease.freshUntil) return "fresh";
  return now < entry.lease.renewUntil ? "renew" : "ask";
}

/** Whether it may stand in for an origin that fails. */
export function mayRescue(entry, now) {
  return now < entry.lease.rescueUntil;
}

/** Whether an answer of the origin is the page that is kept: because it says so, or by its tag. */
export function isSame(entry, response) {
  if (response.status === 304) return true;
  const tag = response.status === 200 ? response.headers.get("etag") : null;
  return tag !== null && tag === entry.headers.get("etag");
}

/** The page is still the same: the headers of the newer answer replace those kept, and say how long it stands from now on. */
export function renew(entry, request, response, now) {
  if (now < entry.renewedMillis + RENEW_MILLIS) return;
  const { headers } = entry;
  for (const [name, value] of response.headers) if (!TRANSFER_HEADERS.includes(name)) headers.set(name, value);
  const lease = leaseOf(request, { status: 200, headers }, now);
  if (!lease) return drop(entry.key);
  Object.assign(entry, dressed(headers), { lease, renewedMillis: now });
}

/** What every view of a kept page needs of its headers. */
function dressed(headers) {
  const served = new Headers(headers);
  for (const name of STALE_HEADERS) served.delete(name);
  served.set("cache-control", "private, no-store");
  return { headers, served, csp: headers.get("content-security-policy") };
}

/**
 * Takes a copy of an answer where a skeleton of it is allowed and worth it: at once where the origin grants it a life, else
 * when the same version came twice (a page that is made anew for each view would be cut for nothing).
 *
 * @returns {Promise<void> | undefined}  the work of cutting, to be kept alive behind the response
 */
export function keep(request, address, response, plan, now) {
  const lease = leaseOf(request, response, now);
  const version = response.headers.get("etag");
  const known = addresses.get(address);
  if (!lease) return undefined;
  if (!known && addresses.size >= MAX_ADDRESSES) addresses.clear();
  const vary = varyOf(response.headers);
  const about = { vary, version, isLarge: known?.isLarge === true && known.version === version };
  addresses.set(address, about);
  if (lease.freshUntil <= now && known?.version !== version) return undefined;
  if (about.isLarge || Number(response.headers.get("content-length") ?? 0) > MAX_BYTES) return undefined;
  const key = keyOf(request, address, vary, plan);
  if (now < (cutting.get(key) ?? 0) + WORK_MILLIS) return undefined;
  cutting.set(key, now);
  const copy = response.clone();
  const headers = new Headers(response.headers);
  for (const name of TRANSFER_HEADERS) headers.delete(name);
  const selectors = plan.slots.map((slot) => slot.css);
  return cut(copy, selectors)
    .then((skeleton) => {
      about.isLarge = skeleton === undefined;
      if (skeleton) store({ key, skeleton, ...dressed(headers), lease, renewedMillis: now, askingSince: 0 });
    })
    .catch((error) => console.error("a page was not cut", String(error)))
    .finally(() => cutting.delete(key));
}

const sizeOf = (entry) => entry.skeleton.bytes + entry.key.length + ENTRY_BYTES;

function store(entry) {
  drop(entry.key);
  kept.set(entry.key, entry);
  total += sizeOf(entry);
  for (const oldest of kept.keys()) {
    if (total <= MAX_TOTAL_BYTES) break;
    drop(oldest);
  }
}

function drop(key) {
  const entry = kept.get(key);
  if (!entry) return;
  kept.delete(key);
  total -= sizeOf(entry);
}
