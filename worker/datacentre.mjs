// Skeletons as the data centre keeps them, in the Cache API: what one isolate cut the others need not ask for and cut again.
// Only the origin's own page goes there, under the lease its origin gave, and nothing that depends on a visitor. Every read may
// fail or be late: then the page comes from the origin.

import { joined } from "./bytes.mjs";
import { isFor, mayShare } from "./freshness.mjs";
import { arePurgesKnown, isPurgedSince } from "./purges.mjs";
import { Recent } from "./recent.mjs";
import { MAX_ADDRESS_CHARS, adopt, keyOf, tagsOf } from "./skeletons.mjs";

const NAME = "edgeloom-skeletons";
/** The form in which a skeleton is written. */
const FORM = "v1";
const DIGEST_BYTES = 32;
/** A page that stands for less is asked for again before many could borrow it. */
const LEAST_LIFE_MILLIS = 10_000;
/** The origin is not asked before: near caches answer by then, and no visitor notices. */
const BORROW_MILLIS = 20;
/** What was not there, or was used up, is looked for again after this time. */
const ASK_AGAIN_MILLIS = 60_000;
const MAX_ADDRESSES = 2_000;

/** By address, when this isolate looked for it last, milliseconds since the epoch. @type {Map<string, number>} */
const asked = new Recent(MAX_ADDRESSES);
/** Where there is no cache at all, the first call says so. */
let isThere = true;

/** A name that no page has: what is below is answered by us. */
const nameOf = (address) => `${new URL(address).origin}/_edgeloom/skeletons/${FORM}?${encodeURIComponent(address)}`;

/** Whether it is worth looking here for a page that this isolate does not have. */
export function mayBorrow({ request, address }) {
  if (!isThere || address.length > MAX_ADDRESS_CHARS || !mayShare(request) || !arePurgesKnown()) return false;
  return Date.now() - (asked.get(address) ?? 0) > ASK_AGAIN_MILLIS;
}

/**
 * What another isolate cut of the page, now kept in this one as well.
 *
 * @param {import("./page.mjs").View} view
 * @returns {Promise<import("./skeletons.mjs").Kept | undefined>}
 */
export async function borrow(view) {
  asked.set(view.address, Date.now());
  const late = new Promise((done) => setTimeout(done, BORROW_MILLIS));
  const found = await Promise.race([read(view).catch(noted), late]);
  // Asked at the last moment: what is kept here is let go of by the purges that come from now on.
  if (!found || !isFor(view, found.lease) || isPurgedSince(found.lease.since, view.address, tagsOf(found.headers))) return undefined;
  return adopt(view, found);
}

/**
 * Gives other isolates what was cut or renewed here.
 *
 * @param {import("./page.mjs").View} view
 * @param {import("./skeletons.mjs").Kept} entry
 * @returns {Promise<void>}  never rejected
 */
export async function lend(view, { key, skeleton, headers, lease }) {
  const now = Date.now();
  // A variant by `Vary` is found only by whoever knows the names in it.
  if (!isThere || lease.freshUntil < now + LEAST_LIFE_MILLIS || key !== keyOf(view, [])) return;
  const items = skeleton.items.map((item) => (item instanceof Uint8Array ? item.length : [item.slot, item.end]));
  const about = { places: view.plan.places, lease, tag: skeleton.tag, headers: [...headers], items };
  const head = new TextEncoder().encode(JSON.stringify(about));
  const content = joined([new Uint8Array(Uint32Array.of(head.length).buffer), head, ...skeleton.items.filter((item) => item instanceof Uint8Array)]);
  const body = joined([await digestOf(content), content]);
  const seconds = Math.ceil((Math.max(lease.freshUntil, lease.renewUntil, lease.rescueUntil) - now) / 1_000);
  const response = new Response(body, { headers: { "cache-control": `public, max-age=${seconds}` } });
  await inCache((cache) => cache.put(nameOf(view.address), response)).catch(noted);
}

/** Takes a page back, as far as this data centre has it. */
export async function recall(address) {
  if (!isThere || address.length > MAX_ADDRESS_CHARS) return;
  asked.set(address, Date.now());
  await inCache((cache) => cache.delete(nameOf(address))).catch(noted);
}

const digestOf = async (content) => new Uint8Array(await crypto.subtle.digest("SHA-256", content));

async function inCache(run) {
  return run(await caches.open(NAME));
}

async function read({ address, plan }) {
  const response = await inCache((cache) => cache.match(nameOf(address)));
  if (!response) return undefined;
  const whole = new Uint8Array(await response.arrayBuffer());
  const bytes = whole.subarray(DIGEST_BYTES);
  // Whatever happened to it on the way, what is used is what was cut.
  const digest = await digestOf(bytes);
  if (!digest.every((byte, i) => byte === whole[i])) throw new Error("a skeleton was damaged");
  const at = 4 + new DataView(whole.buffer).getUint32(DIGEST_BYTES, true);
  const { items, lease, ...about } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, at)));
  const headers = new Headers(about.headers);
  if (about.places !== plan.places) return undefined;
  return { skeleton: { ...skeletonOf(items, bytes.subarray(at)), tag: about.tag }, headers, lease };
}

function skeletonOf(items, literals) {
  let bytes = 0;
  const piece = (length) => literals.slice(bytes, (bytes += length));
  return { items: items.map((item) => (Array.isArray(item) ? { slot: item[0], end: item[1] } : piece(item))), bytes };
}

function noted(error) {
  // The runtime's words where it was started without one.
  if (/no cache was configured/i.test(String(error))) isThere = false;
  else console.error("the cache of the data centre", String(error));
}
