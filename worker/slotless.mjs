// Pages in which none of their slots stands: they pass as the origin sent them, with its tag, its life and its answers to the
// visitor's conditions, so that whatever may keep them still does. Known only of pages that are the same for everybody, once
// they were cut; another version, or other slots, are looked at anew.

import { Recent } from "./recent.mjs";
import { nameOf } from "./version.mjs";

const MAX_PAGES = 2_000;

/** By address and slots: the version, and until when it stands, milliseconds. @type {Map<string, { version: string, until: number }>} */
const pages = new Recent(MAX_PAGES);

const keyOf = ({ address, plan }) => address + plan.places;

/** Notes that a page has no slot; one that names no version may get its first one when its life is over. */
export function noteSlotless(view, response, lease) {
  const version = nameOf(response);
  pages.set(keyOf(view), { version, until: version === "" ? lease.freshUntil : Infinity });
}

/** Whether the page asked for had no slot when it was seen last: nothing of the request has to change. */
export const wasSlotless = (view) => pages.has(keyOf(view));

/** Whether an answer is that page still. */
export function isSlotless(view, response) {
  const key = keyOf(view);
  const known = pages.get(key);
  if (!known) return false;
  if (known.version === nameOf(response) && Date.now() < known.until) return true;
  pages.delete(key);
  return false;
}

/** Forgets which pages had no slot: somebody says that pages were changed. */
export const relearn = () => pages.clear();
