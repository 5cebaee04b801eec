// Pages that are there whole before their first byte leaves: short ones of a known length, which their origin had whole as
// well. They are cut and spliced at every view that is not served from what is kept, so what the parser says of them, and what
// its failure would cost, is known in time: such a page passes as it is.

import { cut } from "./skeleton.mjs";
import { noteFailure } from "./unfit.mjs";
import { versionOf } from "./version.mjs";
import { noteUnclosed } from "./weave.mjs";

/** Twice the HTML of nine sites in ten; a longer page takes its origin so long that a visitor would notice the wait. */
const MAX_BYTES = 256 * 1024;

/** Whether an answer is there whole: a coded one tells the length of its coding only. */
export function isWhole({ body, headers }) {
  const length = Number(headers.get("content-length") ?? 0);
  return body !== null && length > 0 && length <= MAX_BYTES && !headers.has("content-encoding");
}

/**
 * Cuts an answer that is there whole.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response  of a kind that the runtime can rewrite
 * @param {ArrayBuffer} bytes  its body
 * @returns {Promise<import("./skeleton.mjs").Skeleton | undefined>}  nothing where it has to pass as it is
 */
export async function cutWhole(view, response, bytes) {
  const { slots } = view.plan;
  try {
    // The charset is in a header.
    const found = await cut(new Response(bytes, response), slots.map((slot) => slot.css), bytes);
    if (!found) return undefined;
    const { unclosed, ...skeleton } = found;
    for (const slot of unclosed) noteUnclosed(view, slots[slot]);
    return skeleton;
  } catch (error) {
    if (!noteFailure(view, versionOf(response, view.plan), error)) console.error("a page was not cut", String(error));
    return undefined;
  }
}
