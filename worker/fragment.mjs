// One slot's HTML by itself, for ESI, htmx and server components. As a page it asks the wasm once and decides nothing; what
// fails leaves the caller with what it has: 204, for which htmx and its like change nothing.
//
// In contextual mode the edge records what it serves, as in a page; with consent the caller does: `Edgeloom-Receipt` goes to
// `/_edgeloom/collect` once the slot was seen. An ESI processor should pass the visitor's headers on, and `path` with them.

import { problem } from "./origin.mjs";
import { later } from "./outbox.mjs";
import { factsOf, firstSnapshot, refresh, unpacked } from "./page.mjs";
import { followPurges } from "./purges.mjs";
import { personalise } from "./weave.mjs";

const NO_PATH = "`path` is no path of this site; hint: /_edgeloom/slot/hero?path=/news, with a query of the page's own written %3F…";

/**
 * @param {Request} request  GET or HEAD
 * @param {string} name  of the slot, as the address has it
 */
export async function fragment(request, env, ctx, engine, name) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    const refused = problem(405, "Method not allowed", "Use GET, HEAD here.");
    refused.headers.set("allow", "GET, HEAD");
    return refused;
  }
  const page = pageOf(request);
  if (!page) return problem(400, "Not a path", NO_PATH);
  const facts = factsOf(request, page.href, cameFrom(request, page));
  // Only where the fault suite switched it on, as in page.mjs.
  const fault = env.EDGELOOM_FAULTS === "on" && request.headers.get("x-edgeloom-fault") === "plan-panic";
  if (fault) engine.ask((wasm) => wasm.panic());
  const ask = () => (fault ? undefined : parse(engine.ask((wasm) => wasm.fragment(env, facts, name))));

  const view = { env, ctx, engine };
  let plan = ask();
  if (plan?.age === "stale") refresh(view);
  followPurges(view);
  if (plan?.age === "cold") {
    await firstSnapshot(view);
    plan = ask() ?? plan;
  }
  if (plan?.missing) return problem(404, "Not found", plan.missing);
  if (plan && request.method === "GET" && isOwn(request)) later(view, plan.events);
  const answer = new Response(plan?.html || null, {
    status: plan?.html ? 200 : 204,
    headers: { "cache-control": "private, no-store", "x-content-type-options": "nosniff" },
  });
  if (plan?.html) answer.headers.set("content-type", "text/html; charset=utf-8");
  if (plan?.receipt) answer.headers.set("edgeloom-receipt", plan.receipt);
  if (plan) personalise(answer.headers, plan);
  return answer;
}

/** The answer when something of ours failed; the caller keeps what it has. */
export function keepOwn(error) {
  console.error("fail-open", String(error));
  return new Response(null, { status: 204, headers: { "cache-control": "private, no-store" } });
}

/** The parts in the order of `plan` in src/fragment.rs; those behind the last one that says something may be missing. */
function parse(packed) {
  if (packed === undefined) return undefined;
  const { text, rest } = unpacked(packed);
  const [age, missing, html, timing, receipt, cookie] = text.split("\0");
  return { age, missing, html, timing, cookie, receipt, events: rest };
}

/** The page the slot is for: `path`, else the page of ours it is asked from, else the start page. Nothing where `path` is none. */
function pageOf(request) {
  const own = new URL(request.url);
  const path = own.searchParams.get("path");
  if (path === null) {
    const from = urlOf(refererOf(request));
    return from?.origin === own.origin ? from : new URL("/", own);
  }
  const page = path.startsWith("/") ? urlOf(path, own) : undefined;
  return page?.origin === own.origin ? page : undefined;
}

/** The page before: a script in the page sends the page itself as its referrer, and that says nothing of where its visitor came from. */
function cameFrom(request, page) {
  const from = urlOf(refererOf(request));
  return from?.origin === page.origin && from.pathname === page.pathname ? "" : refererOf(request);
}

const refererOf = (request) => request.headers.get("referer") ?? "";

const urlOf = (text, base) => (URL.canParse(text, base) ? new URL(text, base) : undefined);

/** Nobody can read what another site's page loads from here, so it was not shown. */
function isOwn(request) {
  const site = request.headers.get("sec-fetch-site");
  return !site || site === "same-origin" || site === "none";
}
