// Runs the built Worker under wrangler's test harness: the real runtime with local KV, Durable Objects, queue and cron.
// For what a visitor or an admin sees. Kills, faults of the bindings and CPU time are `workerd.mjs`.

import { createTestHarness } from "wrangler";
import { adminOf } from "./admin.mjs";
import { SECRETS, SITE, built, path } from "./paths.mjs";

// Offline and quiet, also when a test file is run by hand.
Object.assign(process.env, { CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_SEND_METRICS: "false", EDGELOOM_BUILT: "1", CI: "1" });

/**
 * Starts the Worker in front of an origin.
 *
 * @param {{ origin?: string, vars?: Record<string, string>, secrets?: Record<string, string> }} [options]
 *   `origin` is a base URL; `vars` and `secrets` are added to those of the tests.
 */
export async function startWorker({ origin = "", vars = {}, secrets = {} } = {}) {
  const server = createTestHarness({
    root: path(""),
    workers: [
      {
        configPath: "wrangler.toml",
        prebuiltWorkerDir: built("build/bundle"),
        vars: { ORIGIN: origin, SITE, ...vars },
        secrets: { ...SECRETS, ...secrets },
      },
    ],
  });
  const { url } = await server.listen();
  const fetch = (target, init) => server.fetch(target, { redirect: "manual", ...init });
  const worker = server.getWorker();
  return {
    /** Where it listens, for browsers and raw sockets. */
    url,
    /** A request; a path is taken relative to `url`, redirects are not followed. */
    fetch,
    ...adminOf(fetch),
    /** The bindings, KV among them: `(await env()).STATE.get(…)`. */
    env: () => worker.getEnv(),
    /** Runs SQL inside a Durable Object: `(await sql("SHARD", name))("SELECT …", …)`. */
    async sql(binding, name) {
      const storage = await worker.getDurableObjectStorage(binding, { name });
      return (statement, ...values) => storage.exec(statement, ...values);
    },
    /** Drops a Durable Object from memory; its storage stays. */
    evict: (binding, name) => worker.evictDurableObject(binding, { name }),
    /** Starts a new isolate; what the platform keeps stays. */
    reload: () => server.update((options) => ({ ...options })),
    /** Runs the cron handler. */
    scheduled: (cron = "*/5 * * * *") => worker.scheduled({ cron }),
    /** What the Worker logged so far. */
    logs: () => server.getLogs(),
    /** Shows a timeline of what happened; for failing tests. */
    debug: () => server.debug(),
    close: () => server.close(),
  };
}
