// Talks to the origin: the request it gets, and the clean page when it is dead. Knows nothing of slots.

const INTERNAL = "x-edgeloom-";
const LOOP = "x-edgeloom-loop";

/** A problem as RFC 9457 describes it. */
export function problem(status, title, detail) {
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store", ...(status === 503 && { "retry-after": "1" }) };
  return Response.json({ type: "about:blank", title, status, detail }, { status, headers });
}

/**
 * The request for the origin: its own host where one is configured, without our internal headers and, for a page
 * that may be rewritten, with the conditions of what is kept of it (`known`, its headers) instead of the visitor's, which
 * would answer for somebody else's page. `whole` asks for all of it, whatever part the visitor asked for.
 */
function originRequest(request, env, token, { url = request.url, rewriting = false, known, whole = false } = {}) {
  let target = url;
  const headers = new Headers(request.headers);
  for (const name of request.headers.keys()) if (name.startsWith(INTERNAL)) headers.delete(name);
  if (env.ORIGIN) {
    const from = new URL(url);
    target = env.ORIGIN.replace(/\/+$/, "") + from.pathname + from.search;
    headers.set("x-forwarded-host", from.host);
    headers.set("x-forwarded-proto", from.protocol.slice(0, -1));
  }
  if (token) headers.set(LOOP, token);
  const accepted = headers.get("accept-encoding");
  // Where the visitor names none the runtime would ask for its own and hand the coded bytes on.
  if (accepted === null) headers.set("accept-encoding", "identity");
  if (whole) for (const name of ["range", "if-range"]) headers.delete(name);
  if (rewriting) {
    headers.delete("if-none-match");
    headers.delete("if-modified-since");
    // Of a page that is kept: whether it is still the same, for this visitor.
    const [tag, time] = [known?.get("etag"), known?.get("last-modified")];
    if (tag) headers.set("if-none-match", tag);
    else if (time) headers.set("if-modified-since", time);
    // What the runtime can decode; anything else would have to pass raw.
    if (accepted) headers.set("accept-encoding", /\bbr\b/.test(accepted) ? "br, gzip" : /\bgzip\b/.test(accepted) ? "gzip" : "identity");
  }
  // A receipt is between us and the visitor, also in the address of the page before.
  const referer = headers.get("referer");
  if (referer?.includes("_el=")) headers.set("referer", withoutReceipt(referer));
  // GET and HEAD may come with an empty body, which the runtime would refuse to send on.
  const body = request.method === "GET" || request.method === "HEAD" ? undefined : request.body;
  return new Request(target, { method: request.method, headers, body, redirect: "manual" });
}

/** An address as the origin knows it. */
export function withoutReceipt(address) {
  return address.includes("_el=") ? address.replace(/([?&])_el=[^&#]*(&|(?=#|$))/, (_, before, after) => (after ? before : "")) : address;
}

/** Whether this request has been through us before: the origin points back here. */
export function isLoop(request, token) {
  return Boolean(token) && request.headers.get(LOOP) === token;
}

/** The answer to a loop. */
export function loopPage() {
  return errorPage(508, "Loop detected", "The origin of this site points back to its own front. Set ORIGIN to the server behind it.");
}

/** Asks the origin; a dead one gives a clean page, never a dropped connection. */
export async function askOrigin(request, env, token, options) {
  const asked = originRequest(request, env, token, options);
  try {
    return homeward(await fetch(asked), request, env);
  } catch (error) {
    console.error("origin", String(error));
    return errorPage(502, "The site can't be reached", "The server behind this page did not answer. Please try again in a moment.");
  }
}

/** An origin that redirects to its own address means the one in front of it: there the visitor stays with us. */
function homeward(response, request, env) {
  if (!env.ORIGIN || response.status < 300 || response.status > 399) return response;
  const base = env.ORIGIN.replace(/\/+$/, "");
  const location = response.headers.get("location") ?? "";
  const rest = location.slice(base.length);
  if (!location.startsWith(base) || !/^([/?#]|$)/.test(rest)) return response;
  const headers = new Headers(response.headers);
  headers.set("location", new URL(request.url).origin + (rest.startsWith("/") ? rest : `/${rest}`));
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** The last resort when something of ours failed before the origin was asked: the request as it came. */
export async function failOpen(request, env, error) {
  console.error("fail-open", String(error));
  try {
    return await askOrigin(request, env, "");
  } catch {
    return errorPage(502, "The site can't be reached", "The server behind this page could not be asked. Please try again in a moment.");
  }
}

/** Hands a request to the origin and its answer back, both untouched. */
export function passThrough(request, env, ask) {
  const token = ask((wasm) => wasm.loop_token(env));
  return isLoop(request, token) ? loopPage() : askOrigin(request, env, token);
}

function errorPage(status, title, text) {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>body{font:1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1.5rem;color:#222;background:#fff}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}}</style><h1>${title}</h1><p>${text}</p></html>`;
  return new Response(html, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store", "x-content-type-options": "nosniff" },
  });
}
