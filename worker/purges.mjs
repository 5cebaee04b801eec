// What marketers and editors took back: copies of pages that are no longer shown. The root keeps the list (ledger/purges.rs),
// this reads it behind responses, as often as the snapshot, and lets go of what it names.

import { purge } from "./skeletons.mjs";
import { relearn as relearnPages } from "./slotless.mjs";
import { relearn as relearnSlots } from "./weave.mjs";

/** Seconds a data centre keeps the list; the platform's least. */
const CACHE_SECS = 30;
/** The list is read again after this time, unless FRESH_MILLIS says otherwise, as of the snapshot. */
const FRESH_MILLIS = 10_000;
/** So much longer it is believed: an isolate that nobody visited for a while may have missed a purge. */
const BELIEVED_MILLIS = 50_000;

/** Clocks of two places differ, and an origin that was asked before a purge may answer after it: by less than this. */
const CLOCK_MILLIS = 60_000;

/** When the list was asked for last; it has a clock of its own, as the snapshot is read by others too. */
let asked = 0;
/** Until when what is known of it is believed, milliseconds since the epoch. */
let believedUntil = 0;
/** The list as it was read last; nothing before. @type {Purge[] | undefined} */
let known;
/** Time of the newest purge that this isolate has followed, milliseconds since the epoch. */
let followed = 0;

/**
 * One purge: the pages it names, and when.
 *
 * @typedef {{ at: number, everything?: boolean, urls?: string[], prefixes?: string[], tags?: string[] }} Purge
 */

/**
 * Reads the list behind the response when it is time to, and follows what is new in it. What was kept here since then goes too:
 * it is only asked for again.
 */
export function followPurges({ env, ctx }) {
  const now = Date.now();
  const freshMillis = Number(env.FRESH_MILLIS) || FRESH_MILLIS;
  if (now - asked < freshMillis) return;
  asked = now;
  const reading = follow(env)
    .catch((error) => console.error("purges", String(error)))
    // Where it can't be read, nobody can take anything back.
    .then(() => (believedUntil = now + freshMillis + BELIEVED_MILLIS));
  ctx.waitUntil(reading);
}

/** Whether what is kept can have been taken back without this isolate knowing: then the origin has to be asked. */
export const arePurgesKnown = () => Date.now() < believedUntil;

/** Whether a page that its origin gave at a time, wherever that was, was taken back since, as far as one can know. */
export const isPurgedSince = (since, address, tags) => !known || known.some((one) => one.at > since - CLOCK_MILLIS && concerns(one, address, tags));

async function follow(env) {
  /** @type {Purge[] | null} */
  const list = await env.STATE.get(`site:${env.SITE || "main"}:purges:v1`, { type: "json", cacheTtl: CACHE_SECS });
  // An older one than that before: copies of it lag behind each other.
  if ((list?.at(-1)?.at ?? 0) < followed) return;
  known = list ?? [];
  for (const one of known) {
    if (one.at <= followed) continue;
    followed = one.at;
    purge((address, tags) => concerns(one, address, tags));
    relearnSlots();
    relearnPages();
  }
}

/** An address as browsers write it; a path stands for itself on every host. */
function written(word, address) {
  const url = URL.canParse(word, address) ? new URL(word, address) : undefined;
  return url === undefined ? word : word.startsWith("/") ? url.pathname + url.search : url.href;
}

/** Whether a purge names a page: by its whole address, by a beginning of it, with or without the host, or by a tag. */
export function concerns({ everything, urls, prefixes, tags }, address, tagged) {
  const path = address.slice(address.indexOf("/", 8));
  const isAt = (word, test) => test(word.startsWith("/") ? path : address, written(word, address));
  return Boolean(
    everything ||
      urls?.some((url) => isAt(url, (own, named) => own === named)) ||
      prefixes?.some((prefix) => isAt(prefix, (own, named) => own.startsWith(named))) ||
      tags?.some((tag) => tagged.includes(tag)),
  );
}
