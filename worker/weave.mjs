// A page streams through the runtime's rewriter, and its slots are filled on the way. What is learned meanwhile: which slots
// swallow the rest of their page, because nobody closes them.

import { isStale } from "./freshness.mjs";
import { later } from "./outbox.mjs";
import { Recent } from "./recent.mjs";
import { isDoubtful, noteEnd, tried } from "./unfit.mjs";
import { isNamed, versionOf } from "./version.mjs";

/**
 * By selector, the addresses of pages in which its element was not closed: filled, it swallows what follows, so it is left
 * alone there from then on, and everywhere once it is no matter of a single page.
 *
 * @type {Map<string, Set<string>>}
 */
const unclosed = new Recent(1_000);
const SINGLE_PAGES = 2;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Elements whose content is no markup, or that are the page itself: nothing is ever put there. */
const NEVER = new Set(["html", "head", "title", "script", "style", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext", "select", "option"]);

/** Whether an element can be a slot at all. */
export const isPlace = (element) => !NEVER.has(element.tagName);

const isLeftAlone = (css, address) => {
  const pages = unclosed.get(css);
  return pages !== undefined && (pages.size > SINGLE_PAGES || pages.has(pathOf(address)));
};
/** One page however it is asked for. */
const pathOf = (address) => address.split("?", 1)[0];
/**
 * By address, a page in which every filled slot was closed and none stood inside another: its version, and how many views
 * may pass before it is watched again.
 */
const sound = new Recent(1_000);
/** A page that doesn't name its version is watched again after so many views. */
const UNWATCHED_VIEWS = 15;

/**
 * Fills the slots of an answer while it streams.
 *
 * @param {import("./page.mjs").View} view
 * @param {Response} response
 * @returns {Response}
 */
export function weave(view, response) {
  const { slots } = view.plan;
  const rewriter = new HTMLRewriter();
  const version = versionOf(response, view.plan);
  const isInDoubt = response.body !== null && isDoubtful(view, version);
  const page = { inside: 0, nested: false, failed: false, watched: isWatched(view.address, version) };
  for (const slot of slots) {
    if (isLeftAlone(slot.css, view.address)) continue;
    try {
      rewriter.on(slot.css, { element: (element) => fill(element, slot, page) });
    } catch (error) {
      console.error("slot kept its content", slot.css, String(error));
    }
  }
  const csp = response.headers.get("content-security-policy");
  rewriter.onDocument({
    end(end) {
      try {
        const seen = slots.filter((slot) => slot.seen && !slot.open);
        if (page.watched) learn(view, version, page);
        noteEnd(view, version);
        if (seen.length === 0) return;
        if (view.request.method === "GET") for (const slot of seen) later(view, slot.events);
        const tail = tailUnder(view, csp);
        if (tail.length > 0) end.append(decoder.decode(tail), { html: true });
      } catch (error) {
        console.error("page kept its end", String(error));
      }
    },
  });
  const woven = isInDoubt ? tried(view, response, rewriter, version) : rewriter.transform(response);
  const answer = new Response(woven.body, woven);
  for (const name of [...answer.headers.keys()]) if (isStale(name)) answer.headers.delete(name);
  answer.headers.set("cache-control", "private, no-store");
  personalise(answer.headers, view.plan);
  return answer;
}

/**
 * The end of a page, in ASCII, as far as its content security policy lets it. Of a slot that was not filled it tells no place and no
 * receipt: what a script saw there would be counted for an arm that nobody was shown.
 */
export function tailUnder({ plan, engine }, csp) {
  const unfilled = plan.slots.filter((slot) => !slot.seen || slot.open > 0);
  if (unfilled.length === 0 && csp === null) return plan.tail;
  const whole = decoder.decode(plan.tail);
  const tail = unfilled.length > 0 && whole.includes('"place":') ? whole.replace(ISLAND, (_, open, told) => open + untold(told, unfilled)) : whole;
  return encoder.encode(csp === null ? tail : (engine.ask((wasm) => wasm.tail(tail, csp)) ?? ""));
}

/** The decisions in the page, as src/page.rs writes them. */
const ISLAND = /(<script type="application\/json" id="edgeloom-decisions">)([^<]*)/;

function untold(text, slots) {
  const told = JSON.parse(text);
  for (const one of Object.values(told.slots)) {
    if (!slots.some(({ css }) => css === one.place)) continue;
    delete one.place;
    delete one.receipt;
  }
  // ASCII, and nothing that could end the element, as before.
  return JSON.stringify(told).replace(/[<>&\u0080-\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Forgets which slots are left alone: somebody says that pages were changed. */
export function relearn() {
  unclosed.clear();
}

/** What a page's headers say of its decision. */
export function personalise(headers, plan) {
  if (plan.timing) headers.append("server-timing", plan.timing);
  if (plan.cookie) headers.append("set-cookie", plan.cookie);
}

/** Watching the ends of elements costs a third of a view, so a page that was found sound is mostly filled without. */
function isWatched(address, version) {
  const known = sound.get(address);
  return known?.version !== version || known.left-- <= 0;
}

/** A slot that can't be filled keeps what the origin put there; one inside of a filled one is gone and counts for nothing. */
function fill(element, slot, page) {
  if (page.inside > 0) {
    page.nested = true;
    return;
  }
  try {
    if (slot.fault) throw new Error("as the fault suite asked");
    if (!isPlace(element)) return;
    // Also where nothing is inserted: a slot that could not be filled must count on neither side of a comparison.
    if (page.watched) watch(element, slot, page);
    if (slot.html.length > 0) element.setInnerContent(decoder.decode(slot.html), { html: true });
    slot.seen = true;
  } catch (error) {
    page.failed = true;
    console.error("slot kept its content", slot.css, String(error));
  }
}

/** Notes where a slot's element ends; throws for elements without an end, such as images, before anything is changed. */
function watch(element, slot, page) {
  const { tagName } = element;
  const depth = slot.html.length > 0 ? 1 : 0;
  element.onEndTag((end) => {
    page.inside -= depth;
    // The end of a parent also ends what was never closed, and what stood between them is lost.
    if (end.name === tagName) slot.open--;
  });
  page.inside += depth;
  slot.open++;
}

/** Notes a slot that nobody closes in its page. */
export function noteUnclosed({ address }, { css }) {
  const pages = unclosed.get(css) ?? new Set();
  unclosed.set(css, pages);
  if (pages.size <= SINGLE_PAGES) pages.add(pathOf(address));
  console.error("a slot is not closed in its page and stays as it is; hint: write its end tag", css, new URL(address).pathname);
}

/** At the end of a watched page: which slots are to be left alone, or that it needs no watching. */
function learn(view, version, page) {
  const { plan, address } = view;
  const open = plan.slots.filter((slot) => slot.open > 0);
  for (const slot of open) noteUnclosed(view, slot);
  // With a slot that kept its content, nothing is known of what a filled one would do to the slots inside it.
  const isWhole = plan.slots.every((slot) => slot.html.length > 0 || !slot.seen);
  if (open.length > 0 || page.nested || page.failed || !isWhole) return void sound.delete(address);
  sound.set(address, { version, left: isNamed(version) ? Infinity : UNWATCHED_VIEWS });
}
