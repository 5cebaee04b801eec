// The guard in front of the wasm: it restarts a dead instance, keeps deadlines and fails open to the origin.
// It decides nothing: what a page gets is `plan` in src/page.rs, how bytes move is page.mjs and, for a slot alone, fragment.mjs.

import { DurableObject } from "cloudflare:workers";
import * as wasm from "../build/worker/index.js";
import { recall } from "./datacentre.mjs";
import { fragment, keepOwn } from "./fragment.mjs";
import { page } from "./page.mjs";
import { failOpen, passThrough, problem, withoutReceipt } from "./origin.mjs";
import { forget } from "./skeletons.mjs";

const API = "/_edgeloom/";
const SLOT = "/_edgeloom/slot/";
const ADMIN = "/_edgeloom/admin/";
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
const state = wasm.__worker_init_state();
const pending = new Set();
let generation = 0;

/** Notes a trap: nobody waits any longer for a dead instance. */
function die(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  state.criticalError = true;
  for (const reject of [...pending]) reject(error);
}
addEventListener("error", (event) => die(event.error));
addEventListener("unhandledrejection", (event) => die(event.reason));

/** A dead instance is replaced before the next call; its globals are gone, the runtime's state is not. */
function alive() {
  if (!state.criticalError) return;
  wasm.__wbg_reset_state();
  state.criticalError = false;
  generation++;
}

/** Runs an asynchronous call into the wasm against a deadline and against its death. */
async function guard(millis, run) {
  alive();
  let reject;
  let timer;
  const dead = new Promise((_, refuse) => {
    reject = refuse;
    pending.add(refuse);
    timer = setTimeout(() => refuse(new Error("deadline")), millis);
  });
  try {
    return await Promise.race([run(), dead]);
  } catch (error) {
    die(error);
    throw error;
  } finally {
    clearTimeout(timer);
    pending.delete(reject);
  }
}

/** A synchronous call into the wasm; `undefined` when it fails, so that the caller fails open. */
function ask(run) {
  try {
    alive();
    return run(wasm);
  } catch (error) {
    die(error);
    console.error("fail-open", String(error));
    return undefined;
  }
}

/** The addresses that a request changed: its own, and those of this site that its answer names (RFC 9111, 4.4). */
function changedBy({ url }, { headers }) {
  const named = [headers.get("location"), headers.get("content-location")].filter((one) => one && URL.canParse(one, url)).map((one) => new URL(one, url));
  return new Set([url, ...named.filter(({ origin }) => origin === new URL(url).origin).map(({ href }) => href.split("#", 1)[0])].map(withoutReceipt));
}

/** What the page path may use of the wasm. */
const engine = { ask, load: (env) => guard(5_000, () => wasm.load(env)), loadIndexes: (env) => guard(28_000, () => wasm.load_indexes(env)), record: (env, events) => guard(10_000, () => wasm.record(env, events)) };

export class Shard extends DurableObject {
  #object;
  #generation = -1;
  #live() {
    alive();
    if (this.#generation !== generation) {
      this.#object = new wasm.Shard(this.ctx, this.env);
      this.#generation = generation;
    }
    return this.#object;
  }
  fetch(request) {
    return guard(10_000, () => this.#live().fetch(request));
  }
  alarm() {
    return guard(20_000, () => this.#live().alarm());
  }
}

export class Root extends DurableObject {
  #object;
  #generation = -1;
  #live() {
    alive();
    if (this.#generation !== generation) {
      this.#object = new wasm.Root(this.ctx, this.env);
      this.#generation = generation;
    }
    return this.#object;
  }
  fetch(request) {
    return guard(20_000, () => this.#live().fetch(request));
  }
  alarm() {
    return guard(20_000, () => this.#live().alarm());
  }
}

// A plain object: an instance of an entry point class for each request would cost a tenth of a page view.
export default {
  async fetch(request, env, ctx) {
    const at = request.url.indexOf("/", 8);
    if (at >= 0 && request.url.startsWith(API, at)) {
      if (request.url.startsWith(SLOT, at)) {
        const [name] = request.url.slice(at + SLOT.length).split(/[?#]/, 1);
        return fragment(request, env, ctx, engine, name).catch(keepOwn);
      }
      try {
        // A piece of an index has 24 MiB, and comes as slowly as its sender's line is.
        return await guard(request.url.startsWith(ADMIN, at) ? 120_000 : 15_000, () => wasm.api(request, env, ctx));
      } catch (error) {
        console.error("api", String(error));
        return problem(503, "Temporarily unavailable", "The service restarts; nothing was lost. Send it again.");
      }
    }
    // Nothing of ours ever touches a body on its way to the origin, or an upgrade.
    if ((request.method !== "GET" && request.method !== "HEAD") || request.headers.has("upgrade")) {
      const answer = await passThrough(request, env, ask);
      // What a visitor changed is not shown as it was before.
      if (!SAFE_METHODS.has(request.method) && answer.status < 400) {
        for (const address of changedBy(request, answer)) {
          forget(address);
          ctx.waitUntil(recall(address));
        }
      }
      return answer;
    }
    try {
      return await page(request, env, ctx, engine);
    } catch (error) {
      return failOpen(request, env, error);
    }
  },
  async queue(batch, env) {
    await guard(30_000, () => wasm.queue(batch, env));
  },
  async scheduled(_controller, env) {
    await guard(30_000, () => wasm.scheduled(env));
  },
};
