// Markup made to mislead parsers: every case of html5lib-tests as a page with a slot before and a slot behind it.
// Outside the slots nothing changes, neither where the page streams nor where it is spliced.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OBJECTS, bundleOf } from "./support/bundle.mjs";
import { cases, noHtml5lib as skip } from "./support/html5lib.mjs";
import { html, startOrigin } from "./support/origin.mjs";
import { inParallel } from "./support/parallel.mjs";
import { BROWSER, CONFIG, decisionsOf, until } from "./support/sample.mjs";
import { start } from "./support/workerd.mjs";

/** As many as the data is known to have (its README). */
const TOKENIZER = 6_810;
const TREES = 1_792;
const LANES = 24;
/** Views until a page is spliced; the third one, unless its address was forgotten meanwhile or the cut is still being made. */
const MAX_VIEWS = 30;

/** The runtime's rewriter, made to look at every element and to leave it alone. */
const NOTHING = `${OBJECTS}
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    return new HTMLRewriter().on("*", { element() {} }).transform(await fetch(env.ORIGIN + url.pathname));
  },
};`;

const BLOCK = "<em>a chosen note</em>";
const SLOT = '<edge-slot name="hero">default</edge-slot>';
const FILLED = `<edge-slot name="hero">${BLOCK}</edge-slot>`;
const config = {
  ...CONFIG,
  blocks: [{ id: "note", template: BLOCK }],
  slots: [{ id: "hero", goal: "order", policy: { kind: "fixed", baseline: "note" }, arms: [{ block: "note" }] }],
};
const TAIL = '<script type="application/json" id="edgeloom-decisions"';

const pageOf = (input, first = SLOT, last = SLOT) => Buffer.concat([Buffer.from(first), input, Buffer.from(last)]);

let origin;
let ours;
let nothing;
let all = [];
/** By path, how often the origin was asked. */
const asked = new Map();
before(async () => {
  if (skip) return;
  const { tokenizer, trees } = cases();
  assert.deepEqual([tokenizer.length, trees.length], [TOKENIZER, TREES]);
  all = [...tokenizer, ...trees];
  const inputs = new Map(all.map(({ name, input }) => [`/${name}`, input]));
  origin = await startOrigin({
    "/": html(SLOT),
    "*": ({ path }) => {
      asked.set(path, (asked.get(path) ?? 0) + 1);
      return html(pageOf(inputs.get(path)), { "cache-control": "public, max-age=600" });
    },
  });
  ours = await start({ origin: origin.url });
  nothing = await start({ origin: origin.url, bundle: bundleOf(NOTHING) });
  await ours.publish(config);
  await until(async () => decisionsOf((await view(ours, "/")).toString()), Boolean);
});
after(async () => {
  await ours?.stop();
  await nothing?.stop();
  await origin?.close();
});

/** What the runtime's rewriter makes of a page; nothing where it cuts it. */
async function untouched(path) {
  try {
    return await view(nothing, path);
  } catch {
    return undefined;
  }
}

async function view(worker, path) {
  return Buffer.from(await (await worker.fetch(path, { headers: BROWSER })).arrayBuffer());
}

/** A page without what follows its last byte. */
function withoutTail(bytes, name) {
  const at = bytes.lastIndexOf(TAIL);
  assert.ok(at >= 0, `${name}: a slot was filled, and the page is not told`);
  return bytes.subarray(0, at);
}

test("every case as a page: outside its slots nothing changes, streamed and spliced", { skip }, async () => {
  const counts = { streamed: 0, spliced: 0, behind: 0, raw: 0 };
  await inParallel(all, LANES, async ({ name, input }) => {
    const passed = await untouched(`/${name}`);
    if (passed === undefined) {
      // The runtime's rewriter ends in the middle: here the page is whole from the first view on, with its slots as they were.
      for (let i = 1; i <= 4; i++) assert.ok((await view(ours, `/${name}`)).equals(pageOf(input)), `${name}, view ${i}`);
      counts.raw++;
      return;
    }
    assert.ok(passed.equals(pageOf(input)), `${name}: the runtime's rewriter changes the page`);
    // Behind what leaves a comment, a script or a tag open there is no slot, only text that looks like one.
    const expected = [pageOf(input, FILLED, FILLED), pageOf(input, FILLED, SLOT)];
    let first;
    for (let i = 1; ; i++) {
      const before = asked.get(`/${name}`);
      const bytes = await view(ours, `/${name}`);
      const page = withoutTail(bytes, name);
      if (i === 1) {
        assert.ok(expected.some((one) => one.equals(page)), `${name}: ${JSON.stringify(page.toString())}`);
        first = page;
        counts.streamed++;
        if (page.equals(expected[0])) counts.behind++;
      }
      assert.ok(page.equals(first), `${name}, view ${i}: ${JSON.stringify(page.toString())} was ${JSON.stringify(first.toString())}`);
      // The first view is held back, the second one streams, and who is not asked any more is not needed.
      if (asked.get(`/${name}`) === before) break;
      assert.ok(i < MAX_VIEWS, `${name} is never spliced`);
      if (i > 1) await new Promise((done) => setTimeout(done, 2 * i));
    }
    counts.spliced++;
  });
  assert.deepEqual([counts.streamed, counts.spliced], Array(2).fill(TOKENIZER + TREES - counts.raw));
  assert.ok(counts.raw < 10, `${counts.raw} passed as they were`);
  // Most leave nothing open: a rewriter that fails to fill would be seen here.
  assert.ok(counts.behind > all.length / 2, `only ${counts.behind} had both slots filled`);
  console.log(`${all.length} pages of html5lib-tests, streamed and spliced: outside the slots not a byte differs (both slots filled in ${counts.behind}, ${counts.raw} passed raw)`);
});
