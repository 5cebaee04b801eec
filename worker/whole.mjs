// Pages that are there whole before their first byte leaves: short ones of a known length, which their origin had whole as
// well. They are cut and spliced at their first view, so they are parsed once, and what the parser says of them is known in time.

import { cut } from "./skeleton.mjs";
import { noteEnd, noteFailure } from "./unfit.mjs";
import { versionOf } from "./version.mjs";
import { noteUnclosed } from "./weave.mjs";

const MAX_HELD_BYTES = 256 * 1024;

/** Whether an answer is held back: a coded one tells the length of its coding only. */
export function isHeld({ body, headers }) {
  const length = Number(headers.get("content-length") ?? 0);
  return body !== null && length > 0 && length <= MAX_HELD_BYTES && !headers.has("content-encoding");
}

/**
 * Cuts an answer that is held back.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  of a kind that the runtime can rewrite
 * @param {ArrayBuffer} [bytes]  its body, where it was read
 * @returns {Promise<{ skeleton?: import("./skeleton.mjs").Skeleton, unread?: Response, isUnfit?: boolean }>}  without a skeleton the
 *   answer, still to be read, and whether it has to pass as it is
 */
export async function cutWhole(view, response, bytes) {
  const { slots } = view.plan;
  const version = versionOf(response, view.plan);
  const whole = bytes ?? (await response.arrayBuffer());
  const unread = () => new Response(whole, response);
  try {
    // The charset is in a header.
    const found = await cut(unread(), slots.map((slot) => slot.css), whole);
    if (!found) return { unread: unread() };
    const { unclosed, ...skeleton } = found;
    for (const slot of unclosed) noteUnclosed(view, slots[slot]);
    noteEnd(view, version);
    return { skeleton };
  } catch (error) {
    if (noteFailure(view, version, error)) return { unread: unread(), isUnfit: true };
    console.error("a page was not cut", String(error));
    return { unread: unread() };
  }
}
