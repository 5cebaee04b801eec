// What an origin allows a shared cache to do with its answer (RFC 9111, RFC 5861, RFC 9213). Pure: headers in, times out.
// It is stricter than it has to be where a mistake would show one visitor's page to another.

const STALE_HEADERS = new Set(["etag", "last-modified", "content-length", "content-md5", "digest", "repr-digest", "content-digest", "accept-ranges", "expires", "age", "surrogate-control", "edge-control", "x-accel-expires"]);

/**
 * Whether a header of a page is false once a slot is filled: about its bytes, or about who may keep them. Caches have lines of
 * their own (RFC 9213), which all end alike and count for more than the one for everybody.
 */
export const isStale = (name) => STALE_HEADERS.has(name) || name.endsWith("-cache-control");

/**
 * How long an answer may stand for the next visitor's.
 *
 * @typedef {object} Lease
 * @property {number} since  when the origin was asked, milliseconds since the epoch
 * @property {number} madeAt  when the answer was made, as far as is known: it may have come by way of other caches
 * @property {number} freshUntil  milliseconds since the epoch; until then nobody has to be asked
 * @property {number} renewUntil  until then it may be used while the origin is being asked (stale-while-revalidate)
 * @property {number} rescueUntil  until then it may be used when the origin fails (stale-if-error)
 * @property {boolean} forAll  it is named shared; else it stands only among visitors without cookies
 * @property {number} [configuredMillis]  its life, where that is the site's configuration's word and not the origin's
 */

const NONE = new Map();

/** The directives of a `Cache-Control` line by name, in lower case; one without a value is `true`, as is one with a space before it. */
export function directives(line) {
  if (line === null) return NONE;
  const found = new Map();
  for (const [, name, quoted, plain] of line.matchAll(/([\w-]+)(?:=(?:"([^"]*)"|([^\s,]*)))?/g)) {
    found.set(name.toLowerCase(), quoted ?? plain ?? true);
  }
  return found;
}

/** Lines about who may keep an answer, those for caches like us first (RFC 9213; the last but one is the older custom). */
const CACHE_HEADERS = ["cloudflare-cdn-cache-control", "cdn-cache-control", "surrogate-control", "cache-control"];

/** What a lease is made from. */
export const LEASE_HEADERS = [...CACHE_HEADERS, "expires", "date", "age", "vary", "etag", "last-modified"];

/** Names in a `Vary` line that can tell visitors apart as finely as a name would: such an answer is nobody else's. */
const NAMING = new Set(["*", "cookie", "authorization"]);

/** The request headers an answer depends on, sorted; what is kept is decoded, so the coding does not count. */
export function varyOf(headers) {
  const names = (headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim());
  return [...new Set(names)].filter((name) => name && name !== "accept-encoding").sort();
}

/** By these a client makes many a server answer for another address, and no `Vary` tells. */
const STEERING = ["forwarded", "x-forwarded-scheme", "x-forwarded-prefix", "x-host", "x-original-url", "x-rewrite-url", "x-http-method-override"];

/** Whether a request asks for another page than its address says. A proxy in front of us says what the address says. */
function isSteered({ url, headers }) {
  const host = headers.get("x-forwarded-host");
  return (host !== null && host !== new URL(url).host) || STEERING.some((name) => headers.has(name));
}

/** Whether a request may be answered from what others were given, and others from its answer. */
export function mayShare(request) {
  const { headers } = request;
  return (request.method === "GET" || request.method === "HEAD") && !headers.has("authorization") && !directives(headers.get("cache-control")).has("no-store") && !isSteered(request);
}

/**
 * Whether a visitor may share what stands under a lease. Many a site makes pages by cookie, says `max-age` or sends a tag,
 * and means the browser it made the page for.
 */
export function isFor({ request, plan }, lease) {
  // The configuration took its word back, or says another one by now.
  if (lease.configuredMillis !== undefined && lease.configuredMillis !== plan.lifeMillis) return false;
  return lease.forAll || !request.headers.has("cookie");
}

/** Whether a visitor asks for the origin's own word (a reload), or for one fresher than what stands under a lease. */
export function wantsOrigin(request, lease, now) {
  const asked = directives(request.headers.get("cache-control"));
  if (asked.size === 0) return directives(request.headers.get("pragma")).has("no-cache");
  const isOlder = asked.has("max-age") && !(now - lease.madeAt <= Number(asked.get("max-age")) * 1_000);
  const isOverBefore = asked.has("min-fresh") && !(now + Number(asked.get("min-fresh")) * 1_000 <= lease.freshUntil);
  return asked.has("no-cache") || asked.get("max-age") === "0" || isOlder || isOverBefore;
}

/** Whether a copy of an answer may stay here at all. Whoever is told not to keep it, we are not asked to. */
export function mayCopy(request, { status, headers }) {
  const isForbidden = (name) => /\b(no-store|private)\b/i.test(headers.get(name) ?? "");
  return status === 200 && mayShare(request) && !CACHE_HEADERS.some(isForbidden);
}

/**
 * The lease of an answer; nothing where it must not be kept for others.
 *
 * An answer without a stated life is kept only under an entity tag, and asked about at each view with the visitor's own
 * headers.
 *
 * @param {{ request: Request, plan: { lifeMillis?: number }, askedAt?: number }} view  a life that the site's configuration states
 *   counts where the answer states none
 * @param {{ status: number, headers: Headers }} response
 * @param {number} now  milliseconds since the epoch
 * @returns {Lease | undefined}
 */
export function leaseOf({ request, plan, askedAt }, response, now) {
  const { headers } = response;
  if (!mayCopy(request, response) || headers.has("set-cookie")) return undefined;
  if (varyOf(headers).some((name) => NAMING.has(name))) return undefined;
  // A nonce is made for one answer; the next one's header would not fit this body.
  if (/'nonce-/i.test(headers.get("content-security-policy") ?? "")) return undefined;
  const lease = { since: askedAt ?? now, ...granted(headers, now, plan.lifeMillis) };
  return isFor({ request, plan }, lease) && (lease.freshUntil > now || headers.has("etag")) ? lease : undefined;
}

/**
 * Whether a copy may be taken under a lease. The configuration speaks for a page that is the same for everybody; what was sent
 * with a cookie may be another.
 */
export function mayCut({ request }, lease) {
  return lease !== undefined && !(lease.configuredMillis !== undefined && request.headers.has("cookie"));
}

/** The lease that headers grant from now on: by the first line that is meant for caches like us, else by that for all. */
function granted(headers, now, configured) {
  const line = CACHE_HEADERS.find((name) => directives(headers.get(name)).size > 0) ?? "cache-control";
  const said = directives(headers.get(line));
  const isTargeted = line !== "cache-control";
  // A life that is no number is over.
  const millis = (name) => (said.has(name) ? (/^\d+$/.test(said.get(name)) ? Number(said.get(name)) * 1_000 : 0) : undefined);
  const stated = millis("s-maxage") ?? millis("max-age") ?? (isTargeted ? undefined : expires(headers, now));
  const life = said.has("no-cache") ? 0 : (stated ?? configured ?? 0);
  const age = ageOf(headers, now);
  const freshUntil = now + Math.max(0, life - age);
  const strict = ["no-cache", "must-revalidate", "proxy-revalidate"].some((name) => said.has(name));
  const beyond = (name) => freshUntil + (strict ? 0 : (millis(name) ?? 0));
  const configuredMillis = stated === undefined ? configured : undefined;
  const forAll = configuredMillis !== undefined || said.has("public") || said.has("s-maxage") || isTargeted;
  return { madeAt: now - age, freshUntil, renewUntil: beyond("stale-while-revalidate"), rescueUntil: beyond("stale-if-error"), forAll, configuredMillis };
}

/** How old an answer is (RFC 9111, 4.2.3), milliseconds; one that says so in no way that can be read is older than any life. */
function ageOf(headers, now) {
  const said = headers.get("age") ?? "0";
  if (!/^\d+$/.test(said)) return Infinity;
  // The date is in whole seconds.
  const apparent = Math.floor((now - (Date.parse(headers.get("date") ?? "") || now)) / 1_000);
  return Math.max(Number(said), apparent) * 1_000;
}

function expires(headers, now) {
  const until = Date.parse(headers.get("expires") ?? "");
  if (Number.isNaN(until)) return undefined;
  return until - (Date.parse(headers.get("date") ?? "") || now);
}
