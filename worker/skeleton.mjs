// A page cut at its slots: literal bytes and the slots between them. The runtime's own parser finds them once, by marks it
// leaves around their contents; every later view is spliced together without parsing. It decides nothing and keeps nothing.

import { joined } from "./bytes.mjs";
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

/** Whether a slot is anywhere on a page. */
export const hasSlot = ({ items }) => items.some((item) => "slot" in item);

/** No page has this character, or next to none: what starts with it is found at the speed of memory. */
const SIGN = "\x1a";
const DASH = "-".charCodeAt(0);
const MARK = /^<!--\x1a([\da-f-]{36})([<>])(\d+)(?:,(\d+))?-->/;
const decoder = new TextDecoder("windows-1252");
const encoder = new TextEncoder();
/** A mark with its secret and numbers is shorter. */
const MAX_MARK_BYTES = 80;
/** A page with more of them is no page with slots: its selectors name what it is made of. */
const MAX_ITEMS = 5_000;

/**
 * Cuts a page, or nothing where it is too large or full of slots. Its elements keep their content: which slots are filled is
 * known only at each view.
 *
 * @param {Response} response  consumed
 * @param {string[]} selectors  one per slot
 * @param {ArrayBuffer} [whole]  its body, where that was read before
 * @returns {Promise<(Skeleton & { unclosed: number[] }) | undefined>}  `unclosed` are slots with an element that nobody closes:
 *   it stays as it is
 */
export async function cut(response, selectors, whole) {
  // Nobody can know it beforehand, so no page can contain it.
  const secret = crypto.randomUUID();
  const rewriter = new HTMLRewriter();
  const names = [];
  selectors.forEach((css, slot) => {
    try {
      rewriter.on(css, { element: (element) => mark(element, secret, slot, names) });
    } catch {
      // The slot stays as it is, as it does where pages stream.
    }
  });
  const marked = rewriter.transform(response);
  const bytes = whole ? new Uint8Array(await marked.arrayBuffer()) : await read(marked);
  if (!bytes || bytes.length > MAX_BYTES) return undefined;
  const skeleton = parse(bytes, secret, names);
  if (skeleton.items.length > MAX_ITEMS) return undefined;
  return { ...skeleton, tag: await tagOf(whole ?? joined(skeleton.items.filter((item) => item instanceof Uint8Array))) };
}

/** 96 bits of a hash of the page. */
async function tagOf(page) {
  const hash = await crypto.subtle.digest("SHA-256", page);
  return Array.from(new Uint8Array(hash, 0, 12), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Marks both ends of an element's content. The runtime puts the second mark before whatever ends the element, which may be the
 * end of its parent, and none where nothing does: `parse` sees that. So it takes one call from the parser per slot, not two.
 */
function mark(element, secret, slot, names) {
  if (!isPlace(element)) return;
  try {
    const n = names.push(element.tagName) - 1;
    element.prepend(`<!--${SIGN}${secret}<${n},${slot}-->`, { html: true });
    element.append(`<!--${SIGN}${secret}>${n}-->`, { html: true });
  } catch {
    // The element stays as it is.
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

/**
 * From marked bytes to literals, which are parts of them, and slots.
 *
 * @param {Uint8Array} bytes
 * @param {string} secret
 * @param {string[]} names  of the marked elements, in lower case
 */
export function parse(bytes, secret, names) {
  const marks = marksIn(bytes, secret);
  const ends = closed(bytes, marks, names);
  // Of several slots in one element the first has it; its mark is the inner one.
  const doubled = new Set(marks.filter(({ isStart, end }, i) => isStart && marks[i + 1]?.isStart && marks[i + 1].start === end).map(({ n }) => n));
  const items = [];
  const unclosed = new Set();
  const open = [];
  let at = 0;
  let total = 0;
  const literal = (end) => {
    if (end > at) items.push(bytes.subarray(at, end));
    total += end - at;
  };
  for (const { isStart, n, slot, start, end } of marks) {
    literal(start);
    at = end;
    if (doubled.has(n)) continue;
    if (isStart && ends.has(n)) {
      const item = { slot, end: 0 };
      open.push({ n, item });
      items.push(item);
    } else if (isStart) {
      unclosed.add(slot);
    } else if (open.at(-1)?.n === n) {
      open.pop().item.end = items.length;
    }
  }
  literal(bytes.length);
  // What is still open was closed out of order: it stays as it is.
  for (const { item } of open) unclosed.add(item.slot);
  return { items: open.length === 0 ? items : without(items, open), bytes: total, unclosed: [...unclosed] };
}

/** One character per byte. */
const textAt = (bytes, start, end) => decoder.decode(bytes.subarray(start, end));

function marksIn(bytes, secret) {
  const sign = SIGN.charCodeAt(0);
  const marks = [];
  for (let at = bytes.indexOf(sign); at >= 0; at = bytes.indexOf(sign, at + 1)) {
    const start = at - "<!--".length;
    // A page may be full of the sign.
    if (bytes[at - 1] !== DASH || bytes[at + 1] !== secret.charCodeAt(0)) continue;
    const [whole, own, side, n, slot] = MARK.exec(textAt(bytes, Math.max(0, start), at + MAX_MARK_BYTES)) ?? [];
    if (own === secret) marks.push({ isStart: side === "<", n: Number(n), slot: Number(slot), start, end: start + whole.length });
  }
  return marks;
}

/** Numbers of the elements that their own end tag ends, not that of a parent. */
function closed(bytes, marks, names) {
  const found = new Set();
  marks.forEach(({ isStart, n, end }, i) => {
    if (isStart) return;
    // Where several end at once, all of their marks stand before the tag that does it.
    for (let next = i + 1; marks[next]?.start === end; next++) ({ end } = marks[next]);
    const name = encoder.encode(`</${names[n]}`);
    const tag = textAt(bytes, end, end + name.length + 1).toLowerCase();
    if (tag.slice(0, -1) === decoder.decode(name).toLowerCase() && /[\s/>]$/.test(tag)) found.add(n);
  });
  return found;
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
