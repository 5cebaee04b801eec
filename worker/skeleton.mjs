// A page cut at its slots: literal bytes and the slots between them. The runtime's own parser finds them once, by marks it
// leaves around their contents; every later view is spliced together without parsing. It decides nothing and keeps nothing.

import { joined } from "./outbox.mjs";
import { isPlace } from "./weave.mjs";

/** A larger page is not worth the memory: it streams. */
export const MAX_BYTES = 1024 * 1024;

/**
 * @typedef {object} Skeleton
 * @property {(Uint8Array | { slot: number, end: number })[]} items  literals, and where the content of a slot begins; `end` is
 *   the position behind that content
 * @property {number} bytes  length of all literals
 * @property {string} tag  stands for the bytes of the page: equal ones have equal tags, in every isolate
 */

/**
 * Cuts a page, or nothing where it is too large or breaks off. Its elements keep their content: which slots are filled is
 * known only at each view.
 *
 * @param {Response} response  consumed
 * @param {string[]} selectors  one per slot
 * @returns {Promise<Skeleton | undefined>}
 */
export async function cut(response, selectors) {
  // Nobody can know it beforehand, so no page can contain it.
  const secret = crypto.randomUUID();
  const rewriter = new HTMLRewriter();
  let n = 0;
  selectors.forEach((css, slot) => {
    try {
      rewriter.on(css, { element: (element) => mark(element, secret, slot, n++) });
    } catch {
      // The slot stays as it is, as it does where pages stream.
    }
  });
  const bytes = await read(rewriter.transform(response));
  if (!bytes) return undefined;
  const skeleton = parse(bytes, secret);
  return { ...skeleton, tag: await tagOf(skeleton) };
}

/** 96 bits of a hash of the page. */
async function tagOf({ items }) {
  const hash = await crypto.subtle.digest("SHA-256", joined(items.filter((item) => item instanceof Uint8Array)));
  return Array.from(new Uint8Array(hash, 0, 12), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Marks both ends of an element's content; one without an end, or ended by its parent, gets no second mark and stays as it is. */
function mark(element, secret, slot, n) {
  if (!isPlace(element)) return;
  try {
    const { tagName } = element;
    element.onEndTag((end) => {
      if (end.name === tagName) end.before(`<!--${secret}>${n}-->`, { html: true });
    });
    element.prepend(`<!--${secret}<${n},${slot}-->`, { html: true });
  } catch {
    // An element that can't have content, such as an image.
  }
}

async function read(response) {
  const pieces = [];
  let length = 0;
  for await (const piece of response.body) {
    length += piece.length;
    if (length > MAX_BYTES) return undefined;
    pieces.push(piece);
  }
  return joined(pieces);
}

/** From marked bytes to literals and slots. */
export function parse(bytes, secret) {
  // One character per byte, so that positions are those of the bytes.
  const text = new TextDecoder("windows-1252").decode(bytes);
  const marks = [...text.matchAll(new RegExp(`<!--${secret}([<>])(\\d+)(?:,(\\d+))?-->`, "g"))];
  const ends = new Set(marks.filter(([, side]) => side === ">").map(([, , n]) => n));
  const items = [];
  const open = [];
  let at = 0;
  let total = 0;
  const literal = (end) => {
    // A copy: the marked bytes are not kept.
    if (end > at) items.push(bytes.slice(at, end));
    total += end - at;
  };
  for (const { 0: whole, 1: side, 2: n, 3: slot, index } of marks) {
    literal(index);
    at = index + whole.length;
    if (side === "<" && ends.has(n)) {
      const item = { slot: Number(slot), end: 0 };
      open.push({ n, item });
      items.push(item);
    } else if (side === ">" && open.at(-1)?.n === n) {
      open.pop().item.end = items.length;
    }
  }
  literal(bytes.length);
  // What is still open was closed out of order: it stays as it is.
  return { items: open.length === 0 ? items : without(items, open), bytes: total };
}

function without(items, open) {
  const dropped = new Set(open.map(({ item }) => item));
  const kept = items.filter((item) => !dropped.has(item));
  const shift = (end) => end - items.slice(0, end).filter((item) => dropped.has(item)).length;
  for (const item of kept) if (!(item instanceof Uint8Array)) item.end = shift(item.end);
  return kept;
}

/**
 * The page with its slots filled; a slot without HTML keeps its content, one inside a filled one is gone.
 *
 * @param {Skeleton} skeleton
 * @param {{ html: Uint8Array, seen: boolean }[]} slots  `seen` is set where the slot is on the page
 * @param {() => Uint8Array} tailOf  the end of the page once it is known which slots were seen; asked where there is one
 * @returns {Uint8Array}
 */
export function splice(skeleton, slots, tailOf) {
  const pieces = [];
  let length = 0;
  let found = false;
  const { items } = skeleton;
  for (let i = 0; i < items.length; ) {
    const item = items[i++];
    if (item instanceof Uint8Array) {
      pieces.push(item);
      length += item.length;
      continue;
    }
    const slot = slots[item.slot];
    slot.seen = found = true;
    if (slot.html.length === 0) continue;
    pieces.push(slot.html);
    length += slot.html.length;
    i = item.end;
  }
  if (found) {
    const tail = tailOf();
    pieces.push(tail);
    length += tail.length;
  }
  const page = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    page.set(piece, at);
    at += piece.length;
  }
  return page;
}
