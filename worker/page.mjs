// The request path of a page, top to bottom: ask the wasm once, then splice a page that is kept, or stream the origin's answer.
// It moves bytes and decides nothing; whatever fails leaves the origin's page as it is.

import { borrow, lend, mayBorrow } from "./datacentre.mjs";
import { leaseOf, mayCut } from "./freshness.mjs";
import { askOrigin, isLoop, loopPage, withoutReceipt } from "./origin.mjs";
import { joined } from "./bytes.mjs";
import { later } from "./outbox.mjs";
import { arePurgesKnown, followPurges } from "./purges.mjs";
import { Recent } from "./recent.mjs";
import { splice } from "./skeleton.mjs";
import { WORK_MILLIS, drop, find, isSame, keepLater, keepNow, mayRescue, noteUse, ownHeaders, renew, standing } from "./skeletons.mjs";
import { isSlotless, wasSlotless } from "./slotless.mjs";
import { isUnfit } from "./unfit.mjs";
import { recognise } from "./unversioned.mjs";
import { personalise, tailUnder, weave } from "./weave.mjs";
import { isWhole } from "./whole.mjs";

/** How long the first view of an isolate waits for a snapshot; the origin is already being asked meanwhile. */
const FIRST_SNAPSHOT_MILLIS = 50;

/** As in src/seed.rs. */
const HOUR_MILLIS = 3_600_000;

const verdicts = new Recent(256);

/**
 * One view of a page: what every step needs of it.
 *
 * @typedef {object} View
 * @property {Request} request
 * @property {object} env
 * @property {object} ctx
 * @property {object} engine  what the page path may use of the wasm
 * @property {object} plan  what the wasm says
 * @property {string} address  of the page, without our parameter
 * @property {number} askedAt  when the visitor asked, and the origin no earlier; milliseconds since the epoch
 */

export async function page(request, env, ctx, engine) {
  const facts = factsOf(request);
  // Only where the fault suite switched it on: a real trap of the wasm at the named place.
  const fault = env.EDGELOOM_FAULTS === "on" ? request.headers.get("x-edgeloom-fault") : null;
  if (fault === "plan-panic") engine.ask((wasm) => wasm.panic());
  const plan = fault === "plan-panic" ? undefined : parse(engine.ask((wasm) => wasm.plan(env, facts)));
  if (plan && isLoop(request, plan.token)) return loopPage();

  const view = { request, env, ctx, engine, plan, address: withoutReceipt(request.url), askedAt: Date.now() };
  const navigation = isNavigation(request);
  const rewriting = navigation && (!plan || (plan.slots.length > 0 && !wasSlotless(view)));
  // Before the first snapshot is there, the slots may be others than those of the page that is kept.
  const mayKeep = rewriting && plan && plan.age !== "cold";
  const entry = mayKeep ? (find(view) ?? (mayBorrow(view) ? await borrow(view) : undefined)) : undefined;
  const use = entry && (arePurgesKnown() ? standing(entry, request, Date.now()) : "ask");
  if (plan?.age === "stale") refresh(view);
  if (plan?.age === "asks") readBehind(view, Promise.resolve());
  followPurges(view);
  if (use === "renew") renewLater(view, entry);
  if (use === "fresh" || use === "renew") {
    if (noteUse(entry)) ctx.waitUntil(lend(view, entry));
    return serve(view, entry);
  }

  const answer = askOrigin(request, env, plan?.token, { url: view.address, rewriting, known: entry?.headers });
  if (plan?.age === "cold") {
    await firstSnapshot(view);
    view.plan = parse(engine.ask((wasm) => wasm.plan(env, facts))) ?? plan;
  }

  let response = await answer;
  if (!plan || response.webSocket) return response;
  // A part of the origin's page is no part of ours: the visitor gets the whole, as a server may answer (RFC 9110, 14.2).
  if (rewriting && response.status === 206 && isHtml(response)) {
    unread(response);
    response = await askOrigin(request, env, plan.token, { url: view.address, rewriting, whole: true });
  }
  if (entry) {
    const kept = keptAnswer(view, entry, response);
    if (kept) return kept;
  }
  if (plan.url && response.status >= 300 && response.status < 400) return redirect(request, response);
  // What no one navigates to is neither personalised nor counted.
  if (response.status !== 200 || !navigation) return plan.slots.length > 0 && response.ok && isHtml(response) ? bare(response) : response;
  const fills = view.plan.slots.length > 0 && !isSlotless(view, response) && rewritable(view, response) && !isUnfit(view, response);
  if (!fills) return isHtml(response) ? reached(view, response) : response;
  if (fault === "handler-panic") {
    for (const slot of view.plan.slots) slot.fault = true;
    return weave(view, response);
  }
  return filled(view, response);
}

/** A page that a script or a prefetch asks for is the origin's; whoever keeps it must not show it to a visitor who comes by a link. */
function bare(response) {
  const answer = new Response(response.body, response);
  answer.headers.append("vary", "Sec-Fetch-Dest, Accept");
  return answer;
}

/** An answer of the origin with its slots filled: cut and spliced where it is there whole, else as it streams. */
async function filled(view, response) {
  const lease = leaseOf(view, response, Date.now());
  const isForOthers = mayCut(view, lease);
  if (isWhole(response)) {
    const bytes = await response.arrayBuffer();
    const entry = await (isForOthers ? keepNow(view, response, bytes, lease) : recognise(view, response, bytes));
    return entry ? serve(view, entry, isForOthers ? undefined : response) : reached(view, new Response(bytes, response));
  }
  if (isForOthers) lendLater(view, keepLater(view, response, lease));
  return weave(view, reached(view, response));
}

/** An answer whose page was reached, which counts where its slots do not. */
function reached(view, response) {
  if (view.request.method === "GET") later(view, view.plan.reached);
  return response;
}

/** What is kept, where the origin's answer says that it still stands, or fails in a way it allowed for. */
function keptAnswer(view, entry, response) {
  const now = Date.now();
  const same = isSame(view, entry, response, now);
  if (same) renewAll(view, entry, response, now);
  // What HEAD says of a page without a tag is not enough to tell.
  else if (response.status < 500 && view.request.method === "GET") drop(entry.key);
  if (!same && !(response.status >= 500 && mayRescue(entry, now))) return undefined;
  unread(response);
  noteUse(entry);
  return serve(view, entry, same ? response : undefined);
}

/** Reads the published snapshot behind the response; kept alive beyond this request, for the next one needs it too. */
export function refresh(view) {
  const loading = view.engine.load(view.env).catch((error) => console.error("snapshot", String(error)));
  readBehind(view, loading);
  return loading;
}

/** Reads indexes and interests, which nobody waits for: until they are here, their slots are as they were. */
function readBehind({ env, ctx, engine }, before) {
  ctx.waitUntil(before.then(() => engine.loadIndexes(env)).catch((error) => console.error("indexes", String(error))));
}

/** Waits for the snapshot where there was none yet, but not for long. */
export function firstSnapshot(view) {
  return Promise.race([refresh(view), new Promise((done) => setTimeout(done, FIRST_SNAPSHOT_MILLIS))]);
}

/** Asks the origin behind the response whether a page is still the same; one request at a time. */
function renewLater(view, entry) {
  if (view.request.method !== "GET" || Date.now() < entry.askingSince + WORK_MILLIS) return;
  entry.askingSince = Date.now();
  view.ctx.waitUntil(
    renewed(view, entry)
      .catch((error) => console.error("a page was not renewed", String(error)))
      .finally(() => (entry.askingSince = 0)),
  );
}

async function renewed(view, entry) {
  const response = await askOrigin(view.request, view.env, view.plan.token, { url: view.address, rewriting: true, known: entry.headers });
  const now = Date.now();
  if (isSame(view, entry, response, now)) renewAll(view, entry, response, now);
  else if (response.status < 500) {
    // Changed, moved or gone: whoever comes next gets it from the origin, or as it is cut here.
    drop(entry.key);
    const lease = leaseOf(view, response, now);
    if (mayCut(view, lease) && rewritable(view, response)) {
      if (isWhole(response)) await keepNow(view, response, await response.arrayBuffer(), lease);
      else lendLater(view, keepLater(view, response, lease));
    }
  }
  unread(response);
}

/** The page is still the same, here and for the neighbours. */
function renewAll(view, entry, response, now) {
  if (renew(view, entry, response, now)) view.ctx.waitUntil(lend(view, entry));
}

/** Gives the neighbours what will be kept, once it is. */
function lendLater(view, keeping) {
  if (keeping) view.ctx.waitUntil(keeping.then((entry) => entry && lend(view, entry)));
}

/** Lets go of a body that nobody reads. */
function unread(response) {
  response.body?.cancel().catch(() => {});
}

/**
 * A page from its skeleton: no parsing, and every byte is there before the first one leaves. What the origin says to this
 * visitor, where it was asked, is this visitor's. A visitor who has this very page already is told so.
 */
function serve(view, entry, response) {
  const { request, plan } = view;
  const csp = response?.headers.get("content-security-policy") ?? entry.csp;
  const body = splice(entry.skeleton, plan.slots, () => tailUnder(view, csp));
  const tag = `W/"el.${entry.skeleton.tag}.${plan.variant}"`;
  // A new key of the visitor, or a nonce of this one answer, belong to no page that is there already.
  const isNew = plan.cookie !== "" || /'nonce-/i.test(csp ?? "");
  const isKnown = !isNew && (request.headers.get("if-none-match")?.includes(tag.slice(2)) ?? false);
  const answer = new Response(isKnown ? null : body, { status: isKnown ? 304 : 200, headers: entry.served });
  if (response) {
    for (const [name, value] of ownHeaders(response)) answer.headers.set(name, value);
    for (const cookie of response.headers.getSetCookie()) answer.headers.append("set-cookie", cookie);
  }
  answer.headers.set("etag", tag);
  // Only here it is known before the first byte which slots the page has.
  for (const slot of plan.slots) if (slot.seen && slot.hints) answer.headers.append("link", slot.hints);
  personalise(answer.headers, plan);
  if (plan.isShared && !response) share(answer.headers, entry);
  // Last, for what fails above shows the origin's page.
  if (request.method === "GET") later(view, eventsOf(plan));
  return answer;
}

/** The facts that `Facts::coarse` in src/visitor.rs leaves, and what tells a view of the page from other uses of its address. */
const SHARED_BY = "User-Agent, CF-IPCountry, Sec-Fetch-Dest, Accept";

/**
 * A page that everybody with the same country and kind of device gets: caches in front may keep it as long as the origin's
 * own stands, and never beyond the hour, with which decisions change.
 */
function share(headers, { lease }) {
  const now = Date.now();
  const seconds = Math.floor((Math.min(lease?.freshUntil ?? 0, now - (now % HOUR_MILLIS) + HOUR_MILLIS) - now) / 1_000);
  if (!lease?.forAll || seconds <= 0) return;
  headers.set("cache-control", `public, max-age=0, s-maxage=${seconds}`);
  headers.append("vary", SHARED_BY);
}

/** What a view of the page records, once it is known which slots it has. */
function eventsOf({ slots, events, reached }) {
  if (slots.every((slot) => slot.seen)) return events;
  return joined([reached, ...slots.filter((slot) => slot.seen).map((slot) => slot.events)]);
}

/** What the decision may know of the request, one fact a line; the wasm reads them in this order. */
export function factsOf(request, url = request.url, referer = request.headers.get("referer") ?? "") {
  const h = request.headers;
  const get = (name) => h.get(name) ?? "";
  return [
    url, get("user-agent"), get("accept-language"), referer, get("cookie"), get("sec-gpc"), get("dnt"),
    get("sec-purpose") || get("purpose"), request.cf?.country ?? "", get("cf-ipcountry"),
  ].join("\n");
}

/** A plan, as `plan` in src/page.rs describes it. What only has to get to its place stays bytes. */
function parse(packed) {
  if (packed === undefined) return undefined;
  const { lengths, text, rest } = unpacked(packed);
  const [tailBytes, reachedBytes, placesChars] = lengths;
  const parts = text.split("\0");
  const [token, url, age, timing, cookie, variant, life, shared] = parts;
  const n = (lengths.length - N_LENGTHS) / 2;
  const slots = [];
  let at = 0;
  const bytes = (length) => rest.subarray(at, (at += length));
  for (let i = 0; i < n; i++) {
    slots.push({ css: parts[N_TEXTS + n + i], html: bytes(lengths[N_LENGTHS + 2 * i]), hints: parts[N_TEXTS + i], events: NOTHING, seen: false, open: 0, fault: false });
  }
  const tail = bytes(tailBytes);
  const events = rest.subarray(at);
  const reached = bytes(reachedBytes);
  for (let i = 0; i < n; i++) slots[i].events = bytes(lengths[N_LENGTHS + 2 * i + 1]);
  return { token, url, age, tail, timing, cookie, variant, lifeMillis: life === "" ? undefined : Number(life) * 1_000, isShared: shared !== "", events, reached, slots, places: text.slice(text.length - placesChars) };
}

/** Lengths and texts of a page's plan before those of its slots. */
const N_LENGTHS = 3;
const N_TEXTS = 8;
const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

/** The parts of what the wasm says: see `Plan::packed` in src/page.rs. */
export function unpacked(packed) {
  const words = new Uint32Array(packed.buffer, 0, packed.byteLength >> 2);
  const at = 8 + 4 * words[0];
  return { lengths: words.subarray(2, 2 + words[0]), text: decoder.decode(packed.subarray(at, at + words[1])), rest: packed.subarray(at + words[1]) };
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
function rewritable({ engine }, response) {
  const h = response.headers;
  const key = `${h.get("content-type") ?? ""}\n${h.get("content-encoding") ?? ""}\n${h.get("content-disposition") ?? ""}`;
  let verdict = verdicts.get(key);
  if (verdict === undefined) {
    verdict = engine.ask((wasm) => wasm.rewritable(key)) ?? false;
    verdicts.set(key, verdict);
  }
  return verdict;
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
