// What marketers and editors took back: copies of pages that are no longer shown. The root keeps the list (ledger/purges.rs),
// this reads it behind responses, as often as the snapshot, and lets go of what it names.

import { purge } from "./skeletons.mjs";

/** Seconds a data centre keeps the list; the platform's least. */
const CACHE_SECS = 30;

/** Time of the newest purge that this isolate has followed, milliseconds since the epoch. */
let followed = 0;

/**
 * One purge: the pages it names, and when.
 *
 * @typedef {{ at: number, everything?: boolean, urls?: string[], prefixes?: string[], tags?: string[] }} Purge
 */

/** Reads the list and follows what is new in it. What was kept here since then goes too: it is only asked for again. */
export async function followPurges(env) {
  /** @type {Purge[] | null} */
  const list = await env.STATE.get(`site:${env.SITE || "main"}:purges:v1`, { type: "json", cacheTtl: CACHE_SECS });
  for (const one of list ?? []) {
    if (one.at <= followed) continue;
    followed = one.at;
    purge((address, tags) => isNamed(one, address, tags));
  }
}

/** Whether a purge names a page: by its whole address, by a beginning of it, with or without the host, or by a tag. */
export function isNamed({ everything, urls, prefixes, tags }, address, tagged) {
  const path = address.slice(address.indexOf("/", 8));
  const isAt = (word, test) => test(word.startsWith("/") ? path : address);
  return Boolean(
    everything ||
      urls?.some((url) => isAt(url, (own) => own === url)) ||
      prefixes?.some((prefix) => isAt(prefix, (own) => own.startsWith(prefix))) ||
      tags?.some((tag) => tagged.includes(tag)),
  );
}
