// The admin API as a client sees it.

import { ADMIN_TOKEN } from "./paths.mjs";

/**
 * A client of the admin API over any `fetch(path, init)`.
 * @param {(path: string, init?: RequestInit) => Promise<Response>} fetch
 */
export function adminOf(fetch) {
  /** One call; `body` goes out as JSON. Answers are returned as they are, whatever their status. */
  const call = (method, name, body, headers = {}) =>
    fetch(`/_edgeloom/admin/${name}`, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });

  /** One call that must work; its JSON. */
  const must = async (method, name, body, headers) => {
    const response = await call(method, name, body, headers);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${name}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };

  /**
   * Replaces the configuration, whatever it was, and publishes it; the answer of the publishing. Nobody is held out unless the
   * configuration says so: by default one view in twenty would be.
   */
  const publish = async (given) => {
    const config = { holdout: { share: 0 }, ...given };
    const before = await call("GET", "config");
    await before.arrayBuffer();
    const etag = before.headers.get("etag");
    const { version } = await must("PUT", "config", config, etag ? { "if-match": etag } : { "if-none-match": "*" });
    return must("POST", "publish", { version });
  };

  return { call, must, publish };
}
