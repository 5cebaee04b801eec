// A page of any size with any number of slots, and the Workers that serve it in benchmarks: ours, one that a team would write
// with HTMLRewriter, a plain proxy, and one that gives everybody the same bytes.

import { OBJECTS, PROXY, bundleOf } from "./bundle.mjs";
import { start } from "./workerd.mjs";

/** The name of the Worker in JavaScript. */
export const JS = "HTMLRewriter in JavaScript";

const section = (i) => `<section class="row r${i}"><h2>Section ${i}</h2><p>Some text of a page, with <a href="/p/${i}">links</a> and <b>marks</b>.</p></section>\n`;

/** Markers, attribute markers and selectors in turn: `[element that holds the slot, selector for the rewriter]`. */
const PLACES = [
  (name) => [`<edge-slot name="${name}"><p>default</p></edge-slot>`, `edge-slot[name="${name}"],[data-edge-slot="${name}"]`],
  (name) => [`<div data-edge-slot="${name}"><p>default</p></div>`, `edge-slot[name="${name}"],[data-edge-slot="${name}"]`],
  (name) => [`<aside class="${name}"><p>default</p></aside>`, `aside.${name}`],
];

/**
 * A page, and the configuration that fills its slots with one of two blocks each.
 *
 * @param {number} nSlots
 * @param {number} kilobytes
 */
export function pageOf(nSlots, kilobytes) {
  const slots = Array.from({ length: nSlots }, (_, i) => {
    const name = `slot-${i}`;
    const [element, selector] = PLACES[i % PLACES.length](name);
    return { name, element, selector, blocks: [`${name}-one`, `${name}-two`] };
  });
  const perSlot = Math.round((kilobytes * 1024) / section(100).length / nSlots);
  const body = slots.map(({ element }, n) => element + Array.from({ length: perSlot }, (_, i) => section(n * perSlot + i)).join("")).join("");
  const block = (id) => ({ id, template: `<a class="${id}" href="{{link}}">{{text}}</a>`, fields: { link: { url: "/thanks" }, text: { text: "Some text" } } });
  return {
    slots,
    text: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bench</title></head><body>\n${body}</body></html>`,
    config: {
      site: "test",
      goals: [{ id: "order", path: "/thanks" }],
      blocks: slots.flatMap(({ blocks }) => blocks.map(block)),
      slots: slots.map(({ name, selector, blocks }) => ({ id: name, goal: "order", ...(selector.startsWith("aside") ? { selector } : {}), arms: blocks.map((id) => ({ block: id })) })),
    },
  };
}

/** What a team writes by hand: the same slots, an even random choice, the headers that have to go. */
const rewriterOf = (slots) => `${OBJECTS}
const BLOCKS = ${JSON.stringify(slots.map(({ blocks }) => blocks.map((id) => `<a class="${id}" href="/thanks">Some text</a>`)))};
const SELECTORS = ${JSON.stringify(slots.map(({ selector }) => selector))};
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.delete("if-none-match");
    headers.delete("if-modified-since");
    const response = await fetch(new Request(env.ORIGIN + url.pathname + url.search, { method: request.method, headers, redirect: "manual" }));
    if (response.status !== 200 || !(response.headers.get("content-type") ?? "").startsWith("text/html")) return response;
    const rewriter = new HTMLRewriter();
    SELECTORS.forEach((selector, i) => {
      const block = BLOCKS[i][Math.floor(Math.random() * BLOCKS[i].length)];
      rewriter.on(selector, { element(element) { element.setInnerContent(block, { html: true }); } });
    });
    const out = rewriter.transform(response);
    const answer = new Response(out.body, out);
    for (const name of ["etag", "last-modified", "content-length"]) answer.headers.delete(name);
    answer.headers.set("cache-control", "private, no-store");
    return answer;
  },
};`;

/** The same bytes for everybody: the least a Worker can answer at all. */
const staticOf = (text) => `${OBJECTS}const PAGE = new TextEncoder().encode(${JSON.stringify(text)});
export default { fetch() { return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } }); } };`;

/** Starts all of them in front of one origin; ours with the page's configuration. */
export async function contestants({ slots, text, config }, origin) {
  const workers = {
    ours: await start({ origin }),
    [JS]: await start({ origin, bundle: bundleOf(rewriterOf(slots)) }),
    proxy: await start({ origin, bundle: bundleOf(PROXY) }),
    "static answer": await start({ origin, bundle: bundleOf(staticOf(text)) }),
  };
  await workers.ours.publish(config);
  return workers;
}
