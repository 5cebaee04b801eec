// A small site and its configuration, for tests that need any.

import { html } from "./origin.mjs";

export const BROWSER = {
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  accept: "text/html,application/xhtml+xml,*/*;q=0.8",
  "accept-language": "en-US,en;q=0.9",
  "sec-fetch-dest": "document",
};

/** A page with a marker, an attribute marker and an unmarked element. */
export const HOME = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Home</title></head>
<body><h1>Welcome</h1>
<edge-slot name="hero"><p>default hero</p></edge-slot>
<p>between &amp; <b>untouched</b> – ünïcode</p>
<div data-edge-slot="cta" class="x"><p>default cta</p></div>
<aside class="teaser"><p>default teaser</p></aside>
<footer>end</footer></body></html>
`;

export const ROUTES = {
  "/": html(HOME),
  "/thanks": html("<!doctype html><title>Thanks</title><p>Thank you.</p>"),
  "/plain": html("<!doctype html><title>Plain</title><p>No slots here.</p>"),
};

const block = (id, link, text) => ({
  id,
  template: `<a class="${id}" href="{{link}}">{{text}}</a>`,
  fields: { link: { url: link }, text: { text } },
});

/** Three slots on every page; arms are told apart by the class of their link. */
export const CONFIG = {
  site: "test",
  goals: [{ id: "order", path: "/thanks", value: 2.5 }, { id: "signup" }],
  blocks: [block("bold", "/thanks", "Bold – grün"), block("calm", "/thanks?from=calm#top", "Calm"), block("warm", "/thanks", "Warm"), block("cool", "/thanks", "Cool"), block("first", "/thanks", "First"), block("second", "/thanks", "Second")],
  slots: [
    { id: "hero", goal: "order", arms: [{ block: "bold" }, { block: "calm" }] },
    { id: "cta", goal: "order", policy: { assignment: "per_view" }, arms: [{ block: "warm" }, { block: "cool" }] },
    { id: "teaser", selector: "aside.teaser", goal: "signup", arms: [{ block: "first" }, { block: "second" }] },
  ],
};

/** The inline decisions of a page. */
export function decisionsOf(text) {
  const found = /<script type="application\/json" id="edgeloom-decisions"[^>]*>(.*?)<\/script>/s.exec(text);
  return found ? JSON.parse(found[1]) : undefined;
}

/** The links of a page that carry a receipt. */
export function tokenLinks(text) {
  return [...text.matchAll(/class="(\w+)" href="([^"]*_el=[^"]*)"/g)].map(([, arm, href]) => ({ arm, href: href.replaceAll("&amp;", "&") }));
}

/** Asks until `test` holds or the time is over; the last answer. */
export async function until(ask, test, millis = 15_000) {
  const end = Date.now() + millis;
  for (;;) {
    const answer = await ask();
    if (test(answer)) return answer;
    if (Date.now() > end) throw new Error(`not within ${millis} ms: ${JSON.stringify(answer)?.slice(0, 2000)}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
