// The skeletons of this isolate: which page may be spliced from what is kept, and until when. Bounded by bytes; the one
// used longest ago goes first. Those of a single view have a quarter of the room, or a crawler would push out what visitors read.
// What is kept here is the origin's own page, never what a visitor got.

import { LEASE_HEADERS, isFor, isStale, leaseOf, mayShare, varyOf, wantsOrigin } from "./freshness.mjs";
import { Recent } from "./recent.mjs";
import { noteSlotless } from "./slotless.mjs";
import { MAX_BYTES, cut, hasSlot } from "./skeleton.mjs";
import { noteFailure } from "./unfit.mjs";
import { versionOf } from "./version.mjs";
import { cutWhole } from "./whole.mjs";

/** Of the 128 MB an isolate has; a hundred pages of the median size of the web with room to spare. */
const MAX_TOTAL_BYTES = 24 * 1024 * 1024;
/** Of these, what pages of a single view may hold while others want the room. */
const MAX_NEW_BYTES = MAX_TOTAL_BYTES / 4;
/** An entry costs more than its literals: strings and headers, */
const ENTRY_BYTES = 4 * 1024;
/** and for each of its pieces an object and what is left of a mark. */
const ITEM_BYTES = 300;
/** Addresses whose last version is remembered: more pages than are kept, below 1 MB. */
const MAX_ADDRESSES = 2_000;

/** What is not kept of an answer's headers: it was about that one transfer. */
const TRANSFER_HEADERS = ["content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "set-cookie", "set-cookie2"];

/**
 * @typedef {object} Kept
 * @property {string} key
 * @property {import("./skeleton.mjs").Skeleton} skeleton
 * @property {Headers} headers  of the origin's answer; none where each view brings its own
 * @property {Headers} served  those of them that a personalised page may have
 * @property {string | null} csp  its content security policy
 * @property {import("./freshness.mjs").Lease | undefined} lease  without one it stands for answers with the same bytes alone
 * @property {number} askingSince  when somebody began to ask the origin behind a response
 * @property {boolean} isProven  it was of use to a second view
 */

/** By key, in the order of use. @type {{ entries: Map<string, Kept>, bytes: number }} */
const proven = { entries: new Map(), bytes: 0 };
/** Those of a single view. @type {{ entries: Map<string, Kept>, bytes: number }} */
const unproven = { entries: new Map(), bytes: 0 };
/**
 * By address: what its answers vary by, the version seen last, what it can be purged by, and whether it was too large.
 * @type {Map<string, { vary: string[], version: string | null, tags: string[], isLarge: boolean }>}
 */
const addresses = new Recent(MAX_ADDRESSES);
/** By address, when a visitor changed something there. @type {Map<string, number>} */
const changed = new Recent(MAX_ADDRESSES);
/** What was purged of late, and when: an answer that was asked for before may be what was meant. */
let purged = [];
/** A longer address costs more to remember than its page costs to parse. */
export const MAX_ADDRESS_CHARS = 2_048;
/** Keys that are being cut, with the time since when. @type {Map<string, number>} */
const cutting = new Recent(1_000);
/** Work behind a response ends by then; what was cut off with its request must not hold up the next one for ever. */
export const WORK_MILLIS = 30_000;

/** One page in one variant, which is told by values, for one set of slots. */
export function keyOf({ address, plan }, values) {
  let key = address;
  for (const value of values) key += `\n${value}`;
  return key + plan.places;
}

/**
 * What is kept of a page, fresh or not; nothing where this request must not be answered from it.
 *
 * @param {import("./page.mjs").View} view
 */
export function find(view) {
  const known = addresses.get(view.address);
  if (!known || !mayShare(view.request)) return undefined;
  addresses.set(view.address, known);
  const entry = lookUp(keyOf(view, valuesOf(view, known.vary)));
  return entry && isFor(view, entry.lease) ? entry : undefined;
}

const valuesOf = ({ request }, vary) => vary.map((name) => `${name}:${request.headers.get(name) ?? ""}`);

/** What is kept under a key. @returns {Kept | undefined} */
export const lookUp = (key) => proven.entries.get(key) ?? unproven.entries.get(key);

/**
 * Notes that a page serves one more view, and so is the one used last.
 *
 * @returns {boolean} whether it did for the first time since it was cut
 */
export function noteUse(entry) {
  const isFirst = !entry.isProven;
  // It may have been let go of while the origin was asked.
  if (lookUp(entry.key) === entry) {
    drop(entry.key);
    entry.isProven = true;
    put(entry);
  }
  return isFirst;
}

/** How a page that is kept may be used at this moment. @returns {"fresh" | "renew" | "ask"} */
export function standing(entry, request, now) {
  if (wantsOrigin(request, entry.lease, now)) return "ask";
  if (now < entry.lease.freshUntil) return "fresh";
  return now < entry.lease.renewUntil ? "renew" : "ask";
}

/** Whether it may stand in for an origin that fails. */
export function mayRescue(entry, now) {
  return now < entry.lease.rescueUntil;
}

/** Whether an answer of the origin is the page that is kept: because it says so, or by its tag. */
export function isSame(view, entry, response, now) {
  if (response.status === 304) return true;
  const tag = response.headers.get("etag");
  return tag !== null && tag === entry.headers.get("etag") && leaseOf(view, response, now) !== undefined;
}

/**
 * The page is still the same: the newer answer says how long it stands from now on. Its other headers are for the visitor who
 * asked, and stay out of what others are served.
 *
 * @returns {boolean} whether it is still kept
 */
export function renew(view, entry, response, now) {
  const { headers } = entry;
  // They were about the answer before.
  headers.delete("age");
  headers.delete("date");
  for (const name of LEASE_HEADERS) if (response.headers.has(name)) headers.set(name, response.headers.get(name));
  const lease = leaseOf(view, { status: 200, headers }, now);
  const isSameKey = entry.key === keyOf(view, valuesOf(view, varyOf(headers)));
  if (lease && isSameKey) entry.lease = lease;
  else drop(entry.key);
  // Somebody may have taken it back while the origin was asked.
  return lookUp(entry.key) === entry;
}

/** The headers of an answer that belong to the page and its visitor, not to the transfer or to caches. */
export function* ownHeaders(response) {
  for (const pair of response.headers) if (!TRANSFER_HEADERS.includes(pair[0]) && !isStale(pair[0]) && pair[0] !== "cache-control") yield pair;
}

/** What a page that was made for one visitor says of itself: no cache between may keep it, and the visitor's own asks each time. */
export const PERSONAL = "private, no-cache";

/** What every view of a kept page needs of its headers. */
function dressed(headers) {
  const served = new Headers(headers);
  for (const name of headers.keys()) if (isStale(name)) served.delete(name);
  served.set("cache-control", PERSONAL);
  return { headers, served, csp: headers.get("content-security-policy") };
}

/**
 * Notes an answer of an address.
 *
 * @returns {{ about: object, isSeen: boolean }}  what is known of the address, and whether this version was seen before
 */
function noted(view, answered) {
  const version = answered.get("etag") ?? answered.get("last-modified");
  const vary = varyOf(answered);
  const known = addresses.get(view.address);
  const isSeen = known?.version === version;
  const isSame = isSeen && String(known.vary) === String(vary);
  const about = isSame ? known : { vary, version, tags: tagsOf(answered), isLarge: isSeen && known.isLarge };
  if (view.address.length <= MAX_ADDRESS_CHARS) addresses.set(view.address, about);
  return { about, isSeen };
}

/** Without what was about that one transfer. */
function lasting(answered) {
  const headers = new Headers(answered);
  for (const name of TRANSFER_HEADERS) headers.delete(name);
  return headers;
}

/**
 * The skeleton of a page that is there whole; kept for the next view, where it may be.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  of a kind that the runtime can rewrite
 * @param {ArrayBuffer} bytes  its body
 * @param {import("./freshness.mjs").Lease} lease
 * @returns {Promise<Kept | undefined>}  nothing where it has to pass as it is
 */
export async function keepNow(view, response, bytes, lease) {
  const { about } = noted(view, response.headers);
  const skeleton = await cutWhole(view, response, bytes);
  if (!skeleton) return undefined;
  if (!hasSlot(skeleton)) {
    if (isForAll(about, lease)) noteSlotless(view, response, lease);
    return undefined;
  }
  const entry = { key: keyOf(view, valuesOf(view, about.vary)), skeleton, askingSince: 0, isProven: false, ...dressed(lasting(response.headers)), lease };
  if (isCurrent(view, about)) store(entry);
  return entry;
}

/** Whether an answer says of everybody what it says. */
const isForAll = ({ version, vary }, lease) => version !== null || (lease.forAll && vary.length === 0);

/**
 * Takes a copy of an answer that streams, once the same version came twice: an address that nobody visits again would be cut
 * for nothing.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  of a kind that the runtime can rewrite
 * @param {import("./freshness.mjs").Lease} lease
 * @returns {Promise<Kept | undefined> | undefined}  what is kept in the end; never rejected
 */
export function keepLater(view, response, lease) {
  const { headers: answered } = response;
  if (!response.body || view.address.length > MAX_ADDRESS_CHARS) return undefined;
  const { about, isSeen } = noted(view, answered);
  if (!isSeen || about.isLarge || Number(answered.get("content-length") ?? 0) > MAX_BYTES) return undefined;
  const key = keyOf(view, valuesOf(view, about.vary));
  const now = Date.now();
  if (now < (cutting.get(key) ?? 0) + WORK_MILLIS) return undefined;
  cutting.set(key, now);
  const headers = lasting(answered);
  const selectors = view.plan.slots.map((slot) => slot.css);
  const work = cut(response.clone(), selectors)
    .then((skeleton) => {
      about.isLarge = skeleton === undefined;
      if (!skeleton) return undefined;
      if (!hasSlot(skeleton)) return void (isForAll(about, lease) && noteSlotless(view, response, lease));
      // It is wanted: this is not its first view.
      return isCurrent(view, about) ? store({ key, skeleton, askingSince: 0, isProven: true, ...dressed(headers), lease }) : undefined;
    })
    .catch((error) => void (noteFailure(view, versionOf(response, view.plan), error) || console.error("a page was not cut", String(error))))
    .finally(() => cutting.delete(key));
  view.ctx.waitUntil(work);
  return work;
}

/** Keeps a page that was cut elsewhere. @returns {Kept} */
export function adopt(view, { skeleton, headers, lease }) {
  const version = headers.get("etag") ?? headers.get("last-modified");
  addresses.set(view.address, { vary: [], version, tags: tagsOf(headers), isLarge: false });
  return store({ key: keyOf(view, []), skeleton, askingSince: 0, isProven: true, lease, ...dressed(headers) });
}

/** A visitor changed something at this address: whoever comes next sees it (RFC 9111, 4.4). */
export function forget(address) {
  if (address.length <= MAX_ADDRESS_CHARS) changed.set(address, Date.now());
  if (addresses.has(address)) letGo((own) => own === address);
}

/**
 * Lets go of pages; also of those that are on their way or being cut at this moment.
 *
 * @param {(address: string, tags: string[]) => boolean} isNamed  by address and by what the origin calls them
 */
export function purge(isNamed) {
  const now = Date.now();
  purged = [...purged.filter(({ at }) => now - at < WORK_MILLIS), { at: now, isNamed }];
  letGo(isNamed);
}

/** Whether an answer is still what its address says: no other version came meanwhile, and nobody took it back since it was asked for. */
function isCurrent({ address, askedAt }, about) {
  const isTakenBack = (changed.get(address) ?? 0) >= askedAt || purged.some(({ at, isNamed }) => at >= askedAt && isNamed(address, about.tags));
  return addresses.get(address) === about && !isTakenBack;
}

function letGo(isNamed) {
  const named = new Set();
  for (const [key, { headers }] of [...proven.entries, ...unproven.entries]) {
    const address = key.slice(0, key.search(/[\n\0]/));
    if (!isNamed(address, tagsOf(headers))) continue;
    named.add(address);
    drop(key);
  }
  for (const [address, { tags }] of [...addresses]) if (named.has(address) || isNamed(address, tags)) addresses.delete(address);
}

/** The words by which an origin's answer can be purged, as the large caches name them. */
export function tagsOf(headers) {
  const words = (name, separator) => (headers.get(name) ?? "").split(separator);
  return [...words("cache-tag", /\s*,\s*/), ...words("surrogate-key", /\s+/)].map((word) => word.trim()).filter(Boolean);
}

const sizeOf = ({ skeleton, key }) => skeleton.bytes + ITEM_BYTES * skeleton.items.length + key.length + ENTRY_BYTES;

/** Keeps a page, in place of what was kept under its key. @returns {Kept} */
export function store(entry) {
  drop(entry.key);
  put(entry);
  while (proven.bytes + unproven.bytes > MAX_TOTAL_BYTES) {
    const { entries } = unproven.bytes > MAX_NEW_BYTES || proven.entries.size === 0 ? unproven : proven;
    drop(entries.keys().next().value);
  }
  return entry;
}

function put(entry) {
  const part = entry.isProven ? proven : unproven;
  part.entries.set(entry.key, entry);
  part.bytes += sizeOf(entry);
}

/** Lets go of what is kept under a key. */
export function drop(key) {
  const entry = lookUp(key);
  if (!entry) return;
  const part = entry.isProven ? proven : unproven;
  part.entries.delete(key);
  part.bytes -= sizeOf(entry);
}
