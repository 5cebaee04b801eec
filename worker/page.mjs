// The request path of a page, top to bottom: ask the wasm once, stream the origin's answer, fill the slots.
// It moves bytes and decides nothing; whatever fails leaves the origin's page as it is.

import { askOrigin, isLoop, loopPage } from "./origin.mjs";

/** How long the first view of an isolate waits for a snapshot; the origin is already being asked meanwhile. */
const FIRST_SNAPSHOT_MILLIS = 50;
/** Edge exposures travel in batches: one call to the ledger per second and isolate. */
const FLUSH_MILLIS = 1_000;
const FLUSH_EVENTS = 400;
/** More than this waiting means the ledger has been gone for long; further ones are let go (they were never acknowledged). */
const MAX_WAITING = 20_000;

const verdicts = new Map();
/** Selectors whose element was not closed in some page: filled, it swallows what follows, so it is left alone from then on. */
const unclosed = new Set();
/** By address, the version of a page in which every filled slot was closed and none stood inside another: not watched again. */
const sound = new Map();
let waiting = [];
let sendingSince = 0;
/** A request that was cut off in the middle of sending frees its turn after this time. */
const SENDING_MILLIS = 15_000;

/** Headers of a page that are false once a slot is filled: about its bytes, or about who may keep them. */
const STALE_HEADERS = ["etag", "last-modified", "content-length", "content-md5", "digest", "repr-digest", "content-digest", "accept-ranges", "expires", "age", "cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control", "x-accel-expires"];

export async function page(request, env, ctx, engine) {
  const facts = factsOf(request);
  // Only where the fault suite switched it on: a real trap of the wasm at the named place.
  const fault = env.EDGELOOM_FAULTS === "on" ? request.headers.get("x-edgeloom-fault") : null;
  if (fault === "plan-panic") engine.ask((wasm) => wasm.panic());
  let plan = fault === "plan-panic" ? undefined : parse(engine.ask((wasm) => wasm.plan(env, facts)));
  if (plan && isLoop(request, plan.token)) return loopPage();

  const navigation = isNavigation(request);
  const rewriting = navigation && (!plan || plan.slots.length > 0);
  const answer = askOrigin(request, env, plan?.token, { url: plan?.url, rewriting });
  if (plan?.cold) {
    const loading = engine.load(env).catch((error) => console.error("snapshot", String(error)));
    // Kept alive beyond this request: the next one needs it too.
    ctx.waitUntil(loading);
    await Promise.race([loading, new Promise((done) => setTimeout(done, FIRST_SNAPSHOT_MILLIS))]);
    plan = parse(engine.ask((wasm) => wasm.plan(env, facts))) ?? plan;
  }
  if (plan?.stale) ctx.waitUntil(engine.load(env).catch((error) => console.error("snapshot", String(error))));

  const response = await answer;
  if (!plan || response.webSocket) return response;
  if (plan.url && response.status >= 300 && response.status < 400) return redirect(request, response);
  // What no one navigates to is neither personalised nor counted.
  if (response.status !== 200 || !navigation) return response;
  if (plan.reward && request.method === "GET" && isHtml(response)) later(plan.reward, env, ctx, engine);
  if (plan.slots.length === 0 || !rewritable(response, engine)) return response;
  if (fault === "handler-panic") for (const slot of plan.slots) slot.fault = true;
  return weave(request, response, plan, env, ctx, engine);
}

/** What the decision may know of the request, one fact a line; the wasm reads them in this order. */
function factsOf(request) {
  const h = request.headers;
  const get = (name) => h.get(name) ?? "";
  return [
    request.url, get("user-agent"), get("accept-language"), get("referer"), get("cookie"), get("sec-gpc"), get("dnt"),
    get("sec-purpose") || get("purpose"), request.cf?.country ?? "",
  ].join("\n");
}

/** A plan is a line of JSON facts and then, per slot, its selector, its HTML and its event, split by NUL. */
function parse(text) {
  if (text === undefined) return undefined;
  const parts = text.split("\0");
  const plan = JSON.parse(parts[0]);
  plan.slots = [];
  for (let i = 1; i + 2 < parts.length; i += 3) plan.slots.push({ css: parts[i], html: parts[i + 1], event: parts[i + 2], seen: false });
  return plan;
}

function isNavigation(request) {
  const destination = request.headers.get("sec-fetch-dest");
  if (destination) return destination === "document" || destination === "iframe" || destination === "frame";
  return (request.headers.get("accept") ?? "").includes("text/html");
}

function isHtml(response) {
  return /^\s*text\/html\b/i.test(response.headers.get("content-type") ?? "");
}

/** Whether the runtime can rewrite this answer; the few combinations a site has are asked once each. */
function rewritable(response, engine) {
  const h = response.headers;
  const key = `${h.get("content-type") ?? ""}\n${h.get("content-encoding") ?? ""}\n${h.get("content-disposition") ?? ""}`;
  let verdict = verdicts.get(key);
  if (verdict === undefined) {
    verdict = engine.ask((wasm) => wasm.rewritable(key)) ?? false;
    if (verdicts.size > 256) verdicts.clear();
    verdicts.set(key, verdict);
  }
  return verdict;
}

function weave(request, response, plan, env, ctx, engine) {
  const rewriter = new HTMLRewriter();
  const address = plan.url ?? request.url;
  const version = versionOf(response, plan);
  // Watching the ends of elements costs a third of a view, so a page that was found sound is filled without.
  const page = { inside: 0, nested: false, watched: version === undefined || sound.get(address) !== version };
  for (const slot of plan.slots) {
    if (unclosed.has(slot.css)) continue;
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
        const seen = plan.slots.filter((slot) => slot.seen && !slot.open);
        if (page.watched) learn(address, version, plan, page);
        if (seen.length === 0) return;
        for (const slot of seen) if (slot.event && request.method === "GET") later(slot.event, env, ctx, engine);
        const tail = csp === null ? plan.tail : engine.ask((wasm) => wasm.tail(plan.tail, csp));
        if (tail) end.append(tail, { html: true });
      } catch (error) {
        console.error("page kept its end", String(error));
      }
    },
  });
  const woven = rewriter.transform(response);
  const answer = new Response(woven.body, woven);
  const { headers } = answer;
  for (const name of STALE_HEADERS) headers.delete(name);
  headers.set("cache-control", "private, no-store");
  if (plan.timing) headers.append("server-timing", plan.timing);
  if (plan.cookie) headers.append("set-cookie", plan.cookie);
  return answer;
}

/** What the origin calls this version of the page, with the slots that were looked for; nothing where it has no name. */
function versionOf(response, plan) {
  const name = response.headers.get("etag") ?? response.headers.get("last-modified");
  return name === null ? undefined : `${name}\n${plan.slots.map((slot) => slot.css).join("\n")}`;
}

/** A slot that can't be filled keeps what the origin put there; one inside of a filled one is gone and counts for nothing. */
function fill(element, slot, page) {
  if (page.inside > 0) {
    page.nested = true;
    return;
  }
  try {
    if (slot.fault) throw new Error("as the fault suite asked");
    if (slot.html) {
      if (page.watched) watch(element, slot, page);
      element.setInnerContent(slot.html, { html: true });
    }
    slot.seen = true;
  } catch (error) {
    page.failed = true;
    console.error("slot kept its content", slot.css, String(error));
  }
}

/** Notes where a filled element ends; throws for elements without an end, such as images, before anything is changed. */
function watch(element, slot, page) {
  const { tagName } = element;
  element.onEndTag((end) => {
    page.inside--;
    // The end of a parent also ends what was never closed, and what stood between them is lost.
    if (end.name === tagName) slot.open--;
  });
  page.inside++;
  slot.open = (slot.open ?? 0) + 1;
}

/** At the end of a watched page: which slots are to be left alone, or that it needs no watching. */
function learn(address, version, plan, page) {
  const open = plan.slots.filter((slot) => slot.open > 0);
  for (const slot of open) {
    if (unclosed.size > 1_000) unclosed.clear();
    unclosed.add(slot.css);
    console.error("a slot is not closed in its page and stays as it is; hint: write its end tag", slot.css);
  }
  // A slot without a block this time (held out, no arm) was not watched, so nothing is known of it.
  const known = plan.slots.every((slot) => slot.html || !slot.seen);
  if (version === undefined || open.length > 0 || page.nested || page.failed || !known) return;
  if (sound.size > 1_000) sound.clear();
  sound.set(address, version);
}

/** The origin redirects within the site: the receipt it never saw goes along. */
function redirect(request, response) {
  const location = response.headers.get("location");
  const token = /[?&](_el=[\w.~-]+)/.exec(request.url)?.[1];
  if (!location || !token || !URL.canParse(location, request.url)) return response;
  if (new URL(location, request.url).origin !== new URL(request.url).origin) return response;
  const [address, fragment] = location.split(/(?=#)/, 2);
  const headers = new Headers(response.headers);
  headers.set("location", `${address}${address.includes("?") ? "&" : "?"}${token}${fragment ?? ""}`);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** Keeps an event for the next batch; the first one of a batch sees to its sending, after the response. */
function later(event, env, ctx, engine) {
  if (waiting.length < MAX_WAITING) waiting.push(event);
  if (Date.now() - sendingSince < SENDING_MILLIS) return;
  sendingSince = Date.now();
  ctx.waitUntil(flush(env, engine));
}

async function flush(env, engine) {
  await new Promise((done) => setTimeout(done, FLUSH_MILLIS));
  sendingSince = 0;
  while (waiting.length > 0) {
    const batch = waiting.splice(0, FLUSH_EVENTS);
    try {
      await engine.record(env, `[${batch.join(",")}]`);
    } catch (error) {
      // Every event has its key, so sending it again can't count it twice.
      console.error("edge events wait", batch.length, String(error));
      waiting.unshift(...batch);
      return;
    }
  }
}
