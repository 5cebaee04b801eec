// The request path of a page, top to bottom: ask the wasm once, stream the origin's answer, fill the slots.
// It moves bytes and decides nothing; whatever fails leaves the origin's page as it is.

import { STALE_HEADERS } from "./freshness.mjs";
import { askOrigin, isLoop, loopPage } from "./origin.mjs";
import { splice } from "./skeleton.mjs";
import { WORK_MILLIS, find, isSame, keep, mayRescue, renew, standing } from "./skeletons.mjs";

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
/**
 * By address, a page in which every filled slot was closed and none stood inside another: its version, and how many views
 * may pass before it is watched again.
 */
const sound = new Map();
/** A page that doesn't name its version is watched at one view in so many. */
const UNWATCHED_VIEWS = 15;
let waiting = [];
let sendingSince = 0;
/** A request that was cut off in the middle of sending frees its turn after this time. */
const SENDING_MILLIS = 15_000;

export async function page(request, env, ctx, engine) {
  const facts = factsOf(request);
  // Only where the fault suite switched it on: a real trap of the wasm at the named place.
  const fault = env.EDGELOOM_FAULTS === "on" ? request.headers.get("x-edgeloom-fault") : null;
  if (fault === "plan-panic") engine.ask((wasm) => wasm.panic());
  let plan = fault === "plan-panic" ? undefined : parse(engine.ask((wasm) => wasm.plan(env, facts)));
  if (plan && isLoop(request, plan.token)) return loopPage();

  const navigation = isNavigation(request);
  const address = plan?.url || request.url;
  const rewriting = navigation && (!plan || plan.slots.length > 0);
  const entry = rewriting && plan ? find(request, address, plan) : undefined;
  const use = entry && standing(entry, request, Date.now());
  if (use === "fresh" || use === "renew") {
    if (use === "renew") renewLater(entry, request, address, plan, env, ctx, engine);
    if (plan.age === "stale") refresh(env, ctx, engine);
    return serve(entry, [], plan, env, ctx, engine);
  }
  const answer = askOrigin(request, env, plan?.token, { url: address, rewriting, known: entry?.headers });
  if (plan?.age === "cold") {
    const loading = refresh(env, ctx, engine);
    await Promise.race([loading, new Promise((done) => setTimeout(done, FIRST_SNAPSHOT_MILLIS))]);
    plan = parse(engine.ask((wasm) => wasm.plan(env, facts))) ?? plan;
  }
  if (plan?.age === "stale") refresh(env, ctx, engine);

  const response = await answer;
  if (!plan || response.webSocket) return response;
  if (entry && isSame(entry, response)) {
    renew(entry, request, response, Date.now());
    unread(response);
    return serve(entry, response.headers.getSetCookie(), plan, env, ctx, engine);
  }
  if (entry && response.status >= 500 && mayRescue(entry, Date.now())) return serve(entry, [], plan, env, ctx, engine);
  if (plan.url && response.status >= 300 && response.status < 400) return redirect(request, response);
  // What no one navigates to is neither personalised nor counted.
  if (response.status !== 200 || !navigation) return response;
  if (request.method === "GET" && isHtml(response)) later(plan.reached, env, ctx, engine);
  if (plan.slots.length === 0 || !rewritable(response, engine)) return response;
  if (fault === "handler-panic") for (const slot of plan.slots) slot.fault = true;
  const keeping = keep(request, address, response, plan, Date.now());
  if (keeping) ctx.waitUntil(keeping);
  return weave(request, address, response, plan, env, ctx, engine);
}

/** Reads the published snapshot behind the response; kept alive beyond this request, for the next one needs it too. */
function refresh(env, ctx, engine) {
  const loading = engine.load(env).catch((error) => console.error("snapshot", String(error)));
  ctx.waitUntil(loading);
  return loading;
}

/** Asks the origin behind the response whether a page is still the same; one request at a time. */
function renewLater(entry, request, address, plan, env, ctx, engine) {
  if (Date.now() < entry.askingSince + WORK_MILLIS) return;
  entry.askingSince = Date.now();
  const asking = askOrigin(request, env, plan.token, { url: address, rewriting: true, known: entry.headers })
    .then(async (response) => {
      if (isSame(entry, response)) renew(entry, request, response, Date.now());
      else if (rewritable(response, engine)) await keep(request, address, response, plan, Date.now());
      unread(response);
    })
    .catch((error) => console.error("a page was not renewed", String(error)))
    .finally(() => (entry.askingSince = 0));
  ctx.waitUntil(asking);
}

/** Lets go of a body that nobody reads. */
function unread(response) {
  response.body?.cancel().catch(() => {});
}

/** A page from its skeleton: no parsing, and every byte is there before the first one leaves. */
function serve(entry, cookies, plan, env, ctx, engine) {
  const body = splice(entry.skeleton, plan.slots, tailUnder(entry.csp, plan, engine));
  later(plan.reached, env, ctx, engine);
  for (const slot of plan.slots) if (slot.seen) later(slot.events, env, ctx, engine);
  const answer = new Response(body, { headers: entry.served });
  personalise(answer.headers, plan);
  for (const cookie of cookies) answer.headers.append("set-cookie", cookie);
  return answer;
}

/** The end of a page, as far as its content security policy lets it. */
function tailUnder(csp, plan, engine) {
  return csp === null ? plan.tail : (engine.ask((wasm) => wasm.tail(plan.tail, csp)) ?? "");
}

/** What a page's headers say of its decision. */
function personalise(headers, plan) {
  if (plan.timing) headers.append("server-timing", plan.timing);
  if (plan.cookie) headers.append("set-cookie", plan.cookie);
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

/** The parts of a plan in the order of `Head` in src/page.rs; then selector, HTML and length of the events of each slot. */
function parse(plan) {
  if (plan === undefined) return undefined;
  const [text, events] = plan;
  const parts = text.split("\0");
  const [token, url, age, tail, timing, cookie, reached] = parts;
  let at = Number(reached);
  const slots = [];
  for (let i = 7; i + 2 < parts.length; i += 3) {
    const end = at + Number(parts[i + 2]);
    slots.push({ css: parts[i], html: parts[i + 1], events: events.subarray(at, end), seen: false, open: 0, fault: false });
    at = end;
  }
  return { token, url, age, tail, timing, cookie, reached: events.subarray(0, Number(reached)), slots };
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

function weave(request, address, response, plan, env, ctx, engine) {
  const rewriter = new HTMLRewriter();
  const version = versionOf(response, plan);
  const page = { inside: 0, nested: false, watched: isWatched(address, version) };
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
        if (request.method === "GET") for (const slot of seen) later(slot.events, env, ctx, engine);
        const tail = tailUnder(csp, plan, engine);
        if (tail) end.append(tail, { html: true });
      } catch (error) {
        console.error("page kept its end", String(error));
      }
    },
  });
  const woven = rewriter.transform(response);
  const answer = new Response(woven.body, woven);
  for (const name of STALE_HEADERS) answer.headers.delete(name);
  answer.headers.set("cache-control", "private, no-store");
  personalise(answer.headers, plan);
  return answer;
}

/** What the origin calls this version of the page, if it says, with the slots that were looked for. */
function versionOf(response, plan) {
  const name = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
  return `${name}\n${plan.slots.map((slot) => slot.css).join("\n")}`;
}

const isNamed = (version) => !version.startsWith("\n");

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
  slot.open++;
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
  if (open.length > 0 || page.nested || page.failed || !known) return void sound.delete(address);
  if (sound.size > 1_000) sound.clear();
  sound.set(address, { version, left: isNamed(version) ? Infinity : UNWATCHED_VIEWS });
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

/** Keeps events for the next batch; the first ones of a batch see to its sending, after the response. */
function later(events, env, ctx, engine) {
  if (events.length === 0) return;
  if (waiting.length < MAX_WAITING) waiting.push(events);
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
      await engine.record(env, joined(batch));
    } catch (error) {
      // Every event has its key, so sending it again can't count it twice.
      console.error("edge events wait", batch.length, String(error));
      waiting.unshift(...batch);
      return;
    }
  }
}

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
