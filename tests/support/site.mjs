// A site with the Worker in front, and how its visitors look at it.

import { html, startOrigin } from "./origin.mjs";
import { BROWSER, CONFIG, HOME, decisionsOf, until } from "./sample.mjs";
import { start } from "./workerd.mjs";

/** A page that stands for ten minutes. */
export const LIFE = { "cache-control": "max-age=600" };
/** The same for everybody, with a tag. */
export const SHARED = { "cache-control": "public, max-age=600", etag: '"1"' };

/** The headers of a visitor who has a page and looks at it again, as browsers do; `fetch` alone would ask for a reload. */
export const having = (tag) => ({ "if-none-match": tag, "cache-control": "max-age=3600" });

/** Starts an origin with the Worker in front of it, published and warm. */
export async function startSite() {
  const origin = await startOrigin({ "/": html(HOME) });
  const worker = await start({ origin: origin.url });
  const view = async (path, headers = {}) => {
    const response = await worker.fetch(path, { headers: { ...BROWSER, ...headers } });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const askedFor = (path) => origin.requests.filter((request) => request.path === path);
  await worker.publish(CONFIG);
  await until(() => view("/"), ({ text }) => decisionsOf(text));
  return {
    origin,
    worker,
    view,
    /** What the origin was asked for at a path. */
    askedFor,
    /** Views until the origin is not asked any more; the last one. */
    async settled(path, headers) {
      for (let i = 0; i < 50; i++) {
        const before = askedFor(path).length;
        const answer = await view(path, headers);
        if (askedFor(path).length === before) return answer;
        await new Promise((done) => setTimeout(done, 20));
      }
      throw new Error(`${path} is asked for at every view`);
    },
    /** A Worker of its own in front of the same origin, with another configuration. */
    async withConfig(config, run) {
      const own = await start({ origin: origin.url });
      const look = (path, headers = {}, method = "GET") => own.fetch(path, { method, headers: { ...BROWSER, ...headers } });
      try {
        await own.publish(config);
        await run(look, own);
      } finally {
        await own.stop();
      }
    },
    async stop() {
      await worker.stop();
      await origin.close();
    },
  };
}
